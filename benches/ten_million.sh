#!/usr/bin/env bash
# Ten million interactions: time and memory of a first stage at 64 dimensions, with the search of
# hyper-parameters cut to one trial per model. About five minutes on two cores; needs 4 GB, GNU time and
# Python for the pairs.
#
#   benches/ten_million.sh [MODEL]        best by default
set -euo pipefail
model=${1:-best}
cd "$(dirname "$0")/.."
cargo build --release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# 200,000 users and 50,000 items of a hundred kinds, popularity falling as a power; a fiftieth is held out.
python3 - "$work" <<'PYTHON'
import random, sys
random.seed(1)
users, items, kinds, per_user = 200_000, 50_000, 100, 60
with open(f"{sys.argv[1]}/train.txt", "w") as train, open(f"{sys.argv[1]}/test.txt", "w") as test:
    for user in range(users):
        tastes = random.sample(range(kinds), 3)
        taken = set()
        for _ in range(per_user):
            rank = int(random.random() ** 2.2 * items / kinds)
            kind = random.choice(tastes) if random.random() < 0.8 else random.randrange(kinds)
            taken.add(rank * kinds + kind)
        taken = list(taken)
        random.shuffle(taken)
        print(user, *taken[1:], file=train)
        print(user, taken[0], file=test)
PYTHON
wc -w < "$work/train.txt" | awk '{printf "%d interactions\n", $1 - 200000}'
printf '[training.retrieval.ials]\ndimensions = 64\n[training.retrieval.graph_filter]\ndimensions = 64\n' > "$work/config.toml"
/usr/bin/time -f '%e s, at most %M kB' target/release/shortlist evaluate retrieval --format adjacency \
    --train "$work/train.txt" --test "$work/test.txt" --config "$work/config.toml" --model "$model" --trials 1
