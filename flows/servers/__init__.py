"""The MLflow and Prefect servers: processes, databases, deployments."""
