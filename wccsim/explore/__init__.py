"""The search for the best setting: sweeps, Pareto fronts, and allocation under a budget."""
