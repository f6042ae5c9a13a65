"""Names of searches, for people: `bayesian 3` is the third Bayesian search of its study.

Nothing is found by them alone: ids decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from nettuner.tasks.memory import tags as names
from nettuner.tasks.memory.by_client import by_client
from nettuner.tasks.memory.mlflow_private import count_in_file
from nettuner.tasks.strategy_names import in_words
from nettuner.tasks.workers.pool import Pool

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

# Strategies with longer names are called by their last word: MLflow cuts off long names of runs.
LONGEST = 12


def search_name(
    mlflow: MlflowClient, experiment: str, strategy: str, pool: Pool | None = None
) -> str:
    """The name of a search that begins: its strategy, and the how-manieth of its study it is.

    A number is given once, also where its search is deleted later. Only two searches that begin at
    the same moment, in a store other than an SQLite file, may get the same.

    Args:
        mlflow: MLflow client.
        experiment: Id of the study's experiment.
        strategy: Full name of the strategy.
        pool: Workers, one of which can import MLflow in place of this process; None for none.
    """
    words = in_words(strategy)
    word = words if len(words) <= LONGEST else words.split()[-1]
    return f"{word} {_number(mlflow, experiment, strategy, pool)}"


def _number(mlflow: MlflowClient, experiment: str, strategy: str, pool: Pool | None) -> int:
    counter = names.COUNTED + strategy
    counted = count_in_file(mlflow.tracking_uri, experiment, counter, _tags(strategy))
    return int(by_client(mlflow, pool, count, experiment, strategy)) if counted is None else counted


def count(mlflow: MlflowClient, experiment: str, strategy: str) -> int:
    """Count one more search of a strategy, by MLflow's client."""
    counter = names.COUNTED + strategy
    latest = mlflow.get_experiment(experiment).tags.get(counter)
    before = sum(1 for _ in _earlier(mlflow, experiment, strategy)) if latest is None else latest
    number = int(before) + 1
    mlflow.set_experiment_tag(experiment, counter, str(number))
    return number


def _earlier(mlflow: MlflowClient, experiment: str, strategy: str) -> Iterator[Run]:
    """Searches from before they were counted, those that were deleted included."""
    from mlflow.entities import ViewType

    condition = " and ".join(f"tags.`{tag}` = '{is_}'" for tag, is_ in _tags(strategy).items())
    token = None
    while True:
        page = mlflow.search_runs([experiment], condition, ViewType.ALL, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _tags(strategy: str) -> Mapping[str, str]:
    """What the runs of a strategy's searches are told by."""
    return {names.KIND: "search", names.STRATEGY: strategy}
