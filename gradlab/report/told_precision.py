"""What float32 did to the numbers, in a sentence."""

from __future__ import annotations

from gradlab.record import Record


def sentences(record: Record) -> list[str]:
    """Nothing for float64."""
    told = record.summary.get("precision")
    if told is None:
        return []
    seed = f"float32, against float64 (seed {told['compared_seed']})"
    if told["overflow"] is not None:
        return [f"{seed}: it overflows at t={told['overflow']}, float64 does not; use that"]
    digits, norms = told["trusted_digits"], told["grad_norm_h"]
    if digits is None:
        return [f"{seed}: both overflow, nothing can be compared"]
    if norms["largest"] is None or digits == 0:
        return [f"{seed}: no digit of the norms can be trusted at every step{_rate(told)}"]
    off = f"the norms are off by {norms['largest']:.1g} of themselves at most"
    right = "1 digit" if digits == 1 else f"{digits} digits"
    return [f"{seed}: {off}, {right} can be trusted{_rate(told)}"]


def _rate(told: dict[str, object]) -> str:
    rate = told["growth_rate"]
    return f"; the growth rate is off by {rate:+.1g} nats per step" if rate is not None else ""
