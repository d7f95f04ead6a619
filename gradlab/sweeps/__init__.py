"""Sweeps: one experiment for every combination of values.

`points` makes them from the config and groups them into tasks; `forecast` says what these would
take. `work` computes a task, `execute` and `cluster` say where, `coordinate` hands the tasks out.
`store` and `taskfile` are what is on disk, `result` reads it again, `job` is all of it from config
to folder.
"""
