"""Are a cell's derivatives right? Each of them against its own step, over sizes and regimes."""

from gradlab.gradcheck.checks import CHECKS, Result, gradcheck

__all__ = ["CHECKS", "Result", "gradcheck"]
