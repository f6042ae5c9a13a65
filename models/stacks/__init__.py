"""Trials of one structure trained together, as one program."""
