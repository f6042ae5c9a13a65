"""Processes that a trial starts to read its data: the worker stays usable, none is left behind."""

from __future__ import annotations

import os
import time
from textwrap import dedent

import psutil
import pytest

from nettuner.models.study import Goal, Proposal, Study
from nettuner.models.training.job import Job
from nettuner.models.training.trial import run
from nettuner.tasks.workers.pool import TrialFailedError, open_pool

pytestmark = pytest.mark.slow

OWN = dedent(
    """
    import multiprocessing, os, time
    from pathlib import Path

    import torch
    from torch import nn
    from torch.utils.data import DataLoader, Dataset, get_worker_info

    from nettuner.models.learner import Supervised


    class Points(Dataset):
        def __init__(self, slow):
            self.slow = slow

        def __len__(self):
            return 24

        def __getitem__(self, row):
            if get_worker_info() is not None:
                Path(__file__).with_name(f"{os.getpid()}.reader").touch()
                time.sleep(60 * self.slow)
            return torch.rand(2), row % 2


    def make(slow: bool):
        return DataLoader(Points(slow), batch_size=6, num_workers=2), Points(False)


    class Net(Supervised):
        def build(self):
            return nn.Linear(2, 2)


    def square(x):
        return x * x


    def parallel(hyperparameters, report):
        with multiprocessing.Pool(2) as pool:
            return sum(pool.map(square, [1, 2, 3]))
    """
)


@pytest.fixture(scope="module")
def pool():
    with open_pool(1, threads=1) as one_worker:
        yield one_worker


@pytest.fixture
def job(tmp_path):
    (tmp_path / "own.py").write_text(OWN)

    def of(number, learner="Net", slow=False, **changes):
        given = {
            "name": "own",
            "learner": f"{tmp_path / 'own.py'}:{learner}",
            "data": {"source": f"{tmp_path / 'own.py'}:make", "slow": slow},
            "space": {"learning_rate": 0.1},
            "metric": "val_loss",
            "epochs": 2,
        }
        study = Study.model_validate({**given, **changes})
        goal, asked = Goal("val_loss", "minimize"), Proposal(number, {"learning_rate": 0.1})
        return Job(study, goal, asked, tmp_path / f"{number}.jsonl")

    return of


def readers(folder):
    return [int(path.stem) for path in folder.glob("*.reader")]


def test_a_worker_that_has_read_by_processes_is_used_again(pool, job, tmp_path):
    pool.run(os.getpid)
    before = pool.run(os.getpid)
    outcomes = [pool.run(run, job(number)) for number in range(2)]
    assert [outcome.rounds for outcome in outcomes] == [2, 2]
    assert pool.run(os.getpid) == before
    assert len(readers(tmp_path)) == 8  # two of each epoch


def test_processes_that_read_end_with_a_trial_that_takes_too_long(pool, job, tmp_path):
    began = time.time()
    with pytest.raises(TrialFailedError, match="a trial may take 3 s"):
        pool.run(run, job(0, slow=True), seconds=3)
    found = readers(tmp_path)
    assert len(found) == 2
    deadline = time.monotonic() + 5
    while any(map(lives, found)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(lives, found))
    assert time.time() - began < 30


def lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_trial_may_have_a_pool_of_processes(pool, job):
    changes = {"data": None, "epochs": None, "direction": "minimize"}
    assert pool.run(run, job(0, "parallel", **changes)).score == 14  # 1 + 4 + 9
