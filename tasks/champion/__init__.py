"""The champion: model registry, comparison, promotion, monitoring, retraining."""
