#!/usr/bin/env python3
"""Compares nasc's CPU executor with PyTorch and JAX on the same work, in the same run, on one core each.

    python3 benches/cpu.py [--seconds S] [--rounds R] [--compilers] [--json FILE] [WORK ..]

Builds `benches/cpu.rs` and prints a table: milliseconds of nasc and of its peers, the ratio to the best of them, and
nasc's GFLOP/s with their share of the machine's measured peak. They take turns, R times; the median over the rounds of
the least time in a round counts, since whatever else runs on the machine only ever adds time. PyTorch is used in its
best form: channels-last, fused optimizer, memory that the allocator keeps, denormals flushed. With `--compilers` there
are columns for `torch.compile` and for JAX's `jit`; both take their time to compile, which the last lines say, and
which counts where children are trained (`population`). There only a few of the 50 children are measured, and the rest
is extrapolated. What is not installed (`pip install torch jax`) is left out.

Memory is what the process grows by, in MB, and what nasc had foretold. The load of the machine is part of the output.
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

# The same for memory: the target is on nasc's over PyTorch's.
MEMORY = [
    ("memory8", 0.5, "NAS-Bench-201 child, 8x8x1, batch 64"),
    ("memory32", 0.5, ".. 32x32x3"),
]

# Of the population, so many children are compiled.
SAMPLED = 3


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

    def compiled(net):
        """The forward and backward pass compiled as one, the optimizer fused."""
        net = net.to(memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, fused=True)
        loss_of = torch.compile(lambda x, y: nn.functional.cross_entropy(net(x), y))

        def step(x, y):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(x, y)
            loss.backward()
            optimizer.step()
            return loss

        return step

    def training(net, shape, trainer):
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

    def make(work, trainer=trainer):
        if work == "child8":
            return training(child(["nor_conv_3x3"] * 6, 1), (1, 8, 8), trainer)
        if work == "child32":
            return training(child(["nor_conv_3x3"] * 6, 3), (3, 32, 32), trainer)
        if work == "cnn":
            return training(nn.Sequential(
                nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                nn.Conv2d(16, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2, 2),
                nn.Flatten(), nn.Linear(32 * 16, 10)), (1, 8, 8), trainer)
        if work == "mlp":
            return training(nn.Sequential(
                nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)), (784,), trainer)
        name, size = work.split("@")
        return operation(ops[name](), int(size))

    def population(children, trainer=trainer):
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

    return make, population, first_step, compiled


def least(run, seconds):
    run()
    times, begun = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return {"median": statistics.median(times), "least": min(times)}


def torch_main(work, seconds):
    make, population, first_step, compiled = torch_works()
    if work == "population":
        start = time.perf_counter()
        population(json.load(sys.stdin))
        result = {"least": (time.perf_counter() - start) * 1e3}
    elif work == "compiled population":
        result = sampled(json.load(sys.stdin), lambda ops: population([ops], compiled))
    elif work.startswith("compiled "):
        result = compiling(make(work.split()[1], compiled), seconds)
    elif work in dict((w, a) for w, a, _ in MEMORY):
        result = torch_memory(make, "child" + work.removeprefix("memory"))
    elif work.startswith("first_step"):
        result = first_step(seconds)
    else:
        result = least(make(work), seconds)
    print(json.dumps(result))


def compiling(run, seconds):
    """Milliseconds of the first run, which compiles, and of the later ones."""
    start = time.perf_counter()
    run()
    first = (time.perf_counter() - start) * 1e3
    return {"compile": first, **least(run, seconds)}


def sampled(children, train):
    """Milliseconds that some of the children take, each compiled."""
    times = []
    for ops in children[:SAMPLED]:
        start = time.perf_counter()
        train(ops)
        times.append((time.perf_counter() - start) * 1e3)
    return {"least": sum(times) / len(times) * len(children), "each": times}


def status(what):
    """A line of this process' status, in bytes."""
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith(what + ":"))


def torch_memory(make, work):
    """By how much the process grows at most in three steps, once the library has made what it keeps for itself."""
    make("cnn")()
    before = status("VmRSS")
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")
    run = make(work)
    for _ in range(3):
        run()
    return {"least": status("VmHWM") - before}


# -------------------------------------------------------------------------------------------------------------- JAX


def jax_main(work, seconds):
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    # One core, whatever threads there are.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax import lax

    rng = np.random.default_rng(0)

    class Ctx:
        """Weights and statistics in the order in which the network asks for them."""

        def __init__(self, weights=None, stats=None):
            self.fresh = weights is None
            self.weights, self.stats = weights or [], stats or []
            self.at, self.new = 0, []

        def weight(self, *shape):
            if self.fresh:
                fan = max(1, int(np.prod(shape[:-1])))
                self.weights.append(rng.normal(0, (2 / fan) ** 0.5, shape).astype(np.float32))
            self.at += 1
            return self.weights[self.at - 1]

        def norm(self, x):
            c = x.shape[-1]
            scale, shift = self.weight(c), self.weight(c)
            mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
            if self.fresh:
                self.stats.append((np.zeros(c, np.float32), np.ones(c, np.float32)))
            old = self.stats[len(self.new)]
            self.new.append((0.9 * old[0] + 0.1 * mean, 0.9 * old[1] + 0.1 * var))
            return (x - mean) * lax.rsqrt(var + 1e-5) * scale + shift

        def conv(self, x, out, k, stride=1):
            w, p = self.weight(k, k, x.shape[-1], out), k // 2
            return lax.conv_general_dilated(
                x, w, (stride, stride), [(p, p), (p, p)], dimension_numbers=("NHWC", "HWIO", "NHWC"))

        def linear(self, x, out):
            return x @ self.weight(x.shape[-1], out) + self.weight(out)

    relu = jax.nn.relu

    def window(x, k, stride, pad, start, f):
        return lax.reduce_window(x, start, f, (1, k, k, 1), (1, stride, stride, 1), [(0, 0), (pad, pad), (pad, pad), (0, 0)])

    def average(x, k, stride, pad):
        ones = jnp.ones((1,) + x.shape[1:3] + (1,), x.dtype)
        return window(x, k, stride, pad, 0.0, lax.add) / window(ones, k, stride, pad, 0.0, lax.add)

    def conv_bn(ctx, x, out, k, stride=1):
        return ctx.norm(ctx.conv(relu(x), out, k, stride))

    def child(ops, c=16):
        def edge(ctx, op, x):
            return {"skip_connect": lambda: x, "nor_conv_1x1": lambda: conv_bn(ctx, x, x.shape[-1], 1),
                    "nor_conv_3x3": lambda: conv_bn(ctx, x, x.shape[-1], 3),
                    "avg_pool_3x3": lambda: average(x, 3, 1, 1)}[op]()

        def cell(ctx, x):
            states = [x]
            for to in range(1, 4):
                parts = [edge(ctx, op, states[i]) for (i, j), op in zip(EDGES, ops) if j == to and op != "none"]
                states.append(sum(parts[1:], parts[0]) if parts else jnp.zeros_like(x))
            return states[-1]

        def reduce(ctx, x):
            out = 2 * x.shape[-1]
            main = conv_bn(ctx, conv_bn(ctx, x, out, 3, 2), out, 3)
            return main + ctx.conv(average(x, 2, 2, 0), out, 1)

        def net(ctx, x):
            x = cell(ctx, ctx.norm(ctx.conv(x, c, 3)))
            x = cell(ctx, reduce(ctx, x))
            x = cell(ctx, reduce(ctx, x))
            return ctx.linear(relu(ctx.norm(x)).mean((1, 2)), 10)

        return net

    def cnn(ctx, x):
        x = relu(ctx.norm(ctx.conv(x, 16, 3)))
        x = relu(ctx.norm(ctx.conv(x, 32, 3)))
        x = window(x, 2, 2, 0, -jnp.inf, lax.max)
        return ctx.linear(x.reshape(x.shape[0], -1), 10)

    def mlp(ctx, x):
        return ctx.linear(relu(ctx.linear(relu(ctx.linear(x, 128)), 64)), 10)

    def trainer(net, shape):
        ctx = Ctx()
        jax.eval_shape(lambda x: net(ctx, x), jax.ShapeDtypeStruct((64, *shape), jnp.float32))
        weights = [jnp.asarray(w) for w in ctx.weights]
        state = [weights, [tuple(map(jnp.asarray, s)) for s in ctx.stats], [jnp.zeros_like(w) for w in weights]]

        def loss(weights, stats, x, y):
            ctx = Ctx(weights, stats)
            logits = jax.nn.log_softmax(net(ctx, x))
            return -jnp.take_along_axis(logits, y[:, None], 1).mean(), ctx.new

        def step(weights, stats, velocity, x, y):
            (value, stats), grads = jax.value_and_grad(loss, has_aux=True)(weights, stats, x, y)
            velocity = [0.9 * v + g for v, g in zip(velocity, grads)]
            return [w - 0.01 * v for w, v in zip(weights, velocity)], stats, velocity, value

        fast = jax.jit(step, donate_argnums=(0, 1, 2))

        def run(x, y):
            *state[:], value = fast(*state, x, y)
            value.block_until_ready()

        return run

    def population(ops):
        x, y = rng.normal(size=(1437, 8, 8, 1)).astype(np.float32), rng.integers(0, 10, 1437).astype(np.int32)
        run = trainer(child(ops), (8, 8, 1))
        for _ in range(2):
            order = rng.permutation(1437)
            for b in range(0, 1437 - 63, 64):
                idx = order[b:b + 64]
                run(x[idx], y[idx])

    if work == "population":
        result = sampled(json.load(sys.stdin), population)
    else:
        net, shape = {"child8": (child(["nor_conv_3x3"] * 6), (8, 8, 1)), "cnn": (cnn, (8, 8, 1)), "mlp": (mlp, (784,)),
                      "child32": (child(["nor_conv_3x3"] * 6), (32, 32, 3))}[work]
        x = jnp.asarray(rng.normal(size=(64, *shape)).astype(np.float32))
        y = jnp.asarray(rng.integers(0, 10, 64).astype(np.int32))
        run = trainer(net, shape)
        result = compiling(lambda: run(x, y), seconds)
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


def start(work, seconds, kind="--torch"):
    args = [sys.executable, __file__, kind, work, "--seconds", str(seconds)]
    return subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                            env={**os.environ, **ALLOCATOR})


def peer(work, seconds, kind="--torch", text=""):
    out = start(work, seconds, kind).communicate(text)[0]
    return json.loads(out.splitlines()[-1]) if out.strip() else None


def children_of(binary):
    def ops(child):
        """`cell.edge(0,1).op avg_pool_3x3` and so on, in PyTorch's order of edges."""
        found = {e: line.split()[-1] for e in EDGES for line in child if "edge(%d,%d)" % e in line}
        return [found[e] for e in EDGES]

    return [ops(c) for c in nasc(binary, "children", 0)]


def peer_population(children, workers):
    running = [start("population", 0) for _ in range(workers)]
    for i, p in enumerate(running):
        p.stdin.write(json.dumps(children[i::workers]))
        p.stdin.close()
    return {"least": max(json.loads(p.stdout.read())["least"] for p in running)}


def compiled_population(children, workers, kind, work):
    """Of a few children, on one core; two cores would take half as long for all of them at best."""
    r = peer(work, 0, kind, json.dumps(children))
    return r and {"least": r["least"] / workers, "each": r["each"]}


def median(results):
    found = [r["least"] for r in results if r]
    return statistics.median(found) if found else None


def measure(binary, work, args, torch, jax):
    """The results of nasc and of each peer, by its name."""
    rounds = 1 if work == "population" else args.rounds
    whole = work in ("child8", "child32", "cnn", "mlp")
    peers, ours = {}, []
    for _ in range(rounds):
        ours.append(nasc(binary, work, args.seconds))
        if torch and work == "population":
            peers.setdefault("eager", []).append(peer_population(children_of(binary), 2))
        elif torch:
            peers.setdefault("eager", []).append(peer(work, args.seconds))
    if args.compilers and work == "population":
        children = children_of(binary)
        peers["compile"] = [compiled_population(children, 2, "--torch", "compiled population")] if torch else []
        peers["jax"] = [compiled_population(children, 2, "--jax", work)] if jax else []
    elif args.compilers and whole:
        # They differ from run to run less than they take to compile.
        peers["compile"] = [peer("compiled " + work, args.seconds)] if torch else []
        peers["jax"] = [peer(work, args.seconds, "--jax") for _ in range(rounds)] if jax else []
    return ours, peers


def shown(x):
    return f" {'-':>9}" if x is None else f" {x:9.3f}" if x < 1e5 else f" {x:9.3g}"


def version(name):
    from importlib.metadata import PackageNotFoundError, version
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("works", nargs="*")
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--binary", help="a built benchmark")
    parser.add_argument("--compilers", action="store_true", help="torch.compile and JAX, too: takes minutes")
    parser.add_argument("--json", help="write all that was measured to this file")
    parser.add_argument("--torch", help=argparse.SUPPRESS)
    parser.add_argument("--jax", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.torch:
        return torch_main(args.torch, args.seconds)
    if args.jax:
        return jax_main(args.jax, args.seconds)
    torch, jax = version("torch"), version("jax")
    binary = args.binary or build()
    peak = statistics.median(nasc(binary, "peak", 0)["peak"] for _ in range(3))
    before = os.getloadavg()[0]
    print(f"one core: {peak:.0f} GFLOP/s of multiply-adds; {f'PyTorch {torch}' if torch else 'no PyTorch'}, "
          f"{f'JAX {jax}' if jax else 'no JAX'}; load {before:.1f}", flush=True)
    columns = ["nasc", "PyTorch"] + (["compiled", "JAX"] if args.compilers else [])
    print(f"{'milliseconds':48}" + "".join(f" {c:>9}" for c in columns)
          + f" {'ratio':>6} {'aim':>5} {'GFLOP/s':>8} {'of peak':>8}", flush=True)
    wanted = lambda work: not args.works or work in args.works or work.split("(")[0] in args.works
    rows = []
    for work, aim, what in WORKS:
        if not wanted(work):
            continue
        ours, peers = measure(binary, work, args, torch, jax)
        t = median(ours)
        theirs = {k: median(v) for k, v in peers.items()}
        best = min((x for x in theirs.values() if x is not None), default=None)
        row = {"work": work, "what": what, "ms": t, "peers_ms": theirs, "aim": aim, "runs": ours, "peer_runs": peers}
        row["ratio"] = t / best if best else None
        line = f"{what:48}{shown(t)}{shown(theirs.get('eager'))}"
        if args.compilers:
            line += shown(theirs.get("compile")) + shown(theirs.get("jax"))
        line += f" {t / best:6.2f}" if best else f" {'-':>6}"
        line += f" {aim if aim is not None else '-':>5}"
        if "mflop" in ours[0]:
            row["gflops"], row["of_peak"] = ours[0]["mflop"] / t, ours[0]["mflop"] / t / peak
            line += f" {row['gflops']:8.1f} {row['of_peak']:8.0%}"
        print(line, flush=True)
        rows.append(row)
    if any(wanted(work) for work, _, _ in MEMORY):
        print(f"{'MB':48} {'nasc':>9} {'PyTorch':>9} {'ratio':>6} {'aim':>5} {'foretold':>9} {'off by':>7}", flush=True)
    for work, aim, what in MEMORY:
        if not wanted(work):
            continue
        ours = [nasc(binary, work, 0) for _ in range(args.rounds)]
        theirs = median([peer(work, 0) for _ in range(args.rounds)]) if torch else None
        taken, foretold = median(ours), ours[0]["foretold"]
        line = f"{what:48} {taken / 1e6:9.2f}"
        line += f" {theirs / 1e6:9.2f} {taken / theirs:6.2f}" if theirs else f" {'-':>9} {'-':>6}"
        print(line + f" {aim:>5} {foretold / 1e6:9.2f} {taken / foretold - 1:7.1%}", flush=True)
        rows.append({"work": work, "what": what, "bytes": taken, "peer_bytes": theirs, "aim": aim, "foretold": foretold})
    for row in rows:
        each = row.get("peer_runs", {})
        for kind, name in (("compile", "torch.compile"), ("jax", "JAX")):
            for r in each.get(kind, []):
                if r and "each" in r:
                    t = row["ms"] / r["least"]
                    seconds = ", ".join(f"{x / 1e3:.1f}" for x in r["each"])
                    print(f"{name}: the population is extrapolated from {len(r['each'])} children of {seconds} s each "
                          f"on one core, half of that on two; ratio {t:.4f}")
                elif r and "compile" in r:
                    print(f"{name}, {row['work']}: {r['compile'] / 1e3:.1f} s to compile")
    print(f"load before {before:.1f}, after {os.getloadavg()[0]:.1f}")
    if args.json:
        Path(args.json).write_text(json.dumps({
            "peak_gflops": peak, "torch": torch, "jax": jax, "load": [before, os.getloadavg()[0]], "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
