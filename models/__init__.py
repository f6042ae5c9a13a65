"""Nouns: spaces, studies, learners, data, training. Never Prefect, never MLflow."""
