"""Imports point one way: deploy -> flows -> tasks -> models. One test a rule, each able to fail."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "nettuner"
FLOORS = ("models", "tasks", "flows", "deploy")
# The rooms of a floor: its folders, and the files beside them. Imports point to earlier ranks.
RANKS: dict[str, list[set[str]]] = {
    "models": [
        {
            "address",
            "answers",
            "arrays",
            "brief",
            "by_name",
            "class_of",
            "curve",
            "did_you_mean",
            "encodable",
            "lightning_class",
            "inputs",
            "read_names",
            "source_text",
            "reference",
            "spread",
            "torch_private",
            "usual_ranges",
        },
        {"space", "optimisers", "schedules", "early_stop"},
        {"data", "runner_choice"},
        {"study"},
        {
            "study_faults",
            "learner",
            "networks",
            "production",
            "fitted",
            "segments",
            "structure",
        },
        {"study_file", "space_faults", "learners"},
        {"training"},
        {"stacks", "check", "draft"},
        {"preload", "draft_text"},
    ],
    "tasks": [
        {
            "loopback",
            "private",
            "process_note",
            "stand_back",
            "strategy_names",
            "surroundings",
            "uncollected",
            "runner_names",
            "variable",
        },
        {"listener"},
        {"noted", "preloaded"},
        {"home", "strategies", "workers"},
        {"cluster"},
        {"runners"},
        {"given", "left_behind", "sound_home"},
        {"schema", "memory"},
        {"plan", "named_study", "study_page"},
        {"training"},
        {"champion"},
        {"report"},
    ],
    "flows": [
        {"prefect_runs"},
        {"engine", "servers"},
        {"grid_search", "random_search", "bayesian_optimization", "population_training"},
        {"replay", "monitor"},
        {"retune"},
        {"commands"},
        {"cli", "face"},
        {"warm_imports"},
        {"entry"},
        {"warm_main"},
    ],
}
# Where MLflow is spoken: the memory of searches, the registry of champions, and served models.
SPEAK_MLFLOW = ("tasks/memory/", "tasks/champion/")

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
            module = "." * node.level + (node.module or "")
            # From the package or a floor itself, what is named is a floor or a room.
            whole = top(module) == PACKAGE and module.count(".") < 2
            yield from (f"{module}.{name.name}" for name in node.names) if whole else [module]
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


def place(module: str) -> list[str]:
    """Floor, room and what is below them, of a module of ours; empty for all others."""
    parts = module.split(".")
    return parts[1:] if parts[0] == PACKAGE else []


def room_of(file: str) -> str:
    return file.split("/")[1].removesuffix(".py")


def rank(floor: str, room: str) -> int:
    found = [i for i, rooms in enumerate(RANKS.get(floor, [])) if room in rooms]
    return found[0] if found else -1


def points_left(file: str, source: str) -> list[str]:
    """Imports of a floor above the file's own."""
    above = FLOORS[FLOORS.index(file.partition("/")[0]) + 1 :]
    return [name for name in imports(source) if place(name)[:1] and place(name)[0] in above]


def points_up(file: str, source: str) -> list[str]:
    """Imports of a room of the same floor that has no earlier rank than the file's own."""
    floor, room = file.partition("/")[0], room_of(file)
    return [
        name
        for name in imports(source)
        for other in [place(name)]
        if len(other) > 1
        and (other[0], room) != (floor, other[1])
        and other[0] == floor
        and rank(floor, other[1]) >= rank(floor, room)
    ]


def is_bare(file: str, source: str) -> list[str]:
    """Imports that somebody's own `models` or `tasks` would answer."""
    return [name for name in imports(source) if top(name) in FLOORS]


def is_relative(file: str, source: str) -> list[str]:
    return [name for name in imports(source) if name.startswith(".")]


def knows_prefect_or_mlflow(file: str, source: str) -> list[str]:
    return [name for name in imports(source) if top(name) in ("prefect", "mlflow")]


def is_impure(file: str, source: str) -> list[str]:
    return [name for name in imports(source) if top(name) in ("prefect", "mlflow", "torch")]


def speaks_mlflow(file: str, source: str) -> list[str]:
    if file.startswith(SPEAK_MLFLOW):
        return []
    return [name for name in at_run_time(source) if top(name) == "mlflow"]


def hides_a_module(file: str, source: str) -> list[str]:
    """Prefect puts a flow's folder on sys.path, where what lies in it hides modules."""
    stem = room_of(file)
    return [stem] if stem in {*sys.stdlib_module_names, *FLOORS, "tests"} else []


def offenders(rule: Rule, *folders: str) -> dict[str, list[str]]:
    found = {file: rule(file, (ROOT / file).read_text()) for file in files(*folders)}
    assert found, f"no files in {folders}"
    return {file: wrong for file, wrong in found.items() if wrong}


def test_imports_only_point_right():
    assert offenders(points_left, "models", "tasks", "flows") == {}


def test_imports_inside_a_floor_point_to_earlier_ranks():
    assert offenders(points_up, "models", "tasks", "flows") == {}


@pytest.mark.parametrize("floor", RANKS)
def test_every_room_has_one_rank(floor):
    rooms = {room_of(file) for file in files(floor)} - {"__init__"}
    assert sorted(rooms) == sorted(room for some in RANKS[floor] for room in some)


def test_nothing_is_imported_by_a_name_that_others_use_too():
    assert offenders(is_bare, "models", "tasks", "flows", "deploy", "tests") == {}


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


STUDY, RECORD = "nettuner.models.study", "nettuner.tasks.memory.search_record"


@pytest.mark.parametrize(
    ("rule", "file", "source", "wrong"),
    [
        (points_left, "models/study.py", f"import {RECORD}", [RECORD]),
        (points_left, "models/a/b.py", "from nettuner.flows import cli", ["nettuner.flows.cli"]),
        (points_left, "models/study.py", "from nettuner import tasks", ["nettuner.tasks"]),
        (points_up, "models/study.py", "from nettuner.models import space, learners", None),
        (points_left, "tasks/plan.py", "def f():\n    from nettuner.flows.cli import app", None),
        (points_left, "tasks/plan.py", "if TYPE_CHECKING:\n    import nettuner.flows.cli", None),
        (points_left, "tasks/plan.py", "importlib.import_module('nettuner.flows.cli')", None),
        (points_left, "tasks/plan.py", "import_module(f'nettuner.flows.{name}')", None),
        (points_left, "flows/cli.py", "import nettuner.deploy.x", ["nettuner.deploy.x"]),
        (points_up, "models/space/reals.py", f"import {STUDY}", [STUDY]),
        (points_up, "models/study.py", "from nettuner.models.learner import Learner", None),
        (points_up, "tasks/memory/recall.py", "import nettuner.tasks.training.trial", None),
        (points_up, "flows/engine/search.py", "from nettuner.flows.cli import app", None),
        (points_up, "flows/engine/search.py", "import nettuner.flows.servers.up", None),
        (is_bare, "models/study.py", "import models.space", ["models.space"]),
        (is_bare, "tests/x.py", "from tasks import plan", ["tasks"]),
        (is_bare, "tests/x.py", "import_module(f'flows.{name}')", ["flows."]),
        (is_relative, "tasks/plan.py", "from .home import x\nfrom .. import y", [".home", ".."]),
        (knows_prefect_or_mlflow, "models/study.py", "from prefect.cache import x", None),
        (knows_prefect_or_mlflow, "models/study.py", "import os, mlflow", ["mlflow"]),
        (is_impure, "tasks/strategies/a/b.py", "import torch.nn as nn", ["torch.nn"]),
        (speaks_mlflow, "tasks/report/tables.py", "from mlflow import MlflowClient", ["mlflow"]),
        (speaks_mlflow, "flows/cli.py", "def f():\n    import mlflow", ["mlflow"]),
        (hides_a_module, "flows/queue.py", "", ["queue"]),
        (hides_a_module, "flows/queue/a.py", "", ["queue"]),
        (hides_a_module, "flows/models.py", "", ["models"]),
    ],
)
def test_every_rule_can_fail(rule, file, source, wrong):
    found = rule(file, source)
    assert found == wrong if wrong else len(found) == 1


@pytest.mark.parametrize(
    ("rule", "file", "source"),
    [
        (points_left, "flows/cli.py", f"import {RECORD}, {STUDY}, prefect"),
        (points_left, "tasks/x.py", "import flowsheet, taskset, nettuner"),
        (points_up, "models/stacks/stack.py", "import nettuner.models.stacks.program"),
        (points_up, "models/stacks/stack.py", "from nettuner.models.training import loop"),
        (points_up, "tasks/plan.py", f"import {STUDY}"),
        (is_bare, "models/study.py", f"import {STUDY}, taskset"),
        (knows_prefect_or_mlflow, "models/study.py", "'''import mlflow'''\nimport torch"),
        (speaks_mlflow, "tasks/memory/recall.py", "import mlflow"),
        (speaks_mlflow, "tasks/plan.py", "if TYPE_CHECKING:\n    from mlflow import MlflowClient"),
        (hides_a_module, "flows/grid_search.py", ""),
        (hides_a_module, "flows/engine/queue.py", ""),
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
