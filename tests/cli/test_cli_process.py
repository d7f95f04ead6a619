"""gradlab as a process among others: pipes, terminals, locales, full disks, signals.

Claims:
- piped output is plain and at most 80 columns wide, whatever TERM says; a terminal gets rules or
  colours, and none with NO_COLOR;
- nothing depends on HOME, and any locale can be printed to;
- a reader that leaves early is no failure, for every command that prints a lot;
- stdout and stderr that are closed, and a disk that is full, are told and are no internal error;
- Ctrl-C and SIGTERM while figures are drawn leave nothing; the earlier result stays;
- signals are heard in a finalizer, too;
- Ctrl-C that comes when the result is in its place does not say that nothing was written.
"""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import ROOT, TINY, environment, process

BARE = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT)}
EIGHTY = 80


# ---------------------------------------------------------------- what is printed to


@pytest.mark.fault(
    "surroundings: no HOME, no TERM, C locale, ASCII, Latin-1", "exit 0; plain text of 80 columns"
)
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"TERM": "dumb"},
        {"TERM": "xterm-256color", "COLUMNS": "200"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
    ids=["nothing set", "dumb", "xterm", "C locale", "ascii", "latin-1"],
)
def test_piped_output_is_plain_in_any_surroundings(more: dict[str, str], folder: Path) -> None:
    raw = {"text": None, "encoding": None}
    done = process("run", "c.yaml", cwd=folder, env={**BARE, **more}, **raw)
    assert (done.returncode, done.stderr) == (0, b"")
    unicode = "PYTHONIOENCODING" not in more and "LC_ALL" not in more
    text = done.stdout.decode("utf-8" if unicode else "ascii")
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= EIGHTY
    assert "steps back" in text and "log |dL/dh_t|" in text


@pytest.mark.fault("surroundings: a name that the locale cannot print", "exit 0")
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_a_name_that_cannot_be_printed_is_no_failure(encoding: str, folder: Path) -> None:
    (folder / "c.yaml").write_text(TINY + "figures: none\nname: grün_实验\n", encoding="utf-8")
    env = {**BARE, "PYTHONIOENCODING": encoding}
    for arguments in (("run", "c.yaml"), ("ls",), ("ls", "--json")):
        done = process(*arguments, cwd=folder, env=env, text=None, encoding=None)
        assert (done.returncode, done.stderr) == (0, b"")
    assert (folder / "results" / "grün_实验" / "summary.json").is_file()


def test_every_text_of_help_fits_into_eighty_columns(folder: Path) -> None:
    for arguments in ((), ("run",), ("list",)):
        text = process(*arguments, "--help", cwd=folder).stdout
        assert max(map(len, text.splitlines())) <= EIGHTY
        assert "\x1b" not in text


def on_a_terminal(arguments: list[str], cwd: Path, **more: str) -> str:
    """What a command prints on a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gradlab", *arguments],
        cwd=cwd,
        env={**environment(TERM="xterm-256color", COLUMNS="80", LINES="40"), **more},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        close_fds=True,
    )
    os.close(theirs)
    chunks = []
    try:
        while chunk := os.read(ours, 65536):
            chunks.append(chunk)
    except OSError:  # Linux ends a terminal that nobody holds any more in this way
        pass
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return b"".join(chunks).decode()


def test_a_terminal_has_colours_unless_it_is_asked_not_to(folder: Path) -> None:
    process("run", "c.yaml", cwd=folder)
    assert "\x1b[" in on_a_terminal(["show", "results/c"], folder, NO_COLOR="")
    plain = on_a_terminal(["show", "results/c"], folder, NO_COLOR="1")
    assert "\x1b[3" not in plain.replace("\x1b[3m", "")  # italics are no colour
    assert "steps back" in plain


# ---------------------------------------------------------------- readers that leave


@pytest.mark.fault("surroundings: a reader that leaves early, for each command", "exit 0, quiet")
@pytest.mark.parametrize("arguments", [("ls",), ("ls", "--json"), ("list", "cells"), ("show", "x")])
def test_a_reader_that_leaves_early_is_no_failure(arguments: tuple[str, ...], folder: Path) -> None:
    process("run", "c.yaml", "--out", "x", cwd=folder)
    (folder / "results").mkdir()
    (folder / "x").rename(folder / "results" / "x")
    (folder / "x").symlink_to("results/x")
    reading, writing = os.pipe()
    os.close(reading)
    done = process(*arguments, cwd=folder, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.fault("surroundings: stdout on a full disk", "told in one line; not exit 0")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", [("schema",), ("run", "c.yaml", "--quiet")])
def test_a_full_disk_behind_stdout_is_told_as_that(
    arguments: tuple[str, ...], folder: Path
) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = process(*arguments, cwd=folder, stdout=full)
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert "no space left" in done.stderr.lower()
    assert "internal error" not in done.stderr


@pytest.mark.fault("surroundings: stdout or stderr closed", "the result is there; exit 0")
@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_closed_stream_does_not_keep_a_run_from_its_result(closed: str, folder: Path) -> None:
    redirect = {"stdout": ">&-", "stderr": "2>&-"}[closed]
    line = f'exec "$0" -m gradlab run c.yaml {redirect}'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (folder / "results" / "c" / "summary.json").is_file(), done.stderr
    assert "internal error" not in done.stderr + done.stdout
    assert done.returncode == 0


@pytest.mark.fault("surroundings: a name that the file system cannot have", "exit 2, in one line")
def test_a_name_that_the_file_system_cannot_have_is_told(folder: Path) -> None:
    """A C locale without the coercion to UTF-8 that Python does by itself."""
    (folder / "c.yaml").write_text(TINY + "figures: none\nname: grün\n", encoding="utf-8")
    bare = {**BARE, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = process("run", "c.yaml", cwd=folder, env=bare)
    assert "internal error" not in done.stderr
    if done.returncode != 0:  # where the name is refused, in one line
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("gradlab: ")


def test_a_config_from_a_closed_stdin_is_told(folder: Path) -> None:
    line = 'exec "$0" -m gradlab run - <&-'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "gradlab: -: standard input is closed\n")


def test_an_empty_stdin_is_an_empty_config(folder: Path) -> None:
    done = process("run", "-", cwd=folder, input="")
    assert done.returncode == 2
    assert done.stderr.startswith("gradlab: stdin: the config is empty")


# ---------------------------------------------------------------- signals

RUN = """
from gradlab.cli import main
sys.argv = {arguments!r}
main()
"""


def planted(
    program: str, *arguments: str, cwd: Path, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, after a program has changed what it is made of."""
    return subprocess.run(
        [sys.executable, "-c", program + RUN.format(arguments=["gradlab", *arguments])],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


SIGNALS = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}


@pytest.mark.fault(
    "run: Ctrl-C, SIGTERM while computing, writing, plotting",
    "the earlier result stays, byte for byte",
)
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    "place", ["gradlab.job run", "gradlab.job write", "gradlab.report.figures save"]
)
def test_a_signal_leaves_the_earlier_result(
    number: signal.Signals, place: str, folder: Path
) -> None:
    assert process("run", "c.yaml", cwd=folder).returncode == 0
    before = {p.name: p.read_bytes() for p in (folder / "results" / "c").iterdir()}
    module, name = place.split()
    program = f"""
import os, sys
import {module} as where
def signalled(*arguments, **keywords):
    os.kill(os.getpid(), {int(number)})
    raise AssertionError("the signal was not heard")
where.{name} = signalled
"""
    drawn = ["figures.formats=[png]"] if name == "save" else []  # elsewhere none: it takes long
    done = planted(program, "run", "c.yaml", "seq_len=5", "name=c", *drawn, cwd=folder)
    code, word = SIGNALS[number]
    assert done.returncode == code, done.stderr
    assert done.stderr == f"gradlab: {word}; nothing was written\n"
    assert {p.name: p.read_bytes() for p in (folder / "results" / "c").iterdir()} == before
    assert [p.name for p in (folder / "results").iterdir()] == ["c"]


@pytest.mark.fault("run: Ctrl-C while figures are drawn", "exit 130; no half figure")
def test_ctrl_c_while_real_figures_are_drawn(folder: Path) -> None:
    (folder / "c.yaml").write_text(
        TINY + "figures: {formats: [png, svg, pdf], dpi: 600}\n", "utf-8"
    )
    running = subprocess.Popen(
        [sys.executable, "-m", "gradlab", "run", "c.yaml"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60  # the numbers are written before the first figure
    while not list(folder.glob("results/.gradlab-staging-*/*.png")):
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    assert err == "gradlab: interrupted; nothing was written\n"
    assert list((folder / "results").iterdir()) == []


@pytest.mark.fault("run: Ctrl-C twice", "ends at once with 130")
def test_a_second_ctrl_c_ends_at_once(folder: Path) -> None:
    program = """
import os, signal, sys, time
from gradlab import job
def stubborn(*arguments):
    for _ in range(2):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        except KeyboardInterrupt:
            pass
    raise AssertionError("the second was not the end")
job.run = stubborn
"""
    done = planted(program, "run", "c.yaml", cwd=folder, timeout=50)  # it does not sleep
    assert done.returncode == 130
    assert not (folder / "results" / "c").exists()
    process("run", "c.yaml", cwd=folder)  # which cleans up
    assert [p.name for p in (folder / "results").iterdir()] == ["c"]


@pytest.mark.fault("run: Ctrl-C, SIGTERM while Python cleans up", "heard all the same")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_heard_in_a_finalizer(number: signal.Signals, folder: Path) -> None:
    """Python ignores what is raised there; and what is left half-made may fail to clean up."""
    program = f"""
import os, sys, time
from gradlab import job
class Half:
    def __del__(self):
        raise ValueError("half made")
class Thing:
    def __del__(self):
        os.kill(os.getpid(), {int(number)})
        time.sleep(10)
def run(*arguments):
    half = Half()
    Thing()
    time.sleep(20)
    raise AssertionError("the signal was not heard")
job.run = run
"""
    done = planted(program, "run", "c.yaml", cwd=folder)
    code, word = SIGNALS[number]
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == f"gradlab: {word}; nothing was written\n"


@pytest.mark.fault("run: Ctrl-C when the result is in its place", "says where it is")
def test_ctrl_c_after_the_result_is_there_does_not_deny_it(folder: Path) -> None:
    program = """
import os, signal, sys
from gradlab.report import terminal
terminal.show = lambda *arguments: os.kill(os.getpid(), signal.SIGINT)
"""
    done = planted(program, "run", "c.yaml", cwd=folder)
    assert done.returncode == 130
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("gradlab: interrupted")
    assert (folder / "results" / "c" / "summary.json").is_file()
    assert "nothing was written" not in done.stderr


def test_json_stays_json_when_something_is_said(folder: Path) -> None:
    """What is said goes to stderr even where both are looked at together."""
    for _ in range(2):
        done = process("run", "c.yaml", "--json", cwd=folder)
        json.loads(done.stdout)
    assert "is there already" in done.stderr
