-- Runs once, when PostgreSQL makes its files; Prefect's database is there by then (POSTGRES_DB).
-- Both servers have a table alembic_version, so they cannot share a database.
CREATE DATABASE mlflow;
CREATE DATABASE mlflow_users;
