"""Training as nodes of the DAG: proposals, workers, trials, stacks, the winner."""
