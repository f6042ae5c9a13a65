"""A search that is killed or interrupted goes on, and ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from typer.testing import CliRunner

from nettuner.models.study_file import load
from nettuner.tasks.strategies.random_search import RandomSearch

pytestmark = pytest.mark.long

TRIALS = 9
STUDY = """
name: tardy
learner: functions.py:tardy
metric: loss
direction: minimize
seed: 5
width: 2
space:
  x: {distribution: uniform, low: 0, high: 1}
  log: {distribution: choice, values: [calls.txt]}
stop: {trials: 9}
"""
POPULATION = """
name: killed
learner: learners.py:Fragile
data: digits
metric: val_accuracy
epochs: 3
seed: 8
width: 2
space:
  learning_rate: {distribution: log-uniform, low: 0.01, high: 2}
  bias: {distribution: choice, values: [true, false]}
  optimizer: {distribution: choice, values: [sgd, adam]}
strategy: {name: population, size: 4}
"""


def outcomes(trials):
    return {t.number: (t.proposal, t.score, t.reason, t.rounds) for t in trials}


def slow(seconds):
    """Environment in which a trial (an epoch of a network) takes so long that it can be stopped."""
    return {**os.environ, "PATIENCE": str(seconds)}


def wait_until(condition, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.4)  # to ask the store takes time that the search needs


def finished(lab, name):
    """The trials of the latest search that MLflow has so far; none before it began."""
    try:
        return lab.past(name)[-1].trials
    except (ValueError, IndexError):
        return []


def children(pid):
    """Processes below a process."""
    found, below = set(), {}
    for folder in os.listdir("/proc"):
        if folder.isdigit():
            try:
                with open(f"/proc/{folder}/stat") as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            below.setdefault(parent, []).append(int(folder))
    unseen = [pid]
    while unseen:
        for child in below.get(unseen.pop(), []):
            found.add(child)
            unseen.append(child)
    return found


def begun(lab):
    """How often the function of a trial was called, by its hyperparameter."""
    path = lab.home / "calls.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return Counter(line.removeprefix("begin ") for line in lines if line.startswith("begin"))


def done(lab):
    """How many trials have come to their end: the records of them follow."""
    path = lab.home / "calls.txt"
    return path.read_text().count("end ") if path.exists() else 0


def alive(pids):
    """Those that are neither gone nor waiting to be buried."""
    found = set()
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as file:
                state = file.read().rpartition(")")[2].split()[0]
        except OSError:
            continue
        found |= {pid} if state != "Z" else set()
    return found


@dataclass
class Story:
    """What was seen of one search that was interrupted, killed, and brought to its end."""

    path: Any
    status: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    begun: list[Counter[str]] = field(default_factory=list)
    past: list[Any] = field(default_factory=list)
    runs: list[Any] = field(default_factory=list)
    refused: str = ""
    answer: str = ""

    def stop(self, lab, process, name, enough, sign):
        """Stop a search once it has done enough, and look at what it leaves behind."""
        wait_until(lambda: enough() or process.poll() is not None)
        assert process.poll() is None, process.stderr.read()
        workers = children(process.pid)
        process.send_signal(sign)
        _, said = process.communicate(timeout=60)
        self.status.append(process.returncode)
        self.said.append(said)
        wait_until(lambda: not alive(workers), seconds=20)
        self.past.append(lab.past(name)[-1])
        self.begun.append(begun(lab))
        self.runs.append([run.info.status for run in lab.runs(self.past[-1]).values()])

    def end(self, lab, process, name):
        """Wait for a search to come to its end by itself."""
        self.answer, said = process.communicate(timeout=120)
        self.status.append(process.returncode)
        self.said.append(said)
        self.past.append(lab.past(name)[-1])
        self.begun.append(begun(lab))


@pytest.fixture(scope="module")
def killed(lab):
    """A population that is killed in its second generation, and its resume: on the way."""
    told = Story(lab.home / "killed.yaml")
    told.path.write_text(POPULATION)

    def tell():
        first = lab.command("search", told.path, env=slow(6))
        told.stop(lab, first, "killed", lambda: len(finished(lab, "killed")) >= 6, signal.SIGKILL)
        told.end(lab, lab.command("search", told.path, "--resume"), "killed")

    telling = threading.Thread(target=tell)
    telling.start()
    yield telling, told
    telling.join()


@pytest.fixture(scope="module")
def story(lab, killed):
    """Ctrl-C after two trials, a resume that is killed after two more, and a second resume.

    Meanwhile the other search runs, as waiting for both takes half as long as for one by one.
    """
    told = Story(lab.home / "tardy.yaml")
    told.path.write_text(STUDY)
    first = lab.command("search", told.path, env=slow(3))
    told.stop(lab, first, "tardy", lambda: done(lab) >= 3, signal.SIGINT)
    other = load(told.path).model_copy(update={"seed": 6})
    with pytest.raises(ValueError, match="was changed") as refusal:
        lab.search(other, resume=True)
    told.refused = str(refusal.value)
    again = lab.command("search", told.path, "--resume", env=slow(3))
    enough = done(lab) + 3
    told.stop(lab, again, "tardy", lambda: done(lab) >= enough, signal.SIGKILL)
    told.end(lab, lab.command("search", told.path, "--resume"), "tardy")
    return told


def test_ctrl_c_ends_a_search_with_status_130_and_says_how_to_go_on(story):
    assert story.status[0] == 130
    started, interrupted = story.said[0].splitlines()
    assert started == f"{story.path}: starting Prefect and MLflow …"
    assert interrupted == (
        "interrupted; what was finished is kept. Go on with: "
        f"nettuner search {story.path} --strategy random_search --resume"
    )


def test_ctrl_c_closes_all_runs(story):
    assert story.past[0].status == "KILLED"
    assert set(story.runs[0]) == {"FINISHED", "KILLED"}
    assert 2 <= len(story.past[0].trials) < TRIALS


def test_a_search_that_is_killed_can_be_told_by_its_open_runs(story):
    assert story.status[1] == -signal.SIGKILL
    assert story.past[1].status == "RUNNING"
    assert story.past[1].unfinished


def test_what_was_half_done_is_closed_with_a_reason_on_resume(story, lab):
    assert len(lab.past("tardy")) == 1
    assert story.status[2] == 0
    assert story.past[2].status == "FINISHED"
    assert not story.past[2].unfinished
    for run_id in story.past[1].unfinished:
        run = lab.mlflow.get_run(run_id)
        assert run.info.status == "KILLED"
        assert run.data.tags["nettuner.reason"] == "interrupted; the trial was asked for again"


def test_a_search_that_was_interrupted_in_between_has_no_reason_in_the_end(story, lab):
    assert "nettuner.reason" not in lab.mlflow.get_run(story.past[2].run_id).data.tags


def test_finished_trials_are_not_repeated(story, lab):
    in_the_end = story.begun[2]
    for past, before in zip(story.past[:2], story.begun[:2], strict=True):
        for trial in past.trials:
            x = repr(trial.proposal.params["x"])
            assert in_the_end[x] == before[x]
    # Nothing but what was half-done, at most two at each interruption, began more than once.
    assert sum(in_the_end.values()) <= TRIALS + 4


def test_the_trials_are_those_of_a_search_that_was_never_interrupted(story):
    proposed = RandomSearch(seed=5).propose(load(story.path).space, [], [], TRIALS)
    expected = {p.number: (p, p.params["x"] ** 2, None, 1) for p in proposed}
    assert outcomes(story.past[2].trials) == expected


def test_seconds_of_searching_are_counted_on(story):
    last = [max(trial.ended for trial in past.trials) for past in story.past]
    assert last[0] < last[1] < last[2]
    before = {trial.number for trial in story.past[0].trials}
    later = [trial.ended for trial in story.past[2].trials if trial.number not in before]
    assert min(later) > last[0]


def test_a_search_says_what_it_found(story):
    past = story.past[2]
    winner = min(past.trials, key=lambda trial: trial.score)
    assert f"{past.name}: {TRIALS} trials, 0 failed" in story.answer
    assert f"best: trial {winner.number}" in story.answer
    assert f"{winner.score:.6g}" in story.answer
    assert f"ended because {TRIALS} trials are done (stop.trials)" in story.answer
    assert f"/runs/{past.run_id}" in story.answer


def test_a_study_that_was_changed_is_not_resumed(story):
    assert "\n" not in story.refused
    assert story.refused.startswith("the study 'tardy' was changed since 'random 1' was ")


def test_prefect_does_not_take_a_killed_search_for_a_running_one(story, lab):
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        states = [
            run.state.name
            for run in client.read_flow_runs(limit=200)
            if run.name == "tardy: random 1"
        ]
    assert "Running" not in states
    assert states.count("Completed") == 1


def refusal(lab, *words):
    outcome = CliRunner().invoke(_app(), [*map(str, words)])
    assert outcome.exit_code == 2
    return [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]


def _app():
    from nettuner.flows.cli import app

    return app


def test_nothing_to_resume_is_one_line(story, lab):
    (line,) = refusal(lab, "search", story.path, "--resume")
    assert line == (
        "error: no random_search search of 'tardy' was interrupted or failed; start one "
        "without --resume"
    )


def test_a_study_that_was_never_searched_is_not_resumed(lab):
    path = lab.home / "new.yaml"
    path.write_text(STUDY.replace("tardy\nlearner", "new\nlearner"))
    (line,) = refusal(lab, "search", path, "--resume")
    assert line.startswith("error: no study named 'new' was searched so far in sqlite:///")


@pytest.fixture
def population(story, killed):
    """The population once its story is told."""
    telling, told = killed
    telling.join()
    assert len(told.past) == 2  # else the thread failed
    return told


def test_a_killed_population_goes_on_and_ends_as_if_never_interrupted(
    population, population_search
):
    before, after = (outcomes(past.trials) for past in population.past)
    expected = outcomes(population_search.result.trials)
    assert 6 <= len(before) < 12
    assert after == expected
    assert {number: expected[number] for number in before} == before
    assert population.past[1].status == "FINISHED"
    assert population.past[1].test == population_search.result.test


def test_the_run_of_a_member_goes_on_where_it_stopped(population, lab):
    past = population.past[1]
    for name, run in lab.runs(past).items():
        last = past.trials[-1].proposal.until
        segments = [t for t in past.trials if name == f"member {t.proposal.member}"]
        (end,) = [trial for trial in segments if trial.proposal.until == last]
        assert run.info.status == ("FINISHED" if end.succeeded else "FAILED")
        history = lab.mlflow.get_metric_history(run.info.run_id, "hyperparameter/learning_rate")
        rates = {t.proposal.until - 1: t.proposal.params["learning_rate"] for t in segments}
        assert {point.step: point.value for point in history} == rates


def test_nothing_of_prefects_or_mlflows_chatter_reaches_people(population, story):
    for told in (population, story):
        assert told.said[-1] == f"{told.path}: starting Prefect and MLflow …\n"
        assert told.status[-1] == 0
