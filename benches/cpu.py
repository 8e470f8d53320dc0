#!/usr/bin/env python3
"""Compares nasc's CPU executor with PyTorch on the same work, in the same run, on one core each.

    python3 benches/cpu.py [--seconds S] [--rounds R] [WORK ..]

Builds `benches/cpu.rs` and prints a table: milliseconds of nasc and of PyTorch, their ratio, and nasc's GFLOP/s with
their share of the machine's measured peak. The two take turns, R times; the median over the rounds of the least time
in a round counts, since whatever else runs on the machine only ever adds time. PyTorch is used in its best form:
channels-last, fused optimizer, memory that the allocator keeps, denormals flushed. It is left out where it is not
installed (`pip install torch`).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EDGES = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]

# name, target (nasc over PyTorch), what it is
WORKS = [
    ("child8", 0.5, "NAS-Bench-201 child, C=16, 1 cell, 8x8x1"),
    ("child32", 0.85, ".. 32x32x3"),
    ("cnn", 0.5, "small CNN, 8x8x1"),
    ("mlp", 0.95, "MLP 784-128-64-10"),
    ("sep_conv(16, 3)@16", 0.33, "sep_conv 3x3, 16x16"),
    ("sep_conv(16, 5)@16", 0.33, "sep_conv 5x5, 16x16"),
    ("dil_conv(16, 3)@16", 0.33, "dil_conv 3x3, 16x16"),
    ("sep_conv(16, 3)@32", 0.33, "sep_conv 3x3, 32x32"),
    ("dil_conv(16, 3)@32", 0.33, "dil_conv 3x3, 32x32"),
    ("max_pool(3)@16", 0.5, "max pooling 3x3, 16x16"),
    ("avg_pool(3)@16", 0.5, "average pooling 3x3, 16x16"),
    ("batch_norm@16", 0.5, "batch norm, 16x16"),
    ("conv(16, 3)@16", None, "conv 3x3, 16x16"),
    ("conv(16, 1)@16", None, "conv 1x1, 16x16"),
    ("population", 0.3, "50 children, 2 epochs of digits, 2 workers"),
    # Here the aim is a time: 2 ms and 150 ms.
    ("first_step", None, "new candidate to its first step, kernels cached"),
    ("first_step_cold", None, ".. nothing cached, PyTorch eager beside it"),
]


# ---------------------------------------------------------------------------------------------------------- PyTorch


def torch_works():
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)

    class ConvBn(nn.Sequential):
        def __init__(self, i, o, k, stride=1):
            super().__init__(
                nn.ReLU(), nn.Conv2d(i, o, k, stride, k // 2, bias=False), nn.BatchNorm2d(o))

    def edge(op, c):
        if op == "none":
            return None
        return {"skip_connect": nn.Identity, "nor_conv_1x1": lambda: ConvBn(c, c, 1),
                "nor_conv_3x3": lambda: ConvBn(c, c, 3),
                "avg_pool_3x3": lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False)}[op]()

    class Cell(nn.Module):
        def __init__(self, ops, c):
            super().__init__()
            made = [(i, j, edge(op, c)) for (i, j), op in zip(EDGES, ops)]
            self.into = [[(i, str(n)) for n, (i, j, m) in enumerate(made) if j == to and m is not None]
                         for to in range(1, 4)]
            self.ops = nn.ModuleDict({str(n): m for n, (_, _, m) in enumerate(made) if m is not None})

        def forward(self, x):
            states = [x]
            for into in self.into:
                parts = [self.ops[n](states[i]) for i, n in into]
                y = parts[0] if parts else torch.zeros_like(x)
                for p in parts[1:]:
                    y = y + p
                states.append(y)
            return states[-1]

    class Residual(nn.Module):
        def __init__(self, i, o):
            super().__init__()
            self.main = nn.Sequential(ConvBn(i, o, 3, 2), ConvBn(o, o, 3))
            self.short = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(i, o, 1, bias=False))

        def forward(self, x):
            return self.main(x) + self.short(x)

    class Pool(nn.Module):
        def forward(self, x):
            return x.mean((2, 3))

    def child(ops, channels, c=16):
        return nn.Sequential(
            nn.Conv2d(channels, c, 3, 1, 1, bias=False), nn.BatchNorm2d(c), Cell(ops, c), Residual(c, 2 * c),
            Cell(ops, 2 * c), Residual(2 * c, 4 * c), Cell(ops, 4 * c), nn.BatchNorm2d(4 * c), nn.ReLU(), Pool(),
            nn.Linear(4 * c, 10))

    def trainer(net):
        net = net.to(memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, fused=True)

        def step(x, y):
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return step

    def training(net, shape):
        x = torch.randn(64, *shape)
        if len(shape) == 3:
            x = x.contiguous(memory_format=torch.channels_last)
        y = torch.randint(0, 10, (64,))
        step = trainer(net)
        return lambda: step(x, y)

    def depthwise(k, dilation=1):
        return nn.Conv2d(16, 16, k, 1, (k - 1) // 2 * dilation, dilation, groups=16, bias=False)

    def sep(k):
        half = [nn.ReLU(), depthwise(k), nn.Conv2d(16, 16, 1, bias=False), nn.BatchNorm2d(16)]
        again = [nn.ReLU(), depthwise(k), nn.Conv2d(16, 16, 1, bias=False), nn.BatchNorm2d(16)]
        return nn.Sequential(*half, *again)

    def operation(net, size):
        net = net.to(memory_format=torch.channels_last)
        new = lambda: torch.randn(64, 16, size, size).contiguous(memory_format=torch.channels_last)
        x, seed = new().requires_grad_(), new()

        def run():
            x.grad = None
            net.zero_grad(set_to_none=True)
            net(x).backward(seed)

        return run

    ops = {
        "sep_conv(16, 3)": lambda: sep(3),
        "sep_conv(16, 5)": lambda: sep(5),
        "dil_conv(16, 3)": lambda: nn.Sequential(
            nn.ReLU(), depthwise(3, 2), nn.Conv2d(16, 16, 1, bias=False), nn.BatchNorm2d(16)),
        "max_pool(3)": lambda: nn.MaxPool2d(3, 1, 1),
        "avg_pool(3)": lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
        "batch_norm": lambda: nn.BatchNorm2d(16),
        "conv(16, 3)": lambda: nn.Conv2d(16, 16, 3, 1, 1, bias=False),
        "conv(16, 1)": lambda: nn.Conv2d(16, 16, 1, bias=False),
    }

    def make(work):
        if work == "child8":
            return training(child(["nor_conv_3x3"] * 6, 1), (1, 8, 8))
        if work == "child32":
            return training(child(["nor_conv_3x3"] * 6, 3), (3, 32, 32))
        if work == "cnn":
            return training(nn.Sequential(
                nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                nn.Conv2d(16, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2, 2),
                nn.Flatten(), nn.Linear(32 * 16, 10)), (1, 8, 8))
        if work == "mlp":
            return training(nn.Sequential(
                nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)), (784,))
        name, size = work.split("@")
        return operation(ops[name](), int(size))

    def population(children):
        x, y = torch.randn(1437, 1, 8, 8), torch.randint(0, 10, (1437,))
        x = x.contiguous(memory_format=torch.channels_last)
        for ops in children:
            step = trainer(child(ops, 1))
            for _ in range(2):
                order = torch.randperm(1437)
                for b in range(0, 1437 - 63, 64):
                    idx = order[b:b + 64]
                    step(x[idx], y[idx])

    def first_step(seconds):
        """Milliseconds from a new candidate's description to the beginning of its first step."""
        x, y = torch.randn(64, 1, 8, 8).contiguous(memory_format=torch.channels_last), torch.randint(0, 10, (64,))
        times, begun = [], time.perf_counter()
        while len(times) < 5 or time.perf_counter() - begun < seconds:
            start = time.perf_counter()
            step = trainer(child(["nor_conv_3x3"] * 6, 1))
            step(x, y)
            first = time.perf_counter()
            step(x, y)
            times.append((2 * first - start - time.perf_counter()) * 1e3)
        return {"median": statistics.median(times), "least": max(min(times), 0.0)}

    return make, population, first_step


def least(run, seconds):
    run()
    times, begun = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return {"median": statistics.median(times), "least": min(times)}


def torch_main(work, seconds):
    make, population, first_step = torch_works()
    if work == "population":
        start = time.perf_counter()
        population(json.load(sys.stdin))
        result = {"least": (time.perf_counter() - start) * 1e3}
    elif work.startswith("first_step"):
        result = first_step(seconds)
    else:
        result = least(make(work), seconds)
    print(json.dumps(result))


# ------------------------------------------------------------------------------------------------------- comparison


def build():
    done = subprocess.run(
        ["cargo", "build", "--release", "--bench", "cpu", "--message-format=json"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    for line in done.stdout.splitlines():
        m = json.loads(line)
        if m.get("reason") == "compiler-artifact" and m["target"]["name"] == "cpu" and m.get("executable"):
            return m["executable"]
    sys.exit("cargo built no benchmark")


def nasc(binary, work, seconds):
    args = [binary, work, "--seconds", str(seconds)]
    return json.loads(subprocess.run(args, stdout=subprocess.PIPE, text=True, check=True).stdout)


# What PyTorch's own advice for CPUs comes to with glibc: pages once taken are kept.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "1073741824",
             "MALLOC_TOP_PAD_": "67108864", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def peer(work, seconds, text=None):
    args = [sys.executable, __file__, "--torch", work, "--seconds", str(seconds)]
    done = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                            env={**os.environ, **ALLOCATOR})
    return done if text is None else json.loads(done.communicate(text)[0])


def peer_population(binary, workers):
    def ops(child):
        """`cell.edge(0,1).op avg_pool_3x3` and so on, in PyTorch's order of edges."""
        found = {e: line.split()[-1] for e in EDGES for line in child if "edge(%d,%d)" % e in line}
        return [found[e] for e in EDGES]

    children = [ops(c) for c in nasc(binary, "children", 0)]
    running = [peer("population", 0) for _ in range(workers)]
    for i, p in enumerate(running):
        p.stdin.write(json.dumps(children[i::workers]))
        p.stdin.close()
    return {"least": max(json.loads(p.stdout.read())["least"] for p in running)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("works", nargs="*")
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--binary", help="a built benchmark")
    parser.add_argument("--torch", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.torch:
        return torch_main(args.torch, args.seconds)
    try:
        import torch
        version = f"PyTorch {torch.__version__}"
    except ImportError:
        version = None
    binary = args.binary or build()
    peak = statistics.median(nasc(binary, "peak", 0)["peak"] for _ in range(3))
    print(f"one core: {peak:.0f} GFLOP/s of multiply-adds; {version or 'no PyTorch'}", flush=True)
    print(f"{'work':52} {'nasc ms':>9} {'peer ms':>9} {'ratio':>6} {'aim':>5} {'GFLOP/s':>8} {'of peak':>8}", flush=True)
    for work, aim, what in WORKS:
        if args.works and work not in args.works and work.split("(")[0] not in args.works:
            continue
        ours, theirs = [], []
        rounds = 1 if work == "population" else args.rounds
        for _ in range(rounds):
            ours.append(nasc(binary, work, args.seconds))
            if version and work == "population":
                theirs.append(peer_population(binary, 2))
            elif version:
                theirs.append(peer(work, args.seconds, ""))
        t = statistics.median(o["least"] for o in ours)
        line = f"{what:52} {t:9.3f}"
        if theirs:
            p = statistics.median(o["least"] for o in theirs)
            line += f" {p:9.3f} {t / p:6.2f}"
        else:
            line += f" {'-':>9} {'-':>6}"
        line += f" {aim if aim is not None else '-':>5}"
        if "mflop" in ours[0]:
            rate = ours[0]["mflop"] / t
            line += f" {rate:8.1f} {rate / peak:8.0%}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
