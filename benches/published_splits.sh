#!/usr/bin/env bash
# The first stage on published splits: makes the table of the README's quality section, about ten minutes
# on two cores.
#
#   benches/published_splits.sh DATA [SEED]
#
# DATA holds the folders movielens1m_m1 (train.txt, valid.txt), gowalla (train.txt) and ml-1m-ncf
# (train.pairs.tsv, ml-1m.test.rating, ml-1m.test.negative), as they are published.
set -euo pipefail
data=${1:?name the folder of the data sets}
seed=${2:-42}
cd "$(dirname "$0")/.."
cargo build --release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

evaluate() {
    printf '\n== %s\n' "$1"
    shift
    target/release/shortlist evaluate retrieval --seed "$seed" "$@" 2>/dev/null
}

evaluate "movielens1m_m1: judged on its validation part, chosen on a random slice of training" --format adjacency \
    --train "$data/movielens1m_m1/train.txt" --test "$data/movielens1m_m1/valid.txt" --slice random

# A fifth of each user's items, neighbours in order of id, beginning anywhere.
awk -v train="$work/train.txt" -v test="$work/test.txt" '{
    n = NF - 1; for (i = 1; i <= n; i++) id[i] = $(i + 1)
    for (i = 2; i <= n; i++) { x = id[i]; for (j = i - 1; j >= 1 && id[j] + 0 > x + 0; j--) id[j + 1] = id[j]; id[j + 1] = x }
    k = n < 5 ? 0 : int(n / 5 + 0.5); start = k ? 1 + ($1 * 7919 + 12345) % (n - k + 1) : 1
    a = $1; b = $1
    for (i = 1; i <= n; i++) if (i >= start && i < start + k) b = b " " id[i]; else a = a " " id[i]
    print a > train; if (k) print b > test
}' "$data/gowalla/train.txt"
for slice in contiguous random; do
    evaluate "gowalla: judged on a block of each user's items, chosen on a $slice slice of what is left" \
        --format adjacency --train "$work/train.txt" --test "$work/test.txt" --slice "$slice"
done

evaluate "ml-1m-ncf: one item among 99" --format leave-one-out -k 10 --trials 8 \
    --train "$data/ml-1m-ncf/train.pairs.tsv" --test "$data/ml-1m-ncf/ml-1m.test.rating" \
    --negatives "$data/ml-1m-ncf/ml-1m.test.negative"
