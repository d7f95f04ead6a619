"""What one run yields: arrays, the summary made of them, and what they mean.

A Record is plain data. On disk it is one npz file, the metadata being a JSON text inside; it loads
without pickle and has a schema number. R members (seeds), N recorded steps.

| array | shape | what |
| --- | --- | --- |
| seeds, t | (R,), (N,) | the members and the steps, t = 0 .. T |
| grad_norm_PART, log10_grad_norm_PART | (R, N) | norm of delta_t; PART is h, c, c_total |
| weight_grad_norm, log10_weight_grad_norm | (R, N) | norm of the share of step t in dL/dW_hh |
| step_singular_values | (R, N, sequences, values) | largest values of J_t |
| step_sigma_min | (R, N, sequences) | its smallest |
| gate_mean, _slope, _saturation | (R, N, gates) | mean value, phi' / max phi', share saturated |
| clip_scale | (R, N) | factor of a step clip |
| weight_singular_values | (R, gates, H) | of the recurrent blocks |
| weight_spectral_radius | (R, gates) | of the recurrent blocks |
| log10_parameter_grad_norm | (R, tensors) | norm of dL/d(tensor) |
| growth_rate, growth_rate_error, overflow_step | (R,) | nats per step; first step not finite or 0 |
| clip_norm, log10_clip_norm | (R,) | norm of the gradient of all parameters |
| clip_rate, clipped_norm | (R,) | clipping of that gradient |

NaN stands for what does not exist (J_0; a plain norm outside float range), -inf for the log of an
exact zero.
"""

from __future__ import annotations

import io
import json
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.errors import GradlabError

SCHEMA = 1

# what reading a torn, foreign or hostile npz file raises: zip, zlib, numpy's header, JSON, and us
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    SyntaxError,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    MemoryError,
)


class NewerSchemaError(GradlabError):
    """A record that a newer gradlab wrote: not to be read, nor replaced unasked."""


@dataclass(frozen=True)
class Record:
    """The result of one run. `names` holds what the last axes of arrays mean: parts, gates,
    tensors.
    """

    config: dict[str, Any]
    summary: dict[str, Any]
    names: dict[str, list[str]]
    arrays: dict[str, NDArray[Any]]
    identity: str
    version: str

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The array of that name; KeyError names those that there are."""
        if name not in self.arrays:
            raise KeyError(f"no array {name!r}; there are: {', '.join(self.arrays)}")
        return self.arrays[name]

    @property
    def lag(self) -> NDArray[np.int64]:
        """T - t for every recorded step."""
        return np.asarray(self.config["seq_len"] - self["t"])

    def header(self) -> list[str]:
        """The columns of steps.csv."""
        return list(self._columns())

    def rows(self) -> tuple[list[str], list[list[Any]]]:
        """Header and rows of steps.csv: one row for each seed and step; None where there is no
        value.
        """
        columns = self._columns()
        R, N = len(self["seeds"]), len(self["t"])
        table = [np.broadcast_to(c, (R, N)).ravel().tolist() for c in columns.values()]
        rows = [[None if v != v else v for v in row] for row in zip(*table, strict=True)]
        return list(columns), rows

    def _columns(self) -> dict[str, NDArray[Any]]:
        columns: dict[str, NDArray[Any]] = {
            "seed": self["seeds"][:, None],
            "t": self["t"][None, :],
            "lag": self.lag[None, :],
        }
        for part in self.names["parts"]:
            for name in (f"grad_norm_{part}", f"log10_grad_norm_{part}"):
                columns[name] = self[name]
        columns["log10_weight_grad_norm"] = self["log10_weight_grad_norm"]
        if "step_singular_values" in self.arrays:
            columns["sigma_max"] = self["step_singular_values"][..., 0].max(axis=-1)
            columns["sigma_min"] = self["step_sigma_min"].min(axis=-1)
        saturation = self["gate_saturation"]
        if saturation.shape[-1]:  # an own cell does not say what its gates are
            columns["saturation"] = saturation.mean(axis=-1)
        else:
            columns["saturation"] = np.full(saturation.shape[:-1], np.nan)
        if (self.config["clip"] or {}).get("by") == "step_norm":
            columns["clip_scale"] = self["clip_scale"]
        return columns

    def to_bytes(self) -> bytes:
        """The npz file: the same bytes for the same record."""
        metadata = {
            "schema": SCHEMA,
            "version": self.version,
            "identity": self.identity,
            "config": self.config,
            "summary": self.summary,
            "names": self.names,
        }
        buffer = io.BytesIO()
        text = np.array(json.dumps(metadata, allow_nan=False))
        arrays: Mapping[str, Any] = self.arrays
        np.savez_compressed(buffer, metadata=text, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "record.npz") -> Record:
        """The record of an npz file. Raises GradlabError when it is torn, foreign, or of a newer
        schema.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
            metadata = json.loads(str(arrays.pop("metadata")))
            schema = int(metadata["schema"])
            if schema > SCHEMA:
                raise NewerSchemaError(
                    f"{name} has schema {schema}, this gradlab knows up to {SCHEMA}: "
                    "use a newer gradlab"
                )
            arrays["t"], arrays["seeds"], metadata["summary"]["verdict"]  # what all readers need
            return cls(
                config=metadata["config"],
                summary=metadata["summary"],
                names=metadata["names"],
                arrays=arrays,
                identity=metadata["identity"],
                version=metadata["version"],
            )
        except UNREADABLE as error:
            raise GradlabError(f"{name} is torn or not a gradlab record: {error}") from error
