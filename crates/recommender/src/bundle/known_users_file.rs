use shortlist_embedding::KnownUsers;
use shortlist_types::{Timestamp, UserIdx};

use super::tensors::{Tensors, Values, write as write_tensors};
use super::{BundleError, BundleFiles, KNOWN_USERS, malformed};

/// Times are microseconds since 1970, as two's complement.
pub(crate) fn write(known: &KnownUsers) -> Result<Vec<u8>, BundleError> {
    let users: Vec<u32> = known.rows().map(|(user, ..)| user.0).collect();
    let until: Vec<u64> = known.rows().map(|(_, until, _)| until.as_micros().cast_unsigned()).collect();
    let stiffness: Vec<f32> = known.rows().map(|(_, _, stiffness)| stiffness).collect();
    let tensors = [
        ("users".to_owned(), Values::U32(&users)),
        ("until".to_owned(), Values::U64(&until)),
        ("stiffness".to_owned(), Values::F32(&stiffness)),
        ("vectors".to_owned(), Values::F32(known.values())),
    ];
    write_tensors(KNOWN_USERS, &tensors)
}

pub(crate) fn read(files: &BundleFiles<'_>) -> Result<KnownUsers, BundleError> {
    let bytes = files.bytes(KNOWN_USERS)?;
    let tensors = Tensors::read(KNOWN_USERS, &bytes)?;
    let (users, until, stiffness) = (tensors.u32("users")?, tensors.u64("until")?, tensors.f32("stiffness")?);
    if until.len() != users.len() || stiffness.len() != users.len() {
        return Err(malformed(KNOWN_USERS, &"expected a time and a stiffness for every user"));
    }
    let rows = users.into_iter().zip(until).zip(stiffness).map(|((user, until), stiffness)| {
        let until = Timestamp::from_micros(until.cast_signed()).map_err(|error| malformed(KNOWN_USERS, &error))?;
        Ok((UserIdx(user), until, stiffness))
    });
    Ok(KnownUsers::parse(rows.collect::<Result<_, BundleError>>()?, tensors.f32("vectors")?)?)
}
