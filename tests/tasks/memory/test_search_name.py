"""Searches of a study are counted, each strategy's on their own, and no number is given twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from nettuner.tasks.memory.search_name import count, search_name

pytestmark = pytest.mark.slow


class Away:
    """A store whose client may be asked for nothing."""

    def __init__(self, store):
        self.tracking_uri = store


def begun(mlflow, experiment, strategy, kind="search", name="bayesian 2026-11-28 13:51:41"):
    """A search from before searches were counted."""
    tags = {"nettuner.kind": kind, "nettuner.strategy": strategy}
    return mlflow.create_run(experiment, run_name=name, tags=tags).info.run_id


@pytest.fixture
def experiment(mlflow, request):
    return mlflow.create_experiment(request.node.name)


@pytest.fixture(params=["file", "client"])
def name(request, mlflow, experiment):
    """Names the next search of a strategy: in the file, or as other stores have to."""
    if request.param == "file":
        return lambda strategy: search_name(Away(mlflow.tracking_uri), experiment, strategy)
    return lambda strategy: f"{strategy} {count(mlflow, experiment, strategy)}"


def test_the_first_one_is_called_1_and_each_strategy_counts_for_itself(name):
    strategies = ["bayesian", "population", "bayesian", "bayesian", "population"]
    found = [name(strategy) for strategy in strategies]
    assert found == ["bayesian 1", "population 1", "bayesian 2", "bayesian 3", "population 2"]


def test_searches_that_were_called_otherwise_count_too(name, mlflow, experiment):
    for _ in range(3):
        begun(mlflow, experiment, "bayesian")
    begun(mlflow, experiment, "bayesian", kind="trial")
    begun(mlflow, experiment, "population")
    assert name("bayesian") == "bayesian 4"


def test_a_number_is_not_given_again_after_a_deletion(name, mlflow, experiment):
    mlflow.delete_run(begun(mlflow, experiment, "bayesian"))
    assert name("bayesian") == "bayesian 2"
    assert name("bayesian") == "bayesian 3"


def test_both_ways_count_the_same(mlflow, experiment):
    store = mlflow.tracking_uri
    numbers = [f"bayesian {count(mlflow, experiment, 'bayesian')}" for _ in range(2)]
    numbers.append(search_name(Away(store), experiment, "bayesian"))
    numbers.append(f"bayesian {count(mlflow, experiment, 'bayesian')}")
    assert numbers == [f"bayesian {number}" for number in (1, 2, 3, 4)]


def test_searches_that_begin_at_once_have_different_numbers(mlflow, experiment):
    away = Away(mlflow.tracking_uri)
    with ThreadPoolExecutor(8) as threads:
        found = [*threads.map(lambda _: search_name(away, experiment, "bayesian"), range(40))]
    assert sorted(found) == sorted(f"bayesian {number}" for number in range(1, 41))


@pytest.mark.parametrize(
    ("strategy", "called"),
    [
        ("random_search", "random 1"),
        ("grid_search", "grid 1"),
        ("freeze_thaw", "freeze thaw 1"),
        ("successive_halving", "halving 1"),  # MLflow shows some sixteen letters
    ],
)
def test_a_strategy_is_named_as_people_say_it(strategy, called, mlflow, experiment):
    assert search_name(Away(mlflow.tracking_uri), experiment, strategy) == called
