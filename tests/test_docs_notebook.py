"""The notebook among the pages: it has outputs that anybody may see, and its cells run anew."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "example.ipynb"
BOOK = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
CODE = {cell["id"]: cell for cell in BOOK["cells"] if cell["cell_type"] == "code"}
ASSIGNS_ALONE = ("net", "study")
LOADED = "output_notebook(hide_banner=True)"
INTO_A_FILE = 'from bokeh.io import output_file; output_file("chart.html", mode="inline")'


def shown(key):
    """What a cell has shown: a dict of contents by their kinds."""
    (output,) = CODE[key]["outputs"]
    return {kind: "".join(content) for kind, content in output["data"].items()}


def test_every_cell_was_executed_in_order_without_an_error():
    assert [cell["execution_count"] for cell in CODE.values()] == [*range(1, len(CODE) + 1)]
    assert [key for key, cell in CODE.items() if not cell["outputs"]] == [*ASSIGNS_ALONE]
    kinds = {output["output_type"] for cell in CODE.values() for output in cell["outputs"]}
    assert kinds == {"execute_result", "display_data"}  # no `error`, and no `stream` of warnings


def test_what_was_shown_is_there_without_a_network():
    for key, strategy in [("random", "random"), ("bayesian", "bayesian")]:
        page = shown(key)["text/html"]
        assert f"<b>{strategy}" in page
        assert "of tumours: 24 trials, best val_loss 0." in page
        assert 'src="data:image/png;base64,' in page
        assert "and 14 more: <code>.trials</code>" in page
    picture = base64.b64decode(shown("figure")["image/png"])
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20], "big") >= 600  # pixels wide
    assert "p_malignant" in shown("model")["text/html"]
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert "<script" not in text
    assert set(re.findall(r"(?:src|href)=\W*(\w+:[\w/]*)", text)) == {
        "data:image/png",
        "http://127",
    }


def test_nothing_in_it_is_of_the_machine_that_executed_it():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 500_000
    assert not re.findall(r"/(?:home|root|tmp|work|Users|usr|var)/", text)
    ports = set(re.findall(r"127\.0\.0\.1:\d+|localhost", text))
    assert ports == {"127.0.0.1:5000"}  # that of MLflow's pages
    assert BOOK["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert {json.dumps(cell["metadata"]) for cell in BOOK["cells"]} == {"{}"}


SHOWN = """
assert len(trials) == 48 and len(random.trials) == len(bayesian.trials) == 24
assert set(random.params) == set(study["space"])
for found in (random, bayesian):
    assert found.test["test_accuracy"] > 0.8, found.test  # 0.63 are benign
    assert "data:image/png" in found._repr_html_()
assert set(answers["prediction"]) <= {"benign", "malignant"}
print("all cells ran")
"""


@pytest.mark.long
def test_its_cells_run_anew(tmp_path):
    """As a script, in which the chart goes into a file: a kernel is no part of nettuner."""
    cells = ["".join(cell["source"]) for cell in CODE.values()]
    script = "\n".join(cells)
    assert script.count(LOADED) == 1
    for folder in ("account", "project"):
        (tmp_path / folder).mkdir()
    places = {"NETTUNER_HOME": str(tmp_path / "home"), "HOME": str(tmp_path / "account")}
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT_", "MLFLOW_", "NETTUNER_"))
    }
    done = subprocess.run(
        [sys.executable, "-c", script.replace(LOADED, INTO_A_FILE) + SHOWN],
        cwd=tmp_path / "project",
        env={**inherited, **places, "NETTUNER_SERVERS": "none", "BROWSER": "true"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "all cells ran"
    assert "share of how scores differ" in (tmp_path / "project/chart.html").read_text()
