# What CI runs, recipe by recipe; `just` lists them.

# List the recipes.
default:
    @just --list

# Simulate, train and serve.
quickstart:
    cargo run --release -- quickstart

# All tests, doc tests included.
test:
    cargo test --workspace

# Format and lints, warnings refused.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo doc --workspace --no-deps

# Licences, sources, and who may depend on what. Needs cargo-deny.
deny:
    cargo deny check bans licenses sources

# One short round of each benchmark: that they run, not how fast.
bench-smoke:
    cargo test --workspace --bench '*'

# The benchmarks and the 100 ms budget check.
bench:
    cargo bench -p shortlist

# Tests on real data, in the folder that SHORTLIST_DATA names.
test-real-data:
    cargo test --workspace --features shortlist/real-data --test real_data

# What is promised when things go wrong, in full, with a table: durability (D), swaps (H), overload (O), poisoned input (P), security (S). An hour; D5 needs root to mount.
reliability *CHECKS:
    cargo test --release -p shortlist --features reliability --test reliability_full -- {{CHECKS}}

# Everything that CI runs.
ci:
    .ci/run
