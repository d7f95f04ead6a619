"""Does gradlab compute what it claims, on this machine? BLAS libraries differ; the claims do not.

Identities, closed forms, other algorithms and theory, on small cases, in seconds.
"""

from gradlab.verify.checks import CHECKS, Check, Result, verify

__all__ = ["CHECKS", "Check", "Result", "verify"]
