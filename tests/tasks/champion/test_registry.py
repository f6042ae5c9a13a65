"""The registry: the champion moves in one act, back and forth, and is never missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from textwrap import dedent

import pandas as pd
import pytest

from nettuner.tasks.champion import registry, versions
from nettuner.tasks.champion.registry import UnfitError, register, set_champion
from nettuner.tasks.memory import tags as names
from nettuner.tasks.report import history

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def model(lab, table_search):
    return registry.model_of(lab.mlflow, table_search.result.run_id)


@pytest.fixture(scope="module")
def rows(table_search):
    return pd.read_csv(table_search.study.data.path).drop(columns="grade").head(10)


@pytest.fixture(scope="module")
def expected(model, rows):
    (found,) = registry.answers([model], rows)
    return found


@pytest.fixture
def quickly(monkeypatch, expected):
    """The model is not loaded again and again: its answers are known."""
    monkeypatch.setattr(registry, "answers", lambda models, rows: [expected] * len(models))


def promoted(lab, study, search, model, expected, rows, reason="because"):
    version = register(
        lab.mlflow, study, model, search.result.run_id, {names.REASON: reason, "figure": "1"}
    )
    set_champion(lab.mlflow, version, rows, expected)
    return version


def test_a_study_that_was_never_promoted_has_no_champion(lab):
    assert registry.champion(lab.mlflow, "never-promoted") is None
    assert versions.versions(lab.mlflow, "never-promoted") == []
    assert versions.moves(lab.mlflow, "never-promoted") == []


def test_a_registered_model_without_the_alias_has_no_champion(lab):
    lab.mlflow.create_registered_model("without-alias")
    assert registry.champion(lab.mlflow, "without-alias") is None


def test_a_server_that_fails_does_not_look_like_an_empty_registry(lab, monkeypatch):
    from mlflow.exceptions import MlflowException

    def broken(*_):
        raise MlflowException("the database is locked")

    monkeypatch.setattr(lab.mlflow, "get_model_version_by_alias", broken)
    with pytest.raises(MlflowException, match="locked"):
        registry.champion(lab.mlflow, "table")


def test_a_version_is_loaded_back_and_becomes_the_champion(
    lab, table_search, model, rows, expected
):
    version = promoted(lab, "crowned", table_search, model, expected, rows)
    found = registry.champion(lab.mlflow, "crowned")
    assert (found.number, found.run_id) == (1, table_search.result.run_id)
    assert found.tags["figure"] == "1"
    assert names.PROMOTED in found.tags
    assert names.BEFORE not in found.tags
    assert version.uri == "models:/crowned/1"


def test_a_version_that_answers_otherwise_is_not_promoted(lab, table_search, model, rows, expected):
    other = expected.assign(p_low=expected["p_low"] + 0.01)
    version = register(lab.mlflow, "unfit", model, table_search.result.run_id, {})
    with pytest.raises(UnfitError, match="models:/unfit/1 must answer as it did"):
        set_champion(lab.mlflow, version, rows, other)
    assert registry.champion(lab.mlflow, "unfit") is None


def test_rolling_back_goes_to_the_version_before_each_time(
    lab, table_search, model, rows, expected, quickly
):
    for reason in ("one", "two", "three"):
        promoted(lab, "back", table_search, model, expected, rows, reason)
    assert registry.roll_back(lab.mlflow, "back", "a drill")[1].number == 2
    assert registry.roll_back(lab.mlflow, "back", "another")[1].number == 1
    with pytest.raises(ValueError, match="version 1 is the first champion of 'back'"):
        registry.roll_back(lab.mlflow, "back", "a third")
    told = versions.moves(lab.mlflow, "back")
    assert [(move["what"], move["from"], move["to"]) for move in told] == [
        ("promotion", None, 1),
        ("promotion", 1, 2),
        ("promotion", 2, 3),
        ("rollback", 3, 2),
        ("rollback", 2, 1),
    ]
    assert [move["why"] for move in told] == ["one", "two", "three", "a drill", "another"]
    found = versions.versions(lab.mlflow, "back")
    assert [version.alias for version in found] == ["champion", "previous_champion", ""]
    table = history.versions_table(found)
    assert table["reason"].tolist() == ["one", "two", "three"]
    assert history.moves_table(told)["from"].tolist()[:2] == ["", "version 1"]


def test_a_study_without_a_champion_cannot_be_rolled_back(lab):
    with pytest.raises(ValueError, match="'never-promoted' has no champion to roll back from"):
        registry.roll_back(lab.mlflow, "never-promoted", "")


def test_a_search_without_a_model_cannot_be_promoted(lab, random_search):
    with pytest.raises(ValueError, match="a model must be logged to be promoted, got none"):
        registry.model_of(lab.mlflow, random_search.result.run_id)


KILLED = dedent(
    """
    import os, signal, sys

    import pandas as pd
    from mlflow import MlflowClient

    from nettuner.tasks.champion import registry, versions

    address, study, file, *numbers = sys.argv[1:]
    expected = pd.read_pickle(file)
    registry.answers = lambda models, rows: [expected]


    class Mortal:
        # Dies, without a word, before its call of this number that changes something.
        def __init__(self, calls):
            self.client = MlflowClient(address)
            self.calls = calls

        def __getattr__(self, name):
            if name.startswith("set_"):
                if self.calls == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                self.calls -= 1
            return getattr(self.client, name)


    for calls, number in enumerate(numbers):
        child = os.fork()
        if child == 0:
            client = Mortal(calls)
            version = registry._version(client.get_model_version(study, number))
            registry.set_champion(client, version, None, expected)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        reader = os.fork()
        if reader == 0:
            client = MlflowClient(address)
            print(status, registry.champion(client, study).number, flush=True)
            client.set_registered_model_alias(study, versions.CHAMPION, "1")
            os._exit(0)
        os.waitpid(reader, 0)
    """
)


def test_whenever_a_promotion_is_killed_there_is_the_old_or_the_new_champion(
    lab, table_search, model, rows, expected, quickly, tmp_path
):
    promoted(lab, "killed", table_search, model, expected, rows)
    file = tmp_path / "expected.pickle"
    expected.to_pickle(file)
    others = [
        register(lab.mlflow, "killed", model, table_search.result.run_id, {}).number
        for _ in range(6)
    ]
    words = [os.environ["MLFLOW_TRACKING_URI"], "killed", file, *others]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *map(str, words)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    # Killed before each of five changes, of which the fourth moves the alias; then not at all.
    killed = -signal.SIGKILL
    assert found == [
        (killed, 1),
        (killed, 1),
        (killed, 1),
        (killed, 1),
        (killed, others[4]),
        (0, others[5]),
    ]
