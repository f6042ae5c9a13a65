"""Classes, functions and data of a program are kept in files that other processes import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import numpy as np
import pandas as pd
import pytest

from nettuner.models.learners.mlp import MLP
from nettuner.models.reference import referred
from nettuner.tasks import given


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NETTUNER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def module_level(hyperparameters, report):
    """Is imported by its name."""


def test_what_a_module_has_is_imported_from_there():
    assert given.code(MLP) == "nettuner.models.learners.mlp:MLP"
    assert given.code(module_level) == f"{__name__}:module_level"


def test_a_function_inside_of_another_is_kept_with_what_it_uses(home):
    factor = 3

    def triple(hyperparameters, report):
        return factor * hyperparameters["x"]

    reference = given.code(triple)
    assert reference.startswith(f"{home}/given/triple_")
    factor = 4  # what was given stays as it was
    assert referred(reference)({"x": 2}, None) == 6


def test_a_class_of_a_script_is_understood_by_other_processes(home, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        dedent(
            """
            from nettuner import Supervised
            from nettuner.tasks import given


            class Net(Supervised):
                def build(self, *, hidden: int = 8):
                    return hidden


            print(given.code(Net))
            """
        )
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    found = referred(done.stdout.strip())
    assert found.hyperparameters()["hidden"].default == 8


def test_data_are_answered_with():
    frame = pd.DataFrame({"x": [1, 2], "y": [3, 4]})
    pd.testing.assert_frame_equal(referred(given.data(frame))(), frame)
    inputs, targets = referred(given.data((np.ones((2, 3)), np.zeros(2))))()
    assert inputs.shape == (2, 3)
    assert targets.tolist() == [0, 0]


def test_a_function_that_answers_with_data_is_given_itself():
    def make(rows=2):
        return list(range(rows))

    assert referred(given.data(make))(rows=3) == [0, 1, 2]


def test_the_same_data_are_kept_once(home):
    frame = pd.DataFrame({"x": [1, 2]})
    assert given.data(frame) == given.data(frame.copy())
    assert len([*(home / "given").glob("*.pkl")]) == 1


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (MLP.__new__(MLP), "learner must be a class or a function, got MLP; give it itself"),
        (lambda *_: 0, "learner must have a name, got <lambda>; define it by class or def"),
    ],
)
def test_what_cannot_be_referred_to_is_refused(what, says):
    with pytest.raises(ValueError, match=says):
        given.code(what)


def test_what_cannot_be_kept_is_refused_with_a_way_out(tmp_path):
    with Path(tmp_path / "open").open("w") as file:

        def writes(hyperparameters, report):
            file.write("x")

        with pytest.raises(ValueError, match=r"writes cannot be kept .*give 'file\.py:writes'"):
            given.code(writes)
