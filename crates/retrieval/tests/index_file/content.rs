//! Leaves, numbers, vectors and gaps that break a rule, under a fitting checksum.

use shortlist_retrieval::{FormatRule, Metric};

use crate::sample::{BLOCKS, COARSE_LIMIT, Crafted, HEADER, ITEMS, LEAVES, POINTS};

const NOT_FINITE: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
const NOT_POSITIVE: [f32; 4] = [0.0, -0.0, -1.0, -1e-45];

fn files() -> impl Iterator<Item = Crafted> {
    Metric::ALL.into_iter().map(Crafted::file)
}

#[test]
fn every_leaf_has_points() {
    for file in files() {
        for at in file.parts.leaf_points.clone().step_by(4) {
            assert_eq!(file.clone().u32(at, 0).rule(), FormatRule::LeafCount);
        }
    }
}

#[test]
fn the_points_of_the_leaves_add_up() {
    for file in files() {
        for at in file.parts.leaf_points.clone().step_by(4) {
            let own = file.u32_at(at);
            for count in [own + 1, own + 16, 1 << 31] {
                assert_eq!(file.clone().u32(at, count).rule(), FormatRule::PointCount, "{count} for {own}");
            }
            if own > 1 {
                assert_eq!(file.clone().u32(at, own - 1).rule(), FormatRule::PointCount);
            }
        }
        // So many that their number stays at its end.
        for at in file.parts.leaf_points.clone().step_by(4).rev().skip(1) {
            assert_eq!(file.clone().u32(at, u32::MAX).rule(), FormatRule::LeafCount);
        }
        let last = file.parts.leaf_points.end - 4;
        assert_eq!(file.u32(last, u32::MAX).rule(), FormatRule::PointCount);
    }
}

#[test]
fn the_points_of_the_leaves_fill_the_blocks() {
    for file in files() {
        // As many points in another arrangement, which takes a block more.
        let leaves: Vec<(usize, u32)> =
            file.parts.leaf_points.clone().step_by(4).map(|at| (at, file.u32_at(at))).collect();
        let three = leaves.windows(3).find(|three| {
            let blocks = |count: u32| count.div_ceil(16);
            let total: u32 = three.iter().map(|leaf| leaf.1).sum();
            total > 3 && blocks(total - 2) + 2 != three.iter().map(|leaf| blocks(leaf.1)).sum()
        });
        let three = three.unwrap();
        let total: u32 = three.iter().map(|leaf| leaf.1).sum();
        let crafted = file.u32(three[0].0, total - 2).u32(three[1].0, 1).u32(three[2].0, 1);
        assert_eq!(crafted.rule(), FormatRule::BlockCount);
    }
}

#[test]
fn there_are_leaves_when_there_are_points_and_points_when_there_are_items() {
    for sizes in [&[(ITEMS, 1), (POINTS, 1)][..], &[(ITEMS, 1)], &[(ITEMS, 1), (POINTS, 1), (BLOCKS, 1)]] {
        assert_eq!(Crafted::empty_of_sizes(sizes).rule(), FormatRule::LeafCount, "{sizes:?}");
    }
    // The same with all in place is an index, so that nothing else was wrong.
    let one = Crafted::empty_of_sizes(&[(ITEMS, 1), (POINTS, 1), (LEAVES, 1), (BLOCKS, 1)]);
    let (points, starts) = (one.parts.leaf_points.start, one.parts.item_starts.start);
    let mut one = one.u32(points, 1).u32(starts + 4, 1).u32(crate::sample::ENTRY, 0);
    let layer0 = one.parts.layer0.clone();
    one.bytes[layer0].fill(0xff);
    assert_eq!(one.read().unwrap().len(), 1);
    assert!(Crafted::empty_of_sizes(&[]).read().unwrap().is_empty());
}

#[test]
fn widths_and_steps_are_positive() {
    for file in files() {
        for part in [&file.parts.widths, &file.parts.centre_steps] {
            for at in part.clone().step_by(4) {
                for value in NOT_FINITE.into_iter().chain(NOT_POSITIVE) {
                    assert_eq!(file.clone().f32(at, value).rule(), FormatRule::Numbers, "{value} at {at}");
                }
            }
        }
    }
}

#[test]
fn the_numbers_of_leaves_are_finite_and_their_widths_positive() {
    for file in files() {
        for leaf in file.parts.leaf_numbers.clone().step_by(16) {
            let [width, reach, bias, centre_width] = [0, 4, 8, 12].map(|at| leaf + at);
            let rule = |at: usize, value: f32| file.clone().f32(at, value).rule();
            for value in NOT_FINITE {
                for at in [width, reach, bias, centre_width] {
                    assert_eq!(rule(at, value), FormatRule::Numbers, "{value} at {at}");
                }
            }
            for value in NOT_POSITIVE {
                assert_eq!(rule(width, value), FormatRule::Numbers, "{value}");
                assert_eq!(rule(centre_width, value), FormatRule::Numbers, "{value}");
            }
            assert_eq!(rule(reach, -1e-45), FormatRule::Numbers);
        }
    }
}

#[test]
fn numbers_are_refused_where_products_of_them_overflow() {
    for file in files() {
        let parts = &file.parts;
        let leaf = parts.leaf_numbers.start;
        let signed = [&parts.origin, &parts.biases].map(|part| part.clone().step_by(4).next());
        let signed = signed.into_iter().flatten().chain([leaf + 8]);
        for at in [COARSE_LIMIT, parts.centre_steps.start, leaf, leaf + 4, leaf + 12].into_iter().chain(signed.clone())
        {
            assert!(file.clone().f32(at, 1e20).read().is_ok(), "at {at}");
            assert_eq!(file.clone().f32(at, 1e25).rule(), FormatRule::Numbers, "at {at}");
        }
        for at in signed {
            assert!(file.clone().f32(at, -1e20).read().is_ok(), "at {at}");
            assert_eq!(file.clone().f32(at, -1e25).rule(), FormatRule::Numbers, "at {at}");
        }
    }
}

#[test]
fn origins_and_biases_are_finite() {
    for file in files() {
        for part in [&file.parts.origin, &file.parts.biases] {
            for at in part.clone().step_by(4) {
                for value in NOT_FINITE {
                    assert_eq!(file.clone().f32(at, value).rule(), FormatRule::Numbers, "{value} at {at}");
                }
            }
        }
        let points = file.parts.vectors.len() / 4 / crate::sample::DIMENSIONS;
        assert!([0, points].contains(&(file.parts.biases.len() / 4)));
    }
}

#[test]
fn vectors_are_finite() {
    for file in files() {
        for at in file.parts.vectors.clone().step_by(4) {
            for value in NOT_FINITE {
                assert_eq!(file.clone().f32(at, value).rule(), FormatRule::Vectors, "{value} at {at}");
            }
        }
    }
}

#[test]
fn gaps_between_parts_are_zero() {
    for file in files() {
        let mut end = HEADER;
        let mut gaps = Vec::new();
        for part in file.parts.all() {
            gaps.extend(end..part.start);
            end = part.end;
        }
        // Up to the checksum.
        gaps.extend(end..file.parts.length - 8);
        assert!(gaps.len() > 200, "only {} unused bytes", gaps.len());
        for at in gaps {
            for value in [1, 0xff] {
                assert_eq!(file.clone().byte(at, value).rule(), FormatRule::Zeros, "{value} at {at}");
            }
        }
    }
}
