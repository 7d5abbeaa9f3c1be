//! Graphs that are none, under a fitting checksum.

use std::ops::Range;

use shortlist_retrieval::{FormatRule, Metric};

use crate::sample::{Crafted, ENTRY, LEAVES, M, NONE, UPPER_LAYERS, UPPER_SIZES};

/// One upper layer of a file.
struct Layer {
    nodes: Range<usize>,
    lists: Range<usize>,
}

fn layers(file: &Crafted) -> Vec<Layer> {
    let m = file.u32_at(M) as usize;
    let mut start = file.parts.upper.start;
    let layer = |layer: usize| {
        let size = file.u32_at(UPPER_SIZES + 4 * layer) as usize;
        let nodes = start..start + 4 * size;
        let lists = nodes.end..nodes.end + 4 * size * m;
        start = lists.end;
        Layer { nodes, lists }
    };
    (0..file.u32_at(UPPER_LAYERS) as usize).map(layer).collect()
}

/// Every file, with the number of its leaves.
fn files() -> impl Iterator<Item = (Crafted, u32)> {
    Metric::ALL.into_iter().map(|metric| {
        let file = Crafted::file(metric);
        let leaves = file.u32_at(LEAVES);
        (file, leaves)
    })
}

/// Bytes of the list of `leaf` on layer 0, by place.
fn places(file: &Crafted, leaf: u32) -> impl Iterator<Item = usize> + use<> {
    let bytes = 4 * 2 * file.u32_at(M) as usize;
    let start = file.parts.layer0.start + leaf as usize * bytes;
    (start..start + bytes).step_by(4)
}

#[test]
fn neighbours_are_leaves() {
    for (file, leaves) in files() {
        for leaf in [0, 1, leaves / 2, leaves - 1] {
            for at in places(&file, leaf).take(1) {
                for neighbor in [leaves, leaves + 1, 1 << 31, NONE - 1] {
                    assert_eq!(file.clone().u32(at, neighbor).rule(), FormatRule::Neighbor, "{leaf}: {neighbor}");
                }
            }
        }
        // In every used place of every list.
        let used = file.parts.layer0.clone().step_by(4).filter(|at| file.u32_at(*at) != NONE);
        for at in used.collect::<Vec<_>>() {
            assert_eq!(file.clone().u32(at, leaves).rule(), FormatRule::Neighbor);
        }
    }
}

#[test]
fn no_leaf_is_its_own_neighbour() {
    for (file, leaves) in files() {
        for leaf in 0..leaves {
            let at = places(&file, leaf).next().unwrap();
            assert_eq!(file.clone().u32(at, leaf).rule(), FormatRule::SelfLoop);
        }
        for layer in layers(&file) {
            let m = file.u32_at(M) as usize;
            for (node, list) in layer.nodes.step_by(4).zip(layer.lists.step_by(4 * m)) {
                let own = file.u32_at(node);
                // A layer of one leaf has empty lists; its own number is no neighbour there either.
                assert_eq!(file.clone().u32(list, own).rule(), FormatRule::SelfLoop);
            }
        }
    }
}

#[test]
fn empty_places_come_last() {
    for (file, leaves) in files() {
        for leaf in 0..leaves {
            let places: Vec<usize> = places(&file, leaf).collect();
            if file.u32_at(places[1]) != NONE {
                assert_eq!(file.clone().u32(places[0], NONE).rule(), FormatRule::Padding);
            }
        }
        let m = file.u32_at(M) as usize;
        let mut tried = 0;
        for layer in layers(&file) {
            for list in layer.lists.step_by(4 * m).filter(|list| file.u32_at(*list + 4) != NONE) {
                assert_eq!(file.clone().u32(list, NONE).rule(), FormatRule::Padding);
                tried += 1;
            }
        }
        assert!(tried > 0);
    }
}

#[test]
fn neighbours_above_live_on_the_same_layer() {
    for (file, leaves) in files() {
        for layer in layers(&file) {
            let here = file.u32s(&layer.nodes);
            let at = layer.lists.start;
            for neighbor in (0..leaves).filter(|leaf| !here.contains(leaf)).chain([leaves, 1 << 31, NONE - 1]) {
                assert_eq!(file.clone().u32(at, neighbor).rule(), FormatRule::Neighbor, "{neighbor}");
            }
        }
    }
}

#[test]
fn the_entry_point_lives_on_the_top_layer() {
    for (file, leaves) in files() {
        let top = file.u32s(&layers(&file).last().unwrap().nodes);
        assert!(top.contains(&file.u32_at(ENTRY)));
        let elsewhere: Vec<u32> = (0..leaves).filter(|leaf| !top.contains(leaf)).collect();
        assert!(!elsewhere.is_empty());
        for leaf in elsewhere {
            assert_eq!(file.clone().u32(ENTRY, leaf).rule(), FormatRule::EntryPointLevel);
        }
        for none in [leaves, leaves + 1, NONE - 1, NONE] {
            assert_eq!(file.clone().u32(ENTRY, none).rule(), FormatRule::EntryPoint);
        }
    }
}

#[test]
fn the_leaves_of_a_layer_ascend() {
    for (file, _) in files() {
        for layer in layers(&file) {
            let nodes: Vec<usize> = layer.nodes.step_by(4).collect();
            for pair in nodes.windows(2) {
                let [a, b] = [pair[0], pair[1]].map(|at| file.u32_at(at));
                assert_eq!(file.clone().u32(pair[0], b).u32(pair[1], a).rule(), FormatRule::LayerOrder);
                assert_eq!(file.clone().u32(pair[1], a).rule(), FormatRule::LayerOrder, "twice the same");
            }
        }
    }
}

#[test]
fn layers_nest() {
    for (file, leaves) in files() {
        let layers = layers(&file);
        let last = layers[0].nodes.end - 4;
        for none in [leaves, 1 << 31, NONE] {
            assert_eq!(file.clone().u32(last, none).rule(), FormatRule::LayerNesting);
        }
        for pair in layers.windows(2) {
            let (below, here) = (file.u32s(&pair[0].nodes), file.u32s(&pair[1].nodes));
            // A leaf that is not below, in the place where the order allows it.
            let misplaced = (0..leaves).filter(|leaf| !below.contains(leaf)).find_map(|leaf| {
                let at = here.partition_point(|other| *other < leaf).checked_sub(1)?;
                Some((pair[1].nodes.start + 4 * at, leaf))
            });
            if let Some((at, leaf)) = misplaced {
                assert_eq!(file.clone().u32(at, leaf).rule(), FormatRule::LayerNesting);
            }
        }
    }
}

#[test]
fn no_layer_is_larger_than_the_one_below() {
    for (file, _) in files() {
        let layers = layers(&file);
        let (first, second) = (&layers[0], &layers[1]);
        assert!(first.nodes.len() > second.nodes.len());
        let mut swapped = file.clone();
        let upper =
            [&file.bytes[second.nodes.start..second.lists.end], &file.bytes[first.nodes.start..first.lists.end]];
        swapped.bytes[first.nodes.start..second.lists.end].copy_from_slice(&upper.concat());
        let [a, b] = [0, 4].map(|at| file.u32_at(UPPER_SIZES + at));
        assert_eq!(swapped.u32(UPPER_SIZES, b).u32(UPPER_SIZES + 4, a).rule(), FormatRule::LayerSize);
        let layers = file.u32_at(UPPER_LAYERS);
        assert_eq!(file.u32(UPPER_LAYERS, layers + 1).rule(), FormatRule::LayerSize);
    }
}

#[test]
fn every_leaf_can_be_reached_from_the_entry_point() {
    for (file, leaves) in files() {
        let mut pieces = file.clone();
        pieces.bytes[file.parts.layer0.clone()].fill(0xff);
        assert_eq!(pieces.rule(), FormatRule::Reachability);
        // No list on layer 0 has one leaf, whatever the layers above say.
        let entry = file.u32_at(ENTRY);
        for lost in (0..leaves).filter(|leaf| *leaf != entry) {
            let mut alone = file.clone();
            for leaf in 0..leaves {
                let places: Vec<usize> = places(&file, leaf).collect();
                let list = places.iter().map(|at| file.u32_at(*at)).filter(|neighbor| *neighbor != lost);
                let list = list.chain(std::iter::repeat(NONE));
                alone = places.iter().zip(list).fold(alone, |alone, (at, neighbor)| alone.u32(*at, neighbor));
            }
            assert_eq!(alone.rule(), FormatRule::Reachability, "leaf {lost}");
        }
    }
}
