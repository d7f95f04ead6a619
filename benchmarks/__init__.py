"""How fast gradlab is beside the programs that one would write instead of it.

Tooling beside the package: nothing in gradlab imports it. `workloads` says what is computed,
`material` makes the arrays that all programs get, `peers/` are the other programs,
`gradlab_program` is gradlab through its public calls. `python -m benchmarks` checks that all agree,
then times them in turns and writes results.md; `python -m benchmarks.curves` measures how cost
grows.
"""
