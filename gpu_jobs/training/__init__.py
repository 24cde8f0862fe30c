"""Training code: the loop, optimiser, checkpoints, preflight measurements and the distributed group."""
