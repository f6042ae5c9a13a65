"""Clients of a store."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

# Alone, each of these makes the tables of a new database, which takes it a second or more.
OPENED = """
import sys
from nettuner.tasks.memory import store
{more}
sys.stdout.write("ready\\n")
sys.stdout.flush()
sys.stdin.readline()
{opened}
"""
CLIENT = (
    "import alembic.command, mlflow.store.tracking.sqlalchemy_store",
    "print(len(store.open_client(sys.argv[1]).search_experiments()))",
)
SERVER = (
    "from nettuner.tasks.memory.mlflow_private import server_app\nimport mlflow.server.handlers",
    "server_app(sys.argv[1], sys.argv[2]); print(1)",
)


def test_processes_that_open_a_new_store_at_the_same_moment_find_it_whole(tmp_path):
    words = ["sqlite:///" + str(tmp_path / "new.db"), tmp_path.as_uri()]
    environment = {**os.environ, "NETTUNER_HOME": str(tmp_path)}
    programs = [OPENED.format(more=m, opened=o) for m, o in (CLIENT, SERVER, CLIENT)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for program in programs
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=300) for process in processes]
    assert [out for out, _ in ended] == ["1\n"] * 3, [error[-2000:] for _, error in ended]
