"""The flow of a strategy is the one in the file that declares it, and no other."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from prefect import Flow

from nettuner import flows
from nettuner.flows.engine import find
from nettuner.flows.engine.find import flow_of
from nettuner.tasks import strategies


def declared(file):
    """What a file assigns to STRATEGY at its top level; None where it does not."""
    for line in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(line, ast.Assign) and [ast.unparse(t) for t in line.targets] == ["STRATEGY"]:
            return ast.literal_eval(line.value)
    return None


FILES = sorted(Path(flows.__file__).parent.glob("*.py"))
DECLARED = {file.stem: name for file in FILES if (name := declared(file)) is not None}


def test_the_four_searches_have_flows_of_their_own():
    assert {"grid_search", "random_search", "bayesian", "population"} <= set(DECLARED.values())


@pytest.mark.parametrize("stem", DECLARED)
def test_a_file_that_declares_a_strategy_declares_one_that_exists_and_has_its_flow(stem):
    strategy = DECLARED[stem]
    assert strategy in strategies.names()
    found = flow_of(strategy)
    assert isinstance(found, Flow)
    assert found is getattr(importlib.import_module(f"nettuner.flows.{stem}"), stem)


def test_each_strategy_has_a_flow_and_no_two_share_one():
    found = {name: flow_of(name) for name in strategies.names()}
    assert all(isinstance(flow, Flow) for flow in found.values())
    assert len({flow.name for flow in found.values()}) == len(found)
    assert len(set(DECLARED.values())) == len(DECLARED)


@pytest.mark.parametrize("name", ["random", "grid", "search", "popul", "random_search_2"])
def test_a_name_that_is_only_a_part_of_a_declared_one_or_longer_does_not_get_that_flow(name):
    found = flow_of(name)
    assert isinstance(found, Flow)
    assert found.name == name.replace("_", "-")


def test_a_strategy_without_a_flow_runs_on_the_engine_as_it_is():
    found = flow_of("hill_climbing")
    assert isinstance(found, Flow)
    assert found.name == "hill-climbing"
    assert found.flow_run_name == "{study.name}: hill climbing"
    parameters = found.parameters.properties
    assert list(parameters) == ["study", "resume"]
    assert parameters["resume"]["default"] is False


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where flows are looked for and imported from, instead of the folder of flows."""
    monkeypatch.setattr(find, "__file__", str(tmp_path / "engine" / "find.py"))
    monkeypatch.setattr(flows, "__path__", [str(tmp_path)])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("nettuner.flows."):
            del sys.modules[name]
            delattr(flows, name.rpartition(".")[2])


def test_the_file_is_known_by_its_declaration_and_the_flow_by_the_name_of_the_file(folder):
    texts = {
        # All of these come before the right one in the order of their names.
        "a_comment": '# STRATEGY = "annealing"',
        "b_longer": 'STRATEGY = "annealing_slowly"',
        "c_text": '"""\n    STRATEGY = "annealing"\n"""',
        "d_undeclared": "def annealing(): ...",
        "e_right": """
            STRATEGY = "annealing"

            def annealing(): ...
            def e_right(): ...
        """,
    }
    for stem, text in texts.items():
        (folder / f"{stem}.py").write_text(dedent(text))
    found = flow_of("annealing")
    assert (found.__module__, found.__name__) == ("nettuner.flows.e_right", "e_right")


def test_no_file_of_another_strategy_is_imported(folder):
    broken = "raise AssertionError('this must not be imported')"
    (folder / "a_other.py").write_text(f'STRATEGY = "other"\n{broken}\n')
    (folder / "b_none.py").write_text(broken)
    (folder / "c_right.py").write_text('STRATEGY = "annealing"\n\n\ndef c_right(): ...\n')
    assert flow_of("annealing").__name__ == "c_right"
    assert flow_of("unheard_of").name == "unheard-of"
