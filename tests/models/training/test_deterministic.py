"""The same bits again where a study asks for them, and a reason where torch has none."""

from __future__ import annotations

import pytest
import torch

from nettuner.models.space import Space
from nettuner.models.study import Goal, Proposal, Study
from nettuner.models.training.deterministic import IndeterminateError, deterministic
from nettuner.models.training.job import Job
from nettuner.models.training.process_state import process_state
from nettuner.models.training.trial import run

pytestmark = pytest.mark.usefixtures("one_thread")

FUNCTIONS = """
import torch

def settings():
    cudnn = torch.backends.cudnn
    asked = torch.are_deterministic_algorithms_enabled()
    return {"asked": asked, "cudnn": cudnn.deterministic, "benchmark": cudnn.benchmark}

def told(h, report):
    return {"cost": 0.0, **{name: float(value) for name, value in settings().items()}}

def loop(h, context):
    for _ in context.rounds():
        context.report({"cost": 0.0, **{name: float(of) for name, of in settings().items()}})

def puts(h, report):
    return torch.zeros(3).put_(torch.tensor([1]), torch.tensor([2.0])).sum().item()
"""


@pytest.fixture
def trial(tmp_path):
    """Runs one of these functions as a trial of a study."""

    def trial(name, **settings):
        source = tmp_path / "own.py"
        source.write_text(FUNCTIONS)
        space = Space.model_validate({"x": [1, 2]})
        more = {"space": space, "metric": "cost", "direction": "minimize", **settings}
        study = Study(name="own", learner=f"{source}:{name}", **more)
        goal = Goal("cost", "minimize")
        return run(Job(study, goal, Proposal(0, {"x": 1}), tmp_path / "log.jsonl"))

    return trial


@pytest.mark.parametrize(("name", "more"), [("told", {}), ("loop", {"epochs": 1})])
@pytest.mark.parametrize("wanted", [True, False])
def test_code_of_ones_own_computes_deterministically_where_that_is_asked_for(
    trial, name, more, wanted
):
    metrics = trial(name, deterministic=wanted, **more).metrics
    assert (metrics["asked"], metrics["cudnn"], metrics["benchmark"]) == (wanted, wanted, 0.0)


def test_it_is_nothing_that_a_trial_has_changed_in_its_process(trial):
    before = process_state()
    trial("told", deterministic=True)
    assert process_state() == before


def test_what_was_set_before_is_set_afterwards():
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with deterministic(True):
            assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_an_operation_without_such_a_version_is_a_failed_trial_with_a_reason(trial):
    assert trial("puts").metrics == {"cost": 2.0}
    with pytest.raises(IndeterminateError) as caught:
        trial("puts", deterministic=True)
    assert str(caught.value) == (
        "with deterministic: true every operation must have a deterministic version, got put_, "
        "which has none on this device; replace it, or drop deterministic"
    )


def test_other_errors_stay_as_they_are():
    with pytest.raises(RuntimeError, match=r"^of its own$"), deterministic(True):
        raise RuntimeError("of its own")
