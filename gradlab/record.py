"""What one run yields: arrays, the summary made of them, and what they mean.

A Record is plain data. On disk it is one npz file, the metadata being a JSON text inside; it loads
without pickle and has a schema number. R members (seeds), N recorded steps.

| array | shape | what |
| --- | --- | --- |
| seeds, t | (R,), (N,) | the members and the steps, t = 0 .. T |
| grad_norm_PART, log10_grad_norm_PART | (R, N) | norm of delta_t; PART is h, c, c_total |
| weight_grad_norm, log10_weight_grad_norm | (R, N) | norm of the share of step t in dL/dW_hh |
| layer_grad_norm_PART, layer_log10_grad_norm_PART | (R, N, layers) | of layers: with all paths |
| layer_weight_grad_norm, layer_log10_weight_grad_norm | (R, N, layers) | of each layer's weights |
| step_singular_values | (R, N, sequences, values) | largest values of J_t |
| step_sigma_min | (R, N, sequences) | its smallest; not with `spectrum.step: largest` |
| log10_product_singular_values | (R, N, sequences, values) | of J_T ... J_{t+1}; -inf a zero |
| product_unresolved | (R, N, sequences) | how many of its zeros are only below rounding |
| product_effective_rank | (R, N, sequences) | exp of the entropy of its values' shares |
| log10_product_condition | (R, N, sequences) | largest over smallest; NaN where not all are known |
| lyapunov_exponents | (R, sequences, D) | QR averages, descending, nats per step |
| gate_mean, _slope, _saturation | (R, N, gates) | mean value, phi' / max phi', share saturated |
| gate_histogram | (R, gates, 102) | counts of values: below -1, 100 bins of [-1, 1], above 1 |
| clip_scale | (R, N) | factor of a step clip |
| weight_singular_values | (R, gates, H) | of the recurrent blocks |
| weight_eigenvalues | (R, gates, H) | of them, complex, the largest first; as the radius |
| weight_spectral_radius | (R, gates) | of the recurrent blocks; not with `spectrum: none` |
| log10_path_norm | (R, N, paths) | terms of dc_t/dc_{t-1}: Frobenius norm / sqrt(H) |
| factor_histogram | (R, 50) | counts of the factor of a diagonal Jacobian, over [0, 1] |
| lag_split_lag, log10_lag_norm | (M,), (R, M) | norm of A_lag, the part of dL/dW_hh from that lag |
| log10_lag_whole | (R,) | norm of the whole dL/dW_hh, also where it is truncated |
| lag_remainder, lag_cosine | (R, M) | of the lags up to that one: what is missing, and its angle |
| memory_horizon | (R,) | the fewest lags that make 95 % of dL/dW_hh |
| truncation_lost, truncation_cosine | (R,) | of the truncated against the whole dL/dW_hh |
| loss | (R,) | mse, cross_entropy |
| backward_NAME | | what NAME is for the forward direction, of the backward direction |
| log10_parameter_grad_norm | (R, tensors) | norm of dL/d(tensor) |
| fresh_log10_grad_norm_h | (R, N) | of init.file: with weights drawn anew at the same scale |
| growth_rate, growth_rate_error, overflow_step | (R,) | nats per step; first step not finite or 0 |
| clip_norm, log10_clip_norm | (R,) | norm of the gradient of all parameters |
| clip_rate, clipped_norm | (R,) | clipping of that gradient |

With layers and both directions, what has no layers' axis is of the last layer (gates: of all).

With `weight_gradients: none` there is nothing of the parameters' gradients: no `weight_grad_norm`,
`log10_parameter_grad_norm`, `clip_norm`, `clip_rate`, `clipped_norm`, lags or truncation.

With `spectrum.product: largest` the products have neither effective rank nor condition.

NaN stands for what does not exist (J_0; a plain norm outside float range), -inf for the log of an
exact zero.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gradlab import archive
from gradlab.errors import GradlabError

SCHEMA = 1
ROWS = 1000  # of steps.csv that are held at a time


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
        return list(self.columns())

    def rows(self) -> tuple[list[str], list[list[Any]]]:
        """Header and rows of steps.csv: one row for each seed and step; None where there is no
        value.
        """
        return self.header(), [row for some in self.blocks() for row in some]

    def blocks(self) -> Iterator[list[list[Any]]]:
        """The rows, so many at a time: as numbers of Python they are ten times the arrays."""
        columns = self.columns().values()
        shape = np.broadcast_shapes(*(c.shape for c in columns))
        whole = [np.broadcast_to(c, shape) for c in columns]
        for low in range(0, prod(shape), ROWS):
            table = [c.flat[low : low + ROWS].tolist() for c in whole]
            yield [[None if v != v else v for v in row] for row in zip(*table, strict=True)]

    def columns(self) -> dict[str, NDArray[Any]]:
        """The columns of steps.csv: arrays that broadcast to (R, N), or with layers or directions
        (R, of those, N); with both (R, directions, layers, N).
        """
        both = "backward_t" in self.arrays
        if self.config.get("layers", 1) > 1:
            return self._by_layer_and_direction() if both else self._by_layer()
        if both:
            return self._by_direction()
        return self._index(self["t"]) | self._of_steps("")

    def _index(self, t: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        lag = self.config["seq_len"] - t
        return {"seed": self["seeds"][:, None], "t": t[None, :], "lag": lag[None, :]}

    def _of_steps(self, prefix: str) -> dict[str, NDArray[Any]]:
        """(R, N) each."""
        columns = {}
        for part in self.names["parts"]:
            for name in (f"grad_norm_{part}", f"log10_grad_norm_{part}"):
                columns[name] = self[prefix + name]
        if "log10_weight_grad_norm" in self.arrays:
            columns["log10_weight_grad_norm"] = self[f"{prefix}log10_weight_grad_norm"]
        if "step_singular_values" in self.arrays:
            columns["sigma_max"] = self[f"{prefix}step_singular_values"][..., 0].max(axis=-1)
        if "step_sigma_min" in self.arrays:
            columns["sigma_min"] = self[f"{prefix}step_sigma_min"].min(axis=-1)
        products = self.arrays.get(f"{prefix}log10_product_singular_values")
        for k in range(0 if products is None else products.shape[-1]):
            columns[f"log10_product_sigma_{k + 1}"] = self[
                f"{prefix}log10_product_singular_values"
            ][:, :, 0, k]
        for name in ("product_effective_rank", "log10_product_condition"):
            if name in self.arrays:
                columns[name] = self[prefix + name][:, :, 0]
        columns["saturation"] = _mean(self[f"{prefix}gate_saturation"])
        if (self.config["clip"] or {}).get("by") == "step_norm":
            columns["clip_scale"] = self[f"{prefix}clip_scale"]
        return columns

    def _by_layer(self) -> dict[str, NDArray[Any]]:
        """(R, layers, N): norms of each layer; what is of the whole stack stands in every row."""
        columns = {name: a[:, None] for name, a in self._index(self["t"]).items()}
        columns["layer"] = np.arange(1, self.config["layers"] + 1)[None, :, None]
        whole = {name: a[:, None] for name, a in self._of_steps("").items()}
        whole = {name: a for name, a in whole.items() if "h_total" not in name}
        return columns | whole | self._of_layers("", whole)

    def _of_layers(self, prefix: str, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Those of these columns that each layer has for itself: (R, layers, N)."""
        layers = self.config["layers"]
        layered = [name for name in names if f"{prefix}layer_{name}" in self.arrays]
        own = {name: self[f"{prefix}layer_{name}"].swapaxes(1, 2) for name in layered}
        flat = self[f"{prefix}gate_saturation"]
        split = flat.reshape(*flat.shape[:2], layers, flat.shape[2] // layers)
        return own | {"saturation": _mean(split).swapaxes(1, 2)}

    def _by_direction(self) -> dict[str, NDArray[Any]]:
        """(R, 2, N): the forward direction's rows, then the backward direction's."""
        both = self._of_steps(""), self._of_steps("backward_")
        columns = {name: np.stack((both[0][name], both[1][name]), 1) for name in both[0]}
        return self._index_of_directions() | columns

    def _index_of_directions(self) -> dict[str, NDArray[Any]]:
        """They broadcast to (R, 2, N)."""
        steps = np.stack((self["t"], self["backward_t"]))
        lag = np.abs(steps - np.array([[self.config["seq_len"]], [1]]))
        return {
            "seed": self["seeds"][:, None, None],
            "t": steps[None],
            "lag": lag[None],
            "direction": np.array(["forward", "backward"])[None, :, None],
        }

    def _by_layer_and_direction(self) -> dict[str, NDArray[Any]]:
        """(R, 2, layers, N); what there is of the last layer only is in its rows only."""
        layers = self.config["layers"]
        columns = {name: a[:, :, None] for name, a in self._index_of_directions().items()}
        columns["layer"] = np.arange(1, layers + 1)[None, None, :, None]
        both = []
        for prefix in ("", "backward_"):
            last = self._of_steps(prefix)
            alone = {
                name: np.stack([*[np.full_like(a, np.nan)] * (layers - 1), a], axis=1)
                for name, a in last.items()
            }
            both.append(alone | self._of_layers(prefix, last))
        return columns | {name: np.stack([own[name] for own in both], 1) for name in both[0]}

    def to_bytes(self) -> bytes:
        """The npz file: the same bytes for the same record."""
        buffer = io.BytesIO()
        self.save(buffer)
        return buffer.getvalue()

    def save(self, file: IO[bytes]) -> None:
        """Write the npz file. Raises OSError."""
        metadata = {
            "schema": SCHEMA,
            "version": self.version,
            "identity": self.identity,
            "config": self.config,
            "summary": self.summary,
            "names": self.names,
        }
        archive.save(file, metadata, self.arrays, compress=True)

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "record.npz") -> Record:
        """The record of an npz file. Raises GradlabError when it is torn, foreign, or of a newer
        schema.
        """
        try:
            with archive.opened(io.BytesIO(data)) as file:
                arrays = {key: file[key] for key in file.files}
            metadata = archive.metadata_of(arrays.pop(archive.METADATA))
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
        except archive.UNREADABLE as error:
            raise GradlabError(f"{name} is torn or not a gradlab record: {error}") from error


def _mean(saturation: NDArray[Any]) -> NDArray[Any]:
    """Over the gates; NaN where there are none: an own cell does not say what its gates are."""
    gates = saturation.shape[-1]
    return saturation.mean(axis=-1) if gates else np.full(saturation.shape[:-1], np.nan)
