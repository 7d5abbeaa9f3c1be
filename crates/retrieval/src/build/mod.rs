//! From an embedding table to the bytes of an index file.

mod bisection;
mod centre_neighbors;
mod distinct_rows;
mod leaf_graph;
mod leaves;
mod placement;
mod rows;

use std::borrow::Cow;

use bytemuck::{Zeroable, bytes_of, cast_slice, cast_slice_mut};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use shortlist_types::limits::ENTITIES_MAX;
use shortlist_types::{EmbeddingTable, ItemIdx};

use self::distinct_rows::DistinctRows;
use self::leaf_graph::leaf_graph;
use self::leaves::{Leaves, centres};
use self::placement::places;
use self::rows::Rows;
use crate::coarse::Coarse;
use crate::fingerprint::fingerprint;
use crate::graph::{Graph, NONE};
use crate::image::MemoryImage;
use crate::index_file::{Header, Layout, LeafNumbers, MAGIC, VERSION, seal};
use crate::leaf_codes::{CodeWidths, ZERO_CODE, block_bytes};
use crate::reachability::repair_reachability;
use crate::simd::{LANES, LINE};
use crate::vector_length::normalised;
use crate::{IndexConfig, Metric, RetrievalError};

/// Share of a point's distance from the centre that a query may hope for beyond the centre's score:
/// leaves are visited by it, so that wide ones come a little earlier. On a million clustered vectors
/// 0.2 to 0.3 read 5 % fewer points than 0 at equal recall.
const REACH_SHARE: f64 = 0.2;
/// Leaves whose residuals measure the widths of codes.
const WIDTH_LEAVES: usize = 4_096;
/// Of the builder's work, as it is told: leaves are found in this share, the graph is built in the next.
const TOLD_LEAVES: usize = 60;
const TOLD_GRAPH: usize = 35;

/// Builds the bytes of an index over `table`, on `threads` threads. `progress` hears how many rows'
/// worth of the work is done.
pub(crate) fn build(
    table: &EmbeddingTable,
    config: &IndexConfig,
    threads: usize,
    progress: &mut dyn FnMut(usize),
) -> Result<MemoryImage, RetrievalError> {
    let n = table.len();
    if n > ENTITIES_MAX {
        return Err(RetrievalError::TooManyRows { max: ENTITIES_MAX, got: n });
    }
    let pool = ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
    let pool = pool.map_err(|error| RetrievalError::Threads { reason: error.to_string() })?;
    let parts = Parts::of(table, config, &pool, progress)?;
    let image = pool.install(|| parts.image(table, config))?;
    progress(n);
    Ok(image)
}

/// All that the file will hold, before it is laid out.
struct Parts<'a> {
    /// Vectors of the index, by row of the table.
    exact: Cow<'a, [f32]>,
    coarse: Coarse,
    /// Where the coarse coordinates begin.
    origin: Vec<f32>,
    distinct: DistinctRows,
    /// First row of each point, by leaf.
    leaves: Vec<Vec<u32>>,
    centres: CodedCentres,
    numbers: Vec<LeafNumbers>,
    widths: CodeWidths,
    /// Of each leaf.
    codes: Vec<Vec<u8>>,
    graph: Graph,
}

/// Centres as bytes: what a walk scores.
struct CodedCentres {
    steps: Vec<f32>,
    /// Of each leaf: a centre of any length gets all 256 levels.
    widths: Vec<f32>,
    codes: Vec<u8>,
    /// What the bytes say; residuals are taken from it, so that a code's error is not counted twice.
    decoded: Vec<f32>,
}

impl<'a> Parts<'a> {
    fn of(
        table: &'a EmbeddingTable,
        config: &IndexConfig,
        pool: &ThreadPool,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self, RetrievalError> {
        let (n, dimensions) = (table.len(), table.dimensions());
        let exact = match config.metric() {
            Metric::Cosine => Cow::Owned(pool.install(|| normalised_rows(table))),
            Metric::Ip | Metric::L2 => Cow::Borrowed(table.values()),
        };
        let coarse = Coarse::of(dimensions, &exact);
        let distinct = pool.install(|| DistinctRows::of(Rows::new(dimensions, &exact)));
        let origin = match config.metric() {
            // Codes err in proportion to the query: from the middle, queries are short.
            Metric::L2 => coarse.mean(dimensions, &exact),
            Metric::Ip | Metric::Cosine => vec![0.0; dimensions],
        };
        let values = pool.install(|| coarse_values(&exact, coarse, &origin, distinct.first_rows()));
        let rows = Rows::new(dimensions, &values);
        let mut round = |done: usize| progress(n / 100 * TOLD_LEAVES * done / Leaves::STEPS);
        let leaves = Leaves::of(rows, config.leaf_points(), pool, &mut round);
        let members = leaves.members;
        let means = pool.install(|| centres(rows, &members));
        let means = Rows::new(dimensions, &means);
        let places = places(config.metric(), means);
        let places = Rows::new(dimensions + 1, &places);
        let coded = CodedCentres::of(means);
        let decoded = Rows::new(dimensions, &coded.decoded);
        let total = members.len().max(1);
        let mut inserted = |count: usize| progress(n / 100 * (TOLD_LEAVES + TOLD_GRAPH * count / total));
        let (graph, (widths, numbers, codes)) = std::thread::scope(|scope| {
            // The graph takes one thread; the others write codes meanwhile.
            let codes =
                scope.spawn(|| pool.install(|| encode(rows, decoded, &coded.widths, &members, config.metric())));
            let mut graph = leaf_graph(places, config, &mut inserted);
            repair_reachability(&mut graph, |a, b| places.squared_distance(a, places.row(b)));
            codes
                .join()
                .map(|codes| (graph, codes))
                .map_err(|_| RetrievalError::Threads { reason: "a thread that writes codes ended early".to_owned() })
        })?;
        let first_rows = distinct.first_rows();
        let leaves = members.into_iter().map(|leaf| leaf.into_iter().map(|point| first_rows[point as usize]).collect());
        Ok(Self {
            leaves: leaves.collect(),
            exact,
            coarse,
            origin,
            distinct,
            centres: coded,
            numbers,
            widths,
            codes,
            graph,
        })
    }

    fn image(&self, table: &EmbeddingTable, config: &IndexConfig) -> Result<MemoryImage, RetrievalError> {
        let header = self.header(table, config);
        let layout = Layout::of(&header)?;
        let mut image = MemoryImage::zeroed(layout.length);
        let bytes = image.bytes_mut();
        bytes[..header.bytes().len()].copy_from_slice(header.bytes());
        let mut put = |range: &std::ops::Range<usize>, part: &[u8]| bytes[range.clone()].copy_from_slice(part);
        put(&layout.widths, cast_slice(self.widths.as_slice()));
        put(&layout.centre_steps, cast_slice(&self.centres.steps));
        put(&layout.origin, cast_slice(&self.origin));
        put(&layout.leaf_numbers, cast_slice(&self.numbers));
        let counts: Vec<u32> = self.leaves.iter().map(|leaf| leaf.len() as u32).collect();
        put(&layout.leaf_points, cast_slice(&counts));
        put(&layout.centre_codes, &self.centres.codes);
        put(&layout.layer0, cast_slice(&self.graph.layer0));
        let upper: Vec<u32> =
            self.graph.upper.iter().flat_map(|layer| layer.nodes.iter().chain(&layer.neighbors).copied()).collect();
        put(&layout.upper, cast_slice(&upper));
        put(&layout.codes, &self.codes.concat());
        let points = self.leaves.concat();
        self.put_items(table, &points, &layout, bytes);
        let dimensions = table.dimensions();
        let exact = Rows::new(dimensions, &self.exact);
        if config.metric() == Metric::L2 {
            let biases: &mut [f32] = cast_slice_mut(&mut bytes[layout.biases.clone()]);
            biases.par_iter_mut().zip(&points).for_each(|(bias, row)| {
                let columns = exact.row(*row).iter().zip(&self.origin);
                let square: f32 = columns.map(|(x, origin)| self.coarse.value(*x, *origin).powi(2)).sum();
                *bias = -0.5 * square;
            });
        }
        let vectors: &mut [f32] = cast_slice_mut(&mut bytes[layout.vectors.clone()]);
        vectors.par_chunks_exact_mut(dimensions).zip(&points).for_each(|(vector, row)| {
            vector.copy_from_slice(exact.row(*row));
        });
        seal(bytes);
        Ok(image)
    }

    /// The items of each point, and the point of each item. Both begin with the row's number, which
    /// becomes the item's at the end: rows ascend as items do.
    fn put_items(&self, table: &EmbeddingTable, points: &[u32], layout: &Layout, bytes: &mut [u8]) {
        let mut starts = Vec::with_capacity(points.len() + 1);
        let mut rows: Vec<u32> = Vec::with_capacity(table.len());
        let mut point_of_row = vec![0_u32; table.len()];
        for (point, first) in (0..).zip(points) {
            starts.push(rows.len() as u32);
            for row in self.distinct.rows(*first) {
                rows.push(row);
                point_of_row[row as usize] = point;
            }
        }
        starts.push(rows.len() as u32);
        let items: Vec<u32> = rows.iter().map(|row| table.items()[*row as usize].0).collect();
        let sorted: Vec<u32> = table.items().iter().map(|ItemIdx(item)| *item).collect();
        for (range, part) in [
            (&layout.item_starts, &starts),
            (&layout.items, &items),
            (&layout.sorted_items, &sorted),
            (&layout.sorted_points, &point_of_row),
        ] {
            bytes[range.clone()].copy_from_slice(cast_slice(part));
        }
    }

    fn header(&self, table: &EmbeddingTable, config: &IndexConfig) -> Header {
        let mut header = Header {
            magic: MAGIC,
            version: VERSION,
            metric: config.metric().code(),
            dimensions: table.dimensions() as u32,
            leaf_points: config.leaf_points() as u32,
            m: config.m() as u32,
            ef_construction: config.ef_construction() as u32,
            entry: self.graph.entry.unwrap_or(NONE),
            upper_layers: self.graph.upper.len() as u32,
            items: table.len() as u64,
            points: self.leaves.iter().map(|leaf| leaf.len() as u64).sum(),
            leaves: self.leaves.len() as u64,
            blocks: self.leaves.iter().map(|leaf| leaf.len().div_ceil(LANES) as u64).sum(),
            model: fingerprint(table),
            coarse_scale: self.coarse.scale,
            coarse_limit: self.coarse.limit,
            ..Header::zeroed()
        };
        for (size, layer) in header.upper_sizes.iter_mut().zip(&self.graph.upper) {
            *size = layer.nodes.len() as u32;
        }
        debug_assert_eq!(bytes_of(&header).len(), header.bytes().len());
        header
    }
}

impl CodedCentres {
    fn of(centres: Rows<'_>) -> Self {
        let dimensions = centres.dimensions();
        let all = || (0..centres.len() as u32).map(|row| centres.row(row));
        // A dimension's step follows its share of the centres' lengths; each centre counts alike.
        let steps = CodeWidths::of_residuals(dimensions, all().map(|row| row.iter().copied()));
        let stride = dimensions.next_multiple_of(LINE);
        let mut codes = vec![ZERO_CODE; centres.len() * stride];
        let mut decoded = Vec::with_capacity(centres.len() * dimensions);
        let mut widths = Vec::with_capacity(centres.len());
        for (row, codes) in all().zip(codes.chunks_exact_mut(stride)) {
            let columns = || row.iter().zip(steps.as_slice());
            let greatest = columns().map(|(x, step)| (x / step).abs()).fold(0.0, f32::max);
            let width = (greatest / 127.0).max(f32::MIN_POSITIVE);
            for (code, (x, step)) in codes.iter_mut().zip(columns()) {
                let level = (x / (step * width)).round().clamp(-127.0, 127.0);
                *code = (f32::from(ZERO_CODE) + level) as u8;
                decoded.push(step * width * level);
            }
            widths.push(width);
        }
        Self { steps: steps.as_slice().to_vec(), widths, codes, decoded }
    }
}

/// The codes of all leaves around their decoded centres, and what turns them into scores.
fn encode(
    rows: Rows<'_>,
    centres: Rows<'_>,
    centre_widths: &[f32],
    members: &[Vec<u32>],
    metric: Metric,
) -> (CodeWidths, Vec<LeafNumbers>, Vec<Vec<u8>>) {
    let residual = |leaf: usize, point: u32| rows.row(point).iter().zip(centres.row(leaf as u32)).map(|(x, c)| x - c);
    let every = members.len().div_ceil(WIDTH_LEAVES).max(1);
    let sample = (0..members.len()).step_by(every);
    let sample = sample.flat_map(|leaf| members[leaf].iter().map(move |point| (leaf, *point)));
    let widths = CodeWidths::of_residuals(rows.dimensions(), sample.map(|(leaf, point)| residual(leaf, point)));
    let coded = members.par_iter().enumerate().map(|(leaf, points)| {
        let width = widths.leaf_width(points.iter().map(|point| residual(leaf, *point)));
        let mut codes = vec![0; points.len().div_ceil(LANES) * block_bytes(rows.dimensions())];
        for (at, point) in points.iter().enumerate() {
            widths.encode(width, residual(leaf, *point), at, &mut codes);
        }
        let count = points.len() as f64;
        let squares = points.iter().flat_map(|point| residual(leaf, *point)).map(|x| f64::from(x).powi(2));
        let spread = (squares.sum::<f64>() / count).sqrt();
        let centre_width = centre_widths[leaf];
        let numbers = match metric {
            Metric::L2 => LeafNumbers { width, reach: 0.0, bias: -centres.half_square(leaf as u32), centre_width },
            Metric::Ip | Metric::Cosine => {
                LeafNumbers { width, reach: (REACH_SHARE * spread) as f32, bias: 0.0, centre_width }
            }
        };
        (numbers, codes)
    });
    let (numbers, codes) = coded.unzip();
    (widths, numbers, codes)
}

/// The rows at length 1; zero rows stay.
fn normalised_rows(table: &EmbeddingTable) -> Vec<f32> {
    let mut values = table.values().to_vec();
    values.par_chunks_exact_mut(table.dimensions()).for_each(|row| row.copy_from_slice(&normalised(row)));
    values
}

/// The coarse values of the given rows: those of the table, where nothing differs.
fn coarse_values<'v>(values: &'v [f32], coarse: Coarse, origin: &[f32], first_rows: &[u32]) -> Cow<'v, [f32]> {
    let dimensions = origin.len();
    let rows = Rows::new(dimensions, values);
    let from_zero = origin.iter().all(|x| *x == 0.0);
    if first_rows.len() == rows.len() && from_zero && coarse.is_plain(values) {
        return Cow::Borrowed(values);
    }
    let mut kept = vec![0.0; first_rows.len() * dimensions];
    kept.par_chunks_exact_mut(dimensions).zip(first_rows).for_each(|(kept, row)| {
        let columns = rows.row(*row).iter().zip(origin);
        kept.iter_mut().zip(columns).for_each(|(kept, (x, origin))| *kept = coarse.value(*x, *origin));
    });
    Cow::Owned(kept)
}
