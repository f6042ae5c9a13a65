"""Models in production: metrics of their answers, comparisons, drift, incoming data."""
