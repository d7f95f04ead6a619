"""What the machine can do: the rate of matrix products, and the time of one decomposition.

python -m benchmarks.floor H prints JSON for every line on stdin: {"gemm": flops a second,
"svd": seconds of the singular values of one H x H matrix, "normal": seconds for one normal number
that is drawn}. It takes its turn among the programs. Seconds are the processor's: a busy machine
makes a program wait, and does not change what it could do.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

SIZE, PRODUCTS, MATRICES, NUMBERS = 512, 5, 8, 10**5


def measure(H: int) -> dict[str, float]:
    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, SIZE, SIZE))
    out = np.empty_like(a)
    np.matmul(a, b, out=out)  # fresh memory, and the library's own buffers
    begun = time.process_time()
    for _ in range(PRODUCTS):
        np.matmul(a, b, out=out)
    gemm = 2 * SIZE**3 * PRODUCTS / (time.process_time() - begun)
    stack = random.standard_normal((MATRICES, H, H))
    begun = time.process_time()
    np.linalg.svd(stack, compute_uv=False)
    svd = (time.process_time() - begun) / MATRICES
    numbers = np.empty(NUMBERS)
    random.standard_normal(out=numbers)
    begun = time.process_time()
    random.standard_normal(out=numbers)
    return {"gemm": gemm, "svd": svd, "normal": (time.process_time() - begun) / NUMBERS}


def main() -> None:
    H = int(sys.argv[1])
    measure(H)
    for _ in sys.stdin:
        print(json.dumps(measure(H)), flush=True)


if __name__ == "__main__":
    main()
