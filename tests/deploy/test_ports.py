"""Usual projects are searched, also as populations, and go on after an interruption."""

from __future__ import annotations

from pathlib import Path

import pytest

from nettuner.models.study import Stop, StrategyChoice
from nettuner.models.study_file import load

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
PORTS = sorted(path.stem for path in (ROOT / "tests/benchmarks/lines").glob("*.py"))


def shortened(port, strategy, **settings):
    """Two trials of two epochs instead of all."""
    study = load(ROOT / "deploy/studies" / f"{port}.yaml")
    changes = {
        "name": f"port-{port}",
        "epochs": 2,
        "strategy": StrategyChoice(name=strategy, **settings),
        "stop": Stop(trials=2),
        "width": 2,
    }
    return study.model_copy(update=changes)


@pytest.mark.parametrize("port", PORTS)
def test_a_port_is_searched(lab, port):
    result = lab.search(shortened(port, "bayesian"))
    assert [trial.reason for trial in result.trials] == [None, None]
    assert {trial.rounds for trial in result.trials} == {2}


@pytest.mark.parametrize("port", PORTS)
def test_a_population_of_a_port_goes_on_after_an_interruption(lab, port, monkeypatch):
    from nettuner.flows.engine.search import Engine

    study = shortened(port, "population", size=2, interval=1)
    settle = Engine.settle

    def interrupt(self, number):
        settle(self, number)
        if len(self.history) == 2:  # between the two generations of two: nothing is in flight
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "settle", interrupt)
        with pytest.raises(KeyboardInterrupt):
            lab.search(study)
    before = {trial.number: trial.score for trial in lab.past(study.name)[-1].trials}
    assert len(before) == 2
    result = lab.search(study, resume=True)
    assert [trial.reason for trial in result.trials] == [None] * 4
    assert {trial.number: trial.score for trial in result.trials}.items() >= before.items()
