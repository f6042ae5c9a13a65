"""Flow runs: names, outcomes, concurrency, approval, events."""
