"""Training as Prefect tasks: proposals, workers, trials, stacks, the best trial."""
