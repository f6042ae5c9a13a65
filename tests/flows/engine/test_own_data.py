"""Searches on data of one's own: from a loader with processes, and held in stacks."""

from __future__ import annotations

import json
import time
from textwrap import dedent

import psutil
import pytest

from nettuner.models.study import Study

pytestmark = pytest.mark.long

INFO = ["pid", "ppid", "cmdline", "create_time", "status"]

OWN = dedent(
    """
    import os
    from pathlib import Path

    import torch
    from torch import nn
    from torch.utils.data import DataLoader, Dataset

    from nettuner.models.learner import Supervised


    class Points(Dataset):
        # Row k of a noisy one is another point each time; it notes which process has read it.
        def __init__(self, count, folder=None):
            self.count, self.folder = count, folder

        def __len__(self):
            return self.count

        def __getitem__(self, row):
            if self.folder is None:
                return torch.tensor([row / self.count, 1.0]), int(2 * row > self.count)
            (self.folder / str(os.getpid())).touch()
            point = torch.rand(2)
            return point, int(point[0] > 0.5)


    def read(folder: Path):
        folder.mkdir(exist_ok=True)
        train = DataLoader(Points(64, folder), batch_size=16, shuffle=True, num_workers=2)
        return train, DataLoader(Points(32), batch_size=16, num_workers=2), Points(20)


    def held(rows: int):
        return {"train": Points(rows), "validation": Points(20), "fingerprint": "points"}


    class Net(Supervised):
        def build(self, *, hidden: int = 4):
            return nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 2))
    """
)


@pytest.fixture(scope="module")
def own(lab):
    folder = lab.home / "own-data"
    folder.mkdir()
    (folder / "own.py").write_text(OWN)
    return folder


def study(own, name, function, **changes):
    data = {"source": f"{own / 'own.py'}:{function}", "relative_to": str(own)}
    given = {
        "name": name,
        "learner": f"{own / 'own.py'}:Net",
        "data": {**data, **changes.pop("arguments")},
        "space": {"learning_rate": {"distribution": "log-uniform", "low": 1e-3, "high": 0.1}},
        "metric": "val_loss",
        "epochs": 2,
        "width": 1,
        "stop": {"trials": 3},
    }
    return Study.model_validate({**given, **changes})


def test_a_population_is_trained_from_a_loader_with_processes_that_are_gone_at_the_end(lab, own):
    strategy = {"name": "population", "size": 2, "interval": 1}
    given = study(
        own, "own-loader", "read", arguments={"folder": "seen"}, strategy=strategy, stop={}
    )
    began = time.time()
    result = lab.search(given)
    assert [trial.reason for trial in result.trials] == [None] * 4  # two members, two segments
    assert {"test_loss", "test_accuracy"} <= result.test.keys()
    # Four epochs are read by two processes each; two more have looked at the data before.
    readers = {int(path.name) for path in (own / "seen").iterdir()}
    assert len(readers) >= 8
    # Who is dead but not waited for yet does no harm; a number may be another process's by now.
    left = [process.info for process in psutil.process_iter(INFO) if process.pid in readers]
    left = [info for info in left if info["create_time"] > began]
    assert [info for info in left if info["status"] != psutil.STATUS_ZOMBIE] == []


def test_a_dataset_that_is_held_is_trained_in_stacks_and_its_origin_is_recorded(lab, own):
    result = lab.quick_search(study(own, "own-held", "held", arguments={"rows": 40}, stack=3))
    assert [trial.succeeded for trial in result.trials] == [True] * 3
    assert result.test == {}  # there are no test data
    (past,) = lab.past("own-held")
    assert "3-trials-0-to-2" in {run.name for run in lab.task_runs(past.run_id, 3)}
    dataset = lab.mlflow.get_run(past.run_id).inputs.dataset_inputs[0].dataset
    assert dataset.name == "own.py:held"
    origin = json.loads(dataset.profile)["origin"]
    assert origin["arguments"] == '{"rows": 40}'
    assert origin["training"] == "40 rows in memory"
