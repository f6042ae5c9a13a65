"""What a worker leaves of a trial is read once, even if the trial begins anew."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from nettuner.tasks.training.log_reader import LogReader


@dataclass
class Job:
    log: Path


def write(log, steps, mode="a", time=0.0):
    with log.open(mode) as file:
        for step in steps:
            row = {"step": step, "time": time, "seconds": 0.0, "metrics": {}, "round": True}
            file.write(json.dumps(row) + "\n")


def steps(rows):
    return [row["step"] for row in rows]


def test_lines_are_read_once_and_only_when_they_are_whole(tmp_path):
    log = tmp_path / "log"
    reader = LogReader(Job(log))
    assert reader.fresh() == []
    write(log, [1, 2])
    assert steps(reader.fresh()) == [1, 2]
    with log.open("a") as file:
        file.write('{"step": 3, "round": true')
    assert reader.fresh() == []
    with log.open("a") as file:
        file.write("}\n")
    assert steps(reader.rest()) == [3]
    assert reader.rounds == 3


def test_a_trial_that_begins_anew_tells_only_what_was_not_told_before(tmp_path):
    log = tmp_path / "log"
    reader = LogReader(Job(log))
    write(log, [1, 2])
    assert steps(reader.fresh()) == [1, 2]
    write(log, [1], "w", time=1.25)
    assert reader.fresh() == []
    write(log, [2, 3], time=1.25)
    assert steps(reader.fresh()) == [3]
    write(log, [1, 2, 3, 4, 5], "w", time=1.125)  # longer than before when it is looked at next
    assert steps(reader.rest()) == [4, 5]
    assert reader.rounds == 5


def test_a_log_that_is_emptied_tells_nothing(tmp_path):
    log = tmp_path / "log"
    reader = LogReader(Job(log))
    write(log, [1, 2])
    reader.fresh()
    write(log, [], "w")
    assert reader.fresh() == []
    write(log, [1, 2, 3], time=1.5)
    assert steps(reader.fresh()) == [3]
