"""A training on disk while it goes on: `.training/NAME/` beside the folder of its result.

    state.npz            weights, optimiser, curves so far: where to go on from
    snapshot-N.npz       what was recorded after N updates

Every file appears whole, the snapshot before the state that has it behind it; so a training that is
killed at any moment goes on from its last snapshot, with the same bits as if nothing had happened.
The folder is locked while a process trains in it, and removed when the result is there.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gradlab import __version__
from gradlab.archive import METADATA, UNREADABLE, metadata_of, opened, save
from gradlab.ensemble import Names
from gradlab.errors import GradlabError
from gradlab.files import reason, write_whole
from gradlab.nonlinearity import Array
from gradlab.provenance import same_minor
from gradlab.record import SCHEMA
from gradlab.spec import Spec
from gradlab.store import UNFINISHED
from gradlab.training.state import State
from gradlab.training.update import trained

STATE = "state.npz"
FOREIGN = (
    "the unfinished training of this name has another config, or a torn file: it is begun anew"
)


def place(result: Path) -> Path:
    """Where the training of a result is kept while it goes on."""
    real = Path(os.path.realpath(result))
    return real.parent / UNFINISHED / real.name


def unfinished(root: Path) -> dict[str, int | None]:
    """The trainings under a results root that have not ended, by the names of their results: the
    update after which each goes on; None where there is nothing to go on from.
    """
    around = root / UNFINISHED
    folders = (
        [path for path in sorted(around.iterdir()) if path.is_dir()] if around.is_dir() else []
    )
    return {path.name: _update(path / STATE) for path in folders}


def _update(state: Path) -> int | None:
    if not state.is_file():
        return None
    try:
        with state.open("rb") as raw, opened(raw) as file:
            return int(file["update"])
    except UNREADABLE:  # torn: the training is begun anew
        return None


class InFolder:
    """The keeper of one training."""

    def __init__(self, folder: Path, spec: Spec) -> None:
        self.folder, self.spec = folder, spec

    def found(self) -> State | None:
        """Where it was interrupted; None where there is nothing to go on from."""
        loaded = self._load(STATE)
        if loaded is None:
            return None
        try:
            state = State.of(loaded[0], trained(self.spec).optimizer.slots)
        except KeyError:
            return None
        # once all seeds have stopped there is one more snapshot, the last
        end = int(state.stopped.max()) if (state.stopped > 0).all() else state.update
        wanted = [at for at in trained(self.spec).snapshots if at <= end or at == state.update]
        return state if all(self.snapshot(at) for at in wanted) else None

    def snapshot(self, update: int) -> tuple[dict[str, Array], Names] | None:
        """One that was kept; None where there is none of this update, or a torn one."""
        loaded = self._load(_snapshot(update))
        return None if loaded is None else (loaded[0], loaded[1]["names"])

    def keep(self, state: State, arrays: dict[str, Array], names: Names) -> None:
        """Write the snapshot, then the state. Raises GradlabError where that cannot be."""
        write_whole(self.folder / _snapshot(state.update), self._bytes(arrays, {"names": names}))
        write_whole(self.folder / STATE, self._bytes(state.arrays(), {}))

    def _bytes(self, arrays: Mapping[str, Array], more: dict[str, Any]) -> bytes:
        return packed(arrays, self.spec, more)

    def _load(self, name: str) -> tuple[dict[str, Array], dict[str, Any]] | None:
        """Arrays and metadata of a file of this very training; None where it is not, or torn."""
        path = self.folder / name
        if not path.is_file():
            return None
        try:
            with path.open("rb") as raw, opened(raw) as file:
                arrays = {key: file[key] for key in file.files}
            metadata = metadata_of(arrays.pop(METADATA))
            same = metadata["identity"] == self.spec.identity and metadata["schema"] == SCHEMA
            return (
                (arrays, metadata)
                if same and same_minor(metadata["gradlab"], __version__)
                else None
            )
        except UNREADABLE:  # begun anew: the result is the same, only later
            return None


def _snapshot(update: int) -> str:
    return f"snapshot-{update}.npz"


def packed(arrays: Mapping[str, Array], spec: Spec, more: Mapping[str, Any]) -> bytes:
    """An npz file of these arrays, which tells of which training it is: the same bytes for the same
    arrays.
    """
    head = {"schema": SCHEMA, "gradlab": __version__, "identity": spec.identity, **more}
    buffer = io.BytesIO()
    save(buffer, head, arrays)
    return buffer.getvalue()


@contextmanager
def held(result: Path, spec: Spec, force: bool, say: Callable[[str], None]) -> Iterator[InFolder]:
    """The keeper of the training of a result, its folder locked; the folder goes when the block
    ends well, and stays when it does not.

    force: what is there is not gone on from; say is told where it cannot be. Raises GradlabError
    where another process trains there, and where the folder cannot be made.
    """
    folder = place(result)
    try:
        descriptor = _locked(folder)
    except BlockingIOError as error:
        why = f"another gradlab trains {result.name} at the moment"
        raise GradlabError(f"{why}; wait for it, or give another --out or name=") from error
    except OSError as error:
        raise GradlabError(f"cannot write to {str(folder)!r}: {reason(error)}") from error
    try:
        keeper = InFolder(folder, spec)
        if force or keeper.found() is None:
            if not force and (folder / STATE).is_file():
                say(FOREIGN)
            for path in folder.iterdir():
                path.unlink()
        yield keeper
        shutil.rmtree(folder)
        _leave(folder.parent)
    finally:
        os.close(descriptor)


def _locked(folder: Path) -> int:
    """Make a folder, and hold it. Raises OSError; BlockingIOError where another process has it.

    Other trainings that end remove their own folders, and with the last the one around them: what
    is gone between two of these steps is made again.
    """
    while True:
        folder.parent.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            for path in (folder.parent, folder):
                with suppress(FileExistsError):  # exist_ok fails where it is gone a moment later
                    path.mkdir()
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(descriptor), folder.stat()):
                    return descriptor
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)


def _leave(around: Path) -> None:
    """Remove the folder around those of trainings, unless there is one, or another was faster."""
    try:
        around.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            raise
