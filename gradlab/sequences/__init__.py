"""Real sequences as inputs: recordings and texts from files, and which pieces of them are used.

`arrays` and `table` read numbers, `decoding`, `tokens` and `vocabulary` read text as symbols. Each
sequence of each member is a piece of the file; `pieces` says where it begins. `Recording` and
`Text` hand out the steps of those pieces; what a file holds is in memory once, whoever uses it.
"""
