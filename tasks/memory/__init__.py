"""Searches and trials in MLflow: written as they happen, and read back."""
