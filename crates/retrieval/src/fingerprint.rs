use shortlist_types::EmbeddingTable;
use xxhash_rust::xxh3::Xxh3;

/// Numbers converted to bytes at a time.
const BLOCK: usize = 4_096;

/// Identifies an embedding table by its dimensions, items and values: an index names the table that it
/// was built from, so that no other is searched by it.
pub fn fingerprint(table: &EmbeddingTable) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&(table.dimensions() as u32).to_le_bytes());
    let mut bytes = Vec::with_capacity(4 * BLOCK);
    for block in table.items().chunks(BLOCK) {
        bytes.clear();
        bytes.extend(block.iter().flat_map(|item| item.0.to_le_bytes()));
        hash.update(&bytes);
    }
    for block in table.values().chunks(BLOCK) {
        bytes.clear();
        bytes.extend(block.iter().flat_map(|value| value.to_le_bytes()));
        hash.update(&bytes);
    }
    hash.digest()
}
