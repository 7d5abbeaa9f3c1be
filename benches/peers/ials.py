"""Seconds per epoch of implicit alternating least squares: shortlist beside the package `implicit`, on the same pairs,
in one run.

    cargo build --release
    target/peers-venv/bin/python benches/peers/ials.py TRAIN [--dimensions 64,256] [--rounds 3] [--threads 2]

TRAIN has lines `user item item ...`. Both take turns, round by round, and the median counts. shortlist's epochs are
those of the final fit of `evaluate retrieval --model ials`, which `--json` times; the peer's begin after its first.
Both run their own defaults: the peer three steps of conjugate gradients per row, shortlist two, exact solves where they
are cheaper. `--exact` adds the peer's exact solver.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

# One thread per worker: the peer starts its own.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import scipy.sparse
from implicit.cpu.als import AlternatingLeastSquares

EPOCHS = 8
BINARY = Path(__file__).resolve().parents[2] / "target" / "release" / "shortlist"


def read(path):
    """Users x items, a one for every pair."""
    users, items = [], []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        user, *taken = map(int, line.split())
        users += [user] * len(taken)
        items += taken
    return scipy.sparse.csr_matrix((np.ones(len(users), dtype=np.float32), (users, items)))


def peer(pairs, dimensions, threads, use_cg):
    model = AlternatingLeastSquares(
        factors=dimensions, iterations=EPOCHS, use_cg=use_cg, num_threads=threads, random_state=1
    )
    stamps = []
    model.fit(pairs, show_progress=False, callback=lambda *_: stamps.append(time.perf_counter()))
    return (stamps[-1] - stamps[0]) / (len(stamps) - 1)


def ours(path, dimensions, threads, folder):
    config = Path(folder) / "ials.toml"
    config.write_text(f"[training.retrieval.ials]\ndimensions = {dimensions}\nepochs = {EPOCHS}\n", encoding="utf-8")
    first = Path(path).read_text(encoding="utf-8").split("\n", 1)[0].split()
    # One test pair: what is timed is the fit.
    test = Path(folder) / "test.txt"
    test.write_text(f"{first[0]} {first[1]}\n", encoding="utf-8")
    command = [BINARY, "evaluate", "retrieval", "--train", path, "--test", test, "--format", "adjacency", "--model"]
    command += ["ials", "--trials", "1", "--config", config, "--json"]
    run = subprocess.run(command, check=True, capture_output=True, env={**os.environ, "RAYON_NUM_THREADS": str(threads)})
    (fit,) = json.loads(run.stdout)["fits"]
    return fit["seconds"] / fit["rounds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("--dimensions", default="64,256")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--exact", action="store_true")
    args = parser.parse_args()
    pairs = read(args.train)
    print(f"{pairs.nnz:,} pairs, {args.threads} threads, implicit {version('implicit')}; seconds per epoch, median")
    print("| dimensions | shortlist | implicit |" + (" implicit, exact |" if args.exact else "") + " ratio |")
    print("|--:|--:|--:|" + ("--:|" if args.exact else "") + "--:|")
    with tempfile.TemporaryDirectory() as folder:
        for dimensions in map(int, args.dimensions.split(",")):
            rounds = []
            for _ in range(args.rounds):
                row = [ours(args.train, dimensions, args.threads, folder), peer(pairs, dimensions, args.threads, True)]
                if args.exact:
                    row.append(peer(pairs, dimensions, args.threads, False))
                rounds.append(row)
            medians = [statistics.median(column) for column in zip(*rounds)]
            ratio = statistics.median(row[0] / row[1] for row in rounds)
            print(f"| {dimensions} | " + " | ".join(f"{seconds:.3f}" for seconds in medians) + f" | {ratio:.2f} |")


if __name__ == "__main__":
    main()
