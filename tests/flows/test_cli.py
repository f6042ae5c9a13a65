"""The command line, as people and scripts meet it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version

import pandas as pd
import pytest
from typer.testing import CliRunner

from nettuner.flows.cli import app

STUDY = """
name: cli
learner: functions.py:bowl
metric: loss
direction: minimize
space:
  x: {distribution: uniform, low: 0, high: 1}
  kind: {distribution: choice, values: [a, b]}
strategy: {name: grid, resolution: {x: 4}}
width: 2
stop: {trials: 6}
"""


def call(*words):
    """Run the command here; gives status, standard output and standard error."""
    done = CliRunner().invoke(app, [*map(str, words)])
    return done.exit_code, done.stdout, done.stderr


def errors(text):
    return [line for line in text.splitlines() if line.startswith("error: ")]


@pytest.fixture
def study(tmp_path):
    (tmp_path / "functions.py").write_text("def bowl(h, report):\n    return h['x'] ** 2\n")
    path = tmp_path / "cli.yaml"
    path.write_text(STUDY)
    return path


# Without Prefect and MLflow


def test_help_is_quick_and_imports_nothing_heavy():
    before = os.times()
    words = [sys.executable, "-X", "importtime", "-m", "nettuner.flows.cli", "--help"]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
    after = os.times()
    spent = after.children_user - before.children_user
    spent += after.children_system - before.children_system
    assert "Tune the hyperparameters of neural networks" in done.stdout
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in imported  # else this would look at something else
    assert not imported & {"torch", "prefect", "mlflow", "skopt", "sklearn", "pandas", "numpy"}
    assert spent < 1.0


def test_a_good_study_is_shown_with_its_grid_and_number_of_trials(study):
    status, said, _ = call("check", study)
    assert status == 0
    lines = said.splitlines()
    assert any(re.match(r"grid: +8 points$", line) for line in lines)
    assert any(re.match(r"trials: +6$", line) for line in lines)
    assert any(re.match(r"strategy: +grid_search, 2 trials at a time$", line) for line in lines)


def test_the_same_is_told_to_programs(study):
    status, said, _ = call("check", study, "--json")
    assert status == 0
    found = json.loads(said)
    assert (found["grid"], found["trials"], found["width"]) == (8, 6, 2)
    assert found["hyperparameters"][1] == {
        "name": "kind",
        "distribution": "choice",
        "values": "a, b",
        "when": None,
        "structural": False,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("resolution: {x: 4}", "resolution: {z: 4}"), "grid resolution must name dimensions"),
        (("name: grid", "name: annealing"), "no strategy named 'annealing'"),
        (("direction: minimize", "direction: down"), "direction"),
        (("functions.py:bowl", "functions.py:bowls"), "has no 'bowls'; it defines: bowl"),
    ],
)
def test_a_bad_study_is_one_line_and_status_2(change, message, study):
    study.write_text(STUDY.replace(*change))
    for command in ("check", "search"):
        status, said, complained = call(command, study)
        assert status == 2
        assert not said
        *before, line = complained.splitlines()
        starts = f"{study}: starting Prefect and MLflow …"
        assert before == ([starts] if command == "search" else [])
        assert line.startswith("error: ")
        assert message in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--device", "gpu"],
            "command line: device: must be auto, cpu, cuda, cuda with a number (cuda:1) or mps, "
            "got 'gpu'; give one of them",
        ),
        (["--devices", "a"], "--devices must be numbers of GPUs, got 'a'; write 0,1"),
        (
            ["--device", "cuda:1", "--devices", "0"],
            "command line: device: names one GPU, got cuda:1 beside devices=[0]; drop one of them",
        ),
    ],
)
def test_a_bad_device_on_the_command_line_is_one_line_and_status_2(words, message, study, home):
    status, _, told = call("search", study, *words)
    assert (status, errors(told)) == (2, [f"error: {message}"])


def test_the_devices_of_a_study_are_shown_and_what_is_not_there_is_one_line(two_gpus, study):
    study.write_text(STUDY + "device: cuda:1\n")
    status, shown, _ = call("check", study)
    assert (status, "device:   cuda:1 NVIDIA Pretended; 1 at a time on each" in shown) == (0, True)
    study.write_text(STUDY + "device: cuda:2\n")
    status, _, told = call("check", study)
    line = "must be one of this machine's (cpu, cuda:0, cuda:1), got cuda:2; give one of them"
    assert (status, errors(told)) == (2, [f"error: cli.yaml: device: {line}"])


def test_every_fault_of_a_study_is_a_line(study):
    study.write_text(STUDY.replace("width: 2", "width: none").replace("trials: 6", "trials: 0"))
    status, _, complained = call("check", study)
    assert status == 2
    assert len(errors(complained)) == 2


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    status, _, complained = call("check", tmp_path / "none.yaml")
    assert status == 2
    assert len(errors(complained)) == 1


def test_every_command_finds_a_study_that_comes_with_nettuner(tmp_path):
    """From an empty folder, with an empty home: nobody has searched it so far."""
    environment = {**os.environ, "NETTUNER_HOME": str(tmp_path), "PREFECT_API_URL": ""}
    environment.pop("MLFLOW_TRACKING_URI", None)
    code = "from typer.testing import CliRunner; from nettuner.flows.cli import app; import sys\n"
    code += "for words in sys.argv[1:]:\n"
    code += "    done = CliRunner().invoke(app, words.split())\n"
    code += "    print(done.exit_code, done.stderr.strip() or done.stdout.splitlines()[0])\n"
    commands = ["check", "trials", "compare", "replay", "history", "promote", "rollback"]
    done = subprocess.run(
        [sys.executable, "-c", code, *(f"{command} own_function.yaml" for command in commands)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    told = dict(zip(commands, done.stdout.splitlines(), strict=True))
    assert told.pop("check").startswith("0 own-function: ")
    assert all("own-function" in line for line in told.values()), told
    assert not any("must be a file" in line for line in told.values()), told


def test_the_schema_of_a_study_is_json(tmp_path):
    status, _, _ = call("schema", "--output", tmp_path / "schema.json")
    assert status == 0
    assert "space" in json.loads((tmp_path / "schema.json").read_text())["properties"]


# With what was searched


@pytest.fixture
def searched(lab, random_search, grid_search):
    """Two studies of the session that are over."""
    return lab


@pytest.mark.slow
def test_trials_are_shown_the_best_first(searched, random_search):
    status, said, complained = call("trials", "random")
    assert status == 0
    assert not complained
    rows = [line.split() for line in said.splitlines() if random_search.result.name in line]
    numbers = [int(row[2]) for row in rows]
    ranked = sorted(random_search.result.trials, key=lambda trial: trial.score)
    assert numbers == [trial.number for trial in ranked]


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_trials_are_written_as_the_ending_says(ending, searched, random_search, tmp_path):
    path = tmp_path / f"trials.{ending}"
    status, _, _ = call("trials", "random", "--output", path)
    assert status == 0
    table = getattr(pd, f"read_{ending}")(path)
    ranked = sorted(random_search.result.trials, key=lambda trial: trial.score)
    assert table["trial"].tolist() == [trial.number for trial in ranked]
    for name in ("loss", "x", "units"):
        values = [{**t.proposal.params, "loss": t.score}[name] for t in ranked]
        assert table[name].tolist() == pytest.approx(values, rel=1e-9)


@pytest.mark.slow
def test_failed_trials_are_written_with_their_reasons(searched, grid_search, tmp_path):
    call("trials", "grid", "--output", tmp_path / "trials.csv")
    table = pd.read_csv(tmp_path / "trials.csv").set_index("trial")
    for trial in grid_search.result.trials:
        found = table.loc[trial.number, "failed"]
        assert pd.isna(found) if trial.reason is None else found == trial.reason


@pytest.mark.slow
def test_a_comparison_is_a_table_and_a_picture(searched, tmp_path):
    path = tmp_path / "picture.png"
    status, said, _ = call("compare", "random", "--plot", path)
    assert status == 0
    assert "random_search" in said
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_report_is_a_page_on_the_latest_search_or_the_one_named(
    searched, random_search, tmp_path
):
    path = tmp_path / "report.html"
    status, said, complained = call("report", "random", "--output", path)
    assert (status, said, complained) == (0, f"report: {path}\n", "")
    latest = path.read_text()
    assert random_search.result.name in latest
    assert f"Trial {random_search.result.best.number} won, with a loss of " in latest
    assert ", after 5 trials, none of which failed." in latest
    call("report", "random", "--search", random_search.result.run_id, "--output", path)
    assert random_search.result.name in path.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["report", "random", "--search", "x"], "it has no search 'x'; its latest are: 'random 1"),
        (["trials", "unheard-of"], "no study named 'unheard-of' was searched so far"),
        (["compare", "unheard-of"], "no study named 'unheard-of' was searched so far"),
        (["trials", "random", "--strategy", "bayesian"], "random has no bayesian search"),
        (["trials", "random", "--strategy", "magic"], "no strategy named 'magic'"),
        (["trials", "random", "--output", "trials.xls"], "ending in .csv, .parquet or .json"),
    ],
)
def test_what_cannot_be_shown_is_one_line_and_status_2(words, message, searched):
    status, said, complained = call(*words)
    assert status == 2
    assert not said
    (line,) = complained.splitlines()
    assert line.startswith("error: ")
    assert message in line


# Before any command


def test_the_version_is_one_line():
    status, said, _ = call("--version")
    assert (status, said) == (0, f"{version('nettuner')}\n")


def test_a_search_without_a_study_says_how_to_get_one():
    status, said, complained = call("search")
    assert (status, said) == (2, "")
    assert complained == (
        "error: say which study: nettuner search STUDY.yaml; nettuner init writes a first one\n"
    )
