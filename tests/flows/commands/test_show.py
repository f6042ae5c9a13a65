"""What `nettuner check` prints of a plan."""

from __future__ import annotations

from nettuner.flows.commands.show import show_plan
from nettuner.models.study import Study
from nettuner.tasks.plan import make_plan


def test_a_long_name_does_not_break_the_line_that_says_what_is_trained_on_what(capsys):
    name = "n" * 100
    given = {"name": name, "learner": "mlp", "data": "iris", "space": {}, "metric": "val_loss"}
    plan = make_plan(Study.model_validate({**given, "epochs": 1, "stop": {"trials": 1}}))
    show_plan(plan)
    first, *_ = capsys.readouterr().out.splitlines()
    assert first == f"{name}: mlp on iris (data {plan.fingerprint}), minimize val_loss"
