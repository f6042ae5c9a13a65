"""Wiring: one file a flow, and the command line."""
