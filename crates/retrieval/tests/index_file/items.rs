//! Items that do not belong to their points, under a fitting checksum.

use shortlist_retrieval::{FormatRule, Metric};

use crate::sample::{Crafted, walked_file};

fn files() -> impl Iterator<Item = Crafted> {
    Metric::ALL.into_iter().map(Crafted::file)
}

/// Where the items of a point that has several begin, in the part and in the file.
fn shared_point(file: &Crafted) -> usize {
    let starts = file.u32s(&file.parts.item_starts);
    let point = starts.windows(2).find(|pair| pair[1] - pair[0] > 1).unwrap();
    file.parts.items.start + 4 * point[0] as usize
}

#[test]
fn the_items_of_points_begin_at_zero_and_end_at_all() {
    for file in files() {
        let starts = file.parts.item_starts.clone();
        let items = file.parts.items.len() as u32 / 4;
        for first in [1, 2, items, u32::MAX] {
            assert_eq!(file.clone().u32(starts.start, first).rule(), FormatRule::ItemsOfPoint, "{first}");
        }
        for last in [0, items - 1, items + 1, 1 << 31, u32::MAX] {
            assert_eq!(file.clone().u32(starts.end - 4, last).rule(), FormatRule::ItemsOfPoint, "{last}");
        }
    }
    // Where the first point has items left after that.
    for crowded in Metric::ALL.map(walked_file).map(Crafted::of) {
        let starts = crowded.parts.item_starts.start;
        assert!(crowded.u32_at(starts + 4) > 2);
        assert_eq!(crowded.u32(starts, 1).rule(), FormatRule::ItemsOfPoint);
    }
}

#[test]
fn every_point_has_items_and_none_of_another() {
    for file in files() {
        let starts: Vec<usize> = file.parts.item_starts.clone().step_by(4).collect();
        let items = file.parts.items.len() as u32 / 4;
        for three in starts.windows(3) {
            let [before, own, after] = [three[0], three[1], three[2]].map(|at| file.u32_at(at));
            // None for the one before, none for this, less than before, beyond all.
            for start in [before, after, before.wrapping_sub(1), after + 1, items + 1, u32::MAX] {
                assert_eq!(file.clone().u32(three[1], start).rule(), FormatRule::ItemsOfPoint, "{start} for {own}");
            }
        }
    }
}

#[test]
fn the_items_of_a_point_ascend() {
    for file in files() {
        let at = shared_point(&file);
        let [first, second] = [at, at + 4].map(|at| file.u32_at(at));
        assert_eq!(file.clone().u32(at, second).u32(at + 4, first).rule(), FormatRule::ItemsOfPoint);
        assert_eq!(file.u32(at + 4, first).rule(), FormatRule::ItemsOfPoint, "twice the same");
    }
}

#[test]
fn sorted_items_ascend_without_repeats() {
    for file in files() {
        let sorted: Vec<usize> = file.parts.sorted_items.clone().step_by(4).collect();
        let points = file.parts.sorted_points.start - file.parts.sorted_items.start;
        for pair in sorted.windows(2) {
            let [a, b] = [pair[0], pair[1]].map(|at| file.u32_at(at));
            assert_eq!(file.clone().u32(pair[1], a).rule(), FormatRule::SortedItems, "twice {a}");
            // Swapped, with their points.
            let [p, q] = [pair[0], pair[1]].map(|at| file.u32_at(at + points));
            let swapped = file.clone().u32(pair[0], b).u32(pair[1], a);
            assert_eq!(swapped.u32(pair[0] + points, q).u32(pair[1] + points, p).rule(), FormatRule::SortedItems);
        }
    }
}

#[test]
fn sorted_items_are_the_items_of_the_points() {
    for file in files() {
        for at in file.parts.sorted_items.clone().step_by(4) {
            // Items have gaps of two between them: one more is in order, and no item.
            let own = file.u32_at(at);
            assert_eq!(file.clone().u32(at, own + 1).rule(), FormatRule::SortedItems, "{own}");
        }
        for at in file.parts.items.clone().step_by(4) {
            let own = file.u32_at(at);
            assert_eq!(file.clone().u32(at, own + 1).rule(), FormatRule::SortedItems, "{own}");
        }
    }
}

#[test]
fn an_item_of_two_points_is_refused() {
    for file in files() {
        let starts = file.u32s(&file.parts.item_starts);
        let single: Vec<usize> = starts
            .windows(2)
            .filter(|pair| pair[1] - pair[0] == 1)
            .map(|pair| file.parts.items.start + 4 * pair[0] as usize)
            .collect();
        for pair in single.windows(2) {
            let item = file.u32_at(pair[0]);
            assert_eq!(file.clone().u32(pair[1], item).rule(), FormatRule::SortedItems, "{item}");
        }
    }
}

#[test]
fn every_sorted_item_has_its_own_point() {
    for file in files() {
        let points = file.parts.item_starts.len() as u32 / 4 - 1;
        for at in file.parts.sorted_points.clone().step_by(4) {
            let own = file.u32_at(at);
            for point in [(own + 1) % points, points, points + 1, 1 << 31, u32::MAX - 1, u32::MAX] {
                assert_eq!(file.clone().u32(at, point).rule(), FormatRule::SortedItems, "{point} for {own}");
            }
        }
    }
}
