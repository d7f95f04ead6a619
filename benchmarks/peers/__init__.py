"""Programs that a competent user would write instead of gradlab.

Each has `prepare(w, arrays) -> call`: what may be done once is done in `prepare` (arrays moved to
the library, modules built, functions compiled); `call()` computes all that the workload wants, as
numpy arrays. The products of Jacobians are formed and decomposed as they are: their small singular
values are rounding.
"""
