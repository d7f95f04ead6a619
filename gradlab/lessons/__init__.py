"""What is learned, and how: tasks with their batches, optimisers, and the section `train` of a
config in plain numbers.
"""
