"""What is freed is there for the next piece of work.

Claim: a second run in the same process, of several pieces of members each, asks the system for
hardly any page; the arrays of one piece alone have thousands.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import gradlab

TWICE = """
import resource
import gradlab

def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

config = {"cell": "rnn", "hidden_size": 64, "batch_size": 16, "seq_len": 200, "seeds": 32}
config |= {"weight_gradients": "none", "spectrum": "none", "gate_histogram": False}
gradlab.run(config)
before = pages()
gradlab.run(config)
print(pages() - before)
"""
# states and pre-activations of one of the three pieces, 2 x 11 x 200 x 64 x 16 doubles: 36 MB, of
# which 9000 pages of 4 KiB were made anew in every run, and a few hundred are left to chance
PAGES = 1000


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the memory of another C library")
def test_a_second_run_makes_no_pages_anew() -> None:
    path = os.pathsep.join(
        filter(None, [str(Path(gradlab.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    )
    environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", TWICE], env=environment, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < PAGES
