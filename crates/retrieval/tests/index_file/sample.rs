use std::ops::Range;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_retrieval::{
    Allowed, FormatRule, Found, FrozenIndex, IndexConfig, Metric, RetrievalError, SearchParams, SearchScratch,
};
use shortlist_types::{EmbeddingTable, ItemIdx, Unlimited};
use xxhash_rust::xxh3::xxh3_64;

/// Two groups of codes, the second with one dimension.
pub(crate) const DIMENSIONS: usize = 9;
/// What a place without a neighbour holds.
pub(crate) const NONE: u32 = u32::MAX;

// Offsets in the header, by the table in the source of `index_file`.
pub(crate) const VERSION: usize = 8;
pub(crate) const METRIC: usize = 12;
pub(crate) const D: usize = 16;
pub(crate) const LEAF_POINTS: usize = 20;
pub(crate) const M: usize = 24;
pub(crate) const EF_CONSTRUCTION: usize = 28;
pub(crate) const ENTRY: usize = 32;
pub(crate) const UPPER_LAYERS: usize = 36;
pub(crate) const UPPER_SIZES: usize = 40;
pub(crate) const ITEMS: usize = 104;
pub(crate) const POINTS: usize = 112;
pub(crate) const LEAVES: usize = 120;
pub(crate) const BLOCKS: usize = 128;
pub(crate) const MODEL: usize = 136;
pub(crate) const COARSE_SCALE: usize = 144;
pub(crate) const COARSE_LIMIT: usize = 148;
pub(crate) const HEADER_ZEROS: Range<usize> = 152..192;
pub(crate) const HEADER: usize = 192;

fn random_rows(seed: u64, rows: usize) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..rows * DIMENSIONS).map(|_| random.random_range(-1.0..1.0)).collect()
}

/// A table whose items have gaps between them, so that rows and items differ.
pub(crate) fn table_of(values: Vec<f32>) -> EmbeddingTable {
    let items = (0..values.len() as u32 / DIMENSIONS as u32).map(|i| ItemIdx(3 * i + 1)).collect();
    EmbeddingTable::parse(DIMENSIONS, items, values).unwrap()
}

/// Two hundred distinct rows, copies of eight of them, and two zero rows.
pub(crate) fn table() -> EmbeddingTable {
    let mut values = random_rows(1, 200);
    values.extend_from_within(..8 * DIMENSIONS);
    values.extend([0.0; 2 * DIMENSIONS]);
    table_of(values)
}

/// Two thousand items that share 121 vectors, one of them zero.
pub(crate) fn crowded_table() -> EmbeddingTable {
    let distinct = random_rows(2, 120);
    let mut values: Vec<f32> = distinct.iter().copied().cycle().take(1_990 * DIMENSIONS).collect();
    values.extend([0.0; 10 * DIMENSIONS]);
    table_of(values)
}

/// Builds an index of the smallest leaves and degrees: many leaves and layers.
pub(crate) fn build(table: &EmbeddingTable, metric: Metric) -> FrozenIndex {
    let config = IndexConfig::default().with_metric(metric).with_leaf_points(8).unwrap().with_graph(2, 8).unwrap();
    FrozenIndex::build(table, &config, 2, &mut |_| {}).unwrap()
}

pub(crate) fn bytes_of(index: &FrozenIndex) -> Vec<u8> {
    let mut bytes = Vec::new();
    index.write_to(&mut bytes).unwrap();
    bytes
}

/// The file of `table()`.
pub(crate) fn file(metric: Metric) -> Vec<u8> {
    let bytes = bytes_of(&build(&table(), metric));
    assert!(bytes.len() <= 64 * 1_024 && u64_at(&bytes, LEAVES) > 16 && u32_at(&bytes, UPPER_LAYERS) >= 3);
    bytes
}

/// A file that searches walk, although its scan would be quick: it claims leaves of 1,024 points, which
/// only weighs what leaves cost.
pub(crate) fn walked_file(metric: Metric) -> Vec<u8> {
    let bytes = bytes_of(&build(&crowded_table(), metric));
    assert!(bytes.len() <= 64 * 1_024 && u64_at(&bytes, LEAVES) > 10 && u32_at(&bytes, UPPER_LAYERS) >= 2);
    Crafted::of(bytes).u32(LEAF_POINTS, 1_024).sealed()
}

/// Writes the checksum that the bytes before it have.
pub(crate) fn seal(bytes: &mut [u8]) {
    let (body, checksum) = bytes.split_last_chunk_mut::<8>().unwrap();
    *checksum = xxh3_64(body).to_le_bytes();
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Where the parts of a file begin and end, added up anew from the table in the source of `index_file`.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) widths: Range<usize>,
    pub(crate) centre_steps: Range<usize>,
    pub(crate) origin: Range<usize>,
    pub(crate) leaf_numbers: Range<usize>,
    pub(crate) leaf_points: Range<usize>,
    pub(crate) centre_codes: Range<usize>,
    pub(crate) layer0: Range<usize>,
    pub(crate) upper: Range<usize>,
    pub(crate) item_starts: Range<usize>,
    pub(crate) items: Range<usize>,
    pub(crate) sorted_items: Range<usize>,
    pub(crate) sorted_points: Range<usize>,
    pub(crate) codes: Range<usize>,
    pub(crate) biases: Range<usize>,
    pub(crate) vectors: Range<usize>,
    pub(crate) length: usize,
}

impl Parts {
    pub(crate) fn of(header: &[u8]) -> Self {
        let [d, m] = [D, M].map(|at| u32_at(header, at) as usize);
        let [n, p, l, b] = [ITEMS, POINTS, LEAVES, BLOCKS].map(|at| u64_at(header, at) as usize);
        let upper: usize = (0..16).map(|layer| u32_at(header, UPPER_SIZES + 4 * layer) as usize).sum();
        let biased = if u32_at(header, METRIC) == 2 { p } else { 0 };
        let mut end = HEADER;
        let mut part = |length: usize| {
            let start = end.div_ceil(64) * 64;
            end = start + length;
            start..end
        };
        Self {
            widths: part(4 * d),
            centre_steps: part(4 * d),
            origin: part(4 * d),
            leaf_numbers: part(16 * l),
            leaf_points: part(4 * l),
            centre_codes: part(l * d.div_ceil(64) * 64),
            layer0: part(4 * 2 * m * l),
            upper: part(4 * (1 + m) * upper),
            item_starts: part(4 * (p + 1)),
            items: part(4 * n),
            sorted_items: part(4 * n),
            sorted_points: part(4 * n),
            codes: part(64 * d.div_ceil(8) * b),
            biases: part(4 * biased),
            vectors: part(4 * p * d),
            length: part(8).end,
        }
    }

    /// All of them, in the order of the file.
    pub(crate) fn all(&self) -> [&Range<usize>; 15] {
        [
            &self.widths,
            &self.centre_steps,
            &self.origin,
            &self.leaf_numbers,
            &self.leaf_points,
            &self.centre_codes,
            &self.layer0,
            &self.upper,
            &self.item_starts,
            &self.items,
            &self.sorted_items,
            &self.sorted_points,
            &self.codes,
            &self.biases,
            &self.vectors,
        ]
    }
}

/// A file that is changed by hand; it gets a fitting checksum before it is read.
#[derive(Debug, Clone)]
pub(crate) struct Crafted {
    pub(crate) bytes: Vec<u8>,
    pub(crate) parts: Parts,
}

impl Crafted {
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        let parts = Parts::of(&bytes);
        assert_eq!(parts.length, bytes.len(), "the parts add up");
        Self { bytes, parts }
    }

    pub(crate) fn file(metric: Metric) -> Self {
        Self::of(file(metric))
    }

    /// A file of sizes that no builder gives: positive numbers, and zeros elsewhere.
    pub(crate) fn empty_of_sizes(sizes: &[(usize, u64)]) -> Self {
        let mut header = file(Metric::Ip)[..HEADER].to_vec();
        header[ENTRY..ITEMS].fill(0);
        header[ITEMS..MODEL].fill(0);
        for (at, size) in sizes {
            header[*at..at + 8].copy_from_slice(&size.to_le_bytes());
        }
        let parts = Parts::of(&header);
        header.resize(parts.length, 0);
        let numbers = [parts.widths.clone(), parts.centre_steps.clone(), parts.leaf_numbers.clone()];
        let crafted = Self { bytes: header, parts }.u32(ENTRY, NONE);
        numbers.into_iter().flat_map(|part| part.step_by(4)).fold(crafted, |crafted, at| crafted.f32(at, 1.0))
    }

    pub(crate) fn u32(mut self, at: usize, value: u32) -> Self {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn u64(mut self, at: usize, value: u64) -> Self {
        self.bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn f32(self, at: usize, value: f32) -> Self {
        self.u32(at, value.to_bits())
    }

    pub(crate) fn byte(mut self, at: usize, value: u8) -> Self {
        self.bytes[at] = value;
        self
    }

    pub(crate) fn u32_at(&self, at: usize) -> u32 {
        u32_at(&self.bytes, at)
    }

    /// The numbers of one part.
    pub(crate) fn u32s(&self, part: &Range<usize>) -> Vec<u32> {
        part.clone().step_by(4).map(|at| self.u32_at(at)).collect()
    }

    pub(crate) fn sealed(mut self) -> Vec<u8> {
        seal(&mut self.bytes);
        self.bytes
    }

    pub(crate) fn read(self) -> Result<FrozenIndex, RetrievalError> {
        FrozenIndex::from_bytes(&self.sealed())
    }

    /// The rule that the file breaks.
    pub(crate) fn rule(self) -> FormatRule {
        match self.read() {
            Err(RetrievalError::InvalidContent { rule, .. }) => rule,
            Err(other) => panic!("expected a broken rule, got {other}"),
            Ok(_) => panic!("expected a broken rule, got an index"),
        }
    }
}

pub(crate) fn search(index: &FrozenIndex, query: &[f32], params: SearchParams, allowed: Allowed<'_>) -> Found {
    index.search(query, params, allowed, &Unlimited, &mut SearchScratch::new()).unwrap()
}

/// Whether a search for `k` items walks the graph: only a walk can be stopped at the first point.
pub(crate) fn walks(index: &FrozenIndex, query: &[f32], k: usize) -> bool {
    !search(index, query, SearchParams::new(k, 1_600).with_points_max(1), Allowed::All).complete
}

/// Queries of many directions and lengths, zero among them.
pub(crate) fn queries() -> Vec<Vec<f32>> {
    let mut queries: Vec<Vec<f32>> = random_rows(3, 4).chunks(DIMENSIONS).map(<[f32]>::to_vec).collect();
    queries.extend([0.0, -0.0, 1e-45, 1.0, -1e30, f32::MAX].map(|x| vec![x; DIMENSIONS]));
    queries.push((0..DIMENSIONS).map(|i| if i % 2 == 0 { 1e30 } else { -1e-40 }).collect());
    queries.push((0..DIMENSIONS).map(|i| if i % 2 == 0 { f32::MAX } else { f32::MIN }).collect());
    queries
}

/// Panics unless an answer is what any index may give: items of the index that are allowed, each once,
/// best first, with finite scores, and no more than are wanted.
pub(crate) fn assert_sound(found: &Found, index: &FrozenIndex, k: usize, allowed: Allowed<'_>) {
    assert!(found.neighbors.len() <= k.min(index.len()), "{} of {k}", found.neighbors.len());
    assert!(found.neighbors.is_sorted_by(|a, b| (b.score, a.item) < (a.score, b.item)), "{found:?}");
    let mut items: Vec<ItemIdx> = found.neighbors.iter().map(|neighbor| neighbor.item).collect();
    items.sort_unstable();
    assert!(items.is_sorted_by(|a, b| a < b), "{items:?}");
    for neighbor in &found.neighbors {
        assert!(neighbor.score.get().is_finite() && index.vector(neighbor.item).is_some(), "{neighbor:?}");
        let is_allowed = match allowed {
            Allowed::All => true,
            Allowed::Set(set) => set.contains(neighbor.item.0),
            Allowed::Predicate(predicate) => predicate(neighbor.item),
        };
        assert!(is_allowed, "{neighbor:?}");
    }
}
