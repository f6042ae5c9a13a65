"""Larger networks, and measures of their output."""
