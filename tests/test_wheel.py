"""The wheel holds the floors and what is served, and works away from the repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ["flows", "models", "tasks"]

pytestmark = pytest.mark.slow

# Imports every module it finds on the floors, and prints the files they came from.
IMPORT_ALL = """
import importlib, pkgutil, sys

sys.path.insert(0, sys.argv[1])
# tasks/served_model.py runs beside a copy of this module, under this name.
sys.modules["nettuner_preprocessing"] = importlib.import_module("models.data.preprocessing")
for floor in sys.argv[2:]:
    package = importlib.import_module(floor)
    print(package.__file__)
    for module in pkgutil.walk_packages(package.__path__, f"{floor}."):
        print(importlib.import_module(module.name).__file__)
"""


def python(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-P", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
    )


def sources():
    """The Python files of the three floors, relative to the repository."""
    return {
        path.relative_to(ROOT).as_posix()
        for floor in FLOORS
        for path in ROOT.glob(f"{floor}/**/*.py")
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built with what is installed here."""
    pytest.importorskip("hatchling", reason="the wheel is built without downloading hatchling")
    folder = tmp_path_factory.mktemp("dist")
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    done = python("-c", build, folder, cwd=ROOT)  # PEP 517
    assert done.returncode == 0, done.stderr
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_its_top_level_names_are_the_floors(unpacked):
    found = sorted(path.name for path in unpacked.iterdir())
    expected = ["deploy", *FLOORS]
    assert [name for name in found if not name.endswith(".dist-info")] == expected
    assert len(found) == len(expected) + 1


def test_it_holds_every_source_file_and_no_other(wheel):
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    code = {name for name in names if not name.startswith("deploy/")}
    assert code - {f"{floor}/py.typed" for floor in FLOORS} == sources()
    assert {"tasks/strategies/grid_search.py", "models/learners/mlp.py"} <= names


def test_it_holds_the_deployments_with_their_automations_and_studies_and_no_containers(wheel):
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("deploy/")}
    served = {
        path.relative_to(ROOT).as_posix()
        for folder in ("automations", "studies")
        for path in (ROOT / "deploy" / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == {"deploy/prefect.yaml", *served}


def test_every_module_of_it_can_be_imported_from_an_empty_folder(unpacked, tmp_path):
    done = python("-c", IMPORT_ALL, unpacked, *FLOORS, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = {
        Path(line).relative_to(unpacked).as_posix() for line in done.stdout.split("\n") if line
    }
    assert found == sources()


def test_it_finds_its_learners_strategies_and_command(unpacked, tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r})\n"
        "from models import learners; from tasks import strategies\n"
        "print(*(learners.find(name).__name__ for name in learners.names()))\n"
        "print(*(strategies.find(name).__name__ for name in strategies.names()))\n"
    )
    done = python("-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    learners, strategies = (set(line.split()) for line in done.stdout.splitlines())
    assert {"MLP", "CNN"} <= learners
    assert {"GridSearch", "RandomSearch", "Bayesian", "Population"} <= strategies
    (points,) = unpacked.glob("*.dist-info/entry_points.txt")
    assert "nettuner = flows.cli:main" in points.read_text().splitlines()
