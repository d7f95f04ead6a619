"""What came of checking one config: plain data, which a worker can hand back."""

from __future__ import annotations

from dataclasses import dataclass

from gradlab.expectations.judge import Finding


@dataclass(frozen=True)
class Checked:
    """One config's expectations and what was found; with an error there are no findings."""

    config: str  # as the user gave it
    folder: str
    findings: tuple[Finding, ...] = ()
    lines: tuple[int, ...] = ()  # of the config, where each expectation stands; 0: not in it
    story: tuple[str, ...] = ()  # what the run found, and why, a sentence each
    error: str = ""  # why it could not be run
    computed: bool = False  # False: the result was there already
    seconds: float = 0.0
    notes: tuple[str, ...] = ()  # what a user should know

    @property
    def passed(self) -> bool:
        """Whether it ran and everything is as expected."""
        return not self.error and all(finding.passed for finding in self.findings)
