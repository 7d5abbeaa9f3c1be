//! The index file, version 1. Integers are little-endian; the same index gives the same bytes.
//!
//! | offset | type | what |
//! |---|---|---|
//! | 0 | 8 bytes | magic `SHRTHNSW` |
//! | 8 | u32 | format version, 1 |
//! | 12 | u32 | `m` |
//! | 16 | u32 | `ef_construction` |
//! | 20 | u32 | u, layers above layer 0, at most 15 |
//! | 24 | u64 | n, nodes: distinct vectors of the table that are not zero |
//! | 32 | u64 | fingerprint of the embedding table (xxh3) |
//! | 40 | u32 | entry point, or 2^32 - 1 when there are no nodes |
//! | 44 | u32 x u | nodes of each upper layer, layer 1 first |
//! | | u32 x n x 2m | neighbours on layer 0, unused places 2^32 - 1 and last |
//! | | per upper layer | its nodes, ascending (u32 each), then m neighbours of each |
//! | | u64 | xxh3 of all bytes before |
//!
//! The vectors stay in the embedding table's own file; which rows share a node follows from them.

use std::convert::Infallible;
use std::io::{self, Write};
use std::sync::Arc;

use shortlist_types::EmbeddingTable;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::distinct_rows::{DistinctRows, NONE};
use crate::graph::{Graph, UPPER_LAYERS_MAX, UpperLayer};
use crate::graph_check::{broken, check_graph};
use crate::hnsw_index::check_rows;
use crate::{GraphRule, HnswConfig, HnswIndex, RetrievalError};

const MAGIC: [u8; 8] = *b"SHRTHNSW";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 44;
const CHECKSUM_BYTES: usize = 8;
/// Numbers converted to bytes at a time.
const BLOCK: usize = 4_096;

impl HnswIndex {
    /// Writes the index without its vectors, in the format of the table in this module's source.
    ///
    /// **Cost**: 8 m bytes per node and a hash of the embedding table, at memory speed.
    ///
    /// **Errors**: those of `out`.
    pub fn write_to(&self, out: impl Write) -> io::Result<()> {
        let mut out = HashingWriter { out, hash: Xxh3::new() };
        let Graph { m, entry, layer0, upper } = &self.graph;
        out.write(&MAGIC)?;
        out.write_numbers([VERSION, *m as u32, self.config.ef_construction() as u32, upper.len() as u32])?;
        out.write(&(self.graph.nodes() as u64).to_le_bytes())?;
        out.write(&fingerprint(&self.table).to_le_bytes())?;
        out.write_numbers([entry.unwrap_or(NONE)])?;
        out.write_numbers(upper.iter().map(|layer| layer.nodes.len() as u32))?;
        out.write_numbers(layer0.iter().copied())?;
        for layer in upper {
            out.write_numbers(layer.nodes.iter().chain(&layer.neighbors).copied())?;
        }
        let checksum = out.hash.digest();
        out.write(&checksum.to_le_bytes())?;
        out.out.flush()
    }

    /// Reads an index that [`Self::write_to`] wrote for `table`, and verifies all of it: length,
    /// checksum, the table's fingerprint, and every rule that a search relies on.
    ///
    /// **Cost**: reads the file three times and the table twice, about 0.4 ms per thousand rows
    /// of 64 dimensions. Allocates nothing before the sizes fit the length.
    ///
    /// **Errors**: one for each way in which the file can be wrong; no bytes make it panic.
    pub fn read_from(bytes: &[u8], table: Arc<EmbeddingTable>) -> Result<Self, RetrievalError> {
        check_rows(&table)?;
        let mut reader = Reader { rest: verified_body(bytes)?, length: bytes.len() };
        let [_magic, _rest, _version, m, ef_construction, layers] = reader.numbers_array()?;
        let config = HnswConfig::new(m as usize, ef_construction as usize)?;
        let (nodes, expected) = (reader.long()?, reader.long()?);
        let got = fingerprint(&table);
        if got != expected {
            return Err(RetrievalError::OtherTable { expected, got });
        }
        let [entry] = reader.numbers_array()?;
        if layers as usize > UPPER_LAYERS_MAX {
            return Err(broken(GraphRule::LayerCount, UPPER_LAYERS_MAX as u64, u64::from(layers)));
        }
        let sizes = reader.numbers(u64::from(layers))?;
        reader.check_rest(nodes, u64::from(m), &sizes)?;
        let distinct = DistinctRows::of(&table);
        if nodes != distinct.nodes() as u64 {
            return Err(broken(GraphRule::NodeCount, distinct.nodes() as u64, nodes));
        }
        let m = u64::from(m);
        let layer0 = reader.numbers(nodes * 2 * m)?;
        let mut upper = Vec::with_capacity(sizes.len());
        for size in sizes.into_iter().map(u64::from) {
            upper.push(UpperLayer { nodes: reader.numbers(size)?, neighbors: reader.numbers(size * m)? });
        }
        let graph = Graph { m: config.m(), entry: Some(entry).filter(|entry| *entry != NONE), layer0, upper };
        check_graph(&graph)?;
        Ok(Self { table, config, distinct, graph })
    }
}

/// Everything before the checksum, once magic, version and checksum hold. In this order, so that a
/// file of another program or version is called that, not damaged.
fn verified_body(bytes: &[u8]) -> Result<&[u8], RetrievalError> {
    if !bytes.starts_with(&MAGIC) {
        return Err(RetrievalError::NotAnIndex);
    }
    let too_short =
        || RetrievalError::FileLength { expected: (HEADER_BYTES + CHECKSUM_BYTES) as u64, got: bytes.len() as u64 };
    let [_magic, _rest, version] =
        Reader { rest: bytes, length: bytes.len() }.numbers_array().map_err(|_| too_short())?;
    if version != VERSION {
        return Err(RetrievalError::FormatVersion { expected: VERSION, got: version });
    }
    if bytes.len() < HEADER_BYTES + CHECKSUM_BYTES {
        return Err(too_short());
    }
    let (body, checksum) = bytes.split_last_chunk().ok_or_else(too_short)?;
    let (expected, got) = (u64::from_le_bytes(*checksum), xxh3_64(body));
    if expected != got {
        return Err(RetrievalError::Checksum { expected, got });
    }
    Ok(body)
}

/// Takes the parts of a file in turn; nothing is allocated that the bytes do not hold.
struct Reader<'a> {
    rest: &'a [u8],
    /// Length of the whole file, for errors.
    length: usize,
}

impl Reader<'_> {
    fn long(&mut self) -> Result<u64, RetrievalError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(|| self.wrong_length(Some(8)))?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    fn numbers(&mut self, count: u64) -> Result<Vec<u32>, RetrievalError> {
        let wanted = count.checked_mul(4);
        let bytes = wanted.and_then(|wanted| usize::try_from(wanted).ok());
        let parts = bytes.and_then(|bytes| self.rest.split_at_checked(bytes));
        let (bytes, rest) = parts.ok_or_else(|| self.wrong_length(wanted))?;
        self.rest = rest;
        Ok(bytes.as_chunks().0.iter().map(|number| u32::from_le_bytes(*number)).collect())
    }

    fn numbers_array<const N: usize>(&mut self) -> Result<[u32; N], RetrievalError> {
        let numbers = self.numbers(N as u64)?;
        numbers.try_into().map_err(|_| self.wrong_length(Some(0)))
    }

    /// Compares the bytes that are left with the sizes in the header, before anything is allocated
    /// by them.
    fn check_rest(&self, nodes: u64, m: u64, sizes: &[u32]) -> Result<(), RetrievalError> {
        let upper: u64 = sizes.iter().map(|size| u64::from(*size)).sum();
        let numbers = nodes.checked_mul(2 * m).and_then(|layer0| layer0.checked_add(upper * (1 + m)));
        let wanted = numbers.and_then(|numbers| numbers.checked_mul(4));
        if wanted == Some(self.rest.len() as u64) { Ok(()) } else { Err(self.wrong_length(wanted)) }
    }

    /// The error of a file that would need `wanted` bytes from here on; none is beyond `u64`.
    fn wrong_length(&self, wanted: Option<u64>) -> RetrievalError {
        let (got, rest) = (self.length as u64, self.rest.len() as u64);
        let expected = wanted.and_then(|wanted| wanted.checked_add(got - rest)).unwrap_or(u64::MAX);
        RetrievalError::FileLength { expected, got }
    }
}

/// Identifies an embedding table: its dimensions, items and values.
fn fingerprint(table: &EmbeddingTable) -> u64 {
    let mut hash = Xxh3::new();
    let mut take = |bytes: &[u8]| {
        hash.update(bytes);
        Ok::<(), Infallible>(())
    };
    let Ok(()) = in_blocks([table.dimensions() as u32], &mut take);
    let Ok(()) = in_blocks(table.items().iter().map(|item| item.0), &mut take);
    let Ok(()) = in_blocks(table.values().iter().map(|value| value.to_bits()), &mut take);
    hash.digest()
}

/// Passes bytes on and hashes them.
struct HashingWriter<W> {
    out: W,
    hash: Xxh3,
}

impl<W: Write> HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.out.write_all(bytes)
    }

    fn write_numbers(&mut self, numbers: impl IntoIterator<Item = u32>) -> io::Result<()> {
        in_blocks(numbers, &mut |bytes| self.write(bytes))
    }
}

/// Hands `numbers` to `take` as little-endian bytes, a block at a time.
fn in_blocks<E>(
    numbers: impl IntoIterator<Item = u32>,
    take: &mut impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut block = Vec::with_capacity(4 * BLOCK);
    let mut numbers = numbers.into_iter().peekable();
    while numbers.peek().is_some() {
        block.clear();
        block.extend(numbers.by_ref().take(BLOCK).flat_map(u32::to_le_bytes));
        take(&block)?;
    }
    Ok(())
}
