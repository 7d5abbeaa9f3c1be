"""The second stage beside PyTorch (an epoch of training) and onnxruntime (scoring), in one run.

    python benches/peers/ranking.py [--rounds 3]

Needs numpy, torch, onnx and onnxruntime, and `cargo bench -p shortlist --bench ranking_models --no-run`, whose
binary it finds in target/release/deps. Both sides take turns; medians are over the rounds.
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import time

import numpy as np

FIELDS, IDS, ROWS, BATCH, DIMENSIONS = 10, 538, 200_000, 4_096, 10
CANDIDATES, INPUTS = 500, 64


def ours(arguments):
    root = os.path.join(os.path.dirname(__file__), "..", "..")
    binaries = [p for p in glob.glob(f"{root}/target/release/deps/ranking_models-*") if os.access(p, os.X_OK)]
    binary = max((p for p in binaries if not p.endswith(".d")), key=os.path.getmtime)
    return json.loads(subprocess.run([binary, *arguments], check=True, capture_output=True, text=True).stdout)


def torch_epoch():
    """The same network, batch, dropout, normalisation and optimiser; penalty on the tables left out."""
    import torch

    torch.set_num_threads(2)
    torch.manual_seed(1)
    ids = torch.randint(0, IDS, (ROWS, FIELDS)) + torch.arange(FIELDS) * IDS
    labels = (torch.rand(ROWS, 1) < 0.3).float()
    table = torch.nn.Embedding(FIELDS * IDS, DIMENSIONS)
    layers, width = [], FIELDS * DIMENSIONS
    for units in (400, 400, 400):
        layers += [torch.nn.Linear(width, units), torch.nn.BatchNorm1d(units), torch.nn.ReLU(), torch.nn.Dropout(0.2)]
        width = units
    deep = torch.nn.Sequential(*layers, torch.nn.Linear(width, 1))
    optimiser = torch.optim.Adam([*table.parameters(), *deep.parameters()], lr=1e-3)
    loss_of = torch.nn.BCEWithLogitsLoss()
    seconds = []
    for _ in range(3):
        begin, order = time.perf_counter(), torch.randperm(ROWS)
        for start in range(0, ROWS, BATCH):
            rows = order[start : start + BATCH]
            optimiser.zero_grad()
            loss_of(deep(table(ids[rows]).flatten(1)), labels[rows]).backward()
            optimiser.step()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def onnx_microseconds(rounds=2_000):
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    random, nodes, weights, name, width = np.random.default_rng(1), [], [], "x", INPUTS
    for at, units in enumerate((256, 128, 1)):
        w = random.uniform(-0.1, 0.1, (width, units)).astype(np.float32)
        weights += [numpy_helper.from_array(w, f"w{at}"), numpy_helper.from_array(np.zeros(units, np.float32), f"b{at}")]
        nodes.append(helper.make_node("Gemm", [name, f"w{at}", f"b{at}"], [f"s{at}"]))
        name, width = f"s{at}", units
        if units > 1:
            nodes.append(helper.make_node("Relu", [name], [f"h{at}"]))
            name = f"h{at}"
    value = lambda n, w: helper.make_tensor_value_info(n, TensorProto.FLOAT, [CANDIDATES, w])
    graph = helper.make_graph(nodes, "mlp", [value("x", INPUTS)], [value(name, 1)], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    x, times = random.uniform(-1, 1, (CANDIDATES, INPUTS)).astype(np.float32), []
    for _ in range(rounds):
        begin = time.perf_counter()
        session.run(None, {"x": x})
        times.append((time.perf_counter() - begin) * 1e6)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["train", "score"])
    arguments = parser.parse_args()
    rows = []
    for number in range(arguments.rounds):
        row = {}
        if arguments.only != "score":
            row["torch_epoch_s"] = torch_epoch()
            row["epoch_s"] = statistics.median(ours(["--threads", "2", "--rounds", "1"])["epoch_seconds"])
        if arguments.only != "train":
            row["onnxruntime_us"] = onnx_microseconds()
            row |= {k: v for k, v in ours(["--train", "0"]).items() if k.endswith("_us")}
        print(number + 1, json.dumps(row), flush=True)
        rows.append(row)
    median = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
    print("medians", json.dumps(median))
    if "epoch_s" in median:
        print(f"epoch: {median['epoch_s'] / median['torch_epoch_s']:.2f} of PyTorch's time")
    for key in ("f32_us", "f32_shared_us", "int8_us"):
        if key in median:
            ratio = statistics.median(row[key] / row["onnxruntime_us"] for row in rows)
            print(f"{key}: {ratio:.2f} of onnxruntime's time in f32")


if __name__ == "__main__":
    main()
