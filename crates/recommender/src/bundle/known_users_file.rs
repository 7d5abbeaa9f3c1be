use shortlist_embedding::KnownUsers;
use shortlist_types::{ItemIdx, UserIdx};

use super::tensors::{Tensors, Values, write as write_tensors};
use super::{BundleError, BundleFiles, KNOWN_USERS, malformed};

/// The items of all users one after the other; `lengths` says how many each has.
pub(crate) fn write(known: &KnownUsers) -> Result<Vec<u8>, BundleError> {
    let users: Vec<u32> = known.rows().map(|(user, ..)| user.0).collect();
    let lengths: Vec<u64> = known.rows().map(|(_, items, _)| items.len() as u64).collect();
    let items: Vec<u32> = known.rows().flat_map(|(_, items, _)| items).map(|item| item.0).collect();
    let stiffness: Vec<f32> = known.rows().map(|(_, _, stiffness)| stiffness).collect();
    let tensors = [
        ("users".to_owned(), Values::U32(&users)),
        ("lengths".to_owned(), Values::U64(&lengths)),
        ("items".to_owned(), Values::U32(&items)),
        ("stiffness".to_owned(), Values::F32(&stiffness)),
        ("vectors".to_owned(), Values::F32(known.values())),
    ];
    write_tensors(KNOWN_USERS, &tensors)
}

pub(crate) fn read(files: &BundleFiles<'_>) -> Result<KnownUsers, BundleError> {
    let bytes = files.bytes(KNOWN_USERS)?;
    let tensors = Tensors::read(KNOWN_USERS, &bytes)?;
    let (users, stiffness) = (tensors.u32("users")?, tensors.f32("stiffness")?);
    let (lengths, items) = (tensors.u64("lengths")?, tensors.u32("items")?);
    let mut items = items.into_iter().map(ItemIdx);
    let mut lists = Vec::with_capacity(users.len());
    for length in &lengths {
        let length = usize::try_from(*length).unwrap_or(usize::MAX);
        let list: Vec<ItemIdx> = items.by_ref().take(length).collect();
        if list.len() != length {
            return Err(malformed(KNOWN_USERS, &"expected as many items as the lengths say"));
        }
        lists.push(list);
    }
    if lists.len() != users.len() || stiffness.len() != users.len() || items.next().is_some() {
        return Err(malformed(KNOWN_USERS, &"expected a length and a stiffness for every user, and no other items"));
    }
    let rows = users.into_iter().map(UserIdx).zip(lists).zip(stiffness);
    let rows = rows.map(|((user, items), stiffness)| (user, items, stiffness));
    Ok(KnownUsers::parse(rows.collect(), tensors.f32("vectors")?)?)
}
