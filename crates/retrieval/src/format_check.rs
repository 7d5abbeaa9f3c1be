use crate::graph::NONE;
use crate::graph_check::check_graph;
use crate::index_file::{HEADER_BYTES, LeafNumbers};
use crate::{FormatRule, FrozenIndex, RetrievalError};

/// Beyond every number that a builder writes: coarse values are at most 1e8, their squares summed 1e20.
const NUMBER_MAX: f32 = 1e24;

/// Checks every rule that a search relies on: a checksum says that a file is as it was written, not
/// that an index was written. The parts have their lengths already.
///
/// **Cost**: a read of everything but the codes, of which any are codes.
///
/// # Errors
/// The first rule that is broken.
pub(crate) fn check(index: &FrozenIndex) -> Result<(), RetrievalError> {
    check_unused(index)?;
    check_leaves(index)?;
    check_numbers(index)?;
    check_items(index)?;
    let leaves = index.header().leaves;
    if index.graph.nodes() as u64 != leaves {
        return Err(broken(FormatRule::LeafCount, leaves, index.graph.nodes() as u64));
    }
    check_graph(&index.graph)
}

/// The gaps between parts are zero: nothing hides there.
fn check_unused(index: &FrozenIndex) -> Result<(), RetrievalError> {
    let (header, layout, bytes) = (index.header(), index.layout(), index.image());
    let sizes = &header.upper_sizes[header.upper_layers as usize..];
    if sizes.iter().any(|size| *size != 0) || header.zeros != [0; 5] {
        return Err(broken(FormatRule::Zeros, 0, HEADER_BYTES as u64));
    }
    let parts = [
        &layout.widths,
        &layout.centre_steps,
        &layout.origin,
        &layout.leaf_numbers,
        &layout.leaf_points,
        &layout.centre_codes,
        &layout.layer0,
        &layout.upper,
        &layout.item_starts,
        &layout.items,
        &layout.sorted_items,
        &layout.sorted_points,
        &layout.codes,
        &layout.biases,
        &layout.vectors,
    ];
    let mut end = HEADER_BYTES;
    for part in parts {
        check_zeros(&bytes[end..part.start.max(end)], end)?;
        end = part.end;
    }
    check_zeros(&bytes[end..layout.length - crate::index_file::CHECKSUM_BYTES], end)
}

fn check_zeros(bytes: &[u8], start: usize) -> Result<(), RetrievalError> {
    match bytes.iter().position(|byte| *byte != 0) {
        Some(at) => Err(broken(FormatRule::Zeros, 0, (start + at) as u64)),
        None => Ok(()),
    }
}

fn check_leaves(index: &FrozenIndex) -> Result<(), RetrievalError> {
    let header = index.header();
    if (header.leaves == 0) != (header.points == 0) || (header.points == 0) != (header.items == 0) {
        return Err(broken(FormatRule::LeafCount, header.points, header.leaves));
    }
    if let Some(empty) = index.leaves.windows(2).position(|pair| pair[0].first_point >= pair[1].first_point) {
        return Err(broken(FormatRule::LeafCount, 1, empty as u64));
    }
    let end = index.leaves.last().map_or((0, 0), |end| (u64::from(end.first_point), u64::from(end.first_block)));
    if end.0 != header.points {
        return Err(broken(FormatRule::PointCount, header.points, end.0));
    }
    if end.1 != header.blocks {
        return Err(broken(FormatRule::BlockCount, header.blocks, end.1));
    }
    Ok(())
}

fn check_numbers(index: &FrozenIndex) -> Result<(), RetrievalError> {
    let header = index.header();
    let sane = |x: f32| x.abs() <= NUMBER_MAX;
    let positive = |x: f32| sane(x) && x > 0.0;
    let numbers = |numbers: &LeafNumbers| {
        let LeafNumbers { width, reach, bias, centre_width } = *numbers;
        positive(width) && positive(centre_width) && sane(reach) && reach >= 0.0 && sane(bias)
    };
    // Vectors as small as they get are scaled up by as much as there is.
    let sound = header.coarse_scale.is_finite()
        && header.coarse_scale > 0.0
        && positive(header.coarse_limit)
        && index.widths.as_slice().iter().copied().all(sane)
        && index.origin().iter().copied().all(sane)
        && index.centre_steps().iter().copied().all(positive)
        && index.biases().iter().copied().all(sane)
        && index.leaf_numbers().iter().all(numbers);
    if !sound {
        return Err(broken(FormatRule::Numbers, 0, 0));
    }
    // Summed over blocks without branches, so that it runs at memory speed.
    let infinite = |block: &[f32]| block.iter().fold(false, |any, x| any | !x.is_finite());
    match index.vectors().chunks(4_096).position(infinite) {
        Some(block) => Err(broken(FormatRule::Vectors, 0, block as u64)),
        None => Ok(()),
    }
}

fn check_items(index: &FrozenIndex) -> Result<(), RetrievalError> {
    let (starts, items) = (index.item_starts(), index.items_by_point());
    let ends = (starts.first().copied(), starts.last().copied());
    if ends != (Some(0), Some(items.len() as u32)) {
        return Err(broken(FormatRule::ItemsOfPoint, items.len() as u64, u64::from(ends.1.unwrap_or(NONE))));
    }
    for (point, pair) in starts.windows(2).enumerate() {
        let range = pair[0] as usize..pair[1] as usize;
        let own = items.get(range).unwrap_or(&[]);
        if own.is_empty() || !own.is_sorted_by(|a, b| a < b) {
            return Err(broken(FormatRule::ItemsOfPoint, 1, point as u64));
        }
    }
    // As many sorted items as items, each different, each among its point's: then they are the same.
    let (sorted, points) = (index.sorted_items(), index.sorted_points());
    if !sorted.is_sorted_by(|a, b| a < b) {
        return Err(broken(FormatRule::SortedItems, 0, 0));
    }
    for (item, point) in sorted.iter().zip(points) {
        let range =
            starts.get(*point as usize..).and_then(|starts| Some(*starts.first()? as usize..*starts.get(1)? as usize));
        let own = range.and_then(|range| items.get(range));
        if own.is_none_or(|own| own.binary_search(item).is_err()) {
            return Err(broken(FormatRule::SortedItems, u64::from(*point), u64::from(*item)));
        }
    }
    Ok(())
}

fn broken(rule: FormatRule, limit: u64, got: u64) -> RetrievalError {
    RetrievalError::broken(rule, limit, got)
}
