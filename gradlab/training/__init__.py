"""Training: a task's batches, an optimiser's steps, and what is recorded of the gradient.

It stays an experiment on the gradient: small tasks, plain optimisers, everything recorded.
"""
