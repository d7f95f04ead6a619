"""What kind of network a record is of, read from its config: layers, directions, truncation.

Records of before these keys existed lack them; their network is one layer with the same weights at
every step, in one direction.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gradlab.record import Record


class Truncation(NamedTuple):
    """Backpropagation that is cut: by a window before every loss term, or at borders of chunks."""

    steps: int
    mode: str  # sliding, chunked


def layers(record: Record) -> int:
    """How many are stacked."""
    return int(record.config.get("layers") or 1)


def width(record: Record) -> int:
    """D, of the whole state: all of its parts, in all layers."""
    parts = [part for part in record.names["parts"] if not part.endswith("_total")]
    return len(parts) * int(record.config["hidden_size"]) * layers(record)


def tied(record: Record) -> bool:
    """Whether every step has the same weights; otherwise steps are the layers of a deep net."""
    return bool(record.config.get("tied", True))


def unit(record: Record, count: float = 1) -> str:
    """What t counts: 'step', or 'layer' where each has its own weights; with an s for several."""
    return ("step" if tied(record) else "layer") + "s" * (count != 1)


def stride(record: Record) -> int:
    """Steps that one Jacobian is of: a residual block is one step of the network."""
    return int(record.config.get("block") or 1)


def step(record: Record) -> str:
    """What one Jacobian is of: a step, a layer, a block."""
    return "block" if stride(record) > 1 else unit(record)


def bidirectional(record: Record) -> bool:
    """Whether there is a second direction; the main arrays are the forward one's."""
    return bool(record.config.get("bidirectional"))


def chained(record: Record) -> bool:
    """Whether every layer has two directions of its own; the main arrays are the last layer's."""
    return bidirectional(record) and layers(record) > 1


def front(record: Record) -> list[str]:
    """Of what the main arrays are, where that is a part of the network: a line, or none."""
    return ["of the last layer, forward direction"] if chained(record) else []


def junction(record: Record) -> int | None:
    """The encoder's last step; None without encoder and decoder."""
    parts: dict[str, Any] | None = record.config.get("encoder_decoder")
    return None if parts is None else int(parts["encoder"])


def truncation(record: Record) -> Truncation | None:
    """How backpropagation is cut; None where it is not."""
    cut: dict[str, Any] | None = record.config.get("truncate")
    return None if cut is None else Truncation(int(cut["steps"]), str(cut["mode"]))


def weights(record: Record) -> str:
    """The tensor whose gradient is split by steps and lags: W_hh, or W_ih for cells without."""
    name = record.names.get("weights", ["weight_hh"])[0]
    return name.replace("weight_", "W_", 1)


def loss_steps(record: Record) -> list[int]:
    """Where the forward direction's gradient enters, ascending, in 1 .. T."""
    at, last = record.config["loss"]["at"], int(record.config["seq_len"])
    if isinstance(at, str):
        return [last] if at == "last" else list(range(1, last + 1))
    return sorted(int(t) for t in at)


def from_file(record: Record) -> bool:
    """Whether the weights are those of a file: then every seed has the same."""
    return record.config["init"].get("file") is not None


def sums(record: Record) -> bool:
    """Whether the gradient is a sum over several loss terms: its norm is of no single distance."""
    return len(loss_steps(record)) > 1


def kind(record: Record) -> list[str]:
    """In a few words, what is not the plain network of one layer."""
    config, cut = record.config, truncation(record)
    parts = config.get("encoder_decoder")
    block = config.get("block")
    told = {
        f"{layers(record)} layers": layers(record) > 1,
        "residual" + (f" blocks of {block}" if block else ""): bool(config.get("residual")),
        "own weights at every step": not tied(record),
        "bidirectional": bidirectional(record),
    }
    words = [text for text, holds in told.items() if holds]
    if parts is not None:
        words.append(f"encoder {parts['encoder']} + decoder {parts['decoder']} steps")
    if cut is not None:
        words.append(f"truncated after {cut.steps} steps ({cut.mode})")
    return words
