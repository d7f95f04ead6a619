"""What a worker of a sweep loads before its first task.

Claims:
- it loads what computes and nothing else: no config models, no command line, no figures;
- the caller's script is not run again in it, so a script needs no `if __name__ == "__main__"`, and
  neither what it imports nor what it prints happens twice; afterwards it is the script again;
- a run or a sweep has the same results as from any other place.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sweepjobs
from sweeping import ROOT, SOON, scales, table

from gradlab.sweeps.execute import Processes

NEEDLESS = ("pydantic", "yaml", "typer", "rich", "matplotlib", "gradlab.cli", "gradlab.config")


def test_a_worker_loads_what_computes() -> None:
    workers = Processes(1)
    try:
        future = workers.current().submit(
            sweepjobs.loaded, "gradlab.sweeps.work", (*NEEDLESS, "numpy")
        )
        assert future.result(SOON) == ["numpy"]  # the check can see something
    finally:
        workers.stop()


SCRIPT = """
import sys
print("once")
import gradlab
for jobs in (1, 2):
    found = gradlab.sweep({config!r}, out=f"s{{jobs}}", jobs=jobs)
    print(found.done)
print(sys.modules["__main__"].__file__.endswith("script.py"))
"""


@pytest.mark.fault("sweep: a script that is not guarded calls gradlab.sweep", "it runs, and once")
def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    config = scales(3, name="sweep")
    (tmp_path / "script.py").write_text(SCRIPT.format(config=config), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "script.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "once\n3\n3\nTrue\n"
    assert table(tmp_path / "s1") == table(tmp_path / "s2")
