"""The file of a finished task, as `work` makes it: what it says of its points, and their records,
read back.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradlab.archive import METADATA, UNREADABLE, metadata_of, opened
from gradlab.errors import GradlabError
from gradlab.record import SCHEMA, Record


@dataclass(frozen=True)
class Stored:
    """One point of a finished task file."""

    index: int
    identity: str
    summary: dict[str, Any] | None  # None: it failed
    failed: str | None
    row: int  # place of its arrays in the file, or -1


class TaskPoints:
    """What a finished task's file says of its points; their arrays, most of the file, are not read.
    Raises GradlabError when it is foreign or too new, or torn as far as it is read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as raw, opened(raw) as file:
                self.metadata = metadata_of(file[METADATA])
                self._read(file)
            schema = int(self.metadata["schema"])
            if self.metadata["task"] != path.name.removesuffix(".npz"):
                raise GradlabError(f"{path} holds another task: {self.metadata['task']}")
            self.points = self._stored()
            self._places = {point.index: place for place, point in enumerate(self.points)}
        except UNREADABLE as error:
            raise GradlabError(f"{path} is torn or not a task's file: {error}") from error
        if schema > SCHEMA:
            raise GradlabError(f"{path} has schema {schema}, this gradlab knows up to {SCHEMA}")

    def _read(self, file: Any) -> None:
        """Nothing else is needed."""

    def _stored(self) -> tuple[Stored, ...]:
        row, points = 0, []
        for entry in self.metadata["points"]:
            failed = entry.get("failed")
            summary = None if failed else entry["summary"]
            own = -1 if failed else row
            points.append(Stored(entry["index"], entry["identity"], summary, failed, own))
            row += not failed
        return tuple(points)

    def expect(self, identities: list[str]) -> None:
        """Raise GradlabError unless the points are these."""
        if [point.identity for point in self.points] != identities:
            raise GradlabError(f"{self.path} holds other points than it should")

    def point(self, index: int) -> Stored:
        """The point with this place in the sweep, one of those that are here."""
        return self.points[self._places[index]]


class TaskFile(TaskPoints):
    """A finished task's file, all of it. Raises GradlabError when torn, foreign or too new."""

    def _read(self, file: Any) -> None:
        self._arrays = {name: file[name] for name in file.files if name != METADATA}

    def record(self, index: int) -> Record:
        """The record of the point with this place in the sweep; GradlabError when it failed, with
        the traceback where there was one, each line indented.
        """
        point = self.point(index)
        entry = self.metadata["points"][self._places[index]]
        if point.failed:
            frames = (entry.get("traceback") or "").splitlines()
            raise GradlabError("\n  ".join([f"this point failed: {point.failed}", *frames]))
        return Record(
            config=entry["config"],
            summary=entry["summary"],
            names=self.metadata["names"],
            arrays={name: array[point.row] for name, array in self._arrays.items()},
            identity=point.identity,
            version=self.metadata["version"],
        )


def places(path: Path) -> list[int]:
    """The points of a task's file, from its metadata alone; none when it is torn."""
    try:
        with path.open("rb") as raw, opened(raw) as file:
            return [int(entry["index"]) for entry in metadata_of(file[METADATA])["points"]]
    except UNREADABLE:
        return []
