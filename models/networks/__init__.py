"""Networks that are more than a few layers, and what judges their output."""
