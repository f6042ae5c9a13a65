"""Trials that are run together come out as they would have one by one."""

from __future__ import annotations

import json
import math
import sys
from textwrap import dedent

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from nettuner.models.data.load import load
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.learner import OPTIMISER
from nettuner.models.optimisers import Settings
from nettuner.models.space import Space
from nettuner.models.stacks import kind
from nettuner.models.stacks import trials as stacked_trials
from nettuner.models.stacks.choice import StackChoice
from nettuner.models.stacks.optimiser import KINDS
from nettuner.models.stacks.stack import Stack
from nettuner.models.stacks.training import fit_stack
from nettuner.models.stacks.trials import run_stack
from nettuner.models.study import Goal, Length, Proposal, Study
from nettuner.models.training import optimiser
from nettuner.models.training.failure import Failure, failure
from nettuner.models.training.job import Job, Outcome
from nettuner.models.training.loop import fit, prepared, summary
from nettuner.models.training.trial import run

pytestmark = pytest.mark.usefixtures("one_thread")

LEARNERS = dedent(
    """
    import numpy as np
    import torch
    from torch import nn

    from nettuner.models.learner import Supervised


    class Linear(Supervised):
        def build(self, *, bias: bool = True):
            return nn.Linear(4, 3, bias=bias)


    class Counts(Linear):
        steps = 0

        def loss(self, network, networks, batch, now):
            self.steps += 1
            return super().loss(network, networks, batch, now) / self.steps


    class CountsRounds(Linear):
        rounds = 0

        def evaluate(self, networks, inputs, targets):
            self.rounds += 1
            return {"loss": float(self.rounds), "accuracy": 0.5}


    class Branches(Linear):
        def loss(self, network, networks, batch, now):
            if now["learning_rate"] > 0.5:
                raise ArithmeticError("too fast")
            return super().loss(network, networks, batch, now)


    class Looks(Linear):
        def loss(self, network, networks, batch, now):
            loss = super().loss(network, networks, batch, now)
            return loss / loss.item()


    class Draws(Linear):
        def loss(self, network, networks, batch, now):
            noise = torch.bernoulli(torch.full((4,), 0.5))
            return super().loss(network, networks, (batch[0] * noise, batch[1]), now)


    class Nowhere(Linear):
        def evaluate(self, networks, inputs, targets):
            found = super().evaluate(networks, inputs, targets)
            large = networks["network"].weight.abs().amax() > 2
            return {**found, "loss": torch.where(large, torch.nan, found["loss"])}


    class Shown(Linear):
        def pictures(self, networks):
            weights = networks["network"].weight.numpy()
            return {"weights": (255 * (weights > 0)).astype(np.uint8)}
    """
)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A reference to one of the learners above."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_learners.py").write_text(LEARNERS)
    return lambda name: f"{tmp_path / 'own_learners.py'}:{name}"


@pytest.fixture
def stacks(monkeypatch):
    """Trials are stacked two or more at a time, without measuring; the stacks that trained."""
    made = []

    class Watched(Stack):
        def train(self, *given):
            losses = super().train(*given)
            made.append(len(self))
            return losses

    def choose(learner, dataset, params, seeds, steps, device):
        return StackChoice(made_size[0])

    made_size = [4]
    monkeypatch.setattr(kind, "Stack", Watched)
    monkeypatch.setattr(stacked_trials, "choose", choose)
    return made


GOAL = Goal("val_loss", "minimize")


def study(**changes):
    given = {
        "name": "iris",
        "learner": "mlp",
        "data": Builtin(name="iris"),
        "space": Space.model_validate({"learning_rate": [0.1]}),
        "metric": "val_loss",
        "epochs": 3,
    }
    return Study(**given | changes)


def jobs(folder, rates, study, **given):
    folder.mkdir()
    return [
        Job(
            study,
            GOAL,
            Proposal(k, {"learning_rate": rate, **given}),
            folder / f"trial-{k}.jsonl",
            end=folder / f"trial-{k}.safetensors",
        )
        for k, rate in enumerate(rates)
    ]


def attempt(job):
    try:
        return run(job)
    except Exception as error:
        return failure(error)


def lines(job):
    rows = [json.loads(line) for line in job.log.read_text().splitlines()]
    return [
        (row["step"], pytest.approx(row["metrics"], rel=1e-3, abs=1e-4, nan_ok=True))
        for row in rows
    ]


def same(found, wanted):
    if isinstance(wanted, Failure):
        assert isinstance(found, Failure)
        assert found.reason == wanted.reason
        return
    assert isinstance(found, Outcome)
    assert found.score == pytest.approx(wanted.score, rel=1e-3)
    assert found.metrics == pytest.approx(wanted.metrics, rel=1e-3, abs=1e-4)
    assert found.rounds == wanted.rounds


def assert_as_one_by_one(tmp_path, rates, given, **params):
    together = jobs(tmp_path / "together", rates, given, **params)
    apart = jobs(tmp_path / "apart", rates, given, **params)
    found = run_stack(together, True, tmp_path / "choices").outcomes
    for outcome, job, twin in zip(found, together, apart, strict=True):
        same(outcome, attempt(twin))
        assert [(step, close.expected) for step, close in lines(twin)] == lines(job)
        assert job.end.exists() == twin.end.exists()
        if twin.end.exists():
            one, other = load_file(job.end), load_file(twin.end)
            assert one.keys() == other.keys()
            for key in one:
                torch.testing.assert_close(one[key], other[key], rtol=1e-3, atol=1e-4)
    return found


@pytest.mark.parametrize("changes", [{}, {"epochs": None, "steps": 7, "evaluate_every": 3}])
def test_the_outcomes_of_a_stack_are_those_of_its_trials(tmp_path, stacks, changes):
    params = {"dropout": 0.2, "hidden": 5}
    assert_as_one_by_one(tmp_path, [0.01, 0.02, 0.05, 0.1], study(**changes), **params)
    assert set(stacks) == {4}


def test_more_trials_than_a_stack_holds_are_trained_in_several(tmp_path, stacks):
    assert_as_one_by_one(tmp_path, [0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3], study())
    assert set(stacks) == {4, 3}


def test_only_the_best_leaves_its_state_unless_all_are_to(tmp_path, stacks):
    given = jobs(tmp_path / "trials", [0.0001, 0.02, 0.001, 1e30, 0.0002, 0.0003], study())
    found = run_stack(given, False, tmp_path / "choices").outcomes
    scores = [o.score if isinstance(o, Outcome) else math.inf for o in found]
    assert int(np.argmin(scores)) == 1
    assert [job.end.exists() for job in given] == [False, True, False, False, False, False]


def test_a_trial_that_diverges_fails_alone_as_it_would_have_by_itself(tmp_path, stacks):
    found = assert_as_one_by_one(tmp_path, [0.01, 1e30, 0.02], study(), optimizer="sgd")
    assert [type(outcome) for outcome in found] == [Outcome, Failure, Outcome]
    assert found[1].reason.startswith("DivergedError: the loss of network is ")
    assert stacks == [3, 3, 3]


# With a rate of 0.3 the loss of SGD rises and falls; with 1e-4 it falls all the time.
RESTLESS = {"optimizer": "sgd", "momentum": 0.9, "hidden": 5, "batch_size": 16}


@pytest.mark.parametrize(
    "changes", [{"score": "best"}, {"patience_rounds": 2}, {"score": "best", "patience_rounds": 2}]
)
def test_members_are_kept_and_end_as_they_would_one_by_one(tmp_path, stacks, changes):
    given = study(epochs=7, **changes)
    found = assert_as_one_by_one(tmp_path, [0.3, 1e-4, 0.6, 1e30], given, **RESTLESS)
    assert [type(outcome) for outcome in found] == [Outcome] * 3 + [Failure]
    assert found[1].rounds == 7
    if "patience_rounds" in changes:
        assert found[2].rounds < 7


def test_where_all_have_ended_training_ends(tmp_path, stacks):
    given = study(epochs=9, patience_rounds=1)
    found = assert_as_one_by_one(tmp_path, [0.0, 0.0], given, **RESTLESS)
    assert [outcome.rounds for outcome in found] == [2, 2]
    assert len(stacks) == 2


def test_where_all_diverge_training_ends(tmp_path, stacks):
    assert_as_one_by_one(tmp_path, [1e30, 1e31], study(epochs=9), optimizer="sgd")
    assert len(stacks) == 1


def test_a_metric_that_is_not_finite_ends_its_trial_alone(tmp_path, stacks, own):
    found = assert_as_one_by_one(
        tmp_path, [0.01, 40.0], study(learner=own("Nowhere")), optimizer="sgd"
    )
    assert found[1].reason == "DivergedError: val_loss is nan after round 1"
    assert stacks == [2, 2, 2]


@pytest.mark.parametrize("name", ["Counts", "CountsRounds", "Looks", "Draws", "Branches"])
def test_a_learner_that_cannot_be_stacked_is_trained_one_by_one(tmp_path, stacks, own, name):
    given = study(learner=own(name))
    assert_as_one_by_one(tmp_path, [0.01, 0.02, 0.03, 0.04, 0.05], given)


def test_a_learner_that_turned_out_not_to_be_stackable_is_not_stacked_again(tmp_path, stacks, own):
    rates = [0.01, 0.02, 0.03, 0.04] * 3
    assert_as_one_by_one(tmp_path, rates, study(learner=own("CountsRounds")))
    assert stacks == [4]  # its evaluation keeps state, which is noticed after a round


@pytest.mark.parametrize("order", [[0.01, 0.9, 0.02], [0.9, 0.01, 0.02]])
def test_a_trial_that_raises_fails_alone_with_its_own_reason(tmp_path, own, order):
    # Not even the measurement, which is done on the first, may fail the others.
    found = assert_as_one_by_one(tmp_path, order, study(learner=own("Branches")))
    for rate, outcome in zip(order, found, strict=True):
        wanted = "ArithmeticError: too fast" if rate > 0.5 else None
        assert getattr(outcome, "reason", None) == wanted


def test_a_single_trial_is_not_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(stacked_trials, "choose", None)
    assert_as_one_by_one(tmp_path, [0.01], study())


def test_a_checkpoint_that_is_missing_fails_its_trial_alone(tmp_path, stacks):
    from dataclasses import replace

    given = jobs(tmp_path / "trials", [0.01, 0.02], study())
    given[1] = replace(given[1], start=tmp_path / "nowhere")
    found = run_stack(given, True, tmp_path / "choices").outcomes
    assert [type(outcome) for outcome in found] == [Outcome, Failure]
    assert found[1].reason.startswith("FileNotFoundError: no checkpoint")


def test_why_trials_are_not_stacked_is_told(tmp_path, monkeypatch, stacks):
    given = study()
    assert (
        run_stack(
            jobs(tmp_path / "fine", [0.01, 0.02], given), True, tmp_path / "choices"
        ).why_not_stacked
        is None
    )

    def fails(*_, **__):
        raise OSError("no room")

    monkeypatch.setattr(kind, "Stack", fails)
    found = run_stack(jobs(tmp_path / "alone", [0.01, 0.02], given), True, tmp_path / "choices")
    assert found.why_not_stacked == "the stack raised OSError: no room"
    assert [type(outcome) for outcome in found.outcomes] == [Outcome, Outcome]


def test_pictures_of_every_trial_are_left(tmp_path, stacks, own):
    given = study(learner=own("Shown"))
    for folder, how in (("together", run_stack), ("apart", None)):
        some = jobs(tmp_path / folder, [0.01, 0.5], given, optimizer="sgd")
        how(some, True, tmp_path / "choices") if how else [run(job) for job in some]
    names = sorted(path.name for path in (tmp_path / "apart").glob("*.npy"))
    assert len(names) == 2 * 3
    for name in names:
        one, other = (np.load(tmp_path / folder / name) for folder in ("together", "apart"))
        assert np.array_equal(one, other)


# The learning rate in force


NOW = {name: h.default for name, h in OPTIMISER.items()} | {
    "learning_rate": 0.1,
    "warmup_steps": 4,
}


def test_a_summary_says_the_learning_rate_of_the_last_step():
    found = summary({"network": [1.0, 2.0]}, {"network": 0.05}, NOW, 1, 9)
    assert found == {"train_loss": 1.5, "train_learning_rate": 0.05}


def test_a_learning_rate_that_is_not_the_one_given_is_an_error():
    with pytest.raises(RuntimeError) as caught:
        summary({"network": [1.0]}, {"network": 0.1}, NOW, 1, 9)
    assert str(caught.value) == (
        "the learning rate in force must be the one given, got 0.1 instead of 0.05 for network at "
        "step 2; report this as a fault of nettuner"
    )


def test_an_optimiser_that_is_not_steered_ends_a_training(monkeypatch):
    monkeypatch.setattr(optimiser, "settings", lambda *_: Settings(0.001))
    data = load(Builtin(name="iris"))
    with pytest.raises(RuntimeError, match=r"got 0\.001 instead of 0\.01"):
        next(fit(prepared(mlp(), data), data, {"learning_rate": 0.01}, Length(1), seed=(0,)))


def test_an_optimiser_of_a_stack_that_is_not_steered_ends_it(monkeypatch):
    move = KINDS["adam"].move
    monkeypatch.setattr(KINDS["adam"], "move", lambda *given: move(*given[:-1], 0.5))
    data = load(Builtin(name="iris"))
    params = [{"learning_rate": 0.5}, {"learning_rate": 0.01}]
    stack = Stack(prepared(mlp(), data), params, [(0,), (1,)], {})
    with pytest.raises(RuntimeError, match=r"got 0\.5 instead of 0\.01"):
        next(fit_stack(stack, data, Length(1)))


def mlp():
    from nettuner.models import learners

    return learners.find("mlp")
