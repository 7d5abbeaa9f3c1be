//! Headers that lie, with a fitting checksum: refused before anything of the size they claim is
//! allocated.

use std::time::{Duration, Instant};

use shortlist_retrieval::{FormatRule, FrozenIndex, Metric, RetrievalError};

use crate::sample::{
    BLOCKS, COARSE_LIMIT, COARSE_SCALE, Crafted, D, EF_CONSTRUCTION, ENTRY, HEADER, HEADER_ZEROS, ITEMS, LEAF_POINTS,
    LEAVES, M, METRIC, NONE, POINTS, UPPER_LAYERS, UPPER_SIZES, VERSION, build, bytes_of, file, seal, table_of, u32_at,
};

const WORDS: [u32; 7] = [0, 1, 3, (1 << 31) - 1, 1 << 31, u32::MAX - 1, u32::MAX];
const LONGS: [u64; 10] =
    [0, 1, 1 << 31, u32::MAX as u64 - 1, u32::MAX as u64, 1 << 32, 1 << 61, 1 << 63, u64::MAX - 1, u64::MAX];

/// The error of a file, which must come at once: nothing of a claimed size can be allocated meanwhile.
fn error_of(crafted: Crafted) -> RetrievalError {
    let bytes = crafted.sealed();
    let start = Instant::now();
    let read = FrozenIndex::from_bytes(&bytes);
    assert!(start.elapsed() < Duration::from_secs(1));
    read.map(|index| index.len()).unwrap_err()
}

fn is(error: &RetrievalError, rule: FormatRule) -> bool {
    matches!(error, RetrievalError::InvalidContent { rule: broken, .. } if *broken == rule)
}

fn is_length(error: &RetrievalError) -> bool {
    matches!(error, RetrievalError::FileLength { .. })
}

/// Every wrong value of a field of 32 bits, with the error it gives.
fn words(metric: Metric, at: usize) -> impl Iterator<Item = (u32, RetrievalError)> {
    let file = Crafted::file(metric);
    let own = file.u32_at(at);
    WORDS
        .into_iter()
        .filter(move |value| *value != own)
        .map(move |value| (value, error_of(file.clone().u32(at, value))))
}

/// The same for 64 bits.
fn longs(metric: Metric, at: usize) -> impl Iterator<Item = (u64, RetrievalError)> {
    let file = Crafted::file(metric);
    LONGS.into_iter().map(move |value| (value, error_of(file.clone().u64(at, value))))
}

#[test]
fn versions_settings_and_dimensions_out_of_range_are_named() {
    for metric in Metric::ALL {
        for (value, error) in words(metric, VERSION) {
            assert_eq!(error, RetrievalError::FormatVersion { expected: 2, got: value });
        }
        for (value, error) in words(metric, D) {
            let range = matches!(value, 1 | 3);
            assert!(if range { is_length(&error) } else { is(&error, FormatRule::Dimensions) }, "{value}: {error}");
        }
        for (at, setting) in [(LEAF_POINTS, "leaf_points"), (EF_CONSTRUCTION, "ef_construction")] {
            for (value, error) in words(metric, at) {
                let named = matches!(error, RetrievalError::ConfigOutOfRange { field, .. } if field == setting);
                assert!(named, "{setting} {value}: {error}");
            }
        }
        // Lists of another length do not fit the file.
        for (value, error) in words(metric, M) {
            assert!(is_length(&error), "{value}: {error}");
        }
        let edge = |value: u32| error_of(Crafted::file(metric).u32(D, value));
        assert!(is_length(&edge(4_096)) && is(&edge(4_097), FormatRule::Dimensions));
    }
}

#[test]
fn without_leaves_every_degree_fits_the_file_and_is_refused_all_the_same() {
    let empty = Crafted::of(bytes_of(&build(&table_of(Vec::new()), Metric::Ip)));
    assert!(empty.clone().read().unwrap().is_empty());
    for degree in [0, 1, 65, 1 << 31, u32::MAX] {
        let error = error_of(empty.clone().u32(M, degree));
        assert!(matches!(error, RetrievalError::ConfigOutOfRange { field: "m", .. }), "{degree}: {error}");
    }
    for entry in [0, 1, 1 << 31, u32::MAX - 1] {
        assert!(is(&error_of(empty.clone().u32(ENTRY, entry)), FormatRule::EntryPoint));
    }
    assert!(is(&error_of(empty.clone().u32(UPPER_LAYERS, 1)), FormatRule::EntryPoint));
    for at in [ITEMS, POINTS, LEAVES, BLOCKS] {
        for value in LONGS.into_iter().skip(1) {
            error_of(empty.clone().u64(at, value));
        }
    }
}

#[test]
fn metrics_are_known_ones_and_fit_the_parts() {
    for metric in Metric::ALL {
        for value in [2, 3, 4, 1 << 31, u32::MAX - 1, u32::MAX] {
            let (biased, claimed) = (metric == Metric::L2, value == 2);
            let error = match (biased, claimed) {
                (true, true) => continue,
                _ => error_of(Crafted::file(metric).u32(METRIC, value)),
            };
            // Only Euclidean indexes have a bias per point.
            let named = if biased == claimed { is(&error, FormatRule::Metric) } else { is_length(&error) };
            assert!(named, "{metric:?} as {value}: {error}");
        }
        if metric == Metric::L2 {
            assert!([0, 1].into_iter().all(|value| is_length(&error_of(Crafted::file(metric).u32(METRIC, value)))));
        }
    }
    // The sizes of an unknown metric are those of inner products, so that this is what is left to see.
    let error = error_of(Crafted::file(Metric::Cosine).u32(METRIC, 3));
    assert_eq!(error, RetrievalError::InvalidContent { rule: FormatRule::Metric, limit: 2, got: 3 });
}

#[test]
fn entry_points_are_leaves_of_the_top_layer() {
    for metric in Metric::ALL {
        let leaves = Crafted::file(metric).u32_at(LEAVES);
        for value in [leaves, 1 << 31, NONE - 1, NONE] {
            assert!(is(&error_of(Crafted::file(metric).u32(ENTRY, value)), FormatRule::EntryPoint), "{value}");
        }
    }
}

#[test]
fn layers_that_do_not_fit_are_refused() {
    for metric in Metric::ALL {
        let layers = Crafted::file(metric).u32_at(UPPER_LAYERS);
        for (value, error) in words(metric, UPPER_LAYERS) {
            let named = if value > 15 { is(&error, FormatRule::LayerCount) } else { is_length(&error) };
            assert!(named, "{value} layers: {error}");
        }
        assert!(is(&error_of(Crafted::file(metric).u32(UPPER_LAYERS, 16)), FormatRule::LayerCount));
        // More layers, of no leaves.
        for more in layers + 1..16 {
            assert!(is(&error_of(Crafted::file(metric).u32(UPPER_LAYERS, more)), FormatRule::LayerSize));
        }
        for layer in 0..16 {
            let at = UPPER_SIZES + 4 * layer as usize;
            for (value, error) in words(metric, at) {
                // A few leaves more or less can hide in the gap before the next part.
                let named = match layer < layers {
                    true if value > 3 => is_length(&error),
                    true => is_length(&error) || matches!(error, RetrievalError::InvalidContent { .. }),
                    false => is(&error, FormatRule::Zeros),
                };
                assert!(named, "{value} leaves on layer {}: {error}", layer + 1);
            }
        }
    }
}

#[test]
fn degrees_and_layers_whose_product_is_beyond_any_file_are_refused() {
    let mut file = Crafted::file(Metric::Ip).u32(M, u32::MAX).u32(UPPER_LAYERS, 15);
    for layer in 0..16 {
        file = file.u32(UPPER_SIZES + 4 * layer, u32::MAX);
    }
    assert!(is_length(&error_of(file.clone())));
    let most = u64::from(u32::MAX - 1);
    let file = [ITEMS, POINTS, LEAVES, BLOCKS].into_iter().fold(file, |file, at| file.u64(at, most));
    assert!(is_length(&error_of(file.clone())));
    assert!(is_length(&error_of(file.u32(D, 4_096))));
    // Without leaves, a layer of 2^30 with 2^32 - 1 neighbours each has 2^64 bytes: none, were it to wrap.
    let empty = Crafted::of(bytes_of(&build(&table_of(Vec::new()), Metric::Ip)));
    let error = error_of(empty.u32(M, u32::MAX).u32(UPPER_LAYERS, 1).u32(UPPER_SIZES, 1 << 30));
    assert_eq!(error, RetrievalError::FileLength { expected: u64::MAX, got: 0 });
}

#[test]
fn counts_that_do_not_fit_are_refused() {
    for metric in Metric::ALL {
        for (value, error) in longs(metric, ITEMS) {
            let named = match value {
                0 | 1 => is(&error, FormatRule::PointCount),
                value if value < u64::from(u32::MAX) => is_length(&error),
                _ => is(&error, FormatRule::ItemCount),
            };
            assert!(named, "{value} items: {error}");
        }
        for (value, error) in longs(metric, POINTS) {
            let named = is(&error, if value < 2 { FormatRule::LeafCount } else { FormatRule::PointCount });
            assert!(named, "{value} points: {error}");
        }
        for (value, error) in longs(metric, LEAVES) {
            let named = if value < 2 { is_length(&error) } else { is(&error, FormatRule::LeafCount) };
            assert!(named, "{value} leaves: {error}");
        }
        for (value, error) in longs(metric, BLOCKS) {
            let named = if value < 2 { is_length(&error) } else { is(&error, FormatRule::BlockCount) };
            assert!(named, "{value} blocks: {error}");
        }
    }
}

#[test]
fn counts_a_little_off_are_refused_where_the_gaps_between_parts_hide_them() {
    let mut hidden = 0;
    for metric in Metric::ALL {
        let file = Crafted::file(metric);
        for at in [ITEMS, POINTS, LEAVES, BLOCKS] {
            for off in (-16_i64..=16).filter(|off| *off != 0) {
                let value = u64::from(file.u32_at(at)).wrapping_add_signed(off);
                hidden += usize::from(!is_length(&error_of(file.clone().u64(at, value))));
            }
        }
        for at in [D, M].into_iter().chain((0..3).map(|layer| UPPER_SIZES + 4 * layer)) {
            for off in (-8_i32..=8).filter(|off| *off != 0) {
                if let Some(value) = file.u32_at(at).checked_add_signed(off) {
                    hidden += usize::from(!is_length(&error_of(file.clone().u32(at, value))));
                }
            }
        }
    }
    assert!(hidden > 20, "only {hidden} of them fit the length of the file");
}

#[test]
fn two_counts_that_make_up_for_each_other_are_refused() {
    let file = Crafted::file(Metric::Ip);
    // A layer gives its leaves to the next.
    for moved in 1..4 {
        let [first, second] = [0, 4].map(|at| file.u32_at(UPPER_SIZES + at));
        error_of(file.clone().u32(UPPER_SIZES, first - moved).u32(UPPER_SIZES + 4, second + moved));
        error_of(file.clone().u32(UPPER_SIZES, first + moved).u32(UPPER_SIZES + 4, second - moved));
    }
}

#[test]
fn a_header_alone_is_refused_whatever_it_claims() {
    for metric in Metric::ALL {
        let header = Crafted::file(metric).bytes[..HEADER].to_vec();
        for at in (VERSION..HEADER).step_by(4) {
            for value in WORDS {
                let mut bytes = header.clone();
                bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
                bytes.resize(HEADER + 8, 0);
                seal(&mut bytes);
                let start = Instant::now();
                assert!(FrozenIndex::from_bytes(&bytes).is_err(), "{value} at {at}");
                assert!(start.elapsed() < Duration::from_secs(1));
            }
        }
    }
}

#[test]
fn unused_bytes_of_the_header_are_zero() {
    for metric in Metric::ALL {
        for at in HEADER_ZEROS {
            assert_eq!(Crafted::file(metric).byte(at, 1).rule(), FormatRule::Zeros, "byte {at}");
        }
    }
}

#[test]
fn coarse_numbers_are_positive() {
    for metric in Metric::ALL {
        for at in [COARSE_SCALE, COARSE_LIMIT] {
            for value in [0.0, -0.0, -1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::MIN_POSITIVE] {
                assert_eq!(Crafted::file(metric).f32(at, value).rule(), FormatRule::Numbers, "{value} at {at}");
            }
        }
    }
}

#[test]
fn other_programs_and_versions_are_named() {
    let magic = |bytes: &[u8]| FrozenIndex::from_bytes(bytes).map(|index| index.len());
    for other in [&b"PK\x03\x04"[..], b"", b"SHRTLEA", b"shrtleaf", b"SHRTGRPH\x01\0\0\0", &[0; 4_096]] {
        assert_eq!(magic(other), Err(RetrievalError::NotAnIndex));
    }
    for length in 8..12 {
        let got = length as u64;
        assert_eq!(magic(&b"SHRTLEAF\x02\0\0\0"[..length]), Err(RetrievalError::FileLength { expected: 200, got }));
    }
    assert_eq!(magic(b"SHRTLEAF\x02\0\0\0"), Err(RetrievalError::FileLength { expected: 200, got: 12 }));
    // Of another version nothing else is looked at.
    assert_eq!(magic(b"SHRTLEAF\x01\0\0\0"), Err(RetrievalError::FormatVersion { expected: 2, got: 1 }));
    assert_eq!(u32_at(&file(Metric::Ip), VERSION), 2);
}
