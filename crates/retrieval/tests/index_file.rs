//! The index file: the same bytes for the same input, and no other bytes taken.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lints spare test functions, not the functions that they share"
)]

use std::sync::Arc;

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_retrieval::{GraphRule, HnswConfig, HnswIndex, RetrievalError, SearchScratch};
use shortlist_types::{EmbeddingTable, ItemIdx, Unlimited};
use xxhash_rust::xxh3::xxh3_64;

const NODES: usize = 60;
const M: usize = 2;
const NONE: u32 = u32::MAX;

/// Sixty distinct rows, a copy of one and a zero row.
fn table(seed: u64) -> Arc<EmbeddingTable> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut values: Vec<f32> = (0..NODES * 4).map(|_| random.random_range(-1.0..1.0)).collect();
    values.extend_from_within(8..12);
    values.extend([0.0; 4]);
    Arc::new(EmbeddingTable::parse(4, (0..NODES as u32 + 2).map(ItemIdx).collect(), values).unwrap())
}

fn build(table: Arc<EmbeddingTable>) -> HnswIndex {
    HnswIndex::build(table, &HnswConfig::new(M, 8).unwrap(), &mut |_| {}).unwrap()
}

fn bytes_of(index: &HnswIndex) -> Vec<u8> {
    let mut bytes = Vec::new();
    index.write_to(&mut bytes).unwrap();
    bytes
}

fn file() -> Vec<u8> {
    bytes_of(&build(table(1)))
}

fn read(bytes: &[u8]) -> Result<HnswIndex, RetrievalError> {
    HnswIndex::read_from(bytes, table(1))
}

/// Writes the checksum that the bytes before it have.
fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let at = bytes.len() - 8;
    let checksum = xxh3_64(&bytes[..at]);
    bytes[at..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn with_u32(at: usize, value: u32) -> Vec<u8> {
    let mut bytes = file();
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    seal(bytes)
}

/// Where the parts of `file()` begin.
struct Layout {
    layers: u32,
    entry: u32,
    layer0: usize,
    layer1: usize,
    layer1_nodes: usize,
}

fn layout() -> Layout {
    let bytes = file();
    let layers = u32_at(&bytes, 20);
    assert!(layers >= 2, "the file of these tests has several layers");
    let layer0 = 44 + 4 * layers as usize;
    let layer1 = layer0 + 4 * NODES * 2 * M;
    Layout { layers, entry: u32_at(&bytes, 40), layer0, layer1, layer1_nodes: u32_at(&bytes, 44) as usize }
}

fn rule_of(bytes: &[u8]) -> GraphRule {
    match read(bytes).unwrap_err() {
        RetrievalError::InvalidGraph { rule, .. } => rule,
        other => panic!("expected a broken rule, got {other}"),
    }
}

#[test]
fn the_same_input_gives_the_same_bytes_and_reading_gives_the_same_index() {
    let bytes = file();
    assert_eq!(bytes, file());
    let index = read(&bytes).unwrap();
    assert_eq!(index, build(table(1)));
    assert_eq!(bytes_of(&index), bytes);
    let found = index.search(&[1.0, 0.0, 0.0, 0.0], 62, 62, &|_| true, &Unlimited, &mut SearchScratch::new()).unwrap();
    assert_eq!(found.neighbors.len(), 62);
}

#[test]
fn an_index_of_nothing_or_of_one_row_survives_its_file() {
    for rows in [Vec::new(), vec![0.0, 0.0], vec![1.0, 2.0], vec![0.0, 0.0, 1.0, 2.0, 1.0, 2.0]] {
        let items = (0..rows.len() as u32 / 2).map(ItemIdx).collect();
        let table = Arc::new(EmbeddingTable::parse(2, items, rows).unwrap());
        let index = build(Arc::clone(&table));
        assert_eq!(HnswIndex::read_from(&bytes_of(&index), table).unwrap(), index);
    }
}

#[test]
fn every_flipped_byte_is_refused() {
    let bytes = file();
    for at in 0..bytes.len() {
        for flip in [1, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            assert!(read(&damaged).is_err(), "byte {at} ^ {flip:#x}");
        }
    }
}

#[test]
fn every_other_length_is_refused_even_with_a_fitting_checksum() {
    let bytes = file();
    for length in 0..bytes.len() {
        assert!(read(&bytes[..length]).is_err(), "cut to {length}");
        if length >= 8 {
            assert!(read(&seal(bytes[..length].to_vec())).is_err(), "cut to {length} and sealed");
        }
    }
    for surplus in [1, 3, 4, 8, 4096] {
        let mut longer = bytes.clone();
        longer.resize(bytes.len() + surplus, 0);
        assert!(read(&longer).is_err() && read(&seal(longer)).is_err(), "{surplus} bytes more");
    }
}

#[test]
fn swapped_blocks_are_refused() {
    let mut bytes = file();
    let at = layout().layer0;
    let (a, b) = bytes[at..at + 128].split_at_mut(64);
    assert_ne!(a, b);
    a.swap_with_slice(b);
    assert!(matches!(read(&bytes), Err(RetrievalError::Checksum { .. })));
}

#[test]
fn headers_that_lie_are_refused_before_anything_is_allocated() {
    let values = [0, 1, 3, 1 << 31, u32::MAX - 1, u32::MAX];
    // m, ef_construction, layers, entry point, nodes of layer 1.
    for at in [12, 20, 40, 44] {
        for value in values.into_iter().filter(|value| u32_at(&file(), at) != *value) {
            assert!(read(&with_u32(at, value)).is_err(), "{value} at {at}");
        }
    }
    for value in [0, 1, 7, 2_001, u32::MAX] {
        assert!(matches!(read(&with_u32(16, value)), Err(RetrievalError::ConfigOutOfRange { .. })));
    }
    for nodes in [0, 1, NODES as u64 - 1, NODES as u64 + 1, 1 << 31, u64::from(u32::MAX), 1 << 61, 1 << 63, u64::MAX] {
        let mut bytes = file();
        bytes[24..32].copy_from_slice(&nodes.to_le_bytes());
        assert!(matches!(read(&seal(bytes)), Err(RetrievalError::FileLength { .. })), "{nodes} nodes");
    }
    assert_eq!(rule_of(&with_u32(20, 16)), GraphRule::LayerCount);
}

#[test]
fn another_table_program_or_version_is_named() {
    let bytes = file();
    assert!(matches!(HnswIndex::read_from(&bytes, table(2)), Err(RetrievalError::OtherTable { .. })));
    let mut renumbered = table(1).items().to_vec();
    renumbered[NODES + 1] = ItemIdx(1_000);
    let renumbered = EmbeddingTable::parse(4, renumbered, table(1).values().to_vec()).unwrap();
    assert!(matches!(HnswIndex::read_from(&bytes, Arc::new(renumbered)), Err(RetrievalError::OtherTable { .. })));
    assert_eq!(read(b"PK\x03\x04").unwrap_err(), RetrievalError::NotAnIndex);
    assert_eq!(read(&with_u32(8, 2)).unwrap_err(), RetrievalError::FormatVersion { expected: 1, got: 2 });
}

#[test]
fn neighbour_lists_that_are_none_are_refused() {
    let Layout { layer0, layer1, layer1_nodes, .. } = layout();
    let bytes = file();
    for node in [NODES as u32, NODES as u32 + 1, NONE - 1] {
        assert_eq!(rule_of(&with_u32(layer0, node)), GraphRule::Neighbor);
    }
    assert_eq!(rule_of(&with_u32(layer0, 0)), GraphRule::SelfLoop);
    assert_eq!(rule_of(&with_u32(layer0, NONE)), GraphRule::Padding);
    let lists = layer1 + 4 * layer1_nodes;
    let first = u32_at(&bytes, layer1);
    assert_eq!(rule_of(&with_u32(lists, first)), GraphRule::SelfLoop);
    assert_eq!(rule_of(&with_u32(lists, NODES as u32)), GraphRule::Neighbor);
    let on_layer1: Vec<u32> = (0..layer1_nodes).map(|i| u32_at(&bytes, layer1 + 4 * i)).collect();
    let elsewhere = (0..NODES as u32).find(|node| !on_layer1.contains(node)).unwrap();
    assert_eq!(rule_of(&with_u32(lists, elsewhere)), GraphRule::Neighbor);
}

#[test]
fn layers_that_do_not_nest_are_refused() {
    let Layout { layers, entry, layer0, layer1, layer1_nodes } = layout();
    let bytes = file();
    assert_eq!(rule_of(&with_u32(40, NODES as u32)), GraphRule::EntryPoint);
    assert_eq!(rule_of(&with_u32(40, NONE)), GraphRule::EntryPoint);
    assert_eq!(rule_of(&with_u32(40, (entry + 1) % NODES as u32)), GraphRule::EntryPointLevel);
    // The last node of layer 1 before the first.
    let last = u32_at(&bytes, layer1 + 4 * (layer1_nodes - 1));
    assert_eq!(rule_of(&with_u32(layer1, last)), GraphRule::LayerOrder);
    assert_eq!(rule_of(&with_u32(layer1 + 4 * (layer1_nodes - 1), NODES as u32)), GraphRule::LayerNesting);
    // A node that lives on layer 2 only, between its neighbours in order.
    let layer2 = layer1 + 4 * layer1_nodes * (1 + M);
    let nodes_at = |at: usize, count: usize| (0..count).map(|i| u32_at(&bytes, at + 4 * i)).collect::<Vec<_>>();
    let (on_layer1, on_layer2) = (nodes_at(layer1, layer1_nodes), nodes_at(layer2, u32_at(&bytes, 48) as usize));
    let (i, node) = (0..on_layer2.len() - 1)
        .flat_map(|i| (on_layer2[i]..on_layer2[i + 1]).map(move |node| (i, node)))
        .find(|(_, node)| !on_layer1.contains(node))
        .unwrap();
    assert_eq!(rule_of(&with_u32(layer2 + 4 * i, node)), GraphRule::LayerNesting);
    // A layer more, of no nodes.
    let mut taller = bytes.clone();
    taller[20..24].copy_from_slice(&(layers + 1).to_le_bytes());
    taller.splice(layer0..layer0, [0; 4]);
    assert_eq!(rule_of(&seal(taller)), GraphRule::LayerSize);
}

#[test]
fn a_graph_of_the_wrong_size_or_in_pieces_is_refused() {
    let Layout { layer0, layer1, .. } = layout();
    // A node less, with all lists in order.
    let mut fewer = file();
    fewer.drain(layer1 - 4 * 2 * M..layer1);
    fewer[24..32].copy_from_slice(&(NODES as u64 - 1).to_le_bytes());
    assert_eq!(rule_of(&seal(fewer)), GraphRule::NodeCount);
    // No lists on layer 0.
    let mut pieces = file();
    pieces[layer0..layer1].fill(0xff);
    assert_eq!(rule_of(&seal(pieces)), GraphRule::Reachability);
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused(noise in prop::collection::vec(any::<u8>(), 0..400), keep in 0..60_usize) {
        let mut bytes = file()[..keep].to_vec();
        bytes.extend(noise);
        prop_assert!(read(&bytes).is_err());
        if bytes.len() >= 8 {
            prop_assert!(read(&seal(bytes)).is_err());
        }
    }

    #[test]
    fn a_sealed_file_is_refused_or_searched_without_panic(at in 12..1_200_usize, value in prop_oneof![0..70_u32, any::<u32>()]) {
        let at = at.min(file().len() - 12);
        if let Ok(index) = read(&with_u32(at, value)) {
            let found = index.search(&[0.3, 0.1, -0.2, 1.0], 5, 1, &|_| true, &Unlimited, &mut SearchScratch::new());
            prop_assert_eq!(found.unwrap().neighbors.len(), 5);
        }
    }
}
