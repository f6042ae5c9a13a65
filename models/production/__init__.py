"""What production is judged by: answers, verdicts, drift, what comes in."""
