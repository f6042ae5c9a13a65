"""Imports point one way: deploy -> flows -> tasks -> models. One test a rule, each able to fail."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("models", "tasks", "flows", "deploy")
# Where MLflow is spoken: the record of searches, models logged and promoted, and the served model.
SPEAK_MLFLOW = {
    "tasks/track.py",
    "tasks/answer.py",
    "tasks/log_model.py",
    "tasks/promote.py",
    "tasks/served_model.py",
}

Rule = Callable[[str, str], list[str]]


def files(*folders: str) -> list[str]:
    """The Python files below these folders, relative to the repository."""
    return [
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]


def imports(source: str) -> Iterator[str]:
    """Every module that is imported anywhere in a file, also lazily and for types only."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
        elif isinstance(node, ast.Call) and _called(node.func) in ("import_module", "__import__"):
            yield _beginning(node.args[0])


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _beginning(name: ast.expr) -> str:
    """The constant text that a module's name begins with."""
    if isinstance(name, ast.JoinedStr) and name.values:
        name = name.values[0]
    return str(name.value) if isinstance(name, ast.Constant) else ""


def at_run_time(source: str) -> Iterator[str]:
    """Like `imports`, without those that only type checkers follow."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = [ast.Pass()]
    yield from imports(ast.unparse(tree))


def top(module: str) -> str:
    return module.partition(".")[0]


def points_left(file: str, source: str) -> list[str]:
    """Imports of a floor above the file's own."""
    floor = FLOORS.index(file.partition("/")[0])
    return [name for name in imports(source) if top(name) in FLOORS[floor + 1 :]]


def is_relative(file: str, source: str) -> list[str]:
    return [name for name in imports(source) if name.startswith(".")]


def knows_prefect_or_mlflow(file: str, source: str) -> list[str]:
    return [name for name in imports(source) if top(name) in ("prefect", "mlflow")]


def is_impure(file: str, source: str) -> list[str]:
    return [name for name in imports(source) if top(name) in ("prefect", "mlflow", "torch")]


def speaks_mlflow(file: str, source: str) -> list[str]:
    if file in SPEAK_MLFLOW:
        return []
    return [name for name in at_run_time(source) if top(name) == "mlflow"]


def hides_a_module(file: str, source: str) -> list[str]:
    """Prefect puts a flow's folder on sys.path, where its files hide modules of their names."""
    stem = Path(file).stem
    return [stem] if stem in {*sys.stdlib_module_names, *FLOORS, "tests"} else []


def offenders(rule: Rule, *folders: str) -> dict[str, list[str]]:
    found = {file: rule(file, (ROOT / file).read_text()) for file in files(*folders)}
    assert found, f"no files in {folders}"
    return {file: wrong for file, wrong in found.items() if wrong}


def test_imports_only_point_right():
    assert offenders(points_left, "models", "tasks", "flows") == {}


def test_imports_are_absolute():
    assert offenders(is_relative, "models", "tasks", "flows") == {}


def test_models_know_neither_prefect_nor_mlflow():
    assert offenders(knows_prefect_or_mlflow, "models") == {}


def test_strategies_are_pure():
    assert offenders(is_impure, "tasks/strategies") == {}


def test_mlflow_is_spoken_in_few_places():
    assert offenders(speaks_mlflow, "models", "tasks", "flows") == {}


def test_no_flow_is_named_like_a_module_that_it_would_hide():
    assert offenders(hides_a_module, "flows") == {}


def test_tests_are_no_packages():
    assert [file for file in files("tests") if file.endswith("__init__.py")] == []


@pytest.mark.parametrize(
    ("rule", "file", "source", "wrong"),
    [
        (points_left, "models/study.py", "import tasks.track", ["tasks.track"]),
        (points_left, "models/a/b.py", "from flows import search", ["flows"]),
        (points_left, "tasks/train.py", "def f():\n    from flows.search import search", None),
        (points_left, "tasks/train.py", "if TYPE_CHECKING:\n    import flows.cli", None),
        (points_left, "tasks/train.py", "importlib.import_module('flows.cli')", ["flows.cli"]),
        (points_left, "tasks/train.py", "import_module(f'flows.{name}')", ["flows."]),
        (points_left, "flows/search.py", "import deploy.x", ["deploy.x"]),
        (is_relative, "tasks/train.py", "from .track import x\nfrom .. import y", [".track", ".."]),
        (knows_prefect_or_mlflow, "models/study.py", "from prefect.cache import x", None),
        (knows_prefect_or_mlflow, "models/study.py", "import os, mlflow", ["mlflow"]),
        (is_impure, "tasks/strategies/x.py", "import torch.nn as nn", ["torch.nn"]),
        (speaks_mlflow, "tasks/report.py", "from mlflow import MlflowClient", ["mlflow"]),
        (speaks_mlflow, "flows/search.py", "def f():\n    import mlflow", ["mlflow"]),
        (hides_a_module, "flows/queue.py", "", ["queue"]),
        (hides_a_module, "flows/models.py", "", ["models"]),
    ],
)
def test_every_rule_can_fail(rule, file, source, wrong):
    found = rule(file, source)
    assert found == wrong if wrong else len(found) == 1


@pytest.mark.parametrize(
    ("rule", "file", "source"),
    [
        (points_left, "flows/search.py", "import tasks.track, models.study, prefect"),
        (points_left, "tasks/x.py", "import flowsheet, taskset"),
        (knows_prefect_or_mlflow, "models/study.py", "'''import mlflow'''\nimport torch"),
        (speaks_mlflow, "tasks/track.py", "import mlflow"),
        (
            speaks_mlflow,
            "tasks/recall.py",
            "if TYPE_CHECKING:\n    from mlflow import MlflowClient",
        ),
        (hides_a_module, "flows/grid_search.py", ""),
    ],
)
def test_no_rule_fails_without_a_reason(rule, file, source):
    assert rule(file, source) == []


def test_a_package_among_the_tests_would_be_seen(tmp_path, monkeypatch):
    (tmp_path / "tests" / "models").mkdir(parents=True)
    (tmp_path / "tests" / "models" / "__init__.py").touch()
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    with pytest.raises(AssertionError):
        test_tests_are_no_packages()
