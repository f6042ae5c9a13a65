"""Datasets as arrays, and where they come from."""
