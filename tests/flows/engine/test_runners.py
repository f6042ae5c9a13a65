"""A search comes out the same on every runner: on this machine, and on clusters of two workers."""

from __future__ import annotations

import importlib
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from ipaddress import ip_address
from textwrap import dedent

import psutil
import pytest

from nettuner.models.study_file import StudyError
from nettuner.tasks import runners

pytestmark = pytest.mark.long

OTHERS = [name for name in runners.names() if name != "local"]
OWN = dedent(
    """
    import os, sys, time

    import numpy as np
    from helpers import square  # beside this file


    def copied(h, context):
        print("said", h["x"])
        here = os.path.abspath(__file__)
        for _ in context.rounds():
            context.report(loss=square(h["x"]), copied=float("/nettuner-agent-" in here))
            context.show("noise", np.zeros((4, 4)))


    def slow(h, report):
        for step in range(1, 5):
            time.sleep(0.5)
            report(step, loss=h["x"] / step, agent=float(os.getppid()))


    def hopeless(h, report):
        for step in range(1, 9):
            time.sleep(0.25)
            report(step, loss=h["x"])
    """
)


class Dask:
    """A scheduler and workers, as processes of their own."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address, self._folder = f"tcp://127.0.0.1:{port}", folder
        self._scheduler = self._started("scheduler", "--host", "127.0.0.1", "--port", str(port))
        self._workers = []
        for _ in range(2):
            self.join()

    def _started(self, *words):
        words = [sys.executable, "-m", "dask", *words, "--no-dashboard"]
        return subprocess.Popen(words, cwd=self._folder, stderr=subprocess.DEVNULL)

    def join(self):
        more = ("--nthreads", "1", "--no-nanny", "--memory-limit", "0")
        self._workers.append(self._started("worker", self.address, *more))

    def lose(self):
        """The one that began first, with no chance to say so."""
        worker = self._workers.pop(0)
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    def close(self):
        for process in (*self._workers, self._scheduler):
            process.kill()
            process.wait()


class Ray:
    """Two nodes on this machine, with a head that trains nothing."""

    def __init__(self, folder):
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        self.address = self._cluster.address
        self._nodes = []
        for _ in range(2):
            self.join()

    def join(self):
        self._nodes.append(self._cluster.add_node(num_cpus=1))

    def lose(self):
        self._cluster.remove_node(self._nodes.pop(0), allow_graceful=False)

    def close(self):
        self._cluster.shutdown()


COPIED = {"learner": "copied", "epochs": 1}
CLUSTERS = {"dask": Dask, "ray": Ray}


def test_every_runner_has_a_cluster_here():
    assert sorted(CLUSTERS) == OTHERS


@pytest.fixture(scope="module", params=OTHERS)
def cluster(request, tmp_path_factory):
    started = CLUSTERS[request.param](tmp_path_factory.mktemp(request.param))
    started.name = request.param
    yield started
    started.close()


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.py").write_text(OWN)
    (folder / "helpers.py").write_text("def square(x):\n    return x * x\n")
    lines = ["a,b,kind"] + [f"{k % 7},{k % 5},{'yes' if k % 7 > 3 else 'no'}" for k in range(100)]
    (folder / "table.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def both(lab, own, cluster):
    """Searches a study in processes of this machine, and on the cluster."""

    def both(make, name, **changes):
        if "learner" in changes:
            changes["learner"] = f"{own / 'own.py'}:{changes['learner']}"
        changes = {"width": 2, **changes}
        here = lab.quick_search(make(f"{name}-here-{cluster.name}", **changes))
        runner = {"name": cluster.name, "address": cluster.address}
        there = make(f"{name}-{cluster.name}", runner=runner, **changes)
        return here, lab.search(there)

    return both


def told(result):
    trials = sorted(result.trials, key=lambda trial: trial.number)
    return [(t.number, dict(t.proposal.params), t.proposal.parent, t.score) for t in trials]


def test_networks_on_a_table_have_the_same_scores(lab, own, both):
    table = {"source": "csv", "path": str(own / "table.csv")}
    here, there = both(lab.network_study, "table-spread", data=table, stop={"trials": 4})
    assert told(here) == told(there)
    assert here.test == there.test
    assert there.where.startswith("Trained by ")


def test_stacks_have_the_same_scores(lab, both):
    changes = {"stop": {"trials": 8}, "stack": 4, "space": {"learning_rate": [0.1, 0.01, 0.001]}}
    here, there = both(lab.network_study, "stacks-spread", strategy="grid", **changes)
    assert told(here) == told(there)


def test_members_of_a_population_copy_weights_across_workers(lab, both):
    strategy = {"name": "population", "size": 4}
    space = {"learning_rate": {"distribution": "log-uniform", "low": 0.001, "high": 0.5}}
    changes = {"data": "digits", "epochs": 4, "strategy": strategy, "space": space, "stack": 1}
    here, there = both(lab.network_study, "population-spread", **changes)
    assert told(here) == told(there)
    copies = [t for t in there.trials if t.proposal.parent is not None]
    assert any(t.proposal.parent % 4 != t.number % 4 for t in copies)


def test_what_goes_wrong_has_the_same_reason(lab, both):
    how = ["raise", "exit", "fine", "sleep", "nan"]
    space = {"x": [0.25], "how": how}
    changes = {"space": space, "strategy": "grid", "trial_seconds": 3, "function": "behave"}
    here, there = both(lab.function_study, "behave-spread", **changes)
    reasons = [
        {t.proposal.params["how"]: t.reason for t in result.trials} for result in (here, there)
    ]
    assert reasons[0] == reasons[1]
    assert sum(reason is not None for reason in reasons[1].values()) == 4


def test_code_of_ones_own_runs_as_a_copy_and_what_it_prints_and_draws_comes_back(lab, both):
    _, there = both(lab.function_study, "copied-spread", **COPIED, stop={"trials": 3})
    assert all(trial.succeeded for trial in there.trials)
    assert [trial.metrics["copied"] for trial in there.trials] == [1.0, 1.0, 1.0]
    for run in lab.runs(there).values():
        assert lab.mlflow.list_artifacts(run.info.run_id, "images")
        (printed,) = lab.mlflow.list_artifacts(run.info.run_id, "output")
        path = lab.mlflow.download_artifacts(run.info.run_id, printed.path)
        with open(path, encoding="utf-8") as file:
            assert file.read() == f"said {run.data.params['x']}\n"


def test_a_trial_that_is_hopeless_is_stopped_on_its_worker(lab, both):
    strategy = {"name": "random", "early_stop": {"rule": "median", "after": 2, "trials": 2}}
    space = {"x": {"distribution": "uniform", "low": 0, "high": 1}}
    changes = {"space": space, "strategy": strategy, "stop": {"trials": 6}, "width": 1}
    _, there = both(lab.function_study, "hopeless-spread", learner="hopeless", **changes)
    assert any(trial.stopped for trial in there.trials)


def test_a_lost_worker_costs_what_it_trained_and_one_that_joins_is_used(lab, own, cluster):
    name = f"lost-{cluster.name}"
    study = written(lab, own, name, 16)
    command = lab.command("search", study, *at(cluster))
    wait_for(2, lab, name, command)
    cluster.lose()
    cluster.join()
    said, told = command.communicate()
    assert command.returncode == 0, told
    assert "16 trials, 0 failed" in said
    assert "is lost; what it trained is begun again" in told
    (past,) = lab.past(name)
    assert sorted(trial.number for trial in past.trials) == list(range(16))
    for run in lab.runs(past).values():
        steps = [p.step for p in lab.mlflow.get_metric_history(run.info.run_id, "loss")]
        assert steps == [1, 2, 3, 4]
    # Two agents, and the one that joined.
    assert len({trial.metrics["agent"] for trial in past.trials}) == 3


def at(cluster):
    return "--runner", cluster.name, "--address", cluster.address


def wait_for(trials, lab, name, command):
    """Until so many trials of a study have ended."""
    deadline = time.monotonic() + 240
    found = 0
    while found < trials:
        assert command.poll() is None, command.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.3)
        with suppress(ValueError):  # nothing is recorded yet
            found = sum(len(past.trials) for past in lab.past(name))


def written(lab, own, name, trials):
    """A study of trials of two seconds, as a file."""
    path = lab.home / f"{name}.yaml"
    path.write_text(
        f"name: {name}\nlearner: {own / 'own.py'}:slow\nmetric: loss\n"
        "direction: minimize\nspace: {x: {distribution: uniform, low: 0, high: 1}}\n"
        f"stop: {{trials: {trials}}}\n"
    )
    return path


# Without a cluster of the tests' own.


@pytest.mark.parametrize("name", OTHERS)
def test_a_cluster_that_is_started_for_a_search_ends_with_it_and_the_search_goes_on_here(
    lab, own, name
):
    # In a process of its own, as Ray is imported for this machine alone or for others, too.
    study = f"interrupted-{name}"
    path = written(lab, own, study, 6)
    first = lab.command("search", path, "--runner", name)
    wait_for(2, lab, study, first)
    seen = below(first)
    listening = {address for process in seen for address in heard(process)}
    assert listening
    assert {ip_address(address).is_loopback for address in listening} == {True}
    first.send_signal(signal.SIGINT)
    _, told = first.communicate()
    assert first.returncode == 130, told
    assert "INFO" not in told
    assert_gone(seen, 60)  # a report may still be drawn
    again = lab.command("search", path, "--resume")
    said, told = again.communicate()
    assert again.returncode == 0, told
    assert "6 trials, 0 failed" in said
    (past,) = lab.past(study)
    assert sorted(trial.number for trial in past.trials) == list(range(6))


@pytest.mark.parametrize("name", OTHERS)
def test_a_killed_search_leaves_nothing_of_the_cluster_that_it_has_started(lab, own, name):
    study = f"killed-{name}"
    command = lab.command("search", written(lab, own, study, 50), "--runner", name)
    wait_for(1, lab, study, command)
    seen = below(command)
    assert any(name in words(process) for process in seen)
    command.kill()
    command.communicate()
    assert_gone(seen, 120)  # Ray's own take a minute to see that they are alone


def below(command):
    """The processes that a command has started, and theirs."""
    with suppress(psutil.Error):
        return set(psutil.Process(command.pid).children(recursive=True))
    return set()


def words(process):
    """What it was started with; nothing of one that has ended."""
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def assert_gone(processes, seconds):
    deadline = time.monotonic() + seconds
    while any(map(words, processes)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not [line for process in processes if (line := words(process))]


def heard(process):
    """The addresses that a process listens on."""
    with suppress(psutil.Error):
        sockets = process.net_connections("tcp")
        return {s.laddr.ip.removeprefix("::ffff:") for s in sockets if s.status == "LISTEN"}
    return set()


def refused(lab, study):
    with pytest.raises(StudyError) as refusal:
        lab.search(study)
    (line,) = refusal.value.lines
    return line


@pytest.mark.parametrize("name", OTHERS)
def test_an_address_that_does_not_answer_is_one_line(lab, name, monkeypatch):
    module = importlib.import_module(f"nettuner.tasks.runners.{name}")
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 3.0)
    address = {"dask": "tcp://127.0.0.1:9", "ray": "127.0.0.1:9"}[name]
    study = lab.function_study(
        "nobody", runner={"name": name, "address": address}, stop={"trials": 1}
    )
    line = refused(lab, study)
    assert line.startswith(f"study: runner: {name} must answer at {address}, got ")
    assert "correct the address" in line


def test_another_release_on_a_worker_is_one_line(lab, cluster, monkeypatch):
    from nettuner.tasks.cluster import roster

    other = "nettuner 9.9.9 (0123abcd) on Python 3.99"
    monkeypatch.setattr(roster, "release", lambda: other)
    line = refused(lab, on(lab, cluster))
    assert f"must run the same as here, {other}, got nettuner" in line
    assert line.endswith("; install it there")


def test_a_file_that_is_here_alone_is_one_line(lab, own, cluster):
    (own / "elsewhere.py").write_text(
        "import os\nif '/nettuner-agent-' in __file__:\n"
        "    open(os.path.join(os.path.dirname(__file__), 'weights.bin'))\n"
        "def f(h, report):\n    return h['x']\n"
    )
    study = on(lab, cluster, learner=f"{own / 'elsewhere.py'}:f")
    line = refused(lab, study)
    assert "on a worker" in line
    assert "weights.bin" in line


def test_more_than_any_worker_has_is_one_line(lab, cluster):
    line = refused(lab, on(lab, cluster, cpus=64))
    assert "none with room for a trial that takes cpus=64; ask for less" in line


def on(lab, cluster, learner=None, **asked):
    changes = {} if learner is None else {"learner": learner}
    runner = {"name": cluster.name, "address": cluster.address, **asked}
    return lab.function_study("refused", runner=runner, stop={"trials": 1}, **changes)
