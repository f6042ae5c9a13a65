"""A command imports nothing that it does not use: heavy libraries take seconds each."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from nettuner.flows.servers import databases, up
from nettuner.flows.servers.processes import running
from nettuner.models.study import Goal, Proposal, Study, Trial

HEAVY = (
    "alembic",
    "bokeh",
    "matplotlib",
    "mlflow",
    "pandas",
    "prefect",
    "ray",
    "scipy.stats",
    "skopt",
    "sklearn",
    "sqlalchemy",
    "torch",
)
# Each command, and what it may import of these.
COMMANDS = [
    ("--help", ()),
    ("trials --help", ()),
    ("--version", ()),
    ("trials past", ("pandas",)),
    ("trials past --json", ("pandas",)),
    ("studies", ("pandas",)),
    ("trials past --strategy random --output trials.parquet", ("pandas",)),
    ("compare past", ("pandas", "matplotlib")),
    ("report past", ("bokeh", "pandas", "scipy.stats", "skopt", "sklearn")),
    ("history past", ("pandas",)),
]
# Runs the command, and leaves the names of all modules that were imported.
WATCHED = """
import atexit, pathlib, sys
atexit.register(lambda: pathlib.Path("modules.txt").write_text("\\n".join(sys.modules)))
from nettuner.flows.cli import main
main()
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Of commands in a home whose records a server serves: a study that was searched."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("MLFLOW_", "NETTUNER_", "PREFECT_")):
                patch.delenv(name)
        patch.setenv("HOME", str(folder))
        patch.setenv("NETTUNER_HOME", str(folder))
        site = up.Site("127.0.0.1", up.free_port(), up.free_port())
        _, mlflow = up.servers(site, databases.embedded())
        with running([mlflow], folder / "mlflow.log"):
            patch.setenv("MLFLOW_TRACKING_URI", site.mlflow)
            search("past")
            yield dict(os.environ)


def search(name):
    """Two trials of a search that is over, and a version of its model."""
    from nettuner.tasks.memory import search_record, store

    space = {"x": {"distribution": "uniform", "low": 0, "high": 1}}
    study = Study(name=name, learner="file.py:f", space=space, metric="loss")
    facts = search_record.Facts("random_search", {}, "digest", "", "", frozenset(), None)
    record = search_record.start_search(store.client(), study, Goal("loss", "minimize"), facts)
    for number in range(2):
        asked = Proposal(number, {"x": number / 8})
        trial = Trial(asked, float(number), ended=number + 1.0)
        record.begin(asked, (0, number), 0, None).finish(trial, last=True)
    record.finish("FINISHED", "note", {}, {})
    store.client().create_registered_model(name)
    store.client().create_model_version(name, f"runs:/{record.run_id}/model", record.run_id)


def imported(command, folder, environment):
    """The heavy libraries that a command imported."""
    words = [sys.executable, "-c", WATCHED, *command.split()]
    done = subprocess.run(
        words, env=environment, cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = (folder / "modules.txt").read_text().splitlines()
    assert "typer" in found  # else this would look at something else
    return set(found) & set(HEAVY)


@pytest.mark.long
@pytest.mark.parametrize(("command", "allowed"), COMMANDS)
def test_a_command_imports_only_what_it_uses(environment, tmp_path, command, allowed):
    assert imported(command, tmp_path, environment) <= set(allowed)


@pytest.mark.long
@pytest.mark.parametrize("command", ["trials past", "history past"])
def test_without_a_server_mlflow_reads_and_nothing_else_is_imported(environment, tmp_path, command):
    database = {"MLFLOW_TRACKING_URI": f"sqlite:///{environment['NETTUNER_HOME']}/mlflow.db"}
    found = imported(command, tmp_path, environment | database)
    assert found == {"alembic", "mlflow", "pandas", "sqlalchemy"}


@pytest.fixture(scope="module")
def resident(tmp_path_factory):
    """Of commands in a home where all stays that may stay: a study that was searched there."""
    folder = tmp_path_factory.mktemp("resident")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "PREFECT_"))}
    environment = {**kept, "NETTUNER_HOME": str(folder / "home"), "NETTUNER_SERVERS": "stay"}
    (folder / "net.yaml").write_text(
        "{name: net, learner: mlp, data: iris, metric: val_loss, epochs: 1, strategy: random, "
        "stop: {trials: 2}, space: {learning_rate: {distribution: uniform, low: 0.01, high: 0.1}}}"
    )
    try:
        imported("search net.yaml", folder, environment)
        imported("ui --no-browser", folder, environment)  # both pages answer
        yield folder, environment
    finally:
        imported("down", folder, environment)


@pytest.mark.long
@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        ("check net.yaml", set()),
        ("search net.yaml", {"prefect"}),
        ("status", set()),
        ("trials net.yaml", {"pandas"}),
    ],
)
def test_what_other_processes_have_imported_a_command_does_not(resident, command, allowed):
    folder, environment = resident
    assert imported(command, folder, environment) <= allowed


@pytest.mark.long
def test_without_another_process_check_imports_what_its_study_is_made_of(resident, tmp_path):
    folder, environment = resident
    alone = {**environment, "NETTUNER_HOME": str(tmp_path / "home")}
    assert imported("check net.yaml", folder, alone) == {"pandas", "torch"}


@pytest.mark.long
def test_a_first_search_leaves_it_to_a_worker_to_import_mlflow(resident):
    folder, environment = resident
    study = (folder / "net.yaml").read_text().replace("name: net", "name: unknown")
    (folder / "unknown.yaml").write_text(study)
    alone = environment | {"NETTUNER_SERVERS": "none", "NETTUNER_HOME": str(folder / "new")}
    assert imported("search unknown.yaml", folder, alone) <= {"prefect"}
    assert imported("search unknown.yaml", folder, alone) <= {"prefect"}
