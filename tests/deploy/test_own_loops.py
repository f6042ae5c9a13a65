"""The examples of own loops, Lightning and Transformers: trained for a while, paused, continued."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch

from nettuner.models.study import Proposal
from nettuner.models.study_file import load
from nettuner.models.training.job import Job
from nettuner.models.training.trial import run
from nettuner.tasks.plan import make_plan

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/own_loop.md"


@pytest.fixture(autouse=True)
def own_generators(monkeypatch):
    """A trial owns its process; here it shares one."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    with torch.random.fork_rng(devices=[]):
        yield


@pytest.fixture
def page(tmp_path):
    """The loop and the study that the page shows, as files."""
    text = PAGE.read_text(encoding="utf-8")
    for name, language in (("own_loop.py", "python"), ("own_loop.yaml", "yaml")):
        first, *_ = re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)
        (tmp_path / name).write_text(first)
    return tmp_path / "own_loop.yaml"


def metric_of_segments(path, folder):
    """The study's metric after each of two segments of one epoch, in the middle of the space."""
    study = load(path).model_copy(update={"epochs": 2})
    goal = make_plan(study, path.name).goal
    params = study.space.from_units(dict.fromkeys(study.space.names(), 0.5))
    found, start = [], None
    for until in (1, 2):
        end = folder / f"{until}.safetensors"
        proposal = Proposal(0, params, None, 0, until)
        outcome = run(Job(study, goal, proposal, folder / "log.jsonl", start, end))
        assert outcome.rounds == 1
        found.append(goal.value(outcome.score))
        start = end
    return found


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("vae", 10, 64 * 0.6932),  # [nats]: better than a coin for each of 64 pixels
        ("lit", 0, 2.3026),  # [nats]: better than chance among ten digits
        ("trainer", 0, 0.8),  # [nats]: about chance, 0.69, in so short a time
    ],
)
def test_an_example_trains_and_goes_on(tmp_path, name, low, high):
    first, second = metric_of_segments(ROOT / f"deploy/studies/{name}.yaml", tmp_path)
    assert low < second < high
    assert second < first or name == "trainer"


def test_the_loop_on_the_page_trains_and_goes_on(page, tmp_path):
    _, second = metric_of_segments(page, tmp_path)
    assert second > 0.5  # of ten digits
