"""What docs/training.md shows fits together, trains, and reports what the page says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from nettuner.models.check import fit_together
from nettuner.models.learner import CLASS_WEIGHT, OPTIMISER, PRECISION
from nettuner.models.study import Proposal
from nettuner.models.study_file import load
from nettuner.models.training.job import Job
from nettuner.models.training.metrics import KNOWN
from nettuner.models.training.trial import run

PAGE = (Path(__file__).parent.parent / "docs" / "training.md").read_text(encoding="utf-8")


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    for _, text in re.findall(r"```(yaml|python)\n(.*?)```", PAGE, flags=re.S):
        (tmp_path / text.partition("\n")[0].removeprefix("# ")).write_text(text)
    return load(tmp_path / "training.yaml")


@pytest.mark.usefixtures("one_thread")
def test_the_study_of_the_page_trains_and_reports_its_metrics(study, tmp_path):
    goal = fit_together(study).goal
    assert (goal.metric, goal.direction) == ("val_macro_f1", "maximize")
    params = study.space.from_units(dict.fromkeys(study.space.names(), 0.99))
    assert (params["schedule"], params["ema"], params["clip_norm"]) == ("one-cycle", 0.98, 1.0)
    end = tmp_path / "state.safetensors"
    outcome = run(Job(study, goal, Proposal(0, params), tmp_path / "log.jsonl", end=end))
    assert end.is_file()
    assert outcome.score == -outcome.metrics["val_macro_f1"] < -0.5
    assert 0 <= outcome.metrics["val_worst_class"] <= outcome.metrics["val_balanced_accuracy"]
    assert 1 <= outcome.metrics["best_round"] <= outcome.rounds <= 6


def test_the_page_names_every_hyperparameter_of_training_with_its_default():
    rows = dict(re.findall(r"^\| `(\w+)`(?:, `\w+`)* \| (.*) \|$", PAGE, flags=re.M))
    for name, h in {"precision": PRECISION, "class_weight": CLASS_WEIGHT, **OPTIMISER}.items():
        if name in ("schedule", "precision", "class_weight"):
            assert f"`{h.default}` (default)" in rows[name]
            assert all(f"`{choice}`" in rows[name] for choice in h.choices)
    for name in ("peak_at", "step_every"):
        assert f"({OPTIMISER[name].default})" in rows[name]


def test_the_page_names_every_metric():
    for metrics in KNOWN.values():
        assert all(f"`{name}`" in PAGE for name in metrics)
