"""What `nettuner check` prints of a plan."""

from __future__ import annotations

import pytest

from nettuner.flows.commands.show import show_plan, show_result
from nettuner.flows.engine.search import SearchResult
from nettuner.models.study import Proposal, Study, Trial
from nettuner.tasks.plan import make_plan


def test_a_long_name_does_not_break_the_line_that_says_what_is_trained_on_what(capsys):
    name = "n" * 100
    given = {"name": name, "learner": "mlp", "data": "iris", "space": {}, "metric": "val_loss"}
    plan = make_plan(Study.model_validate({**given, "epochs": 1, "stop": {"trials": 1}}))
    show_plan(plan)
    first, *_ = capsys.readouterr().out.splitlines()
    assert first == f"{name}: mlp on iris (data {plan.fingerprint}), minimize val_loss"


@pytest.mark.parametrize(
    ("members", "told"),
    [([None, None, None], "3 trials, 1 failed"), ([0, 1, 0], "2 networks in 3 segments, 1 failed")],
)
def test_segments_of_one_network_are_not_counted_as_networks(members, told, capsys):
    study = Study.model_validate(
        {"name": "counted", "learner": "mlp", "data": "iris", "space": {"hidden": [4, 8]},
         "metric": "val_loss", "epochs": 3, "stop": {"trials": 3}}
    )  # fmt: skip
    trials = [
        Trial(Proposal(k, {"hidden": 4}, None, member), None if k == 1 else 0.5)
        for k, member in enumerate(members)
    ]
    result = SearchResult("search", "", "", trials, trials[0], {}, "3 trials are done")
    show_result(result, make_plan(study, "study.yaml"))
    assert f"search: {told}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        ({"name": "population", "size": 6, "interval": 2}, "6 members x 5 segments"),
        ("random", "4"),
    ],
)
def test_a_population_is_so_many_members_and_segments(strategy, told, capsys):
    space = {"learning_rate": {"distribution": "log-uniform", "low": 0.01, "high": 0.1}}
    given = {"name": "sized", "learner": "mlp", "data": "iris", "space": space, "epochs": 10}
    given |= {"metric": "val_loss", "strategy": strategy}
    given |= {"stop": {"trials": 4}} if strategy == "random" else {}
    show_plan(make_plan(Study.model_validate(given)))
    assert f"trials:   {told}, each at most 10 epochs\n" in capsys.readouterr().out
