"""From a champion that degrades to a proven replacement and back: real servers, real digits.

The handwritten digits that ship with scikit-learn, as a table with one column a pixel. What shifts
in production is their polarity: white on black becomes black on white.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

pytestmark = pytest.mark.long

STUDY = """
name: digits-table
learner: mlp
data: {{source: csv, path: train.csv, target: digit}}
metric: val_loss
epochs: 8
space:
  learning_rate: {learning_rate}
  batch_size: 16
strategy: random
width: 1
stop: {{trials: 2}}
"""
GOOD = "{distribution: log-uniform, low: 3.0e-3, high: 1.0e-2}"
HOPELESS = "{distribution: log-uniform, low: 1.0e-7, high: 1.0e-6}"
DEPLOYMENTS = """
deployments:
  - name: digits
    entrypoint: flows/monitor.py:monitor
    parameters: {study: digits.yaml, data: in/*.csv, in_a_row: 2}
    concurrency_limit: {limit: 1, collision_strategy: ENQUEUE}
    schedules: [{interval: 60}]
  - name: digits
    entrypoint: flows/retune.py:retune
    parameters: {study: digits.yaml, data: in/*.csv, finals: 1, seeds: 2}
    concurrency_limit: {limit: 1, collision_strategy: CANCEL_NEW}
"""
SHIPPED = Path(__file__).parents[3] / "deploy" / "automations" / "retune-breast-cancer.yaml"
PATIENCE = 480


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(found, what, seconds=PATIENCE):
    """Ask until there is an answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = found()
        if answer:
            return answer
        time.sleep(0.5)
    raise AssertionError(f"no {what} within {seconds} s")


def digits():
    """All digits in a fixed random order: 64 pixels from 0 to 16, and what they show."""
    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    table = pd.DataFrame(bunch.data[order].astype(int)).add_prefix("p")
    return table.assign(digit=bunch.target[order])


def inverted(table):
    """Black on white."""
    return table.assign(**{name: 16 - table[name] for name in table.columns if name != "digit"})


def outcome_of(run):
    """How a run ended: its name tells, or else its state."""
    return run["name"].partition(": ")[2] or run["state_name"]


class Plant:
    """A home, a study with its data, and `nettuner up` for it."""

    def __init__(self, home, *words, password=None):
        self.home = home
        self.password = password
        self.words = words
        self.ports = free_port(), free_port()
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PREFECT_", "MLFLOW_", "NETTUNER_"))
        } | {"NETTUNER_HOME": str(home), "PREFECT_HOME": str(home / "prefect")}
        self.environment["NETTUNER_SERVERS"] = "none"
        if password:
            self.environment["NETTUNER_PASSWORD"] = password
        (home / "in").mkdir(parents=True)
        (home / "mine" / "automations").mkdir(parents=True)
        (home / "mine" / "prefect.yaml").write_text(DEPLOYMENTS)
        automation = SHIPPED.read_text().replace("breast-cancer", "digits")
        automation = automation.replace("nettuner.study.digits", "nettuner.study.digits-table")
        (home / "mine" / "automations" / "retune.yaml").write_text(automation)
        (home / "digits.yaml").write_text(STUDY.format(learning_rate=GOOD))
        (home / "hopeless.yaml").write_text(STUDY.format(learning_rate=HOPELESS))

    @contextmanager
    def running(self):
        """Start everything; end it as Ctrl-C does, and see that nothing is left."""
        mlflow, prefect = self.ports
        words = ["up", "--mlflow-port", mlflow, "--prefect-port", prefect, *self.words]
        words += ["--deployments", self.home / "mine" / "prefect.yaml"]
        process = self.started(*words)
        try:
            until(lambda: self.printed(process, "Ctrl-C"), "start")
            yield self
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=40)
            self.reader.join(timeout=5)
        assert process.returncode == 0, self.output
        for port in self.ports:
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0, port
        assert not (self.home / "servers.json").exists()

    def started(self, *words):
        process = subprocess.Popen(
            [sys.executable, "-m", "nettuner.flows.cli", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.home,
            env=self.environment,
        )
        self.output = []
        self.reader = threading.Thread(target=lambda: self.output.extend(process.stdout))
        self.reader.start()
        return process

    def printed(self, process, text):
        assert process.poll() is None, self.logs()
        return any(text in line for line in self.output)

    def logs(self):
        found = "".join(self.output)
        for path in self.home.glob("*.log"):
            found += f"\n--- {path.name}\n{path.read_text()[-5000:]}"
        return found

    def nettuner(self, *words, status=0):
        """Run a command to its end; gives what it printed."""
        found = subprocess.run(
            [sys.executable, "-m", "nettuner.flows.cli", *map(str, words)],
            capture_output=True,
            text=True,
            cwd=self.home,
            env=self.environment,
            timeout=PATIENCE,
        )
        assert found.returncode == status, found.stdout + found.stderr
        return found.stdout + found.stderr

    def arrive(self, name, table):
        """Data come in from production, all at once, and are checked without waiting."""
        partial = self.home / name
        table.to_csv(partial, index=False)
        partial.rename(self.home / "in" / name)
        self.trigger("monitor")

    def ask(self, path, body=None, port=None):
        """Prefect's API, as any other system calls it; or MLflow's."""
        address = f"http://127.0.0.1:{port or self.ports[1]}{path}"
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        if body is not None and port is None:
            headers |= self.token
        if self.password and port in (None, *self.ports):
            account = b64encode(f"nettuner:{self.password}".encode()).decode()
            headers["authorization"] = f"Basic {account}"
        request = urllib.request.Request(address, data, headers)

        def answer():
            try:
                with urllib.request.urlopen(request, timeout=20) as found:
                    return [json.loads(found.read() or "null")]
            except urllib.error.HTTPError as error:
                if error.code == 503:  # the server asks to try again
                    return None
                raise
            except TimeoutError:  # it has much to do, as this machine
                return None

        return until(answer, f"answer from {address}")[0]

    @cached_property
    def token(self):
        """What Prefect wants of everybody who changes something; a client's next replaces it."""
        found = self.ask("/api/csrf-token?client=test")
        return {"prefect-csrf-client": "test", "prefect-csrf-token": found["token"]}

    def strangers(self):
        """What MLflow and Prefect answer to somebody without the password."""
        paths = "/api/2.0/mlflow/experiments/get?experiment_id=0", "/api/admin/version"
        found = []
        for port, path in zip(self.ports, paths, strict=True):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20)
            found.append(refused.value.code)
        return found

    def runs(self, flow):
        """The flow runs of a flow, the oldest first."""
        body = {"flows": {"name": {"any_": [flow]}}, "sort": "START_TIME_ASC", "limit": 200}
        return self.ask("/api/flow_runs/filter", body)

    def ended(self, flow, outcome):
        """The flow runs of a flow that ended like this."""
        return [run for run in self.runs(flow) if outcome_of(run) == outcome]

    def champion(self):
        path = "/api/2.0/mlflow/registered-models/alias?name=digits-table&alias=champion"
        try:
            return self.ask(path, port=self.ports[0])["model_version"]
        except urllib.error.HTTPError:
            return None

    def trigger(self, flow, **parameters):
        """Start a flow by a plain HTTP call."""
        (found,) = self.ask(
            "/api/deployments/filter",
            {"flows": {"name": {"any_": [flow]}}},
        )
        path = f"/api/deployments/{found['id']}/create_flow_run"
        return self.ask(path, {"parameters": {**found["parameters"], **parameters}})


@contextmanager
def scoring(plant, python, folder):
    """MLflow's scoring server with the champion, where nettuner is not installed."""
    port = free_port()
    environment = {**plant.environment, "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{plant.ports[0]}"}
    if plant.password:
        environment["MLFLOW_TRACKING_USERNAME"] = "nettuner"
        environment["MLFLOW_TRACKING_PASSWORD"] = plant.password
    environment.pop("PYTHONPATH", None)
    environment["PATH"] = f"{python.parent}:{environment['PATH']}"
    command = [python, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["--model-uri", "models:/digits-table@champion", "--port", str(port)]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def answered():
        assert process.poll() is None
        with suppress(OSError):
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).status == 200

    try:
        until(answered, "scoring server")
        yield port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def postgresql():
    """A server of our own, with an empty database; gives its address.

    Its folder is not among pytest's, which every pytest that starts closes to other accounts.
    """
    # Debian keeps them out of the way.
    places = os.pathsep.join(
        [os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    )
    initdb, pg_ctl = (shutil.which(name, path=places) for name in ("initdb", "pg_ctl"))
    if initdb is None or pg_ctl is None:
        pytest.skip("left out: PostgreSQL's initdb and pg_ctl are not installed")
    user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="nettuner-postgresql-"))
    shutil.chown(folder, user)
    port = free_port()

    def run(*words):
        switch = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"]
        command = [*(switch if os.getuid() == 0 else []), *map(str, words)]
        subprocess.run(command, check=True, capture_output=True, cwd=folder, timeout=60)

    data = folder / "data"
    run(initdb, "--auth", "trust", "--username", "tuner", "--pgdata", data)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    log = folder / "log"
    run(pg_ctl, "--pgdata", data, "--log", log, "-o", options, "-w", "start")
    try:
        yield f"postgresql://tuner@127.0.0.1:{port}/postgres"
    finally:
        run(pg_ctl, "--pgdata", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture(params=["files", "postgresql"])
def plant(request, tmp_path):
    if request.param == "files":
        yield Plant(tmp_path / "home")
        return
    with postgresql() as address:
        yield Plant(tmp_path / "home", "--database", address, password="with a % and an @")


def test_a_champion_that_degrades_is_replaced_by_a_proven_one_and_comes_back(
    plant, bare_python, tmp_path
):
    table = digits()
    table[:800].to_csv(plant.home / "train.csv", index=False)
    with plant.running():
        if plant.password:
            assert plant.strangers() == [401, 401]

        # Before anything was searched, the scheduled check says so.
        until(lambda: plant.ended("monitor", "no champion"), "first check")

        # A search and a promotion by hand; the first champion has to beat the best constant.
        plant.nettuner("search", "digits.yaml")
        assert "version 1" in plant.nettuner("promote", "digits.yaml")
        assert plant.champion()["version"] == "1"

        # Data as they were in training: the check finds nothing.
        plant.arrive("monday.csv", table[800:1000])
        until(lambda: plant.ended("monitor", "fine"), "fine check")
        assert not plant.runs("retune")

        # Shifted data, twice: the first check counts, the second raises the alarm.
        plant.arrive("tuesday.csv", inverted(table[1000:1200]))
        until(lambda: plant.ended("monitor", "degraded"), "degraded check")
        assert not plant.runs("retune")
        plant.arrive("wednesday.csv", inverted(table[1200:1500]))
        (run,) = until(lambda: plant.ended("retune", "promoted"), "retuning")
        assert run["created_by"]["type"] == "AUTOMATION"
        assert "version 1 degraded 2 times in a row" in run["parameters"]["reason"]
        assert run["parameters"]["newest"] == 1
        assert run["parameters"]["database"] is None

        # The challenger won, and says why and against whom.
        champion = plant.champion()
        tags = {tag["key"]: tag["value"] for tag in champion["tags"]}
        assert champion["version"] == "2"
        assert tags["nettuner.version_before"] == "1"
        assert "challenger against version 1" in tags["nettuner.reason"]
        assert float(tags["nettuner.value"]) < 1.5  # a guess has log(10) = 2.3

        if not plant.password:
            assert share_right(plant, bare_python, tmp_path, inverted(table[1500:])) > 0.7

        # Two calls at once make one run; its challenger, whose learning rate is hopeless, is
        # worse and refused.
        worse = {"study": "hopeless.yaml", "cool_down_minutes": 0, "reason": "two at once"}
        threads = [
            threading.Thread(target=plant.trigger, args=["retune"], kwargs=worse) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: plant.ended("retune", "refused"), "refusal")
        named = [outcome_of(run) for run in plant.runs("retune")]
        assert sorted(named) in (
            ["Cancelled", "promoted", "refused"],
            ["already running", "promoted", "refused"],
        )
        assert plant.champion()["version"] == "2"

        # Rolled back at once; the history tells all of it.
        assert "version 1 again" in plant.nettuner("rollback", "digits.yaml", "--reason", "a drill")
        assert plant.champion()["version"] == "1"
        told = plant.nettuner("history", "digits-table")
        assert [word in told for word in ("promotion", "rollback", "a drill")] == [True] * 3

    # What a schedule missed while the machine was off is made up for at most once.
    if not plant.password:
        assert made_up_for(plant) <= 1


def share_right(plant, python, folder, table):
    """What MLflow's own server gets right of a table with the columns of the training data.

    It answers with the champion; the one before gets about a tenth right.
    """
    rows = table.drop(columns="digit").to_dict(orient="split", index=False)
    with scoring(plant, python, folder) as port:
        answers = plant.ask("/invocations", {"dataframe_split": rows}, port)["predictions"]
    right = [a["prediction"] == digit for a, digit in zip(answers, table.digit, strict=True)]
    return np.mean(right)


def made_up_for(plant):
    """How many of the checks that were due while nothing ran were made afterwards."""
    stopped = pd.Timestamp.now("UTC")
    time.sleep(61)  # at least one check is due every 60 seconds
    started = pd.Timestamp.now("UTC")
    with plant.running():

        def missed():
            due = [(pd.Timestamp(run["expected_start_time"]), run) for run in plant.runs("monitor")]
            found = [run for at, run in due if stopped < at < started]
            return found if all(run["end_time"] for run in found) else None

        names = [outcome_of(run) for run in until(missed, "end of what was missed")]
    assert len(names) >= 1
    # One may have been about to begin when everything was stopped.
    assert set(names) <= {"stale", "no new data", "Crashed"}
    return names.count("no new data")
