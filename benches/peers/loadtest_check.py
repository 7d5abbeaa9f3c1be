#!/usr/bin/env python3
"""`shortlist loadtest` beside wrk: one server, the same questions at the same rates, the two taking turns.

    cargo build --release
    apt-get install wrk                     # 4.1 or newer: it knows scripts that wait
    benches/peers/loadtest_check.py [--rates 50,200,500] [--rounds 3] [--seconds 15] [--address HOST:PORT]

Makes a marketplace, serves it on one core, and drives it from another; `--address` takes a server that runs, of the users
`user-1` to `user-N`. wrk is a closed loop that knows no rate. Here it is a crowd of connections (`loadtest_check.lua`)
that each wait for a random time before they ask again, so that questions come nearly as independent users send them,
and as `shortlist loadtest` sends them. Prints a table of the medians of all rounds, and the ratios of the two.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
BINARY = HERE.parent.parent / "target/release/shortlist"
# So long one of the crowd waits in the mean: long beside an answer, and short beside the time after which a server
# closes a connection that says nothing.
WAIT_SECONDS = 0.5
PERCENTILES = ["p50_ms", "p90_ms", "p99_ms"]


def pinned(core, command):
    return ["taskset", "-c", str(core), *map(str, command)] if (os.cpu_count() or 1) > 1 else list(map(str, command))


def wait_until_ready(address):
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://{address}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nothing is ready at {address}")


def loadtest(args, address, rate, seed):
    command = [args.binary, "loadtest", "--target", f"http://{address}", "--rate", rate, "--duration", args.seconds + 1]
    command += ["--warm-up", 1, "--users", args.users, "--seed", seed, "--json"]
    told = json.loads(subprocess.run(pinned(0, command), check=True, capture_output=True, text=True).stdout)
    return {**told, "rate": told["answered_per_second"]}


def wrk(args, address, rate, seed):
    crowd = max(8, round(rate * WAIT_SECONDS))
    wait_ms = crowd / rate * 1e3
    # It takes a wait for an answer that does not come, unless it is patient.
    command = ["wrk", "-t", 1, "-c", crowd, "-d", f"{args.seconds}s", "--timeout", "60s"]
    command += ["-s", HERE / "loadtest_check.lua"]
    command += [f"http://{address}", "--", wait_ms, args.users, seed]
    out = subprocess.run(pinned(0, command), check=True, capture_output=True, text=True).stdout
    told = json.loads(out.splitlines()[-1])
    return {**told, "rate": told["ok"] / told["seconds"]}


TOOLS = {"shortlist loadtest": loadtest, "wrk": wrk}


def compare(args, address):
    print("| asked per s | driver | answered per s | p50 ms | p90 ms | p99 ms |\n|--:|---|--:|--:|--:|--:|")
    for rate in args.rates:
        rounds = {name: [] for name in TOOLS}
        for number in range(args.rounds):
            order = list(TOOLS.items())
            for name, drive in order if number % 2 == 0 else reversed(order):
                told = drive(args, address, rate, number + 1)
                if told["failed"] or told.get("refused"):
                    print(f"{name} at {rate}/s: {told}", file=sys.stderr)
                rounds[name].append(told)
        median = {
            name: {key: statistics.median(told[key] for told in all_told) for key in ["rate", *PERCENTILES]}
            for name, all_told in rounds.items()
        }
        for name, found in median.items():
            times = " | ".join(f"{found[key]:.2f}" for key in PERCENTILES)
            print(f"| {rate} | {name} | {found['rate']:.0f} | {times} |")
        ours, theirs = median.values()
        ratios = " | ".join(f"{ours[key] / theirs[key]:.2f}" for key in PERCENTILES)
        print(f"| | ratio | {ours['rate'] / theirs['rate']:.2f} | {ratios} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=lambda text: [int(one) for one in text.split(",")], default=[50, 200, 500])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--users", type=int, default=400)
    parser.add_argument("--address", help="a server that runs")
    parser.add_argument("--binary", type=Path, default=BINARY)
    args = parser.parse_args()
    if args.address:
        return compare(args, args.address)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        subprocess.run([args.binary, "quickstart", "--store", store, "--exit"], check=True, stdout=subprocess.DEVNULL)
        address = "127.0.0.1:18089"
        command = [args.binary, "serve", "--store", store, "--listen", address]
        server = subprocess.Popen(pinned(1, command), stdout=subprocess.DEVNULL, env={**os.environ, "SHORTLIST_LOG": "error"})
        try:
            wait_until_ready(address)
            # Beside its first requests it makes a checkpoint.
            time.sleep(5)
            compare(args, address)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
