"""The examples of data of one's own: each trains for a moment, and its winner is exported."""

from __future__ import annotations

from pathlib import Path

import pytest

from nettuner.models import check
from nettuner.models.data.dataset import Split
from nettuner.models.data.load import load as load_data
from nettuner.models.study import Proposal
from nettuner.models.study_file import load
from nettuner.models.training.examine import examine
from nettuner.models.training.job import Job
from nettuner.models.training.trial import run

STUDIES = Path(__file__).parents[2] / "deploy/studies"
# What each is there to show: in memory or read, and the shapes of its inputs.
NAMES = {"augmented": False, "forecast": True, "embeddings": True}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(("name", "held"), NAMES.items(), ids=list(NAMES))
def test_an_example_of_own_data_trains_and_its_winner_is_exported(tmp_path, name, held):
    study = load(STUDIES / f"{name}.yaml").model_copy(update={"epochs": 1})
    fitted = check.fit_together(study)
    assert isinstance(load_data(study.data).train, Split) == held
    assert fitted.held == held
    params = study.space.from_units(dict.fromkeys(study.space.names(), 0.0))
    state = tmp_path / "trial-0.safetensors"
    outcome = run(Job(study, fitted.goal, Proposal(0, params), tmp_path / "log.jsonl", None, state))
    assert outcome.rounds == 1
    winner = examine(study, params, state, tmp_path)
    assert winner.why_not is None
    assert winner.preprocessing is None
    assert study.metric.replace("val_", "test_") in winner.metrics
