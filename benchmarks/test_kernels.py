"""The hot kernels, one at a time: `make bench-kernels`.

Each is timed in turns with a yardstick, the matrix products or decompositions that it cannot do
without, in processor seconds of the same process; what counts is the ratio of the two medians, for
that hardly depends on the machine or on who else uses it. A kernel fails where its ratio is more
than SLACK times the one in kernels.json, which `make bench-kernels UPDATE=1` measures anew.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from gradlab.cells import CELLS
from gradlab.engine.backward import sweep
from gradlab.engine.collect import backpropagate
from gradlab.engine.forward import Trajectory, forward
from gradlab.engine.loss import Injection
from gradlab.engine.products import ProductState
from gradlab.engine.recording import Wanted
from gradlab.engine.schedule import Shared
from gradlab.nonlinearity import Array

KNOWN = Path(__file__).parent / "kernels.json"
ROUNDS = 9
# between machines the rate of matrix products differs from that of the rest by up to 1.7 (AVX2 and
# AVX-512 kernels of one processor), between runs on a busy one by 1.3
SLACK = 2.5
Call = Callable[[], object]


@dataclass(frozen=True)
class Kernel:
    """What is timed, and its yardstick: both are made once and called many times."""

    call: Call
    yardstick: Call


@dataclass(frozen=True)
class Size:
    """R members, B sequences, T steps, H hidden units and inputs."""

    cell: str
    R: int
    B: int
    T: int
    H: int

    def draw(self, *shape: int) -> Array:
        return np.random.default_rng(0).standard_normal(shape)

    def runner(self) -> Callable[[], Trajectory]:
        """Runs forward from zeros, on inputs and weights with the scale of a fresh network."""
        cell = CELLS[self.cell]
        options = cell.Options()
        shapes = cell.shapes(self.H, self.H, 2, options)
        tensors = {n: self.draw(self.R, *s) / np.sqrt(self.H) for n, s in shapes.items()}
        x = self.draw(self.T, self.R, self.H, self.B)
        s0 = np.zeros((self.R, len(cell.STATE) * self.H, self.B))
        weights = Shared(cell.init(tensors, options))
        return lambda: forward(cell, weights, lambda t0, n: x[t0 : t0 + n], s0, self.T)

    @property
    def loss(self) -> Injection:
        return Injection(self.draw(self.R, self.H, self.B), frozenset([self.T]))

    def products(self, count: int) -> Call:
        """So many of the step's recurrent product, at every step."""
        rows = len(CELLS[self.cell].GATES) * self.H
        W, h = self.draw(self.R, rows, self.H), self.draw(self.R, self.H, self.B)
        out = np.empty((self.R, rows, self.B))

        def call() -> None:
            for _ in range(count * self.T):
                np.matmul(W, h, out=out)

        return call


def forward_pass(size: Size) -> Kernel:
    """W h and U x at every step."""
    return Kernel(size.runner(), size.products(2))


def backward_pass(size: Size) -> Kernel:
    """W^T delta at every step."""
    trajectory, loss = size.runner()(), size.loss

    def call() -> None:
        for _ in sweep(trajectory, loss):
            pass

    return Kernel(call, size.products(1))


def recorded_pass(size: Size, sequences: int = 0) -> Kernel:
    """The backward pass with all that is recorded of it: W^T delta, delta h^T, delta x^T."""
    trajectory, loss = size.runner()(), size.loss
    cell = trajectory.cell
    shapes = cell.shapes(size.H, size.H, 2, cell.Options())
    wanted = Wanted(np.arange(size.T + 1), sequences)
    return Kernel(lambda: backpropagate(trajectory, loss, shapes, wanted), size.products(3))


def step_values(size: Size) -> Kernel:
    """Singular values of every J_t: as many decompositions."""
    D = len(CELLS[size.cell].STATE) * size.H
    J = size.draw(size.T, size.R, D, D)
    kernel = recorded_pass(size, sequences=1)
    return Kernel(kernel.call, lambda: np.linalg.svd(J, compute_uv=False))


def product_values(size: Size, keep: int | None = None) -> Kernel:
    """A running product with its singular values at every step: a product and a decomposition."""
    J = size.draw(size.T, size.R, size.H, size.H) / np.sqrt(size.H)
    transposed = np.ascontiguousarray(J.swapaxes(-1, -2))

    def call() -> None:
        state = ProductState(size.R, size.H, keep)
        for step in transposed:
            state.push(lambda X, A=step: A @ X)
            state.log_sigma()

    return Kernel(call, lambda: np.linalg.svd(J @ J, compute_uv=False))


SMALL, WIDE = Size("rnn", 32, 16, 48, 64), Size("lstm", 4, 16, 48, 128)
LONG = Size("lstm", 1, 1, 2000, 64)
KERNELS: dict[str, Callable[[], Kernel]] = {
    "forward-rnn": lambda: forward_pass(SMALL),
    "forward-lstm": lambda: forward_pass(WIDE),
    "forward-gru": lambda: forward_pass(Size("gru", 1, 32, 48, 256)),
    "forward-long": lambda: forward_pass(LONG),
    "backward-rnn": lambda: backward_pass(SMALL),
    "backward-lstm": lambda: backward_pass(WIDE),
    "backward-gru": lambda: backward_pass(Size("gru", 1, 32, 48, 256)),
    "backward-long": lambda: backward_pass(LONG),
    "recorded-rnn": lambda: recorded_pass(SMALL),
    "recorded-lstm": lambda: recorded_pass(WIDE),
    "step-values": lambda: step_values(Size("rnn", 4, 4, 48, 64)),
    "step-values-lstm": lambda: step_values(Size("lstm", 4, 4, 16, 32)),
    "product-values": lambda: product_values(Size("rnn", 4, 1, 48, 64)),
    "product-top8": lambda: product_values(Size("rnn", 4, 1, 48, 64), keep=8),
}


@pytest.fixture(scope="module")
def found() -> Any:
    """The ratios, written down at the end where that is asked for."""
    ratios: dict[str, float] = {}
    yield ratios
    if os.environ.get("UPDATE"):
        known = json.loads(KNOWN.read_text(encoding="utf-8")) if KNOWN.is_file() else {}
        told = {name: round(ratio, 2) for name, ratio in (known | ratios).items()}
        KNOWN.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


@pytest.mark.parametrize("name", KERNELS)
def test_kernel(name: str, benchmark: BenchmarkFixture, found: dict[str, float]) -> None:
    kernel = KERNELS[name]()
    yards: list[float] = []
    kernel.yardstick()  # fresh memory, and the library's own buffers

    def before() -> None:
        gc.collect()
        begun = time.process_time()
        kernel.yardstick()
        yards.append(time.process_time() - begun)

    benchmark.pedantic(kernel.call, setup=before, rounds=ROUNDS, warmup_rounds=1)
    ratio = benchmark.stats.stats.median / statistics.median(yards)
    benchmark.extra_info["over the yardstick"] = round(ratio, 2)
    found[name] = ratio
    if not os.environ.get("UPDATE"):
        known = json.loads(KNOWN.read_text(encoding="utf-8"))[name]
        assert ratio <= SLACK * known, f"{ratio:.2f} times its yardstick, was {known}"
