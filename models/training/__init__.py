"""Training one trial, from its proposal to its outcome."""
