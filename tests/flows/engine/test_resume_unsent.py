"""A search that is killed while its store is locked loses no trial that had ended by then."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing

import pytest

pytestmark = pytest.mark.long

STUDY = """
name: unsent
learner: functions.py:tardy
metric: loss
direction: minimize
seed: 5
width: 1
space:
  x: {distribution: uniform, low: 0, high: 1}
  log: {distribution: choice, values: [unsent.txt]}
stop: {trials: 8}
"""


def marks(path, kind):
    lines = path.read_text().splitlines() if path.exists() else []
    return Counter(line.removeprefix(kind) for line in lines if line.startswith(kind))


def wait_until(condition):
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def searches(lab):
    """The runs of searches that have reached the store."""
    found = lab.mlflow.get_experiment_by_name("unsent")
    if found is None:
        return []
    return lab.mlflow.search_runs([found.experiment_id], "tags.`nettuner.kind` = 'search'")


def test_a_trial_whose_record_never_reached_the_store_is_not_trained_again(lab):
    path, calls = lab.home / "unsent.yaml", lab.home / "unsent.txt"
    path.write_text(STUDY)
    first = lab.command("search", path, env={**os.environ, "PATIENCE": "3"})
    wait_until(lambda: searches(lab) or first.poll() is not None)
    with closing(sqlite3.connect(lab.home / "mlflow.db", isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout = 20000")
        other.execute("BEGIN IMMEDIATE")
        known = len(marks(calls, "begin "))
        # The next but one begins when the record of the one before it is written.
        wait_until(lambda: len(marks(calls, "begin ")) >= known + 2 or first.poll() is not None)
        first.send_signal(signal.SIGKILL)
        _, said = first.communicate(timeout=60)
        other.execute("ROLLBACK")
    assert first.returncode == -signal.SIGKILL, said
    (parent,) = searches(lab)
    ended = len(marks(calls, "end "))
    # That the last ones had ended has not reached the store.
    states = [run.info.status for run in lab.runs(parent.info).values()]
    assert states.count("FINISHED") < ended
    assert len(list((lab.home / "journal").glob(f"{parent.info.run_id}-*.jsonl"))) == 1
    (past,) = lab.past("unsent")
    assert [trial.number for trial in past.trials] == list(range(ended))
    assert [lab.mlflow.get_run(run).info.run_name for run in past.unfinished] == [f"trial {ended}"]
    again = lab.command("search", path, "--resume")
    _, said = again.communicate(timeout=120)
    assert again.returncode == 0, said
    (past,) = lab.past("unsent")
    assert (past.status, len(past.trials)) == ("FINISHED", 8)
    assert sorted(marks(calls, "begin ").values()) == [1, 1, 1, 1, 1, 1, 1, 2]
    assert sum(marks(calls, "end ").values()) == 8
    assert not list((lab.home / "journal").glob(f"{parent.info.run_id}*"))
