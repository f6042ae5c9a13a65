"""Settings of Prefect and MLflow for one machine, and their logging."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from nettuner.tasks.home import configure_prefect, tracking_uri
from nettuner.tasks.sound_home import check_home, check_records

CHATTY = ("alembic", "mlflow", "torch.export", "EventsWorker")


def keep_quiet(verbose: bool) -> None:
    """Set both to use the home; unless verbose, silence them for the rest of this process.

    Prefect's logs still reach its server and its pages.

    Raises:
        HomeError: The home cannot be written to, or MLflow's database in it is damaged.
    """
    if verbose:
        use_home()
        _let_speak()
        return
    silence_libraries()
    use_home()
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")


@contextmanager
def kept_quiet() -> Iterator[None]:
    """The same while the block runs, for a process that also does other things."""
    use_home()
    if "prefect" not in sys.modules:  # else its logging is as its user wants it
        silence_libraries()
    levels = {name: logging.getLogger(name).level for name in CHATTY}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def _let_speak() -> None:
    """Undo what a process that this one was forked from has set up."""
    if "prefect" in sys.modules:
        from prefect.logging.configuration import ensure_logging_setup

        ensure_logging_setup()


def use_home() -> None:
    """Set both to use the home, where the environment does not say otherwise.

    Raises:
        HomeError: The home cannot be written to, or MLflow's database in it is damaged.
    """
    check_home()
    check_records()
    configure_prefect()
    os.environ.setdefault("MLFLOW_TRACKING_URI", tracking_uri())
    if "prefect" in sys.modules:
        from nettuner.flows.prefect_runs.prefect_private import read_settings_again

        read_settings_again()


def silence_libraries() -> None:
    """Say, before they are imported, that they shall not print."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
