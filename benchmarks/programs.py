"""The programs that are timed, and which Python runs them."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.material import Arrays
from benchmarks.workloads import Workload

ROOT = Path(__file__).resolve().parents[1]
NO_BYTE_CODE = "PYTHONDONTWRITEBYTECODE"


@dataclass(frozen=True)
class Program:
    """A program: kind is gradlab, idiomatic (what one writes) or manual (derivatives by hand).

    needs: a library beside numpy. variant, only: of gradlab, with other wishes than the workload's;
    it takes part in the workloads that are named.
    """

    title: str
    kind: str
    module: str = ""
    needs: str = ""
    variant: str = ""
    only: tuple[str, ...] = ()

    @property
    def comparable(self) -> bool:
        """Whether it computes on the same arrays as the others."""
        return self.variant != "drawn"

    def takes(self, w: Workload) -> bool:
        """Whether it takes part in a workload."""
        return not self.only or w.name in self.only


_BY_HAND = ("W2", "W3", "W4", "W4s", "W5", "W6", "W7")  # of a linear cell there is nothing to gain
PROGRAMS: dict[str, Program] = {
    "gradlab": Program("gradlab", "gradlab"),
    "gradlab-drawn": Program(
        "gradlab, drawing the inputs too",
        "gradlab",
        variant="drawn",
        only=("W2", "W3", "W4", "W5", "W7"),
    ),
    "gradlab-gradients": Program(
        "gradlab, with parameter gradients", "gradlab", variant="gradients", only=("W2",)
    ),
    "gradlab-top8": Program(
        "gradlab, 8 largest of the products", "gradlab", variant="top8", only=("W4",)
    ),
    "gradlab-lapack": Program(
        "gradlab, LAPACK for every matrix", "gradlab", variant="lapack", only=("W5",)
    ),
    "textbook": Program("textbook NumPy", "idiomatic", "textbook"),
    "torch-eager": Program("torch, autograd", "idiomatic", "torch_eager", "torch"),
    "torch-manual": Program("torch, by hand", "manual", "torch_manual", "torch"),
    "jax-vjp": Program("JAX, vjp", "idiomatic", "jax_vjp", "jax"),
    "jax-manual": Program("JAX, by hand", "manual", "jax_manual", "jax", only=_BY_HAND),
}
REFERENCE = "textbook"  # what the others are compared with


def prepared(name: str, w: Workload, folder: Path, jobs: int) -> Callable[[], Arrays]:
    """The call of a program, its arrays read from a folder. To be used in a process of its own."""
    program = PROGRAMS[name]
    if program.kind == "gradlab":
        from benchmarks import gradlab_program

        return gradlab_program.prepare(w, folder, program.variant, jobs)
    from benchmarks import material

    module = importlib.import_module(f"benchmarks.peers.{program.module}")
    call: Callable[[], Arrays] = module.prepare(w, material.read(folder))
    return call


def environment(threads: int) -> dict[str, str]:
    """That of every program: so many threads for each library, and gradlab from here.

    Byte code is kept, as where gradlab is installed: a working tree without it is compiled anew at
    every start, and the libraries beside it are not.
    """
    counts = dict.fromkeys(
        ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)
    )
    flags = "--xla_cpu_multi_thread_eigen=" + ("true" if threads > 1 else "false")
    jax = {"XLA_FLAGS": f"{flags} intra_op_parallelism_threads={threads}", "JAX_PLATFORMS": "cpu"}
    usual = {name: value for name, value in os.environ.items() if name != NO_BYTE_CODE}
    return {**usual, **counts, **jax, "PYTHONPATH": str(ROOT)}


def versions(pythons: Mapping[str, str]) -> dict[str, str]:
    """The version of every library that a Python of these has, by library; "" is gradlab's own.

    A library that is asked for by name and is not there is left out.
    """
    found = {}
    for library, python in pythons.items():
        program = (
            "import importlib.util as u, importlib.metadata as m\n"
            f"print(m.version({library!r}) if u.find_spec({library!r}) else '')"
        )
        done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
        if version := done.stdout.strip():
            found[library] = version
    return found


def pythons(given: Mapping[str, str | None]) -> dict[str, str]:
    """Which Python has a library: what was given for it, else this one."""
    return {library: path or sys.executable for library, path in given.items()}
