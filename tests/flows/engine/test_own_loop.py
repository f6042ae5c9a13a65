"""Own loops in whole searches: a population that is killed and resumed, and what is kept of it."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from textwrap import dedent

import pytest
import torch
from torch import nn

from nettuner import load_state
from nettuner.flows.replay import replay
from nettuner.flows.retune import _check_model
from nettuner.models.study import Study
from nettuner.models.study_file import load
from nettuner.tasks.named_study import SHIPPED

pytestmark = pytest.mark.long

LOOP = dedent(
    """
    import os, time
    import torch
    from torch import nn


    def train(h, context):
        net = nn.Linear(2, 1)
        optimiser = torch.optim.SGD(net.parameters(), h["lr"], momentum=h["momentum"])
        context.keep(net=net, optimiser=optimiser)
        for epoch in context.rounds():
            if epoch == 2 and "HELD" in os.environ:
                time.sleep(600)
            x = torch.randn(32, 2)
            loss = (net(x)[:, 0] - x[:, 0]).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if h["lr"] > 1 and epoch == 2:
                raise ArithmeticError("too fast")
            context.report(cost=loss, rate=optimiser.param_groups[0]["lr"], epoch=epoch,
                           test_cost=2 * loss)
    """
)
STUDY = """
name: {name}
learner: own_loop.py:train
metric: cost
direction: minimize
epochs: 3
seed: 4
width: 2
space:
  lr: {{distribution: log-uniform, low: 0.01, high: 2}}
  momentum: {{distribution: uniform, low: 0, high: 0.9}}
strategy: {{name: population, size: 4}}
"""


def page(language):
    """The blocks of code on the page about own loops."""
    text = (Path(__file__).parents[3] / "docs/own_loop.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.fixture(scope="module")
def study(lab):
    (lab.home / "own_loop.py").write_text(LOOP)

    def study(name):
        path = lab.home / f"{name}.yaml"
        path.write_text(STUDY.format(name=name))
        return path

    return study


def ended(lab, count):
    """Whether so many trials of the search that is to be killed have ended."""
    try:
        return len(lab.past("own-killed")[-1].trials) >= count
    except (ValueError, IndexError):  # it has not begun
        return False


@pytest.fixture(scope="module")
def killed(lab, study):
    """A population of an own loop that is killed in its second generation, and goes on."""
    path = study("own-killed")
    first = lab.command("search", path, env={**os.environ, "HELD": "in the second round"})
    deadline = time.monotonic() + 200
    while first.poll() is None and time.monotonic() < deadline and not ended(lab, 4):
        time.sleep(0.4)
    assert first.poll() is None, first.stderr.read()
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    before = lab.past("own-killed")[-1]
    second = lab.command("search", path, "--resume")
    _, said = second.communicate(timeout=120)
    assert second.returncode == 0, said
    return before, lab.past("own-killed")[-1]


@pytest.fixture(scope="module")
def whole(lab, study):
    """The same, never interrupted."""
    return lab.search(load(study("own-whole")))


def outcomes(trials):
    return {t.number: (t.proposal, t.score, t.reason, t.rounds) for t in trials}


def test_a_population_of_an_own_loop_goes_on_from_its_parents(whole):
    trials = {trial.number: trial for trial in whole.trials}
    assert len(trials) == 4 * 3
    copies = [t for t in trials.values() if t.proposal.parent not in (None, t.number - 4)]
    changed = [t for t in copies if trials[t.proposal.parent].proposal.params != t.proposal.params]
    assert changed
    for trial in trials.values():
        if trial.succeeded:
            assert trial.metrics["epoch"] == trial.proposal.until
            assert trial.metrics["rate"] == trial.proposal.params["lr"]


def test_a_member_that_fails_goes_on_from_a_better_one(whole):
    trials = {trial.number: trial for trial in whole.trials}
    failed = [trial for trial in whole.trials if not trial.succeeded]
    assert {trial.reason for trial in failed} == {"ArithmeticError: too fast"}
    for trial in failed:
        assert trial.proposal.until == 2  # the third segment follows
        parent = trials[trial.number + 4].proposal.parent
        assert parent != trial.number
        assert trials[parent].succeeded


def test_a_killed_population_of_an_own_loop_ends_as_if_never_interrupted(killed, whole):
    before, after = killed
    assert len(before.trials) == 4  # the first generation
    assert after.status == "FINISHED"
    assert outcomes(after.trials) == outcomes(whole.trials)


def test_the_winners_state_is_kept_and_is_loaded_as_the_page_says(lab, whole):
    (code,) = [block for block in page("python") if "load_state" in block]
    names = {"run_id": whole.run_id, "net": nn.Linear(2, 1)}
    exec(code, names)
    found = load_state(names["path"])
    assert torch.equal(names["net"].weight, found["net"]["weight"])
    assert found["optimiser"]["param_groups"][0]["lr"] == whole.best.proposal.params["lr"]


def test_test_metrics_are_those_that_the_loop_has_reported(whole):
    assert whole.test == {"test_cost": 2 * whole.best.score}


@pytest.mark.parametrize("name", ["lit", "trainer"])
def test_lightning_and_transformers_are_searched_as_populations(lab, name):
    changes = {"epochs": 2, "width": 2, "strategy": {"name": "population", "size": 2}}
    given = load(SHIPPED / f"{name}.yaml").model_dump() | changes | {"stop": {}}
    found = lab.search(Study.model_validate(given))
    assert sorted(trial.proposal.until for trial in found.trials) == [1, 1, 2, 2]
    assert all(trial.succeeded for trial in found.trials), [t.reason for t in found.trials]
    assert {t.proposal.parent for t in found.trials if t.proposal.until == 2} <= {0, 1}
    printed = [run.info.run_id for run in lab.runs(found).values()]
    outputs = [lab.mlflow.list_artifacts(run_id, "output") for run_id in printed]
    assert name == "trainer" or not any(outputs)  # Lightning says nothing
    names = {file.path for file in lab.mlflow.list_artifacts(found.run_id)}
    assert "state.safetensors" in names


def test_the_winner_of_a_population_is_replayed_on_its_schedule(whole, study):
    found = replay(load(study("own-whole")))
    assert [trial.proposal.until for trial in found.trials][-1] == 3
    assert found.trials[-1].metrics["rate"] == whole.best.proposal.params["lr"]


def test_a_loop_of_its_own_is_not_retuned():
    with pytest.raises(ValueError, match=r"^a retuning replaces a model, got the study 'vae' of"):
        _check_model(load(SHIPPED / "vae.yaml"))
