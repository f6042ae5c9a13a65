"""What `make` installs, and when; nothing is run here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def checkout(tmp_path):
    """The files that `make` looks at; pyproject.toml and the constraints of a day ago."""
    (tmp_path / "deploy").mkdir()
    for name in ("Makefile", "pyproject.toml", "deploy/constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
        os.utime(tmp_path / name, (0, 0))
    return tmp_path


def installs(checkout, target):
    """What pip would be asked for, one command after another."""
    done = subprocess.run(
        ["make", "--dry-run", target], cwd=checkout, check=True, capture_output=True, text=True
    )
    return [
        line.split()[-1].strip("'") for line in done.stdout.splitlines() if "pip install" in line
    ]


def installed(checkout, *stamps, at):
    """Leave what an installation leaves, at so many seconds after 1970."""
    (checkout / ".venv").mkdir(exist_ok=True)
    for stamp in stamps:
        path = checkout / ".venv" / stamp
        path.touch()
        os.utime(path, (at, at))


@pytest.mark.parametrize("target", ["demo", "bench-start", "schema"])
def test_what_only_runs_nettuner_installs_no_tool_of_development(checkout, target):
    assert installs(checkout, target) == ["."]


@pytest.mark.parametrize("target", ["test", "test-long", "lint", "quick"])
def test_tools_of_development_are_added_to_what_running_needs(checkout, target):
    assert installs(checkout, target) == [".", "nettuner[dev]"]
    installed(checkout, "installed", at=10)
    assert installs(checkout, target) == ["nettuner[dev]"]


@pytest.mark.parametrize("target", ["demo", "test"])
def test_nothing_is_installed_twice(checkout, target):
    installed(checkout, "installed", "installed-dev", at=10)
    assert installs(checkout, target) == []


@pytest.mark.parametrize("changed", ["pyproject.toml", "deploy/constraints.txt"])
def test_changed_requirements_are_installed_anew(checkout, changed):
    installed(checkout, "installed", "installed-dev", at=10)
    os.utime(checkout / changed, (20, 20))
    assert installs(checkout, "demo") == ["."]
    assert installs(checkout, "test") == [".", "nettuner[dev]"]


def test_what_make_test_leaves_out_the_other_command_runs_and_both_run_in_ci():
    told = [
        subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        for target in ("test", "test-long")
    ]
    assert '-m "not long"' in told[0]
    assert "-m long" in told[1]
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert steps[-2:] == ["make test", "make test-long"]
