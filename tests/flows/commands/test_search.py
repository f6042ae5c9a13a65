"""A search from Python: in a script as the README has it, and in a process that does more."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nettuner
from nettuner.models.study_file import StudyError

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
STUDY = """
name: from-python
learner: own.py:f
metric: loss
direction: minimize
width: 1
space: {x: {distribution: uniform, low: 0, high: 1}}
stop: {trials: 3}
"""
# A notebook has a running event loop, and has imported Prefect and set warnings before.
NOTEBOOK = """
import asyncio, logging, os, warnings
import prefect
import nettuner

warnings.simplefilter("error")
before = list(warnings.filters), logging.getLogger("mlflow").level

async def cell():
    return nettuner.search("from_python.yaml")

found = asyncio.run(cell())
assert len(found.trials) == 3
assert before == (list(warnings.filters), logging.getLogger("mlflow").level)
again = nettuner.search("from-python", strategy="grid")  # by its name
print(found.url, len(again.trials))
"""


@pytest.fixture
def run(tmp_path):
    """Runs a script in a folder of its own, with a home and an account of its own."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT_", "MLFLOW_", "NETTUNER_"))
    }
    inherited["NETTUNER_SERVERS"] = "none"
    places = {"NETTUNER_HOME": str(tmp_path / "home"), "HOME": str(tmp_path / "account")}
    (tmp_path / "account").mkdir()

    def run(script, folder):
        return subprocess.run(
            [sys.executable, "-c", script],
            cwd=folder,
            env={**inherited, **places},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


def test_a_notebook_that_has_imported_prefect_before_can_search(run, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (project / "own.py").write_text("def f(h, report):\n    return h['x']\n")
    (project / "from_python.yaml").write_text(STUDY)
    done = run(NOTEBOOK, project)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"http://127\.0\.0\.1:5000/\S+ 3\n", done.stdout)
    assert {path.name for path in project.iterdir()} <= {
        "own.py",
        "from_python.yaml",
        "__pycache__",
    }
    assert {"mlflow.db", "prefect.db"} <= {path.name for path in (tmp_path / "home").iterdir()}
    assert not list((tmp_path / "account").rglob("*.db"))


FURTHER = """
assert isinstance(result.trials, pd.DataFrame) and len(result.trials) == 12
assert result.params["hidden"] in (4, 8, 16)
assert set(result.test) == {"test_loss", "test_accuracy"}
answers = result.model().predict(frame.drop(columns="sign").head(3))
assert set(answers["prediction"]) <= {"same", "other"}
assert result.figure("importance").children and result.figure("learning").children
assert result.figure("importance").sizing_mode == "stretch_width"  # else too narrow
try:
    result.figure("weather")
except ValueError as error:
    print(error)
page = result._repr_html_()
assert "data:image/png" in page and "more: <code>.trials</code>" in page
assert result.report("signs.html").stat().st_size > 100_000
"""


def test_networks_and_data_of_a_program_are_searched_and_shown(run, tmp_path):
    text = (ROOT / "docs" / "notebook.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", text, re.S)
    (tmp_path / "project").mkdir()
    done = run(script + FURTHER, tmp_path / "project")
    assert done.returncode == 0, done.stderr
    shown, refused = done.stdout.splitlines()
    assert re.fullmatch(r"<random 1 of signs: 12 trials, best val_accuracy (0\.\d+|1)>", shown)
    assert refused.startswith("the figures of this search are best so far, learning curves, ")


def test_a_study_that_makes_no_sense_is_refused_as_a_file_is():
    with pytest.raises(StudyError, match="study: epochs: must be a whole number of at least 1"):
        nettuner.search({"name": "x", "learner": "mlp", "space": {}, "metric": "a", "epochs": 0})


def test_objects_go_with_a_mapping():
    with pytest.raises(ValueError, match="go with a study that is a mapping, got a str"):
        nettuner.search("iris", data=[1])


def test_the_script_of_the_readme_runs(run):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (script,) = [
        code for code in re.findall(r"```python\n(.*?)```", text, re.S) if "search(" in code
    ]
    assert "own_net.yaml" in script
    done = run(script, ROOT)
    assert done.returncode == 0, done.stderr
    assert "test_accuracy" in done.stdout
