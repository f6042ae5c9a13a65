"""An agent says what it can do, keeps to a folder of its own, and ends when nobody asks for it."""

from __future__ import annotations

import os
import pickle
import tempfile
import time
from pathlib import Path

import pytest

from nettuner.models.by_name import ByName
from nettuner.models.study import Goal, Proposal, Study
from nettuner.models.training.failure import Failure
from nettuner.models.training.job import Job
from nettuner.tasks.cluster import agent as module
from nettuner.tasks.cluster.agent import PREFIX, Agent, Part
from nettuner.tasks.cluster.carrier import packed
from nettuner.tasks.cluster.release import release
from nettuner.tasks.cluster.runner import Setting
from nettuner.tasks.workers.messages import Call

RUN = ByName("nettuner.models.training.trial", "run")
FUNCTION = "def f(h, report):\n    print('hello')\n    report(1, loss=h['x'])\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where agents make their folders."""
    place = tmp_path / "their"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.fixture
def started():
    made = []

    def started(slot=0, gpus=0.0):
        made.append(Agent(Setting(1, slot, gpus, False, ())))
        return made[-1]

    yield started
    for agent in made:
        agent.stop()


def test_it_tells_its_release_and_needs_no_gpu(started):
    hello = started().hello()
    assert (hello.release, hello.accelerator, hello.fault) == (release(), None, None)


def test_on_two_gpus_there_is_room_for_two_trials_or_for_four_halves(started, two_gpus):
    whole = [started(slot, 1.0).hello() for slot in range(3)]
    assert [hello.is_spare for hello in whole] == [False, False, True]
    halves = [started(slot, 0.5).hello() for slot in range(5)]
    assert [hello.is_spare for hello in halves] == [False] * 4 + [True]
    devices = [hello.accelerator.device for hello in halves[:4]]
    assert devices == ["cuda:0", "cuda:0", "cuda:1", "cuda:1"]


def test_gpus_where_there_are_none_are_a_fault(started, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert started(gpus=1.0).hello().fault == (
        "has no GPU, got gpus: 1; drop it, or use other machines"
    )


def test_a_file_in_parts_is_mirrored_below_its_folder(started, folder):
    agent = started()
    agent.write(Part("/data/a/table.csv", 0, b"one "))
    agent.write(Part("/data/a/table.csv", 4, b"two"))
    (found,) = folder.glob("*/data/a/table.csv")
    assert found.read_bytes() == b"one two"
    assert agent.read("/data/a/table.csv", 4) == b"two"


def test_a_call_is_followed_to_its_end_and_leaves_nothing(started, folder, tmp_path):
    own, logs = tmp_path / "own.py", tmp_path / "logs"
    study = Study.model_validate(
        {
            "name": "s",
            "learner": f"{own}:f",
            "space": {"x": [0.25, 0.5]},
            "metric": "loss",
            "direction": "minimize",
        }
    )
    job = Job(study, Goal("loss", "minimize"), Proposal(0, {"x": 0.25}), logs / "trial-0.jsonl")
    roots = [str(tmp_path)]
    agent = started()
    agent.write(Part(str(own), 0, FUNCTION.encode()))
    agent.prepare(packed(study, roots)[0])
    agent.begin(packed(Call(RUN, (job,), job.output), roots)[0], None, True)
    told, answer = {}, None
    deadline = time.monotonic() + 60
    while answer is None and time.monotonic() < deadline:
        look = agent.look()
        answer = look.answer
        for part in look.parts:
            assert part.offset == len(told.get(part.path, b""))
            told[part.path] = told.get(part.path, b"") + part.content
        time.sleep(0.05)
    outcome = pickle.loads(answer)
    assert not isinstance(outcome, Failure), outcome
    assert outcome.score == 0.25
    assert told[str(job.output)] == b"hello\n"
    assert b'"loss": 0.25' in told[str(job.log)]
    assert agent.left() == []
    agent.forget()
    assert not list(folder.glob("*/**/trial-0*"))


def test_a_log_that_is_begun_anew_during_a_call_is_told_from_its_beginning(started, tmp_path):
    code = (
        "import time\n"
        "path.write_text('first ' * 20)\n"
        "time.sleep(2)\n"
        "path.write_text('second ' * 40)\n"
    )
    log, roots = tmp_path / "logs" / "trial-0.jsonl", [str(tmp_path)]
    study = Study.model_validate(
        {"name": "s", "learner": "mlp", "data": "iris", "space": {"x": [1]}, "metric": "val_loss"}
    )
    agent = started()
    agent.prepare(packed(study, roots)[0])
    call = Call(exec, (code, {"path": log}), log.with_suffix(".txt"))
    agent.begin(packed(call, roots)[0], None, True)
    told, answer = [], None
    deadline = time.monotonic() + 60
    while answer is None and time.monotonic() < deadline:
        look = agent.look()
        answer = look.answer
        told += [(part.offset, part.content) for part in look.parts]
        time.sleep(0.05)
    assert told == [(0, b"first " * 20), (0, b"second " * 40)]


def test_it_ends_when_nobody_has_asked_for_long(started, folder, monkeypatch):
    monkeypatch.setattr(module, "LEASE_SECONDS", 0.6)
    agent = started()
    agent.write(Part("/a", 0, b""))
    (own,) = folder.iterdir()
    deadline = time.monotonic() + 10
    while own.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not own.exists()


def test_the_folder_of_one_that_was_killed_is_deleted_by_the_next(started, folder):
    gone, other = folder / f"{PREFIX}{2**22 + 1}-x", folder / f"{PREFIX}{os.getpid()}-y"
    for path in (gone, other, folder / "mine"):
        path.mkdir()
    started()
    assert not gone.exists()
    assert other.exists()
    assert Path(folder / "mine").exists()
