"""Backpropagation through time over any cell: forward, backward, clipping, singular values.

The engine knows the interface of a cell and no cell's name. All arrays are for an ensemble of R
members that are computed together; a member's bits do not depend on the others.
"""
