"""Measuring the simulator: the same layers beside named peers, and each stage beside what bounds it."""
