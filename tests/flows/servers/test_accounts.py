"""A password in the address of an MLflow server: it opens the server, and is recorded nowhere."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.request

import pytest

from nettuner.flows.servers import databases, up
from nettuner.flows.servers.processes import running
from nettuner.flows.servers.up import Site

pytestmark = pytest.mark.long

PASSWORD = "hunter2-hunter2@"
STUDY = """
name: bowl
learner: functions.py:bowl
metric: loss
direction: minimize
space: {x: {distribution: uniform, low: 0, high: 1}}
strategy: random
width: 1
stop: {trials: 1}
"""


@pytest.fixture
def server(tmp_path, monkeypatch):
    """An MLflow server with a password, and all that it has recorded."""
    monkeypatch.setenv("NETTUNER_HOME", str(tmp_path / "home"))
    site = Site("127.0.0.1", up.free_port(), up.free_port(), PASSWORD)
    _, mlflow = up.servers(site, databases.embedded())
    with running([mlflow], tmp_path / "mlflow.log"):
        yield site


def recorded(site):
    """All runs of all experiments, as the server gives them."""
    account = base64.b64encode(f"nettuner:{PASSWORD}".encode()).decode()
    request = urllib.request.Request(
        f"{site.mlflow}/api/2.0/mlflow/runs/search",
        json.dumps({"experiment_ids": ["0", "1"]}).encode(),
        {"content-type": "application/json", "authorization": f"Basic {account}"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read().decode()


def command(site, folder, *words):
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT_", "MLFLOW_", "NETTUNER_"))
    }
    environment |= {
        "NETTUNER_HOME": str(folder / "home"),
        "NETTUNER_SERVERS": "none",
        "PREFECT_HOME": str(folder / "prefect"),
        "MLFLOW_TRACKING_URI": f"http://nettuner:hunter2-hunter2%40@127.0.0.1:{site.mlflow_port}",
    }
    return subprocess.run(
        [sys.executable, "-m", "nettuner.flows.cli", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=240,
    )


def test_a_search_records_links_without_it(server, tmp_path):
    (tmp_path / "bowl.yaml").write_text(STUDY)
    (tmp_path / "functions.py").write_text("def bowl(h, report):\n    return h['x'] ** 2\n")
    done = command(server, tmp_path, "search", "bowl.yaml")
    assert done.returncode == 0, done.stderr
    assert f"recorded as {server.mlflow}/#/experiments/1/runs/" in done.stdout
    runs = recorded(server)
    assert f"({server.mlflow}/#/experiments/1/runs/" in runs  # the link in a trial's note
    unknown = command(server, tmp_path, "trials", "nothing")
    assert f"was searched so far in {server.mlflow}; " in unknown.stderr
    flow_runs = (tmp_path / "home" / "prefect.db").read_bytes()
    flow_runs += (
        (tmp_path / "home" / "prefect.db-wal").read_bytes()
        if (tmp_path / "home" / "prefect.db-wal").exists()
        else b""
    )
    for text in (done.stdout, done.stderr, runs, unknown.stderr, flow_runs.decode("latin-1")):
        assert "hunter2" not in text
