"""Recall against queries per second of shortlist and its peers, on the same vectors in one run.

Prints Markdown tables; `--out` gets every measured row as JSON and a chart per data set and k. README.md says how to
run it and how to read it.
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

SEED = 20
DIMENSIONS, LATENT = 64, 24
CLUSTERS = 2_000
# Spread of the logarithm of lengths, where lengths differ: popular items have long vectors.
LENGTH_SPREAD = 0.4
# Neighbours asked for, and the recall at which peers are compared.
TARGETS = {100: 0.99, 500: 0.985}
K_MAX = max(TARGETS)
BUILD_THREADS = 2
TIMED_PASSES = 3
# Beyond this recall a sweep ends: nobody is compared there.
RECALL_ENOUGH = 0.998


def tell(text):
    """Progress goes to stderr; stdout holds the tables alone."""
    print(text, file=sys.stderr, flush=True)


# Data


def draw(random, model, count, of_lengths):
    """`count` rows around the model's centres: float32, at length 1, or of lengths that differ if `of_lengths`."""
    projection, centres, weights = model
    latent = centres[random.choice(len(centres), size=count, p=weights)]
    latent = latent + 0.6 * random.standard_normal((count, LATENT), dtype=np.float32)
    rows = latent @ projection + 0.15 * random.standard_normal((count, DIMENSIONS), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    if of_lengths:
        rows *= np.exp(LENGTH_SPREAD * random.standard_normal((count, 1), dtype=np.float32))
    return rows


def make(items, query_count, of_lengths):
    """Items and queries of the same distribution. Few clusters hold many of the items, as in a catalogue."""
    random = np.random.default_rng(SEED)
    projection = random.standard_normal((LATENT, DIMENSIONS), dtype=np.float32) / np.float32(math.sqrt(LATENT))
    centres = random.standard_normal((CLUSTERS, LATENT), dtype=np.float32)
    weights = np.minimum(random.zipf(1.3, size=CLUSTERS), 200).astype(np.float64)
    model = projection, centres, weights / weights.sum()
    queries = draw(random, model, query_count, of_lengths=False)
    base = np.empty((items, DIMENSIONS), dtype=np.float32)
    for start in range(0, items, 100_000):
        end = min(start + 100_000, items)
        base[start:end] = draw(random, model, end - start, of_lengths)
    return base, queries


def exact(base, queries, k):
    """Ids of the `k` rows of `base` with the greatest products, best first, per query: uint32, queries x k."""
    ids = np.empty((len(queries), 0), dtype=np.int64)
    scores = np.empty((len(queries), 0), dtype=np.float32)
    for start in range(0, len(base), 20_000):
        block = queries @ base[start : start + 20_000].T
        ids = np.hstack([ids, np.broadcast_to(np.arange(start, start + block.shape[1]), block.shape)])
        scores = np.hstack([scores, block])
        if ids.shape[1] > k:
            best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
            ids, scores = np.take_along_axis(ids, best, axis=1), np.take_along_axis(scores, best, axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(ids, order, axis=1).astype(np.uint32)


def load(path):
    """A matrix of float32 from a .npy file."""
    try:
        matrix = np.load(path)
    except (OSError, ValueError) as error:
        sys.exit(f"cannot read {path}: {error}")
    if matrix.ndim != 2:
        sys.exit(f"{path} must hold a matrix, one row per vector, got {matrix.ndim} axes")
    return np.ascontiguousarray(matrix, dtype=np.float32)


# Peers: each is built over `base` by its constructor; `search(k, knob)` gives a function from one query to ids.

EFS = {100: (100, 120, 150, 200, 300, 400, 600, 900, 1_400, 2_000), 500: (500, 650, 800, 1_000, 1_400, 2_000, 3_000)}


class Hnswlib:
    name, package, knobs, knob_name = "hnswlib", "hnswlib", EFS, "ef"

    def __init__(self, base):
        import hnswlib

        self.index = hnswlib.Index("ip", base.shape[1])
        self.index.init_index(len(base), M=16, ef_construction=200)
        self.index.set_num_threads(BUILD_THREADS)
        self.index.add_items(base)
        self.index.set_num_threads(1)

    def search(self, k, knob):
        self.index.set_ef(knob)
        return lambda query: self.index.knn_query(query, k=k)[0]


class Faiss:
    name, package, knobs, knob_name = "faiss HNSW", "faiss-cpu", EFS, "efSearch"

    def __init__(self, base):
        import faiss

        faiss.omp_set_num_threads(BUILD_THREADS)
        self.index = faiss.IndexHNSWFlat(base.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = 200
        self.index.add(base)
        faiss.omp_set_num_threads(1)

    def search(self, k, knob):
        self.index.hnsw.efSearch = knob
        return lambda query: self.index.search(query[None], k)[1]


class Usearch:
    name, package, knobs, knob_name = "usearch", "usearch", EFS, "expansion"

    def __init__(self, base):
        from usearch.index import Index

        self.index = Index(ndim=base.shape[1], metric="ip", dtype="f32", connectivity=16, expansion_add=200)
        self.index.add(np.arange(len(base)), base, threads=BUILD_THREADS)

    def search(self, k, knob):
        self.index.expansion_search = knob
        return lambda query: self.index.search(query, k, threads=1).keys


class Scann:
    name, package, knob_name = "ScaNN", "scann", "leaves, re-scored"
    knobs = {
        100: ((10, 200), (20, 300), (40, 300), (60, 400), (80, 500), (150, 800), (300, 1_000), (600, 2_000)),
        500: ((20, 800), (40, 1_000), (60, 1_200), (80, 1_500), (150, 2_000), (300, 3_000), (600, 4_000)),
    }

    def __init__(self, base):
        import scann

        builder = scann.scann_ops_pybind.builder(base, K_MAX, "dot_product").set_n_training_threads(BUILD_THREADS)
        if len(base) < 1_000:  # too few to train on: only what a call costs is asked of them
            self.index = builder.score_brute_force().build()
            return
        self.leaves = round(math.sqrt(len(base)))
        tree = builder.tree(self.leaves, self.leaves // 10, training_sample_size=250_000)
        self.index = tree.score_ah(2, anisotropic_quantization_threshold=0.2).reorder(1_000).build()

    def search(self, k, knob):
        if knob is None:
            return lambda query: self.index.search(query, final_num_neighbors=k)[0]
        leaves, rescored = min(knob[0], self.leaves), knob[1]
        options = {"final_num_neighbors": k, "leaves_to_search": leaves, "pre_reorder_num_neighbors": rescored}
        return lambda query: self.index.search(query, **options)[0]


class Shortlist:
    """The binary, which measures itself as `measured` does: a pass to warm up, the best of three."""

    name, package, knob_name = "shortlist", None, "ef_search"
    EFS = 50, 100, 200, 400, 800, 1_200, 1_600, 2_400, 3_200, 6_400, 12_800

    def __init__(self, binary, files):
        self.binary, self.files = binary, files
        self.built = self.run("build", "--vectors", files / "base.npy", "--out", files / "index", "--metric", "ip",
                              "--threads", BUILD_THREADS)

    def rows(self, k):
        efs = ",".join(map(str, self.EFS))
        said = self.run("bench", "--index", self.files / "index", "--queries", self.files / "queries.npy",
                        "--truth", self.files / "truth.npy", "--k", k, "--ef-search", efs)
        return [
            {"knob": row["ef_search"]} | {key: row[key] for key in ("recall", "qps", "p50_us", "p99_us")}
            for row in said["rows"]
            if not row["exact"]
        ]

    def run(self, *command):
        command = [str(part) for part in (self.binary, "index", *command, "--json")]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} failed: {done.stderr.strip()}")
        return json.loads(done.stdout)


LIBRARIES = {"hnswlib": Hnswlib, "faiss": Faiss, "usearch": Usearch, "scann": Scann}
PEERS = [*LIBRARIES, "shortlist"]


# Measuring


def measured(search, queries, truth):
    """Recall and times of one setting: a pass to warm up and to count, then the best of the timed passes."""
    hits = sum(len(np.intersect1d(np.asarray(search(query)).ravel(), true)) for query, true in zip(queries, truth))
    best = None
    for _ in range(TIMED_PASSES):
        times = []
        for query in queries:
            started = time.perf_counter()
            search(query)
            times.append(time.perf_counter() - started)
        best = times if best is None or sum(times) < sum(best) else best
    best.sort()
    quantile = lambda q: 1e6 * best[max(0, math.ceil(q * len(best)) - 1)]
    return {
        "recall": hits / truth.size,
        "qps": len(best) / sum(best),
        "p50_us": quantile(0.5),
        "p99_us": quantile(0.99),
    }


def sweep(peer, k, queries, truth):
    """Rows of a peer, from fast to exact enough."""
    if isinstance(peer, Shortlist):
        return peer.rows(k)
    rows = []
    for knob in peer.knobs[k]:
        rows.append({"knob": knob} | measured(peer.search(k, knob), queries, truth[:, :k]))
        if rows[-1]["recall"] >= RECALL_ENOUGH:
            break
    return rows


def call_us(kind, queries):
    """What a call costs a peer whatever it finds: the nearest of sixteen vectors."""
    search = kind(np.ascontiguousarray(queries[:16])).search(1, 16 if kind is not Scann else None)
    return measured(search, np.tile(queries, (2, 1)), np.zeros((2 * len(queries), 1)))["p50_us"]


def build(names, base, queries, files, binary):
    """All peers over `base`: name -> peer, name -> {build_seconds, call_us}."""
    peers, facts = {}, {}
    for name in names:
        tell(f"building {name}")
        started = time.perf_counter()
        peer = Shortlist(binary, files) if name == "shortlist" else LIBRARIES[name](base)
        seconds = time.perf_counter() - started
        own = name == "shortlist"
        peers[name] = peer
        facts[name] = {
            "build_seconds": peer.built["build_seconds"] if own else seconds,
            "bytes_per_item": peer.built["bytes_per_item"] if own else None,
            "call_us": None if own else call_us(LIBRARIES[name], queries),
        }
        tell(f"built {name} in {facts[name]['build_seconds']:.1f} s")
    return peers, facts


def compare(data, base, queries, options):
    """Builds and measures every peer on one data set: {facts, rows}."""
    tell(f"{data}: {len(base)} items, {len(queries)} queries of {base.shape[1]} dimensions")
    with tempfile.TemporaryDirectory() as files:
        files = Path(files)
        truth = exact(base, queries, K_MAX)
        for name, matrix in (("base", base), ("queries", queries), ("truth", truth)):
            np.save(files / f"{name}.npy", matrix)
        peers, facts = build(options.peers, base, queries, files, options.shortlist)
        rows = []
        names = list(peers)
        for number in range(options.rounds):
            # Each round begins with another peer: a machine that slows down meets each in turn.
            start = number % len(names)
            for name in names[start:] + names[:start]:
                for k in TARGETS:
                    tell(f"{data}: round {number + 1} of {options.rounds}, {name}, k = {k}")
                    measured_rows = sweep(peers[name], k, queries, truth)
                    rows += [{"data": data, "peer": name, "k": k, "round": number + 1} | row for row in measured_rows]
    return {"facts": facts, "rows": rows}


# Reading the rows


def curve(rows, peer, k):
    """The median of the rounds at each knob, in the order of the sweep."""
    by_knob = {}
    for row in rows:
        if (row["peer"], row["k"]) == (peer, k):
            by_knob.setdefault(str(row["knob"]), []).append(row)
    median = lambda group, key: statistics.median(row[key] for row in group)
    return [{key: median(group, key) for key in ("recall", "qps", "p99_us")} for group in by_knob.values()]


def at_recall(points, target):
    """QPS and p99 at `target`, between the two points around it, and whether the first is above it already."""
    for before, after in zip([None, *points], points):
        if after["recall"] < target:
            continue
        if before is None:
            return {"qps": after["qps"], "p99_us": after["p99_us"], "at_least": True}
        share = (target - before["recall"]) / (after["recall"] - before["recall"])
        between = lambda key: before[key] ** (1 - share) * after[key] ** share
        return {"qps": between("qps"), "p99_us": between("p99_us"), "at_least": False}
    return None


def table(result, peers):
    """The Markdown table of one data set."""
    rows, facts = result["rows"], result["facts"]
    at = {(peer, k): at_recall(curve(rows, peer, k), target) for peer in peers for k, target in TARGETS.items()}
    references = [name for name in ("hnswlib", "scann") if name in peers]
    header = ["peer"]
    for k, target in TARGETS.items():
        header += [f"QPS at recall {target}, k = {k}", *(f"x {LIBRARIES[name].name}" for name in references), "p99 us"]
    header += ["build s", "call us"]
    lines = [header, ["---"] + ["--:"] * (len(header) - 1)]
    for peer in peers:
        cells = [title(peer)]
        for k in TARGETS:
            found = at[peer, k]
            if found is None:
                most = max(point["recall"] for point in curve(rows, peer, k))
                cells += [f"at most {most:.3f}", *["-"] * (1 + len(references))]
                continue
            cells.append(f"{'>= ' * found['at_least']}{found['qps']:,.0f}")
            for name in references:
                other = at[name, k]
                cells.append(f"{found['qps'] / other['qps']:.2f}" if other else "-")
            cells.append(f"{found['p99_us']:.0f}")
        call = facts[peer]["call_us"]
        cells += [f"{facts[peer]['build_seconds']:.1f}", "-" if call is None else f"{call:.1f}"]
        lines.append(cells)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def title(peer):
    return "shortlist" if peer == "shortlist" else LIBRARIES[peer].name


# The chart

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 95, 150, 50, 60
# Greys and colours that keep their contrast on white and on black alike.
INK, GRID = "#7a7f87", "#9aa0a6"
COLOURS = {"shortlist": "#e0561b", "hnswlib": "#2f86d1", "faiss": "#2a9d5c", "usearch": "#b565c9", "scann": "#b8860b"}
RECALL_TICKS = (0.8, 0.9, 0.95, 0.98, 0.985, 0.99, 0.995, 0.998, 0.999)


def chart(result, peers, k, heading):
    """An SVG of queries per second (logarithmic) against recall (by the logarithm of what is missed)."""
    curves = {peer: [p for p in curve(result["rows"], peer, k) if p["recall"] >= 0.8] for peer in peers}
    everything = [point for points in curves.values() for point in points]
    if not everything:
        return None
    missed = lambda recall: -math.log10(max(1 - recall, 5e-4))
    recalls = [missed(point["recall"]) for point in everything] + [missed(TARGETS[k])]
    low, high = min(recalls) - 0.05, max(recalls) + 0.05
    floor = math.log10(min(point["qps"] for point in everything)) - 0.05
    ceiling = math.log10(max(point["qps"] for point in everything)) + 0.05
    x = lambda recall: LEFT + (missed(recall) - low) / (high - low) * (WIDTH - LEFT - RIGHT)
    y = lambda qps: HEIGHT - BOTTOM - (math.log10(qps) - floor) / (ceiling - floor) * (HEIGHT - TOP - BOTTOM)
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT

    parts = [text(LEFT, 28, heading, size=17, weight="bold")]
    for recall in RECALL_TICKS:
        if low <= missed(recall) <= high:
            # Of two ticks that would touch, the target's own counts.
            if 0 < abs(x(recall) - x(TARGETS[k])) < 44:
                continue
            parts.append(line(x(recall), TOP, x(recall), bottom, GRID, 'stroke-opacity="0.35"'))
            parts.append(text(x(recall), bottom + 22, f"{recall:g}", anchor="middle"))
    ticks = [m * 10.0**e for e in range(0, 8) for m in (1, 2, 5)]
    for qps in (tick for tick in ticks if floor <= math.log10(tick) <= ceiling):
        parts.append(line(LEFT, y(qps), right, y(qps), GRID, 'stroke-opacity="0.35"'))
        parts.append(text(LEFT - 8, y(qps) + 5, f"{qps:,.0f}", anchor="end"))
    parts.append(line(x(TARGETS[k]), TOP, x(TARGETS[k]), bottom, INK, 'stroke-dasharray="5 4"'))
    parts.append(text((LEFT + right) / 2, HEIGHT - 14, f"recall at k = {k}", anchor="middle"))
    parts.append(text(0, 0, "queries per second, one thread", anchor="middle",
                      more=f'transform="translate(18 {(TOP + bottom) / 2:.0f}) rotate(-90)"'))

    for number, (peer, points) in enumerate(curves.items()):
        colour, wide = COLOURS[peer], 3.5 if peer == "shortlist" else 2
        places = [(x(point["recall"]), y(point["qps"])) for point in points]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{wide}"/>')
        parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="{wide + 1}" fill="{colour}"/>' for px, py in places]
        height = TOP + 12 + 26 * number
        parts.append(line(right + 18, height, right + 44, height, colour, f'stroke-width="{wide}"'))
        parts.append(text(right + 52, height + 5, title(peer)))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="system-ui, sans-serif" role="img" aria-label="{heading}">\n{body}\n</svg>\n'
    )


def text(x, y, words, size=14, weight="normal", anchor="start", more=""):
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}"'
    return f'<text {place} fill="{INK}" {more}>{words}</text>'


def line(x1, y1, x2, y2, colour, more):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" {more}/>'


# The command


def machine():
    """What the numbers were made on."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        models = [row for row in Path("/proc/cpuinfo").read_text().splitlines() if row.startswith("model name")]
        cpu = models[0].split(":", 1)[1].strip() if models else cpu
    return {"cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version()}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000, help="items of the data that is made [1000000]")
    parser.add_argument("--query-count", type=int, default=1_000, help="queries of the data that is made [1000]")
    parser.add_argument("--base", type=Path, help="own items instead: a matrix in a .npy file")
    parser.add_argument("--queries", type=Path, help="own queries instead: a matrix in a .npy file")
    parser.add_argument("--ip-data", type=Path, nargs="*", metavar="FILE",
                        help="a second data set of different lengths: base.npy queries.npy, or nothing to make one")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"which ones [{','.join(PEERS)}]")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over all peers; the median counts [3]")
    parser.add_argument("--shortlist", type=Path, default=Path("target/release/shortlist"), help="the binary")
    parser.add_argument("--out", type=Path, default=Path("target/peers"), help="folder for rows and charts")
    options = parser.parse_args()
    options.peers = options.peers.split(",")
    unknown = [name for name in options.peers if name not in PEERS]
    if unknown:
        parser.error(f"--peers: {', '.join(unknown)} is none of {', '.join(PEERS)}")
    if (options.base is None) != (options.queries is None):
        parser.error("--base and --queries come together")
    if options.ip_data and len(options.ip_data) != 2:
        parser.error("--ip-data takes the items' file and the queries' file, or nothing")
    if options.items < 1_000 or options.query_count < 16 or options.rounds < 1:
        parser.error("at least 1000 items, 16 queries and 1 round are needed")
    if "shortlist" in options.peers and not options.shortlist.is_file():
        parser.error(f"{options.shortlist} is not there: `cargo build --release` makes it, `--shortlist` names another")
    return options


def versions(peers):
    """Versions of the peers' packages; ends here if one is missing, before anything long has begun."""
    found = {}
    for name in peers:
        try:
            found[name] = version(LIBRARIES[name].package) if name in LIBRARIES else None
        except PackageNotFoundError:
            package = LIBRARIES[name].package
            sys.exit(f"{package} is not installed: pip install -r requirements.txt, or leave it out of --peers")
    return found


def data_sets(options):
    """Name, items, queries: made when their turn comes."""
    if options.base is not None:
        yield "own", load(options.base), load(options.queries)
    else:
        yield "unit-length", *make(options.items, options.query_count, of_lengths=False)
    if options.ip_data:
        yield "inner-product", *map(load, options.ip_data)
    elif options.ip_data is not None:
        yield "inner-product", *make(options.items, options.query_count, of_lengths=True)


def main():
    options = arguments()
    found_versions = versions(options.peers)
    options.out.mkdir(parents=True, exist_ok=True)
    report = {"machine": machine(), "versions": found_versions, "targets": TARGETS, "data": {}}
    for data, base, queries in data_sets(options):
        if base.shape[1] != queries.shape[1] or len(base) < K_MAX or len(queries) < 16:
            sys.exit(f"{data}: at least {K_MAX} items and 16 queries of the same dimensions are needed, "
                     f"got {base.shape} and {queries.shape}")
        result = compare(data, base, queries, options)
        what = f"{len(base):,} items of {base.shape[1]} dimensions, {data}"
        shape = {"items": len(base), "dimensions": base.shape[1], "queries": len(queries)}
        report["data"][data] = shape | result
        # Written after each data set: what was measured is not lost with the next one.
        (options.out / "results.json").write_text(json.dumps(report, indent=1) + "\n")
        for k in TARGETS:
            drawn = chart(result, options.peers, k, f"{what}, k = {k}")
            if drawn is not None:
                (options.out / f"{data}-k{k}.svg").write_text(drawn)
        print(f"\n{what}, {len(queries):,} queries\n")
        print(table(result, options.peers), flush=True)


if __name__ == "__main__":
    main()
