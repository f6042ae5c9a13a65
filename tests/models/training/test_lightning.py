"""LightningModules, trained for real: what is searched, where data come from, and what goes on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from nettuner.models.check import fit_together
from nettuner.models.fitted import MisfitError
from nettuner.models.reference import referred
from nettuner.models.study import Goal, Proposal, Study
from nettuner.models.training.job import Job
from nettuner.models.training.trial import run

LIT = """
import torch
from PACKAGE import LightningDataModule, LightningModule
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Lit(LightningModule):
    def __init__(self, rate: float, hidden: int = 3, act: str | None = None):
        super().__init__()
        self.rate = rate
        layers = nn.Linear(2, hidden), nn.BatchNorm1d(hidden), nn.Dropout(0.2)
        self.net = nn.Sequential(*layers, nn.Linear(hidden, 1))

    def training_step(self, batch, _):
        loss = self.net(batch[0]).square().mean() + torch.rand(()) / 10
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, _):
        self.log("val_loss", self.net(batch[0]).square().mean())
        self.log("rate", self.optimizers().param_groups[0]["lr"])
        self.log("epoch_", float(self.current_epoch))
        self.log("step_", float(self.global_step))

    def configure_optimizers(self):
        optimiser = torch.optim.AdamW(self.parameters(), self.rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, self.rate, total_steps=self.trainer.estimated_stepping_batches
        )
        slower = torch.optim.lr_scheduler.StepLR(optimiser, 2)
        return [optimiser], [{"scheduler": schedule, "interval": "step"}, slower]
"""
DATA = """

class Data(LightningDataModule):
    def __init__(self, batch_size: int = 4):
        super().__init__()
        self.batch_size = batch_size
        rows = torch.randn(18, 2, generator=torch.Generator().manual_seed(1))
        self.rows = TensorDataset(rows)

    def train_dataloader(self):
        return DataLoader(self.rows, self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.rows, 9)
"""
STUDY = {
    "name": "lit",
    "space": {
        "rate": {"distribution": "log-uniform", "low": 0.001, "high": 1},
        "hidden": {"distribution": "integer", "low": 2, "high": 9},
        "batch_size": [2, 4, 6],
    },
    "metric": "val_loss",
    "direction": "minimize",
    "epochs": 4,
}


@pytest.fixture(autouse=True)
def own_generators(monkeypatch):
    """A trial owns its process; here it shares one."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    with torch.random.fork_rng(devices=[]):
        yield


@pytest.fixture
def study(tmp_path):
    """A study of this source; of the module and its data in one file where none is given."""

    def study(source=LIT + DATA, package="lightning", **changes):
        file = tmp_path / "own.py"
        if not file.exists():
            file.write_text(source.replace("PACKAGE", package))
        return Study.model_validate({**STUDY, "learner": f"{file}:Lit"} | changes)

    return study


def call(study, folder, name="a", until=None, start=None, **params):
    start = folder / f"{start}.safetensors" if start else None
    proposal = Proposal(0, {"rate": 0.1, "hidden": 3, **params}, None, 0, until)
    files = folder / f"{name}.jsonl", start, folder / f"{name}.safetensors"
    return run(Job(study, Goal("val_loss", "minimize"), proposal, *files))


def curve(folder, *names, of="rate"):
    lines = [line for name in names for line in (folder / f"{name}.jsonl").open()]
    return [json.loads(line)["metrics"][of] for line in lines]


@pytest.mark.parametrize("package", ["lightning", "pytorch_lightning"])
def test_a_continued_module_equals_one_never_interrupted_to_the_bit(study, tmp_path, package):
    given = study(package=package)
    whole = call(given, tmp_path, "whole")
    for name, until, start in [("a", 1, None), ("b", 3, "a"), ("c", 4, "b")]:
        found = call(given, tmp_path, name, until, start)
    for of in ("val_loss", "train_loss", "rate", "epoch_", "step_"):
        assert curve(tmp_path, *"abc", of=of) == curve(tmp_path, "whole", of=of)
    assert found.metrics == whole.metrics
    files = [tmp_path / f"{name}.safetensors" for name in ("whole", "c")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert curve(tmp_path, "whole", of="step_") == [5.0, 10.0, 15.0, 20.0]  # 18 rows by 4


def test_a_changed_learning_rate_is_in_force_in_the_next_segment(study, tmp_path):
    call(study(), tmp_path, "whole", rate=0.3)
    call(study(), tmp_path, "a", 2)
    call(study(), tmp_path, "b", 4, "a", rate=0.3)
    assert curve(tmp_path, "b") == pytest.approx(curve(tmp_path, "whole")[2:], rel=1e-6)


def test_arguments_of_the_module_its_data_and_the_trainer_are_hyperparameters(study, tmp_path):
    space = {**STUDY["space"], "gradient_clip_val": 0.5}
    given = study(space=space)
    fitted = fit_together(given)
    assert (fitted.kind, fitted.structural) == (
        "loop",
        {"hidden", "batch_size", "gradient_clip_val"},
    )
    call(given, tmp_path, batch_size=6, gradient_clip_val=0.5)
    assert curve(tmp_path, "a", of="step_") == [3.0, 6.0, 9.0, 12.0]  # 18 rows by 6


def test_data_of_the_study_are_loaded_in_batches(study, tmp_path):
    source = LIT.replace("nn.Linear(2, hidden)", "nn.Linear(4, hidden)")
    given = study(source, data="iris")
    assert fit_together(given).data_name == "iris"
    call(given, tmp_path, batch_size=45)
    assert curve(tmp_path, "a", of="step_")[0] == 2.0  # 90 rows


def test_nothing_is_left_and_nothing_is_said(study, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call(study(), tmp_path)
    assert capfd.readouterr() == ("", "")
    kept = {"own.py", "a.jsonl", "a.safetensors"}
    assert {p.name for p in tmp_path.iterdir()} - {"__pycache__"} == kept


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"epochs": None, "steps": 5}, "steps: a LightningModule trains by epochs, got 5 steps; "
         "give epochs"),
        ({"data": "iris"}, "data: Lit brings its own, got builtin too; drop data, or its "
         "train_dataloader and its LightningDataModule"),
        ({"space": {"hidden": 3}}, "space: .*own.py:Lit must be given 'rate', got none; add it"),
        ({"space": {**STUDY["space"], "hiden": 3}}, "space.hiden: .*did you mean 'hidden'"),
        ({"space": {**STUDY["space"], "hidden": 0.5}}, "space.hidden: must be a whole number"),
        ({"source": LIT}, "data: Lit needs some, got none; define train_dataloader in it, a "
         "LightningDataModule in its file, or name data"),
        ({"source": LIT + DATA + DATA.replace("Data(", "More(")},
         "the file of Lit must have one LightningDataModule, got Data, More; move the others"),
        ({"direction": None}, "direction: a function's metric needs one"),
    ],
)  # fmt: skip
def test_a_study_that_does_not_fit_says_so_before_anything_is_trained(study, changes, fault):
    with pytest.raises(MisfitError, match=fault):
        fit_together(study(**changes))


def test_a_metric_that_is_never_logged_is_one_line(study, tmp_path):
    source = (LIT + DATA).replace('self.log("val_loss"', 'self.log("val_los"')
    with pytest.raises(ValueError, match="a report must have the study's metric 'val_loss', got"):
        call(study(source), tmp_path)


@pytest.mark.parametrize("name", ["lightning", "pytorch_lightning", "transformers", "accelerate"])
def test_a_missing_extra_is_told_with_what_to_install(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    Path(tmp_path, "own.py").write_text(f"import {name}\n")
    extra = {"pytorch_lightning": "lightning", "accelerate": "transformers"}.get(name, name)
    with pytest.raises(ValueError, match=rf"; pip install 'nettuner\[{extra}\]'$"):
        referred(f"{tmp_path / 'own.py'}:Lit")
