"""Settings of Prefect and MLflow for one machine, and their logging."""

from __future__ import annotations

import logging
import os
import warnings

from nettuner.tasks.home import configure_prefect, tracking_uri


def keep_quiet(verbose: bool) -> None:
    """Set both to use the home, before either is imported; unless verbose, silence them.

    Prefect's logs still reach its server and its pages.
    """
    configure_prefect()
    os.environ.setdefault("MLFLOW_TRACKING_URI", tracking_uri())
    if verbose:
        return
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    for name in ("alembic", "mlflow", "torch.export", "EventsWorker"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
