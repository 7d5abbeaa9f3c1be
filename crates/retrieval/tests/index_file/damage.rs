//! Damage in transit: nothing of it is taken.

use shortlist_retrieval::{FrozenIndex, Metric, RetrievalError};

use crate::sample::{DIMENSIONS, HEADER, build, bytes_of, file, seal, table_of, walked_file};

/// Files of every metric, with and without many copies.
fn files() -> Vec<Vec<u8>> {
    Metric::ALL.into_iter().flat_map(|metric| [file(metric), walked_file(metric)]).collect()
}

fn error_of(bytes: &[u8]) -> RetrievalError {
    match FrozenIndex::from_bytes(bytes) {
        Err(error) => error,
        Ok(_) => panic!("damaged bytes were taken"),
    }
}

fn assert_flips_are_refused(bytes: &[u8]) {
    let mut damaged = bytes.to_vec();
    for at in 0..bytes.len() {
        for flip in [1, 0x80, 0xff] {
            damaged[at] ^= flip;
            let error = error_of(&damaged);
            let named = match at {
                0..8 => error == RetrievalError::NotAnIndex,
                8..12 => matches!(error, RetrievalError::FormatVersion { .. }),
                // Sizes that no longer fit are noticed before the checksum is computed.
                12..HEADER => !matches!(error, RetrievalError::NotAnIndex | RetrievalError::Open { .. }),
                _ => matches!(error, RetrievalError::Checksum { .. }),
            };
            assert!(named, "byte {at} ^ {flip:#x}: {error}");
            damaged[at] ^= flip;
        }
    }
    assert!(FrozenIndex::from_bytes(&damaged).is_ok());
}

#[test]
fn every_flipped_byte_is_refused() {
    files().iter().for_each(|bytes| assert_flips_are_refused(bytes));
}

#[test]
fn every_flipped_byte_of_a_larger_file_is_refused() {
    let values =
        (0..700 * DIMENSIONS as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 16) as f32 / 65_536.0).collect();
    let bytes = bytes_of(&build(&table_of(values), Metric::L2));
    assert!((48 * 1_024..=64 * 1_024).contains(&bytes.len()), "{}", bytes.len());
    assert_flips_are_refused(&bytes);
}

#[test]
fn every_other_length_is_refused_even_with_a_fitting_checksum() {
    for bytes in files() {
        for length in 0..bytes.len() {
            let error = error_of(&bytes[..length]);
            let named = match length {
                0..8 => error == RetrievalError::NotAnIndex,
                _ => matches!(error, RetrievalError::FileLength { got, .. } if got == length as u64),
            };
            assert!(named, "cut to {length}: {error}");
        }
        for length in 8..bytes.len() {
            let mut cut = bytes[..length].to_vec();
            seal(&mut cut);
            // Below sixteen bytes the checksum overwrites the magic bytes.
            let error = error_of(&cut);
            assert!(length < 208 || matches!(error, RetrievalError::FileLength { .. }), "cut to {length}: {error}");
        }
        for surplus in (1..=64).chain([65, 127, 128, 1_000, 4_095, 4_096]) {
            for fill in [0, 1, 0xff] {
                let mut longer = bytes.clone();
                longer.resize(bytes.len() + surplus, fill);
                assert!(matches!(error_of(&longer), RetrievalError::FileLength { .. }), "{surplus} bytes more");
                seal(&mut longer);
                assert!(matches!(error_of(&longer), RetrievalError::FileLength { .. }), "{surplus} bytes more, sealed");
            }
        }
        // The file twice over, each half with its own checksum.
        assert!(matches!(error_of(&bytes.repeat(2)), RetrievalError::FileLength { .. }));
    }
}

#[test]
fn any_two_swapped_blocks_are_refused() {
    for metric in Metric::ALL {
        let mut bytes = file(metric);
        let blocks = bytes.len() / 64;
        for first in 0..blocks {
            for second in first + 1..blocks {
                let (head, tail) = bytes.split_at_mut(64 * second);
                let (a, b) = (&mut head[64 * first..64 * (first + 1)], &mut tail[..64]);
                if a == b {
                    continue;
                }
                a.swap_with_slice(b);
                let refused = FrozenIndex::from_bytes(&bytes).is_err();
                let (head, tail) = bytes.split_at_mut(64 * second);
                head[64 * first..64 * (first + 1)].swap_with_slice(&mut tail[..64]);
                assert!(refused, "{metric:?}: blocks {first} and {second}");
            }
        }
        assert!(FrozenIndex::from_bytes(&bytes).is_ok());
    }
}

#[test]
fn a_part_of_another_file_is_refused() {
    let (mut bytes, other) = (file(Metric::Ip), file(Metric::Cosine));
    assert_eq!(bytes.len(), other.len());
    let checksum = bytes.len() - 8;
    bytes[checksum..].copy_from_slice(&other[checksum..]);
    assert!(matches!(error_of(&bytes), RetrievalError::Checksum { .. }));
}
