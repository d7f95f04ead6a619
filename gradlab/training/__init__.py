"""Training: the gradient of a batch, clipping, updates, snapshots, and a training kept on disk.

It stays an experiment on the gradient: small tasks, plain optimisers, everything recorded.
"""
