"""Verbs: one file a verb."""
