"""What threads gain, measured by `python -m benchmarks.several`.

Claims:
- both cases of the small run are told, with one thread and with several, and what the rule takes;
- threads are taken whatever the rule says, and the rule is as before afterwards.
"""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import several
from gradlab import runner, split


def test_small_cases_are_run_with_one_thread_and_with_several(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    sound, rule = runner.each, (split.BUSY, split.FOR_PRODUCTS)

    def each(work: Any, pieces: Any, workers: int, note: Any) -> Any:
        taken.append(workers)
        return sound(work, pieces, workers, note)

    monkeypatch.setattr(runner, "each", each)
    several.main(["--small", "--rounds", "2", "--jobs", "2"])
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == several.HEAD
    assert [line.split()[0] for line in lines] == ["rnn", "lstm"]
    assert all("the rule takes" in line for line in lines)
    assert taken == [1, 2] * 3 * 2  # one round is not counted
    assert rule == (split.BUSY, split.FOR_PRODUCTS)
