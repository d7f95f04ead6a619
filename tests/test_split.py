"""How a run is split over threads: nothing of it shows but the time.

Claims:
- every array and the summary have the same bits with one thread, two and three, for every kind of
  network, loss, spectrum, clip, checkpoint and precision, also beside an overflow; so do all files
  of the folder;
- what cannot be computed is refused in the same words; a warning in a thread would be seen;
- progress is told in order and ends at 1, by the thread that called;
- pieces take every member once, differ by one at most, and are as many for each thread;
- one thread works where matrices are small, several where they are large, and no more than asked;
  exact products have one, and their singular values another;
- all threads together hold no more than the memory that one of them may have; where not one member
  each fits, they are fewer; where memory is short a run is done with fewer, and not refused;
- tasks of a sweep and configs of a check, which have processes of their own, take one thread.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab import machine, memory, runner
from gradlab import split as splitting
from gradlab.config import from_mapping
from gradlab.errors import GradlabError
from gradlab.footprint import fitting, footprint
from gradlab.memory import bytes_per_step
from gradlab.plan import settle
from gradlab.spec import Spec
from gradlab.split import Split, split

SMALL: dict[str, Any] = {"hidden_size": 5, "batch_size": 3, "seq_len": 40, "seeds": 7}
PRODUCTS = {"spectrum": {"product": True, "lyapunov": True, "values": "all"}}
KINDS: dict[str, dict[str, Any]] = {
    "rnn": {"cell": "rnn", **PRODUCTS},
    "lstm": {"cell": "lstm", **PRODUCTS, "clip": 0.1},
    "gru": {"cell": "gru", "clip": {"threshold": 0.1, "by": "step_norm"}},
    "float32": {"cell": "gru", **PRODUCTS, "dtype": "float32"},
    "some values": {"cell": "rnn", "spectrum": {"product": True, "values": 2, "sequences": 2}},
    "split by lag": {"cell": "lstm", "lag_split": "all", "loss": {"type": "mse", "at": "all"}},
    "truncated": {"cell": "gru", "truncate": 7, "loss": {"at": "all"}},
    "detached": {"cell": "gru", "truncate": {"steps": 7, "mode": "chunked"}},
    "checkpoints": {"cell": "lstm", **PRODUCTS, "checkpoint": 16},
    "both directions": {"cell": "gru", "bidirectional": True, **PRODUCTS},
    "layers both ways": {"cell": "lstm", "bidirectional": True, "layers": 2, "checkpoint": 16},
    "layers": {"cell": "rnn", "layers": 3, "residual": True},
    "fresh weights": {"cell": "rnn", "tied": False, **PRODUCTS},
    "two ends": {"cell": "lstm", "encoder_decoder": {"encoder": 25, "decoder": 15}},
    "old generator": {"cell": "rnn", "generator": "mt19937", "initial_state": "normal"},
    "overflow": {"cell": "linear", "weight_scale": 1e30, **PRODUCTS},
    "vanishing": {"cell": "linear", "weight_scale": 1e-30, **PRODUCTS},
}


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads also where they are no gain: small runs are quick to test."""
    for name, value in {"BUSY": np.inf, "FOR_PRODUCTS": 1}.items():
        monkeypatch.setattr(splitting, name, value)


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread for all members, and others for their singular values."""
    for name, value in {"BUSY": 0, "WIDE": 1}.items():
        monkeypatch.setattr(splitting, name, value)


def spec_of(**changes: Any) -> Spec:
    return settle(from_mapping({"cell": "rnn", **SMALL, "theory": "none", **changes}).config)[1]


def given(kind: str) -> dict[str, Any]:
    own = KINDS[kind]
    drop = {"seq_len"} if "encoder_decoder" in own else set()
    return {key: value for key, value in {**SMALL, **own}.items() if key not in drop}


def sizes(cut: Split) -> list[int]:
    return [piece.stop - piece.start for piece in cut.pieces]


# ---------------------------------------------------------------- the same bits


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("kind", KINDS)
def test_the_bits_are_those_of_one_thread(kind: str) -> None:
    config = given(kind)
    alone = gradlab.run(config)
    assert np.isfinite(alone["growth_rate"]).any() == (kind != "overflow")
    for jobs in (2, 3):
        together = gradlab.run(config, jobs=jobs)
        assert together.arrays.keys() == alone.arrays.keys()
        for name, array in alone.arrays.items():
            assert together[name].dtype == array.dtype
            assert together[name].tobytes() == array.tobytes(), (jobs, name)
        assert together.summary == alone.summary
        assert together.names == alone.names
        assert together.identity == alone.identity


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("kind", KINDS)
def test_singular_values_in_other_threads_have_the_same_bits(kind: str) -> None:
    config = given(kind)
    alone = gradlab.run(config)
    for jobs in (2, 4):
        together = gradlab.run(config, jobs=jobs)
        for name, array in alone.arrays.items():
            assert together[name].tobytes() == array.tobytes(), (jobs, name)
        assert together.summary == alone.summary


@pytest.mark.usefixtures("always")
def test_every_file_has_the_same_bytes(tmp_path: Path) -> None:
    config = {**given("lstm"), "name": "same"}
    found: list[dict[str, bytes]] = []
    for jobs in (1, 2, 3):
        folder = tmp_path / str(jobs)
        gradlab.run(config, out=folder, jobs=jobs)
        found.append({path.name: path.read_bytes() for path in folder.iterdir()})
        del found[-1]["provenance.json"]
    assert {"record.npz", "summary.json", "config.yaml"} <= found[0].keys()
    assert found[0] == found[1] == found[2]


@pytest.mark.usefixtures("always")
def test_a_result_is_there_already_whatever_the_threads(tmp_path: Path) -> None:
    first = gradlab.run(given("rnn"), out=tmp_path / "a", jobs=3)
    before = (tmp_path / "a" / "record.npz").stat().st_ino
    again = gradlab.run(given("rnn"), out=tmp_path / "a", jobs=1)
    assert again.identity == first.identity
    assert (tmp_path / "a" / "record.npz").stat().st_ino == before


@pytest.mark.usefixtures("always")
def test_trained_weights_with_their_edge() -> None:
    config = Path(gradlab.__file__).parents[1] / "configs" / "trained_lstm.yaml"
    few = ("seeds=5", "seq_len=8", "batch_size=2", "spectrum=none", "theory=none")
    one, two = (gradlab.run(config, *few, jobs=jobs) for jobs in (1, 2))
    assert one.summary == two.summary
    assert one.summary["trained"]["edge"] is not None
    assert one["fresh_log10_grad_norm_h"].tobytes() == two["fresh_log10_grad_norm_h"].tobytes()


@pytest.mark.usefixtures("always")
def test_a_cell_of_the_users_own() -> None:
    config = Path(gradlab.__file__).parents[1] / "configs" / "own_cell.yaml"
    few = ("seeds=5", "seq_len=20", "batch_size=2", "hidden_size=4", "theory=none")
    one, three = (gradlab.run(config, *few, jobs=jobs) for jobs in (1, 3))
    assert all(three[name].tobytes() == array.tobytes() for name, array in one.arrays.items())


# ---------------------------------------------------------------- errors and progress


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_what_cannot_be_computed_is_told_in_the_same_words(jobs: int) -> None:
    with pytest.raises(GradlabError, match=r"^weight_scale goes beyond the range of float32"):
        gradlab.run({"cell": "rnn", **SMALL, "dtype": "float32", "weight_scale": 1e39}, jobs=jobs)


@pytest.mark.parametrize("call", [gradlab.run, gradlab.sweep])
def test_a_number_of_jobs_that_is_none_is_refused(call: Any, tmp_path: Path) -> None:
    config = {"cell": "rnn", **SMALL}
    if call is gradlab.sweep:
        config["sweep"] = {"weight_scale": [1, 2]}
    with pytest.raises(GradlabError, match=r"^jobs is -1; it is how many at a time, or 0"):
        call(config, out=tmp_path / "out", jobs=-1)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_progress_goes_up_to_the_end(jobs: int) -> None:
    told: list[float] = []
    callers: set[threading.Thread] = set()

    def progress(share: float) -> None:
        told.append(share)
        callers.add(threading.current_thread())

    runner.run(spec_of(checkpoint=16), progress, jobs)
    assert told == sorted(told) and len(set(told)) > 3
    assert told[-1] == 1.0
    assert callers == {threading.current_thread()}


# ---------------------------------------------------------------- pieces and threads


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("members", [1, 2, 3, 7, 8, 33, 100])
@pytest.mark.parametrize("jobs", [1, 2, 3, 8])
@pytest.mark.parametrize("room", [2**14, 2**17, 2**30])
def test_pieces_take_every_member_once(
    members: int, jobs: int, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MEMORY", room)
    cut = split(spec_of(), members, jobs)
    each = sizes(cut)
    covered = [k for piece in cut.pieces for k in range(members)[piece]]
    assert covered == list(range(members))
    assert max(each) - min(each) <= 1
    assert 1 <= cut.workers <= min(jobs, members)
    # as many for each, unless each is a single member already
    assert len(each) % cut.workers == 0 or max(each) == 1
    assert cut.at_once == cut.workers * max(each)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("checkpoint", ["none", "auto", 16])
@pytest.mark.parametrize("jobs", [1, 2, 3, 8])
def test_all_together_hold_no_more_than_one_may(
    jobs: int, checkpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(seq_len=320, checkpoint=checkpoint)
    state, kept = bytes_per_step(spec)
    few = set()
    for room in (2**12, 2**16, 2**18, 2**20, 2**24):
        monkeypatch.setattr(memory, "MEMORY", room)
        cut = split(spec, 50, jobs)
        every = cut.every or spec.T
        marks = state * spec.T // every if cut.every else 0
        held = cut.at_once * (kept * every + marks)
        # a single thread has a member even where that is too large
        assert held <= room or cut.at_once == 1
        few.add(cut.workers)
    assert few == ({1} if jobs == 1 else few) and 1 in few and max(few) == jobs


LARGE = {"hidden_size": 128, "batch_size": 16, "seq_len": 20, "seeds": 8}


STEPS = {"step": True, "product": False, "lyapunov": False}


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("spectrum", ["none", STEPS], ids=["norms", "steps"])
def test_small_matrices_have_one_thread_and_large_ones_several(cell: str, spectrum: Any) -> None:
    tiny = {"hidden_size": 8, "batch_size": 1, "seq_len": 20}
    assert split(spec_of(cell=cell, spectrum=spectrum, **tiny), 8, 4).workers == 1
    large = spec_of(cell=cell, spectrum=spectrum, **LARGE)
    assert split(large, 8, 1).workers == 1
    assert split(large, 8, 2).workers == 2
    assert split(large, 1, 2).workers == 1  # a member is not cut


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_exact_products_have_one_thread_and_their_values_another(cell: str) -> None:
    """numpy keeps Python to itself in the calls that they are made of."""
    wide = spec_of(cell=cell, spectrum={"product": True}, **LARGE)
    assert split(wide, 8, 1)[2:] == (1, 1)
    assert split(wide, 8, 2)[2:] == (1, 2)
    assert split(wide, 8, 4)[2:] == (2, 2)
    assert split(wide, 1, 2)[2:] == (1, 2)
    tiny = spec_of(cell=cell, spectrum={"product": True}, **{**LARGE, "hidden_size": 8})
    assert split(tiny, 8, 4)[2:] == (1, 1)


def test_calls_that_keep_python_to_themselves_count_as_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Frames of Lyapunov exponents: of 4 x 64 they do, of 8 x 64 numpy lets others run."""
    exponents = {"step": False, "product": False, "lyapunov": True}
    spec = spec_of(**{**LARGE, "hidden_size": 64}, spectrum=exponents)
    assert splitting._held(spec, 4) > 0 == splitting._held(spec, 8)
    few = split(spec, 8, 4).workers
    monkeypatch.setattr(splitting, "HELD", 0)
    assert few < split(spec, 8, 4).workers


def test_threads_only_grow_with_the_work() -> None:
    """Wider matrices, more sequences and more members are never a reason for fewer threads."""

    def workers(members: int, **size: int) -> int:
        return split(spec_of(spectrum="none", seq_len=20, **size), members, 8).workers

    by_width = [workers(16, hidden_size=H, batch_size=8) for H in (8, 16, 32, 64, 128)]
    by_batch = [workers(16, hidden_size=32, batch_size=B) for B in (1, 4, 16, 64)]
    by_members = [workers(R, hidden_size=32, batch_size=8) for R in (1, 4, 16, 64, 256)]
    for found in (by_width, by_batch, by_members):
        assert found == sorted(found) and found[0] == 1 and found[-1] > 1


def test_short_of_memory_there_are_fewer_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(**{**LARGE, "hidden_size": 300, "spectrum": "none"})
    one, two = (footprint(spec, 8, jobs).bytes for jobs in (1, 2))
    assert two > one  # weights are not among what MEMORY is about
    for there, jobs in ((2 * two, 2), ((one + two) / 2, 1), (one / 2, 1)):
        monkeypatch.setattr("gradlab.footprint.available", lambda there=there: int(there / 0.9))
        assert fitting(spec, 2) == jobs
    monkeypatch.setattr("gradlab.footprint.available", lambda: None)
    assert fitting(spec, 2) == 2


# ---------------------------------------------------------------- where there are processes


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """With how many threads each run is computed."""
    found: list[int] = []
    sound = runner.each

    def each(work: Any, pieces: Any, workers: int, note: Any) -> Any:
        found.append(workers)
        return sound(work, pieces, workers, note)

    monkeypatch.setattr(runner, "each", each)
    return found


@pytest.mark.usefixtures("always")
def test_a_task_of_a_sweep_has_one_thread(threads: list[int], tmp_path: Path) -> None:
    config = {"cell": "rnn", **SMALL, "sweep": {"weight_scale": [0.5, 1.0]}}
    gradlab.sweep(config, out=tmp_path / "s", executor="serial", jobs=4)
    assert threads == [1]
    gradlab.run({"cell": "rnn", **SMALL}, jobs=4)
    assert threads == [1, 4]


@pytest.mark.usefixtures("always")
def test_no_job_is_one_for_each_core(threads: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradlab.api.cores", lambda: 3)
    gradlab.run({"cell": "rnn", **SMALL}, jobs=0)
    assert threads == [3]
    assert machine.cores() >= 1
