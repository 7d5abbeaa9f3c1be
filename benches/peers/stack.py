"""The whole service beside a stack of Python parts: FastAPI, hnswlib, numpy, onnxruntime, one process.

    cargo bench -p shortlist --bench overload --no-run && cargo build --release
    python benches/peers/stack.py [--items 1000000] [--rounds 3]

Both do the same work: 500 neighbours among the items, less what the user has seen, 64 inputs, hidden layers of 256 and
128, the best 20; both on one core, driven from another in an open loop by the same driver. Prints the capacity of each,
the greatest rate at which 99 of 100 answers come within 100 ms and at most one of them is degraded or refused. Our search
tries as hard as it must to find no fewer of the true neighbours than the stack's does among the same vectors. The stack's
inputs are gathered from arrays; ours are computed from the events, and events can be taken meanwhile.

Needs numpy, hnswlib, fastapi, uvicorn, orjson, onnx and onnxruntime.
"""
import argparse
import glob
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time

import numpy as np

DIMENSIONS, CANDIDATES, USERS, SEEN, K = 64, 500, 2_000, 50, 20
EFFORTS = [25, 50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800]
QUERIES_MEASURED = 100
HERE = os.path.dirname(os.path.abspath(__file__))


def vectors(count, seed):
    """Clustered vectors of different lengths, as collaborative filtering makes them."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(1).standard_normal((200, 24), dtype=np.float32)
    axes = np.random.default_rng(2).standard_normal((24, DIMENSIONS), dtype=np.float32)
    cluster = (random.random(count) ** 2 * 200).astype(int)
    near = centres[cluster] + 0.6 * random.standard_normal((count, 24), dtype=np.float32)
    length = 0.1 * np.exp(0.5 * random.standard_normal((count, 1), dtype=np.float32))
    return (length * (near @ axes / np.sqrt(24))).astype(np.float32)


def make(folder, items):
    """The stack's index, once: the build takes minutes."""
    import hnswlib

    path = f"{folder}/index-{items}.bin"
    if not os.path.exists(path):
        index = hnswlib.Index("ip", DIMENSIONS)
        index.init_index(items, M=16, ef_construction=100)
        index.set_num_threads(os.cpu_count())
        index.add_items(vectors(items, 3))
        index.save_index(path)
    return path


def recall(folder, items, ef):
    import hnswlib

    base, queries = vectors(items, 3), vectors(USERS, 4)[:QUERIES_MEASURED]
    index = hnswlib.Index("ip", DIMENSIONS)
    index.load_index(make(folder, items))
    index.set_ef(ef)
    found = index.knn_query(queries, k=CANDIDATES)[0]
    true = np.argpartition(-(queries @ base.T), CANDIDATES, axis=1)[:, :CANDIDATES]
    return np.mean([len(np.intersect1d(a, b)) / CANDIDATES for a, b in zip(found, true)])


def effort_for(folder, items, least):
    """The least effort at which our index finds `least` of the true neighbours, and what it finds then."""
    base, queries, index = f"{folder}/base-{items}.npy", f"{folder}/queries.npy", f"{folder}/shortlist-{items}"
    np.save(queries, vectors(USERS, 4)[:QUERIES_MEASURED])
    binary = f"{HERE}/../../target/release/shortlist"
    if not os.path.exists(index):
        np.save(base, vectors(items, 3))
        subprocess.run([binary, "index", "build", "--vectors", base, "--out", index], check=True, capture_output=True)
        os.remove(base)
    command = [binary, "index", "bench", "--index", index, "--queries", queries, "--k", str(CANDIDATES), "--json"]
    command += ["--ef-search", ",".join(map(str, EFFORTS))]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["rows"]
    for row in rows:
        if row["recall"] >= least:
            return row["ef_search"], row["recall"]


def application(folder, items, ef):
    import hnswlib
    import onnx
    import onnxruntime
    from fastapi import FastAPI, Request
    from fastapi.responses import ORJSONResponse
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(5)
    base, queries = vectors(items, 3), vectors(USERS, 4)
    index = hnswlib.Index("ip", DIMENSIONS)
    index.load_index(make(folder, items))
    index.set_ef(ef)
    index.set_num_threads(1)
    of_items = random.standard_normal((items, 24), dtype=np.float32)
    of_users = random.standard_normal((USERS, 24), dtype=np.float32)
    seen = [set(random.integers(0, items, SEEN).tolist()) for _ in range(USERS)]
    weights, nodes, name = [], [], "input"
    for layer, (rows, columns) in enumerate([(64, 256), (256, 128), (128, 1)]):
        matrix = random.standard_normal((rows, columns), dtype=np.float32) / np.float32(np.sqrt(rows))
        weights += [numpy_helper.from_array(matrix, f"w{layer}"), numpy_helper.from_array(np.zeros(columns, np.float32), f"b{layer}")]
        nodes.append(helper.make_node("Gemm", [name, f"w{layer}", f"b{layer}"], [f"y{layer}"]))
        name = f"y{layer}"
        if layer < 2:
            nodes.append(helper.make_node("Relu", [name], [f"h{layer}"]))
            name = f"h{layer}"
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "mlp", [value("input", TensorProto.FLOAT, [None, 64])], [value(name, TensorProto.FLOAT, [None, 1])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    app = FastAPI()

    @app.post("/v1/recommend", response_class=ORJSONResponse)
    async def recommend(request: Request):
        import orjson

        body = orjson.loads(await request.body())
        user, k = int(body["user_id"].rsplit("-", 1)[1]) % USERS, body.get("k", K)
        query = queries[user]
        had = seen[user]
        found = index.knn_query(query, k=CANDIDATES)[0][0].tolist()
        found = np.array([item for item in found if item not in had])
        rows = np.empty((len(found), 64), np.float32)
        rows[:, :24] = of_items[found]
        rows[:, 24:48] = of_users[user]
        rows[:, 48:] = (base[found] * query).reshape(len(found), 16, 4).sum(axis=2)
        scores = session.run(None, {"input": rows})[0][:, 0]
        best = np.argpartition(-scores, k)[:k]
        best = best[np.argsort(-scores[best])]
        items = [{"item_id": f"item-{found[at]}", "score": float(scores[at]), "rank": rank} for rank, at in enumerate(best)]
        return ORJSONResponse({"items": items, "degraded": []})

    @app.get("/readyz")
    async def ready():
        return {"ready": True}

    return app


def driver(arguments):
    binaries = [path for path in glob.glob(f"{HERE}/../../target/release/deps/overload-*") if os.access(path, os.X_OK) and not path.endswith(".d")]
    binary = max(binaries, key=os.path.getmtime)
    run = subprocess.run([binary, "--bench", "--capacity", *arguments], check=True, capture_output=True, text=True)
    sys.stderr.write(run.stderr)
    return float(re.search(r"C = (\d+)/s", run.stdout)[1])


def stack_capacity(folder, items, ef):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["taskset", "-c", "1", sys.executable, __file__, "--serve", str(port), "--folder", folder, "--items", str(items), "--ef", str(ef)]
    server = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.5)
        return driver(["--address", f"127.0.0.1:{port}", "--items", str(items), "--from", "200"])
    finally:
        server.terminate()
        server.wait()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--items", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--ef", type=int, default=520, help="how hard hnswlib searches for the 500")
    arguments.add_argument("--folder", default="/tmp", help="where the index and the stores are kept")
    arguments.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    arguments = arguments.parse_args()
    folder, items, ef = arguments.folder, arguments.items, arguments.ef
    if arguments.serve:
        import uvicorn

        uvicorn.run(application(folder, items, ef), host="127.0.0.1", port=arguments.serve, log_level="error")
        return
    make(folder, items)
    of_stack = recall(folder, items, ef)
    effort, of_ours = effort_for(folder, items, of_stack)
    print(f"recall of the best {CANDIDATES}: stack {of_stack:.3f} at ef {ef}, shortlist {of_ours:.3f} at effort {effort}", flush=True)
    ours = {
        "shortlist": ["--effort", str(effort)],
        "shortlist, weights in bytes": ["--effort", str(effort), "--precision", "int8"],
    }
    rates = {name: [] for name in ["stack", *ours]}
    for number in range(arguments.rounds):
        rates["stack"].append(stack_capacity(folder, items, ef))
        for name, options in ours.items():
            store = f"{folder}/store-{items}-{'int8' if 'int8' in options else 'f32'}"
            rates[name].append(driver(["--store", store, "--items", str(items), "--ranker", "mlp", "--sources", "ann", "--from", "300", *options]))
        print(f"round {number + 1}: " + ", ".join(f"{name} {of[-1]:.0f}/s" for name, of in rates.items()), flush=True)
    stack = statistics.median(rates["stack"])
    print("| | answers per second | times the stack |\n|---|--:|--:|")
    for name, of in rates.items():
        print(f"| {name} | {statistics.median(of):.0f} | {statistics.median(of) / stack:.2f} |")


if __name__ == "__main__":
    main()
