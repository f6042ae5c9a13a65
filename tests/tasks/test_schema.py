"""What the schema accepts is what a study file may hold."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from nettuner.models.study import Study
from nettuner.tasks import strategies
from nettuner.tasks.schema import study_schema

SCHEMA = study_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
STUDY = {
    "name": "digits",
    "learner": "mlp",
    "data": "digits",
    "space": {"lr": 0.1},
    "metric": "val_accuracy",
    "epochs": 3,
}


def test_it_is_a_schema_and_plain_json():
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


GOOD = [
    {},
    {"data": {"source": "csv", "path": "a.csv", "target": "y"}},
    {"data": None, "direction": "maximize"},
    {"space": {"a": 3, "b": "adam", "c": True, "d": [16, "x", False, 0.5]}},
    {"space": {"a": {"distribution": "uniform", "low": 0, "high": 1, "when": {"b": [1]}}, "b": 1}},
    {"space": {"a": {"distribution": "integer", "low": 1, "high": 9, "log": True}}},
    {"space": {"a": {"distribution": "scipy", "name": "beta", "args": {"a": 2, "b": 3}}}},
    {"space": {"a": {"distribution": "choice", "values": [1, 2], "weights": [1, 3]}}},
    {"strategy": "random"},
    {"strategy": "random_search"},
    {"strategy": {"name": "random"}},
    {"stop": {"trials": 3, "seconds": 0.5, "target": None}},
]
BAD = [
    {"epoch": 3},
    {"epochs": 0},
    {"epochs": "3"},
    {"name": "two words"},
    {"data": "digit"},
    {"data": {"source": "csv"}},
    {"data": {"path": "a.csv"}},
    {"data": {"source": "builtin", "name": "digits", "validation": 1}},
    {"space": {"a": {"low": 0, "high": 1}}},
    {"space": {"a": {"distribution": "loguniform", "low": 1, "high": 2}}},
    {"space": {"a": {"distribution": "uniform", "low": 0}}},
    {"space": {"a": {"distribution": "normal", "mean": 0, "std": 0}}},
    {"space": {"a": None}},
    {"space": {"a": []}},
    {"space": {"a": {"distribution": "uniform", "low": 0, "high": 1, "log": True}}},
    {"stop": {"seconds": 0}},
    {"direction": "up"},
]


@pytest.mark.parametrize("changes", GOOD)
def test_what_a_study_accepts_the_schema_accepts(changes):
    Study.model_validate(STUDY | changes)
    assert [error.message for error in VALIDATOR.iter_errors(STUDY | changes)] == []


@pytest.mark.parametrize("changes", BAD)
def test_what_a_study_refuses_the_schema_refuses(changes):
    with pytest.raises(ValidationError):
        Study.model_validate(STUDY | changes)
    assert not VALIDATOR.is_valid(STUDY | changes)


@pytest.mark.parametrize("strategy", ["gridd", 3, {}, {"name": "random", "seed": 3}, {"seed": 3}])
def test_a_strategy_that_is_none_is_refused(strategy):
    assert not VALIDATOR.is_valid(STUDY | {"strategy": strategy})


@pytest.mark.parametrize("name", strategies.names())
def test_every_strategy_may_be_named_alone_shortly_or_with_an_unknown_setting_refused(name):
    for spelling in {name, name.removesuffix("_search")}:
        for strategy in (spelling, {"name": spelling}):
            assert VALIDATOR.is_valid(STUDY | {"strategy": strategy})
        assert not VALIDATOR.is_valid(STUDY | {"strategy": {"name": spelling, "sise": 1}})


@pytest.mark.parametrize("name", strategies.names())
def test_every_setting_in_the_schema_is_one_that_a_study_may_give(name):
    title = strategies.find(name).__name__
    for key, setting in SCHEMA["$defs"][title]["properties"].items():
        if key == "name" or "default" not in setting:
            continue
        chosen = {"name": name, key: setting["default"]}
        study = Study.model_validate(STUDY | {"strategy": chosen, "stop": {"trials": 16}})
        strategies.load(study)
        assert VALIDATOR.is_valid(STUDY | {"strategy": chosen})
