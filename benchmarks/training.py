"""A language model that is trained: gradlab beside eager PyTorch, in one process, turn by turn.

    python -m benchmarks.training [--rounds N] [--updates N] [--threads N] [--dtype float32]

H = 128, B = 20, T = 35, words, a vocabulary of 10,000; SGD with clipping, the state carried on.
A round is a few updates of each: both begin with the same weights and the same state, have the same
batches, and must have the same losses. What is told is the time of an update: the median over the
rounds and their range, and how much the process has held at most after the first round and after
the last. With one thread the time is that of the process, which other programs on the machine do
not lengthen. The text is words drawn by Zipf's law: what they mean costs nothing. Needs the extra
`torch`.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZES = {"hidden_size": 128, "batch_size": 20, "seq_len": 35}
VOCABULARY, WORDS = 10_000, 200_000
RATE, CLIP = 0.5, 5.0
CELLS = ("rnn", "lstm", "gru")
# of the losses: a rounding grows tenfold or so within a round, and a hundred times that is allowed
TOLERANCE = {"float64": 1e-12, "float32": 1e-4}


def text(folder: Path) -> Path:
    """A text in which every word of the vocabulary is."""
    import numpy as np

    rng = np.random.default_rng(0)
    share = 1 / np.arange(1, VOCABULARY + 1)
    drawn = rng.choice(VOCABULARY, WORDS - VOCABULARY, p=share / share.sum())
    every = np.concatenate([np.arange(VOCABULARY), drawn])
    rng.shuffle(every)
    path = folder / "words.txt"
    path.write_text(" ".join(f"w{k}" for k in every), encoding="utf-8")
    return path


class Ours:
    """One seed of gradlab's training, all that is recorded at every update included."""

    def __init__(self, path: Path, cell: str, dtype: str, updates: int) -> None:
        from gradlab.config import from_mapping
        from gradlab.drawn import Member
        from gradlab.plan import settle
        from gradlab.training.update import Trainer

        task = {"type": "language_model", "path": str(path), "level": "word"}
        train = {"task": task, "updates": updates, "learning_rate": RATE}
        config = {"cell": cell, **SIZES, "seeds": 1, "clip": CLIP, "dtype": dtype, "train": train}
        spec = settle(from_mapping(config).config)[1]
        self.trainer = Trainer([Member(0, spec, 0)])
        self.state = self.trainer.begin()

    def update(self) -> float:
        self.trainer.update(self.state)
        return float(self.state.curves["loss"][0, self.state.update - 1])


class Torch:
    """The same in PyTorch, as a user writes it: nn.Embedding, nn.RNN, nn.Linear."""

    def __init__(self, ours: Ours, cell: str, dtype: str) -> None:
        import torch

        self.torch, kind = torch, {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
        H, precision = SIZES["hidden_size"], getattr(torch, dtype)
        self.table = torch.nn.Embedding(VOCABULARY, H, dtype=precision)
        self.net, self.out = kind[cell](H, H, dtype=precision), torch.nn.Linear(H, VOCABULARY)
        self.out = self.out.to(precision)
        self.ours, self.carried = ours, None
        places = {"weight_out": self.out.weight, "bias_out": self.out.bias}
        places["embedding"] = self.table.weight
        self.places = {
            n: places.get(n, getattr(self.net, f"{n}_l0", None)) for n in ours.state.tensors
        }
        modules = (self.table, self.net, self.out)
        self.parameters = [p for module in modules for p in module.parameters()]
        self.step = torch.optim.SGD(self.parameters, lr=RATE)

    def take(self) -> None:
        """Go on from where ours is."""
        torch, state = self.torch, self.ours.state
        with torch.no_grad():
            for name, own in self.places.items():
                own.copy_(torch.from_numpy(state.tensors[name][0]))
        self.count = state.update
        parts = torch.from_numpy(state.carried[0].T.copy()).split(SIZES["hidden_size"], dim=1)
        each = tuple(part[None].contiguous() for part in parts)  # h, and c where there is one
        self.carried = each if len(each) > 1 else each[0]

    def update(self) -> float:
        torch = self.torch
        self.count += 1
        x, y = self.ours.trainer.batch(self.count, [0])
        if not self.ours.trainer.training.task.carried(self.count):
            self.carried = None
        self.step.zero_grad()
        h, state = self.net(self.table(torch.from_numpy(x[:, 0])), self.carried)
        z = self.out(h).flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(z, torch.from_numpy(y[:, 0]).flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, CLIP)
        self.step.step()
        self.carried = self._detached(state)
        return float(loss.detach())

    def _detached(self, state: Any) -> Any:
        return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


def timed(update: Callable[[], float], count: int, threads: int) -> tuple[float, list[float]]:
    """Milliseconds of an update, and the losses."""
    clock = time.process_time if threads == 1 else time.perf_counter
    began = clock()
    losses = [update() for _ in range(count)]
    return (clock() - began) * 1e3 / count, losses


def peak() -> float:
    """MiB that the process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compare(path: Path, cell: str, given: argparse.Namespace) -> str:
    """A line of the table. Raises SystemExit where the losses differ."""
    total = given.updates * (given.rounds + 1)
    ours = Ours(path, cell, given.dtype, total)
    peer = Torch(ours, cell, given.dtype)
    times: tuple[list[float], list[float]] = ([], [])
    held = 0.0
    for round_ in range(given.rounds + 1):  # the first one warms up
        peer.take()
        a, losses = timed(ours.update, given.updates, given.threads)
        b, others = timed(peer.update, given.updates, given.threads)
        worst = max(abs(x - y) / y for x, y in zip(losses, others, strict=True))
        if worst > TOLERANCE[given.dtype]:
            sys.exit(f"{cell}: the losses differ by {worst:.1e}")
        if round_:
            times[0].append(a)
            times[1].append(b)
        else:
            held = peak()
    cells = [f"{statistics.median(t):.1f} ({min(t):.1f} to {max(t):.1f})" for t in times]
    ratio = statistics.median(b / a for a, b in zip(*times, strict=True))
    return f"| {cell} | {' | '.join(cells)} | {ratio:.2f} | {held:.0f} | {peak():.0f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--updates", type=int, default=10, help="of a round")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS))
    given = parser.parse_args()
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(given.threads)  # before numpy and torch are loaded
    import numpy as np
    import torch

    torch.set_num_threads(given.threads)
    print(f"{given.dtype}, {given.threads} threads, numpy {np.__version__}, {torch.__version__}\n")
    print("| cell | gradlab, ms | PyTorch, ms | PyTorch / gradlab | MiB, first round | MiB, last |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        path = text(Path(folder))
        for cell in given.cells:
            print(compare(path, cell, given), flush=True)


if __name__ == "__main__":
    main()
