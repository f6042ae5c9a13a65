"""MLflow as the memory: searches and trials written as they happen, and read back."""
