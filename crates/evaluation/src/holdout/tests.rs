use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

type Pairs = Vec<(u32, u32)>;
type Cut = fn(&[(u32, u32)], f64, u64) -> Split;

fn one_user(items: u32) -> Pairs {
    (0..items).map(|item| (3, item * 10)).collect()
}

fn held_items(split: &Split) -> Vec<u32> {
    split.held_out.iter().map(|pair| pair.1).collect()
}

#[test]
fn a_contiguous_block_follows_the_order_of_items() {
    for seed in 0..50 {
        let held = held_items(&contiguous(&one_user(20), 0.2, seed).unwrap());
        assert_eq!(held, (0..4).map(|step| held[0] + step * 10).collect::<Vec<_>>());
    }
}

#[test]
fn every_start_of_a_block_comes_up() {
    let starts: BTreeSet<u32> =
        (0..200).map(|seed| held_items(&contiguous(&one_user(10), 0.2, seed).unwrap())[0]).collect();
    assert_eq!(starts, (0..=8).map(|start| start * 10).collect());
}

#[test]
fn a_random_slice_takes_every_item_about_equally_often() {
    let mut taken: BTreeMap<u32, u32> = BTreeMap::new();
    for seed in 0..1_000 {
        for item in held_items(&random(&one_user(10), 0.2, seed).unwrap()) {
            *taken.entry(item).or_default() += 1;
        }
    }
    // 200 each are expected, with a standard deviation of 13.
    assert!(taken.len() == 10 && taken.values().all(|&times| (140..260).contains(&times)), "{taken:?}");
}

#[test]
fn users_with_too_few_items_are_left_whole() {
    for items in 0..SHARE_ITEMS_MIN as u32 {
        assert!(contiguous(&one_user(items), 0.5, 1).unwrap().held_out.is_empty());
        assert!(random(&one_user(items), 0.5, 1).unwrap().held_out.is_empty());
    }
    assert!(leave_one_out(&one_user(1), 1).held_out.is_empty());
    assert_eq!(leave_one_out(&one_user(2), 1).held_out.len(), 1);
}

#[test]
fn a_share_must_leave_something_on_both_sides() {
    for share in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY] {
        assert!(contiguous(&one_user(9), share, 1).is_err() && random(&one_user(9), share, 1).is_err(), "{share}");
    }
    let error = random(&[], 1.5, 1).unwrap_err();
    assert_eq!(error.to_string(), "share: expected more than 0 and less than 1, got 1.5");
}

#[test]
fn the_slice_of_a_user_does_not_depend_on_other_users() {
    let mut crowd = one_user(30);
    let alone = random(&crowd, 0.2, 9).unwrap().held_out;
    crowd.extend((0..40).map(|item| (1, item)));
    let among = random(&crowd, 0.2, 9).unwrap().held_out;
    assert_eq!(among.into_iter().filter(|pair| pair.0 == 3).collect::<Pairs>(), alone);
}

fn per_user(pairs: &[(u32, u32)]) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    for pair in pairs {
        *counts.entry(pair.0).or_default() += 1;
    }
    counts
}

proptest! {
    #[test]
    fn parts_are_disjoint_whole_sorted_repeatable_and_leave_no_user_empty(
        pairs in prop::collection::vec((0_u32..6, 0_u32..60), 0..200), share in 0.01..0.99, seed: u64,
    ) {
        let whole: BTreeSet<_> = pairs.iter().copied().collect();
        let sorted: Pairs = whole.iter().copied().collect();
        let cuts: [Cut; 3] = [
            |pairs, share, seed| contiguous(pairs, share, seed).unwrap(),
            |pairs, share, seed| random(pairs, share, seed).unwrap(),
            |pairs, _, seed| leave_one_out(pairs, seed),
        ];
        for (which, cut) in cuts.iter().enumerate() {
            let split = cut(&pairs, share, seed);
            prop_assert_eq!(&cut(&sorted, share, seed), &split);
            prop_assert!(split.train.is_sorted() && split.held_out.is_sorted());
            let union: BTreeSet<_> = split.train.iter().chain(&split.held_out).copied().collect();
            prop_assert_eq!(split.train.len() + split.held_out.len(), whole.len());
            prop_assert_eq!(&union, &whole);
            let (kept, held) = (per_user(&split.train), per_user(&split.held_out));
            for (user, items) in per_user(&sorted) {
                let held = held.get(&user).copied().unwrap_or(0);
                prop_assert!(kept.contains_key(&user));
                let expected = match which {
                    2 => usize::from(items >= 2) as f64,
                    _ if items < SHARE_ITEMS_MIN => 0.0,
                    _ => (items as f64 * share).min(items as f64 - 1.0),
                };
                prop_assert!((held as f64 - expected).abs() <= 0.5, "{held} of {items}, share {share}");
            }
        }
    }
}
