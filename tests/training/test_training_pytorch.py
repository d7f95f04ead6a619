"""PyTorch as the judge of training, where it is installed: the same weights, the same batches.

Claims, in float64:
- the gradient of every parameter of every task is autograd's, to 1e-10 of its norm (a few dozen
  steps of rounding), that of the embedding's rows too;
- the share of right answers and the loss are PyTorch's;
- 100 updates of SGD, momentum and Adam with clip_grad_norm_ leave the weights of torch.optim, to
  1e-8 of the largest: rounding grows along a training, by less than a factor 1e6 here;
- the same holds of a language model with carried states, truncated by `detach`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradlab.draws import Streams
from gradlab.engine.scaled import shift
from gradlab.spec import Spec
from gradlab.training.gradient import EMBEDDING, Found, gradient
from gradlab.training.update import Trainer, trained
from tests.training.lessons import TEXT, spec_of, text_file, trainer_of

torch = pytest.importorskip("torch")

MODULES = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
UNIFORM: dict[str, Any] = {"recurrent": "uniform", "input": "uniform", "bias": 0.05}
TASKS: list[Any] = [
    "adding",
    "temporal_order",
    {"type": "copy", "length": 3, "alphabet": 4},
    {"type": "noiseless_memorization", "length": 4},
    "agreement",
    "language_model",
]


class Model:
    """One member as PyTorch modules: recurrence, output layer, embedding where there is one."""

    def __init__(self, spec: Spec, tensors: dict[str, Any], r: int) -> None:
        self.spec, self.layers = spec, spec.topology.layers
        self.net = MODULES[spec.cell](spec.I, spec.H, num_layers=self.layers, dtype=torch.float64)
        self.out = torch.nn.Linear(spec.H, spec.outputs, dtype=torch.float64)
        self.table = None
        self.parameters: dict[str, Any] = {}
        for name, a in tensors.items():
            if name in ("weight_out", "bias_out"):
                own = getattr(self.out, name.removesuffix("_out"))
            elif name == EMBEDDING:
                own = self.table = torch.nn.Parameter(torch.empty(a[r].shape, dtype=torch.float64))
            else:
                own = getattr(self.net, name if self.layers > 1 else f"{name}_l0")
            with torch.no_grad():
                own.copy_(torch.from_numpy(np.ascontiguousarray(a[r])))
            self.parameters[name] = own

    def loss(self, x: Any, y: Any, state: Any = None, chunk: int | None = None) -> Any:
        """The loss of a batch of ours, the share of right answers, the last state."""
        x, y = torch.from_numpy(x), torch.from_numpy(y)
        inputs = self.table[x] if self.table is not None else x.swapaxes(-1, -2)  # (T, B, I)
        found = []
        for start in range(0, len(inputs), chunk or len(inputs)):
            h, state = self.net(inputs[start : start + (chunk or len(inputs))], state)
            found.append(h)
            state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        z = self.out(torch.cat(found)[[t - 1 for t in self.spec.loss_steps]])  # (m, B, O)
        if self.spec.loss == "mse":
            return ((z.swapaxes(-1, -2) - y) ** 2).mean(), None, state
        right = (z.argmax(dim=-1) == y).double().mean()
        loss = torch.nn.functional.cross_entropy(z.flatten(0, 1), y.flatten())
        return loss, float(right), state


def ours(trainer: Trainer, update: int) -> tuple[Found, Any, Any]:
    x, y = trainer.batch(update, range(len(trainer.members)))
    tensors = trainer.begin().tensors
    return gradient(trainer.spec, tensors, x, y, trainer.start, None), x, y


def task_of(name: Any, folder: Path) -> Any:
    return text_file(folder) if name == "language_model" else name


@pytest.mark.parametrize("cell", MODULES)
@pytest.mark.parametrize("task", TASKS, ids=str)
def test_the_gradient_is_that_of_autograd(task: Any, cell: str, tmp_path: Path) -> None:
    trainer = trainer_of(spec_of(task_of(task, tmp_path), cell=cell, init=UNIFORM))
    found, x, y = ours(trainer, 1)
    for r in range(2):
        model = Model(trainer.spec, trainer.begin().tensors, r)
        loss, right, _ = model.loss(x[:, r], y[:, r])
        loss.backward()
        np.testing.assert_allclose(found.loss[r], float(loss.detach()), rtol=1e-12)
        if right is not None:
            np.testing.assert_allclose(found.right[r], right, rtol=1e-12)
        for name, parameter in model.parameters.items():
            expected = parameter.grad.numpy()
            if name == EMBEDDING:
                own = np.zeros_like(expected)
                own[found.rows[r].at] = found.rows[r].values
            else:
                g = found.gradients[name]
                own = shift(g.mantissa, g.exponent)[r]
            size = np.linalg.norm(expected)
            assert size > 0
            assert np.linalg.norm(own - expected) <= 1e-10 * size, name


def test_so_is_that_of_layers() -> None:
    trainer = trainer_of(spec_of("temporal_order", cell="lstm", layers=2, init=UNIFORM))
    found, x, y = ours(trainer, 1)
    model = Model(trainer.spec, trainer.begin().tensors, 0)
    model.loss(x[:, 0], y[:, 0])[0].backward()
    for name, parameter in model.parameters.items():
        g = found.gradients[name]
        expected = parameter.grad.numpy()
        error = np.linalg.norm(shift(g.mantissa, g.exponent)[0] - expected)
        assert error <= 1e-10 * np.linalg.norm(expected), name


OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "sgd": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "adam": (torch.optim.Adam, {}),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_a_hundred_updates_with_clipping_are_those_of_torch(cell: str, optimizer: str) -> None:
    rate, threshold = {"sgd": 0.5, "momentum": 0.1, "adam": 0.01}[optimizer], 0.3
    section = {"optimizer": optimizer, "learning_rate": rate, "updates": 100}
    trainer = trainer_of(
        spec_of("temporal_order", section, cell=cell, clip=threshold, init=UNIFORM)
    )
    state = trainer.begin()
    models = [Model(trainer.spec, state.tensors, r) for r in range(2)]
    kind, options = OPTIMIZERS[optimizer]
    steps = [kind(m.parameters.values(), lr=rate, **options) for m in models]
    acted = 0
    for update in range(1, 101):
        trainer.update(state)
        x, y = trainer.batch(update, range(2))
        for r, (model, step) in enumerate(zip(models, steps, strict=True)):
            step.zero_grad()
            model.loss(x[:, r], y[:, r])[0].backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters.values(), threshold)
            step.step()
            recorded = 10 ** state.curves["log10_norm"][r, update - 1]
            np.testing.assert_allclose(recorded, float(norm), rtol=1e-6)
            acted += float(norm) > threshold
    assert acted > 0  # the clip has something to do
    for r, model in enumerate(models):
        for name, parameter in model.parameters.items():
            expected = parameter.detach().numpy()
            error = np.abs(state.tensors[name][r] - expected).max()
            assert error <= 1e-8 * np.abs(expected).max(), name


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_language_model_with_carried_states_learns_as_torch_does(
    optimizer: str, tmp_path: Path
) -> None:
    """The rows of the embedding that a batch does not have move too, where there is momentum."""
    rate = {"sgd": 0.5, "momentum": 0.1, "adam": 0.01}[optimizer]
    task = text_file(tmp_path, TEXT)
    section = {"optimizer": optimizer, "learning_rate": rate, "updates": 30}
    cut = {"steps": 5, "mode": "chunked"}
    spec = spec_of(task, section, cell="lstm", clip=0.5, truncate=cut, init=UNIFORM)
    trainer = trainer_of(spec)
    state, windows = trainer.begin(), trained(spec).task.windows  # type: ignore[attr-defined]
    assert 1 < windows < 30  # there are both: carried states, and new beginnings
    model = Model(spec, state.tensors, 0)
    kind, options = OPTIMIZERS[optimizer]
    step, carried = kind(model.parameters.values(), lr=rate, **options), None
    for update in range(1, 31):
        trainer.update(state)
        x, y = trainer.batch(update, range(2))
        step.zero_grad()
        if (update - 1) % windows == 0:
            carried = None
        loss, _, carried = model.loss(x[:, 0], y[:, 0], carried, cut["steps"])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters.values(), 0.5)
        step.step()
    for name, parameter in model.parameters.items():
        expected = parameter.detach().numpy()
        error = np.abs(state.tensors[name][0] - expected).max()
        assert error <= 1e-8 * np.abs(expected).max(), name


def test_the_batches_of_a_seed_are_its_own() -> None:
    """Else the tests above would compare a member with itself."""
    spec = spec_of("adding")
    batches = [trained(spec).task.batch(Streams(s, "pcg64"), 1, 5) for s in (0, 1)]
    assert not np.array_equal(batches[0].x, batches[1].x)
