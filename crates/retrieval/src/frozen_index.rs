use std::io::{self, Write};
use std::path::Path;

use bytemuck::cast_slice;
use shortlist_types::{Budget, EmbeddingTable, ItemIdx};

use crate::coarse::Coarse;
use crate::format_check::check;
use crate::graph::{Graph, NONE, UpperLayer};
use crate::image::Image;
use crate::index_file::{Header, Layout, LeafNumbers, check_checksum};
use crate::leaf_codes::CodeWidths;
use crate::query::Query;
use crate::search::Search;
use crate::simd::{LANES, Simd};
use crate::{Allowed, Found, IndexConfig, Metric, RetrievalError, SearchParams, SearchScratch, build};

/// An immutable index of the items with the greatest scores for a query: leaves of near vectors as
/// four-bit codes, a navigable small-world graph (HNSW) of the leaves, and the exact vectors that
/// re-score what the codes keep.
///
/// It is a view of one block of bytes, the index file, mapped or in memory. Never changes once it is
/// built; share it between threads in an `Arc`, with one [`SearchScratch`] each.
///
/// **Source**: an inverted file (Jégou et al., "Product quantization for nearest neighbor search", TPAMI
/// 2011) whose coarse quantiser is a graph (Malkov and Yashunin, TPAMI 2020; Chen et al., "SPANN", NeurIPS
/// 2021). We differ: leaves are visited best first while the graph is walked, until they bring no more
/// new candidates; codes are scalar, in the layout that one integer instruction reads.
#[derive(Debug)]
pub struct FrozenIndex {
    image: Image,
    layout: Layout,
    header: Header,
    config: IndexConfig,
    pub(crate) simd: Simd,
    pub(crate) graph: Graph,
    pub(crate) widths: CodeWidths,
    pub(crate) leaves: Vec<Leaf>,
}

/// Where a leaf's points and blocks of codes begin; the next one's are the end of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) first_point: u32,
    pub(crate) first_block: u32,
}

impl FrozenIndex {
    /// Builds the index of `table`, which may be empty, of equal rows, or of zeros, on `threads`
    /// threads. The same table and config give the same index, byte by byte, on any number of threads.
    /// `progress` hears how many rows' worth of the work is done, from time to time.
    ///
    /// **Shapes**: n rows of d dimensions, of any lengths; no normalisation is needed.
    ///
    /// **Cost**: at 64 dimensions about 15 microseconds per row on one thread. Memory beside the table
    /// while building: the index file (4 d + d / 2 + 20 bytes per row), and as much again as the table
    /// when rows repeat, or for cosine.
    ///
    /// # Errors
    /// More rows than numbers for them, or no threads.
    ///
    /// ```
    /// use shortlist_retrieval::{Allowed, FrozenIndex, IndexConfig, SearchParams, SearchScratch};
    /// use shortlist_types::{EmbeddingTable, ItemIdx, Unlimited};
    ///
    /// let items = vec![ItemIdx(3), ItemIdx(8)];
    /// let table = EmbeddingTable::parse(2, items, vec![1.0, 0.0, 0.0, 2.0]).unwrap();
    /// let index = FrozenIndex::build(&table, &IndexConfig::default(), 1, &mut |_rows| {}).unwrap();
    /// let mut scratch = SearchScratch::new();
    /// let params = SearchParams::new(1, 100);
    /// let found = index.search(&[1.0, 1.0], params, Allowed::All, &Unlimited, &mut scratch).unwrap();
    /// assert_eq!(found.neighbors[0].item, ItemIdx(8));
    /// ```
    pub fn build(
        table: &EmbeddingTable,
        config: &IndexConfig,
        threads: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self, RetrievalError> {
        Self::of_image(Image::Memory(build::build(table, config, threads, progress)?))
    }

    /// Maps an index file and verifies all of it.
    ///
    /// **Cost**: reads the file once, at memory speed when the system still has its pages: 0.1 s for a
    /// million items of 64 dimensions.
    ///
    /// # Errors
    /// A file that cannot be opened, and one for each way in which it can be wrong.
    pub fn open(path: &Path) -> Result<Self, RetrievalError> {
        let failed =
            |error: io::Error| RetrievalError::Open { path: path.display().to_string(), reason: error.to_string() };
        Self::of_verified(Image::map(path).map_err(failed)?)
    }

    /// Reads an index from bytes and verifies all of it; no bytes make it panic.
    ///
    /// # Errors
    /// One for each way in which they can be wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RetrievalError> {
        // The header first: nothing is copied for bytes that are no index.
        let layout = Layout::of(&Header::read(bytes)?)?;
        check_length(&layout, bytes)?;
        Self::of_verified(Image::of_bytes(bytes))
    }

    fn of_verified(image: Image) -> Result<Self, RetrievalError> {
        let layout = Layout::of(&Header::read(&image)?)?;
        check_length(&layout, &image)?;
        check_checksum(&image)?;
        let index = Self::of_image(image)?;
        check(&index)?;
        Ok(index)
    }

    /// Takes the parts of an image apart. What is read here is bounded by the image's own length.
    fn of_image(image: Image) -> Result<Self, RetrievalError> {
        let header = Header::read(&image)?;
        let layout = Layout::of(&header)?;
        check_length(&layout, &image)?;
        let config = IndexConfig::default()
            .with_metric(header.metric()?)
            .with_leaf_points(header.leaf_points as usize)?
            .with_graph(header.m as usize, header.ef_construction as usize)?;
        let widths = CodeWidths::from_file(cast_slice(&image[layout.widths.clone()]));
        let widths = widths.ok_or(RetrievalError::broken(crate::FormatRule::Numbers, 0, 0))?;
        let graph = Graph {
            m: config.m(),
            entry: Some(header.entry).filter(|entry| *entry != NONE),
            layer0: cast_slice(&image[layout.layer0.clone()]).to_vec(),
            upper: upper_layers(&header, cast_slice(&image[layout.upper.clone()])),
        };
        let leaves = leaf_starts(cast_slice(&image[layout.leaf_points.clone()]));
        Ok(Self { image, layout, header, config, simd: Simd::best(), graph, widths, leaves })
    }

    /// Writes the index file, in the format of the table in the source of `index_file`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_to(&self, mut out: impl Write) -> io::Result<()> {
        out.write_all(&self.image)?;
        out.flush()
    }

    /// The same index searched with other instructions: the same answers.
    #[must_use]
    pub fn with_simd(self, simd: Simd) -> Self {
        Self { simd, ..self }
    }

    /// Finds the `k` allowed items with the greatest scores, best first, equal scores by item:
    /// approximately by the leaves, or exactly where a scan of what is allowed is as fast. Either way
    /// min(k, allowed items) are returned unless a limit ends the search, which the answer says.
    ///
    /// **Shapes**: `query` has the index's dimensions, in any scale; zero finds the lowest items by
    /// inner product and by cosine.
    ///
    /// **Cost**: a million vectors of 64 dimensions at recall 0.99: 40 microseconds for k = 100, 80 for
    /// k = 500. Planned to cost at most 1.2 times an exact search of what is allowed. Allocates the answer
    /// (and the normalised query, for cosine), and no more once `scratch` has grown.
    ///
    /// # Errors
    /// A query of other dimensions, or one that is not finite.
    pub fn search(
        &self,
        query: &[f32],
        params: SearchParams,
        allowed: Allowed<'_>,
        budget: &dyn Budget,
        scratch: &mut SearchScratch,
    ) -> Result<Found, RetrievalError> {
        let query = Query::parse(query, self.dimensions(), self.metric(), self.simd)?;
        Ok(Search { index: self, query: &query, params, allowed }.run(budget, scratch))
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.header.items as usize
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Components per vector.
    pub fn dimensions(&self) -> usize {
        self.header.dimensions as usize
    }

    /// What "near" means.
    pub fn metric(&self) -> Metric {
        self.config.metric()
    }

    /// How it was built.
    pub fn config(&self) -> &IndexConfig {
        &self.config
    }

    /// Fingerprint of the embedding table that it was built from, see [`crate::fingerprint`].
    pub fn model(&self) -> u64 {
        self.header.model
    }

    /// Bytes that the index takes besides the exact vectors, in memory or in the page cache.
    pub fn bytes_beside_vectors(&self) -> usize {
        self.layout.bytes_beside_vectors()
    }

    /// The vector of `item` as the index has it: normalised for cosine. **Cost**: a look or two into the list of items.
    pub fn vector(&self, item: ItemIdx) -> Option<&[f32]> {
        self.point_of(item).map(|point| self.point_vector(point))
    }

    /// All items, ascending.
    pub fn items(&self) -> impl ExactSizeIterator<Item = ItemIdx> {
        self.sorted_items().iter().map(|item| ItemIdx(*item))
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn image(&self) -> &[u8] {
        &self.image
    }

    pub(crate) fn coarse(&self) -> Coarse {
        Coarse { scale: self.header.coarse_scale, limit: self.header.coarse_limit }
    }

    pub(crate) fn origin(&self) -> &[f32] {
        cast_slice(&self.image[self.layout.origin.clone()])
    }

    pub(crate) fn centre_steps(&self) -> &[f32] {
        cast_slice(&self.image[self.layout.centre_steps.clone()])
    }

    pub(crate) fn centre_codes(&self) -> &[u8] {
        &self.image[self.layout.centre_codes.clone()]
    }

    pub(crate) fn leaf_numbers(&self) -> &[LeafNumbers] {
        cast_slice(&self.image[self.layout.leaf_numbers.clone()])
    }

    pub(crate) fn codes(&self) -> &[u8] {
        &self.image[self.layout.codes.clone()]
    }

    pub(crate) fn biases(&self) -> &[f32] {
        cast_slice(&self.image[self.layout.biases.clone()])
    }

    pub(crate) fn vectors(&self) -> &[f32] {
        cast_slice(&self.image[self.layout.vectors.clone()])
    }

    #[inline]
    pub(crate) fn point_vector(&self, point: u32) -> &[f32] {
        let start = point as usize * self.dimensions();
        &self.vectors()[start..start + self.dimensions()]
    }

    pub(crate) fn item_starts(&self) -> &[u32] {
        cast_slice(&self.image[self.layout.item_starts.clone()])
    }

    pub(crate) fn items_by_point(&self) -> &[u32] {
        cast_slice(&self.image[self.layout.items.clone()])
    }

    pub(crate) fn sorted_items(&self) -> &[u32] {
        cast_slice(&self.image[self.layout.sorted_items.clone()])
    }

    pub(crate) fn sorted_points(&self) -> &[u32] {
        cast_slice(&self.image[self.layout.sorted_points.clone()])
    }

    fn point_of(&self, item: ItemIdx) -> Option<u32> {
        let at = position_in(self.sorted_items(), item.0)?;
        self.sorted_points().get(at).copied()
    }
}

/// Where `item` stands among ascending numbers without repeats.
///
/// It stands no further than the numbers allow that lie between it and the first; and not far before that,
/// for catalogues number their items almost without gaps. **Cost**: one look where there is no gap, else a
/// search of as many steps as the gaps before it have digits.
fn position_in(sorted: &[u32], item: u32) -> Option<usize> {
    let furthest = item.checked_sub(*sorted.first()?)? as usize;
    let mut begin = furthest.min(sorted.len() - 1);
    let (mut end, mut step) = (begin + 1, 1);
    while sorted[begin] > item {
        end = begin;
        begin = begin.saturating_sub(step);
        step *= 2;
    }
    sorted[begin..end].binary_search(&item).ok().map(|at| begin + at)
}

fn check_length(layout: &Layout, bytes: &[u8]) -> Result<(), RetrievalError> {
    let (expected, got) = (layout.length as u64, bytes.len() as u64);
    if expected == got { Ok(()) } else { Err(RetrievalError::FileLength { expected, got }) }
}

/// Where each leaf begins, and where the last one ends.
fn leaf_starts(counts: &[u32]) -> Vec<Leaf> {
    let mut next = Leaf { first_point: 0, first_block: 0 };
    let mut leaves = vec![next];
    leaves.extend(counts.iter().map(|count| {
        next.first_point = next.first_point.saturating_add(*count);
        next.first_block = next.first_block.saturating_add(count.div_ceil(LANES as u32));
        next
    }));
    leaves
}

fn upper_layers(header: &Header, mut numbers: &[u32]) -> Vec<UpperLayer> {
    let m = header.m as usize;
    let layer = |size: &u32| {
        let (nodes, rest) = numbers.split_at(*size as usize);
        let (neighbors, rest) = rest.split_at(nodes.len() * m);
        numbers = rest;
        UpperLayer { nodes: nodes.to_vec(), neighbors: neighbors.to_vec() }
    };
    header.upper_sizes.iter().take(header.upper_layers as usize).map(layer).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::position_in;

    proptest! {
        #[test]
        fn a_number_is_found_where_it_stands(
            numbers in prop::collection::btree_set(prop_oneof![0..60_u32, 1_000..1_100_u32, any::<u32>()], 0..80),
            asked in prop_oneof![0..60_u32, 1_000..1_100_u32, any::<u32>()],
        ) {
            let sorted: Vec<u32> = numbers.into_iter().collect();
            for item in sorted.iter().copied().chain([asked, 0, u32::MAX]) {
                prop_assert_eq!(position_in(&sorted, item), sorted.binary_search(&item).ok());
            }
        }
    }
}
