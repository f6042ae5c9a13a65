"""Imports what recording and logging a model import when first used, for who wants to be ready."""

from __future__ import annotations

import mlflow.pyfunc.loaders.code_model
import mlflow.pyfunc.scoring_server
import mlflow.store.tracking.sqlalchemy_workspace_store  # noqa: F401 - all only to be there

from nettuner.tasks.memory import log_model, table_writer  # noqa: F401 - likewise
from nettuner.tasks.memory.mlflow_private import know_packages

know_packages()
