//! The index file, version 2. Integers and floating-point numbers are little-endian; the same input
//! gives the same bytes. Every part begins at a multiple of 64, filled up with zeros, so that a mapped
//! file is searched where it lies.
//!
//! The header, 192 bytes:
//!
//! | offset | type | what |
//! |---|---|---|
//! | 0 | 8 bytes | magic `SHRTLEAF` |
//! | 8 | u32 | format version, 2 |
//! | 12 | u32 | metric: 0 inner product, 1 cosine, 2 Euclidean |
//! | 16 | u32 | d, dimensions, 1 to 4,096 |
//! | 20 | u32 | points per leaf that the builder aimed at |
//! | 24 | u32 | m, neighbours on upper layers |
//! | 28 | u32 | beam of the graph's builder |
//! | 32 | u32 | entry point of the graph, or 2^32 - 1 when there are no leaves |
//! | 36 | u32 | u, layers above layer 0, at most 15 |
//! | 40 | u32 x 16 | leaves on each upper layer, layer 1 first, then zeros |
//! | 104 | u64 | n, items |
//! | 112 | u64 | p, points: distinct vectors |
//! | 120 | u64 | l, leaves |
//! | 128 | u64 | b, blocks of sixteen points that the leaves' codes take |
//! | 136 | u64 | fingerprint of the embedding table it was built from (xxh3) |
//! | 144 | f32, f32 | scale and limit of the coarse coordinates in which codes and centres are kept |
//! | 152 | 40 bytes | zeros |
//!
//! The parts, in this order, with s = d rounded up to 64 and g = d / 8 rounded up:
//!
//! | type | what |
//! |---|---|
//! | f32 x d | widths of the points' codes |
//! | f32 x d | steps of the centres' codes |
//! | f32 x d | origin of the coarse coordinates |
//! | f32 x 4 l | per leaf: width of its codes, reach, bias, width of its centre's code |
//! | u32 x l | points of each leaf |
//! | u8 x l s | codes of the leaves' centres, 128 for zero |
//! | u32 x 2 m l | neighbours of each leaf on layer 0, unused places 2^32 - 1 and last |
//! | u32 | per upper layer: its leaves, ascending, then m neighbours of each |
//! | u32 x (p + 1) | where the items of each point begin in the next part |
//! | u32 x n | items by point, ascending within one |
//! | u32 x n | all items, ascending |
//! | u32 x n | the point of each of those |
//! | u8 x 64 g b | codes of the points: per block and group of eight dimensions a line in which the byte 4 i + j has dimension j of point i in its low half and dimension 4 + j in its high half |
//! | f32 x p | only for the Euclidean metric: minus half the squared coarse length of each point |
//! | f32 x p d | the vectors, by point |
//! | u64 | xxh3 of all bytes before |

use std::ops::Range;

use bytemuck::{Pod, Zeroable, bytes_of, pod_read_unaligned};
use shortlist_types::limits::{DIMENSIONS_MAX, ENTITIES_MAX};
use xxhash_rust::xxh3::xxh3_64;

use crate::graph::UPPER_LAYERS_MAX;
use crate::leaf_codes::block_bytes;
use crate::simd::LINE;
use crate::{FormatRule, Metric, RetrievalError};

#[cfg(target_endian = "big")]
compile_error!("index files are searched as they lie on disk, in little-endian order");

pub(crate) const MAGIC: [u8; 8] = *b"SHRTLEAF";
pub(crate) const VERSION: u32 = 2;
pub(crate) const HEADER_BYTES: usize = 192;
pub(crate) const CHECKSUM_BYTES: usize = 8;

/// The header as it lies in the file.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) magic: [u8; 8],
    pub(crate) version: u32,
    pub(crate) metric: u32,
    pub(crate) dimensions: u32,
    pub(crate) leaf_points: u32,
    pub(crate) m: u32,
    pub(crate) ef_construction: u32,
    pub(crate) entry: u32,
    pub(crate) upper_layers: u32,
    pub(crate) upper_sizes: [u32; UPPER_LAYERS_MAX + 1],
    pub(crate) items: u64,
    pub(crate) points: u64,
    pub(crate) leaves: u64,
    pub(crate) blocks: u64,
    pub(crate) model: u64,
    pub(crate) coarse_scale: f32,
    pub(crate) coarse_limit: f32,
    pub(crate) zeros: [u64; 5],
}

const _: () = assert!(size_of::<Header>() == HEADER_BYTES, "the table above says so");

/// Numbers of one leaf.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct LeafNumbers {
    /// What the widths of its codes are multiplied with.
    pub(crate) width: f32,
    /// What a query of length 1 may hope for beyond the centre's score.
    pub(crate) reach: f32,
    /// Added to the centre's score.
    pub(crate) bias: f32,
    /// What the steps of its centre's code are multiplied with.
    pub(crate) centre_width: f32,
}

/// Where the parts lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
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
    /// Bytes of the whole file, with its checksum.
    pub(crate) length: usize,
}

impl Header {
    /// Reads and checks the header alone; the sizes in it may still be anything that adds up.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, RetrievalError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(RetrievalError::NotAnIndex);
        }
        let too_short =
            || RetrievalError::FileLength { expected: (HEADER_BYTES + CHECKSUM_BYTES) as u64, got: bytes.len() as u64 };
        let version = bytes.get(8..12).and_then(|word| word.try_into().ok()).map(u32::from_le_bytes);
        let version = version.ok_or_else(too_short)?;
        if version != VERSION {
            return Err(RetrievalError::FormatVersion { expected: VERSION, got: version });
        }
        let header: Self = pod_read_unaligned(bytes.get(..HEADER_BYTES).ok_or_else(too_short)?);
        let within = |rule, limit: usize, got: u64| match got <= limit as u64 {
            true => Ok(()),
            false => Err(RetrievalError::broken(rule, limit as u64, got)),
        };
        within(FormatRule::Dimensions, DIMENSIONS_MAX, u64::from(header.dimensions.wrapping_sub(1)) + 1)?;
        within(FormatRule::LayerCount, UPPER_LAYERS_MAX, u64::from(header.upper_layers))?;
        within(FormatRule::ItemCount, ENTITIES_MAX, header.items)?;
        within(FormatRule::PointCount, header.items as usize, header.points)?;
        within(FormatRule::LeafCount, header.points as usize, header.leaves)?;
        within(FormatRule::BlockCount, header.points as usize, header.blocks)?;
        Ok(header)
    }

    pub(crate) fn metric(&self) -> Result<Metric, RetrievalError> {
        Metric::from_code(self.metric)
            .ok_or_else(|| RetrievalError::broken(FormatRule::Metric, 2, u64::from(self.metric)))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        bytes_of(self)
    }

    /// Bytes that the code of one centre takes.
    pub(crate) fn centre_stride(&self) -> usize {
        (self.dimensions as usize).next_multiple_of(LINE)
    }
}

impl Layout {
    /// Adds up the parts of a file with this header.
    ///
    /// # Errors
    /// Sizes whose sum is beyond what a file can have.
    pub(crate) fn of(header: &Header) -> Result<Self, RetrievalError> {
        let mut end = HEADER_BYTES as u64;
        let mut overflow = false;
        let mut part = |count: u64, bytes_each: u64| {
            let start = end.next_multiple_of(LINE as u64);
            // Counts are below 2^32 and widths below 2^20: one product fits, a sum of a dozen too.
            let stop = count.checked_mul(bytes_each).and_then(|bytes| start.checked_add(bytes));
            overflow |= stop.is_none_or(|stop| stop > i64::MAX as u64 / 2);
            end = stop.unwrap_or(0).min(i64::MAX as u64 / 2);
            start as usize..end as usize
        };
        let (dimensions, m) = (u64::from(header.dimensions), u64::from(header.m));
        let Header { items, points, leaves, blocks, .. } = *header;
        let layers = header.upper_layers as usize;
        let upper: u64 = header.upper_sizes.iter().take(layers).map(|size| u64::from(*size)).sum();
        let biased = if header.metric == Metric::L2.code() { points } else { 0 };
        let mut layout = Self {
            widths: part(dimensions, 4),
            centre_steps: part(dimensions, 4),
            origin: part(dimensions, 4),
            leaf_numbers: part(leaves, size_of::<LeafNumbers>() as u64),
            leaf_points: part(leaves, 4),
            centre_codes: part(leaves, header.centre_stride() as u64),
            layer0: part(leaves, 8 * m),
            upper: part(upper, 4 * (1 + m)),
            item_starts: part(points + 1, 4),
            items: part(items, 4),
            sorted_items: part(items, 4),
            sorted_points: part(items, 4),
            codes: part(blocks, block_bytes(dimensions as usize) as u64),
            biases: part(biased, 4),
            vectors: part(points, 4 * dimensions),
            length: 0,
        };
        layout.length = part(1, CHECKSUM_BYTES as u64).end;
        match overflow {
            true => Err(RetrievalError::FileLength { expected: u64::MAX, got: 0 }),
            false => Ok(layout),
        }
    }

    /// Bytes that a search holds in memory or in the page cache, besides the exact vectors.
    pub(crate) fn bytes_beside_vectors(&self) -> usize {
        self.length - self.vectors.len()
    }
}

/// Compares the last eight bytes with the others.
pub(crate) fn check_checksum(bytes: &[u8]) -> Result<(), RetrievalError> {
    let Some((body, checksum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err(RetrievalError::FileLength { expected: CHECKSUM_BYTES as u64, got: bytes.len() as u64 });
    };
    let (expected, got) = (u64::from_le_bytes(*checksum), xxh3_64(body));
    if expected == got { Ok(()) } else { Err(RetrievalError::Checksum { expected, got }) }
}

/// Writes the checksum of the bytes before it.
pub(crate) fn seal(bytes: &mut [u8]) {
    let at = bytes.len() - CHECKSUM_BYTES;
    let checksum = xxh3_64(&bytes[..at]);
    bytes[at..].copy_from_slice(&checksum.to_le_bytes());
}
