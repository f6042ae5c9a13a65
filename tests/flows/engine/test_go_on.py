"""A search that failed goes on once the cause is mended, and one process at a time runs it."""

from __future__ import annotations

import signal
import time
from textwrap import dedent

import pytest
from mlflow.exceptions import MlflowException

from nettuner.flows.engine.search import SearchFailedError
from nettuner.tasks.memory.search_record import SearchRecord

pytestmark = pytest.mark.long


def needs_a_file(lab, name):
    """A study whose trials fail until a file is there, and the file."""
    functions, file = lab.home / f"{name}.py", lab.home / f"{name}.there"
    functions.write_text(
        dedent(
            f"""
            import os

            def f(h, report):
                if not os.path.exists({str(file)!r}):
                    raise FileNotFoundError("no data yet")
                return h["x"]
            """
        )
    )
    stop = {"trials": 6, "failures": 3}
    study = lab.function_study(name, learner=f"{functions}:f", stop=stop)
    return study, file


def test_a_search_that_gave_up_goes_on_once_the_cause_is_mended(lab):
    study, file = needs_a_file(lab, "gave-up")
    with pytest.raises(SearchFailedError, match="3 trials in a row failed"):
        lab.search(study)
    file.touch()
    result = lab.search(study, resume=True)
    assert [trial.succeeded for trial in result.trials] == [False] * 3 + [True] * 3
    (past,) = lab.past("gave-up")
    assert past.status == "FINISHED"
    assert "nettuner.reason" not in lab.mlflow.get_run(past.run_id).data.tags


def test_a_search_that_gives_up_again_counts_failures_from_where_it_went_on(lab):
    study, _ = needs_a_file(lab, "gave-up-twice")
    for known in (3, 6):
        with pytest.raises(SearchFailedError, match=r"3 trials in a row failed|none of 6 trials"):
            lab.search(study, resume=known > 3)
        assert len(lab.past("gave-up-twice")[-1].trials) == known


def test_weights_outlive_a_store_that_is_away_for_a_while(lab, monkeypatch):
    study = lab.network_study("store-away", stop={"trials": 4}, stack=1, epochs=1)

    def refuse(self, trial, trained):
        raise MlflowException("the store is away")

    # The first trial that ends is a new best, whatever it learned.
    monkeypatch.setattr(SearchRecord, "improved", refuse)
    with pytest.raises(MlflowException, match="the store is away"):
        lab.search(study)
    monkeypatch.undo()
    (past,) = lab.past("store-away")
    folder = lab.home / "checkpoints" / past.run_id
    assert list(folder.glob("*.safetensors"))
    assert past.status == "FAILED"
    result = lab.search(study, resume=True)
    assert sorted(trial.number for trial in result.trials) == [0, 1, 2, 3]
    assert not folder.exists()


def test_a_search_that_runs_is_not_resumed_beside_it(lab):
    functions = lab.home / "endless.py"
    functions.write_text("import time\n\ndef f(h, report):\n    time.sleep(600)\n")
    path = lab.home / "endless.yaml"
    path.write_text(
        "name: endless\n"
        "learner: endless.py:f\n"
        "metric: loss\n"
        "direction: minimize\n"
        "width: 1\n"
        "space: {x: {distribution: uniform, low: 0, high: 1}}\n"
        "stop: {trials: 5}\n"
    )
    first = lab.command("search", path)
    locks = lab.home / "locks"
    deadline = time.monotonic() + 90
    while not (list(locks.glob("*.json")) if locks.exists() else []):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    try:
        second = lab.command("search", path, "--resume")
        _, said = second.communicate(timeout=120)
        assert second.returncode == 2
        (line,) = [line for line in said.splitlines() if line.startswith("error")]
        assert f"beside process {first.pid} on " in line
        assert time.strftime("which has run it since %Y-%m-%d") in line
    finally:
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=60)
    assert first.returncode == 130
    assert list(locks.glob("*.json")) == []
