"""Asks MLflow's client, which takes seconds to import, where that is soonest."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nettuner.models.by_name import ByName
from nettuner.tasks.memory.store import open_client
from nettuner.tasks.memory.writer import has_tables
from nettuner.tasks.workers.places import STORE
from nettuner.tasks.workers.pool import Pool, TrialFailedError

if TYPE_CHECKING:
    from mlflow import MlflowClient

THERE = ByName("nettuner.tasks.memory.by_client", "there")


def by_client(mlflow: MlflowClient, pool: Pool | None, call: Callable[..., Any], *args: Any) -> Any:
    """What `call(client, *args)` answers.

    Args:
        mlflow: MLflow client.
        pool: Workers, one of which can import MLflow in place of this process; None for none.
        call: Function, importable by name.
        args: Further arguments, picklable.

    Raises:
        Exception: The call raised it.
    """
    if pool is not None and has_tables(mlflow.tracking_uri) and "mlflow" not in sys.modules:
        with suppress(TrialFailedError):  # it is said, or done, here
            return pool.run(THERE, mlflow.tracking_uri, call, *args, place=STORE)
    return call(mlflow, *args)


def there(store: str, call: Callable[..., Any], *args: Any) -> Any:
    """The same with a client of a store; for a worker process."""
    return call(open_client(store), *args)
