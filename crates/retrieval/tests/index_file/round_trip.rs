//! What is written comes back, and names the table that it came from.

use std::io::{self, Write};

use shortlist_retrieval::{Allowed, FrozenIndex, Metric, RetrievalError, SearchParams, fingerprint};
use shortlist_types::{EmbeddingTable, ItemIdx};

use crate::sample::{DIMENSIONS, Parts, build, bytes_of, crowded_table, file, queries, search, table, table_of};

#[test]
fn writing_reading_and_writing_gives_the_same_bytes() {
    for metric in Metric::ALL {
        for table in [table(), crowded_table()] {
            let bytes = bytes_of(&build(&table, metric));
            assert_eq!(bytes, bytes_of(&build(&table, metric)));
            assert_eq!(bytes.len(), Parts::of(&bytes).length);
            let read = FrozenIndex::from_bytes(&bytes).unwrap();
            assert_eq!(bytes_of(&read), bytes);
            assert!(read.items().eq(table.items().iter().copied()));
            let params = SearchParams::new(20, 400);
            let built = build(&table, metric);
            for query in queries() {
                assert_eq!(search(&read, &query, params, Allowed::All), search(&built, &query, params, Allowed::All));
            }
        }
    }
}

#[test]
fn bytes_are_read_from_any_address() {
    let bytes = file(Metric::L2);
    for shift in 0..9 {
        let mut shifted = vec![0xff; shift];
        shifted.extend(&bytes);
        assert_eq!(bytes_of(&FrozenIndex::from_bytes(&shifted[shift..]).unwrap()), bytes);
    }
}

#[test]
fn the_smallest_indexes_survive_their_files() {
    for dimensions in [1, 2, 8, 64, 65, 4_096] {
        let row = |x: f32| vec![x; dimensions];
        for rows in [
            Vec::new(),
            vec![row(0.0)],
            vec![row(-0.0), row(0.0)],
            vec![row(2.0)],
            vec![row(1.0); 3],
            vec![row(0.0), row(1.0), row(-1.0), row(1.0)],
            vec![row(1e30), row(f32::MAX), row(1e-45)],
        ] {
            // The greatest item numbers.
            let items: Vec<ItemIdx> = (0..rows.len() as u32).rev().map(|i| ItemIdx(u32::MAX - 1 - i)).collect();
            let table = EmbeddingTable::parse(dimensions, items, rows.concat()).unwrap();
            for metric in Metric::ALL {
                let built = build(&table, metric);
                let read = FrozenIndex::from_bytes(&bytes_of(&built)).unwrap();
                assert_eq!(bytes_of(&read), bytes_of(&built));
                assert_eq!((read.len(), read.is_empty(), read.dimensions()), (rows.len(), rows.is_empty(), dimensions));
                for params in [SearchParams::new(5, 100), SearchParams::exact(usize::MAX)] {
                    let found = search(&read, &row(1.0), params, Allowed::All);
                    assert_eq!(found, search(&built, &row(1.0), params, Allowed::All));
                    assert_eq!(found.neighbors.len(), rows.len());
                }
            }
        }
    }
}

#[test]
fn the_fingerprint_tells_tables_apart() {
    let table = table();
    let model =
        |table: &EmbeddingTable, metric| FrozenIndex::from_bytes(&bytes_of(&build(table, metric))).unwrap().model();
    for metric in Metric::ALL {
        let own = model(&table, metric);
        assert_eq!(own, fingerprint(&table));
        for row in [0, table.len() / 2, table.len() - 1] {
            let mut items = table.items().to_vec();
            items[row].0 += 1;
            let renumbered = EmbeddingTable::parse(DIMENSIONS, items, table.values().to_vec()).unwrap();
            assert_ne!(model(&renumbered, metric), own, "item {row}");
            for place in [0, DIMENSIONS - 1] {
                let mut values = table.values().to_vec();
                let value = &mut values[row * DIMENSIONS + place];
                *value = value.next_up();
                assert_ne!(model(&table_of(values), metric), own, "value {place} of row {row}");
            }
        }
        let shorter = table_of(table.values()[DIMENSIONS..].to_vec());
        assert_ne!(model(&shorter, metric), own);
    }
    // As many values in rows of another length.
    let wide = EmbeddingTable::parse(2, vec![ItemIdx(1)], vec![1.0, 2.0]).unwrap();
    let narrow = EmbeddingTable::parse(1, vec![ItemIdx(1), ItemIdx(2)], vec![1.0, 2.0]).unwrap();
    assert_ne!(model(&wide, Metric::Ip), model(&narrow, Metric::Ip));
}

/// Takes so many bytes and no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.0 == 0 { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(()) }
    }
}

#[test]
fn a_full_disk_is_told() {
    let index = build(&table(), Metric::Ip);
    let length = bytes_of(&index).len();
    for room in [0, 1, 1_000, length - 1, length] {
        assert_eq!(index.write_to(Full(room)).unwrap_err().kind(), io::ErrorKind::StorageFull, "{room}");
    }
    assert!(index.write_to(Full(length + 1)).is_ok());
}

#[test]
fn errors_say_what_to_do() {
    let refusal = |bytes: &[u8]| FrozenIndex::from_bytes(bytes).map(|index| index.len()).unwrap_err();
    let bytes = file(Metric::Ip);
    let mut damaged = bytes.clone();
    damaged[300] ^= 1;
    let errors = [refusal(b"text"), refusal(&bytes[..100]), refusal(&damaged)];
    assert!(errors.iter().all(|error| error.to_string().contains("again") || error.to_string().contains("anew")));
    assert!(matches!(errors[2], RetrievalError::Checksum { .. }));
}
