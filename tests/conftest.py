"""One Prefect server, one MLflow store and a few finished searches, shared by a whole session."""

from __future__ import annotations

import os
import re
import site
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

if TYPE_CHECKING:
    from nettuner.flows.engine.search import SearchResult
    from nettuner.models.study import Study
    from nettuner.tasks.workers.pool import WorkerPool

LONGEST_ID = 32


def pytest_make_parametrize_id(val: object) -> str | None:
    """Short words: workers have to name a test alike, and people have to type its name.

    Bytes are named after their argument and counted: what is in them may depend on the time.
    """
    if not isinstance(val, str):
        large = isinstance(val, int) and abs(val) > 10**LONGEST_ID
        nameless = isinstance(val, bytes) or getattr(val, "__name__", "") == "<lambda>"
        return "value" if large or nameless else None
    words = re.sub(r"[^A-Za-z0-9_.]+", "-", val).strip("-")
    return words[:LONGEST_ID].rpartition("-")[0] or words[:LONGEST_ID] or "empty"


FUNCTIONS = dedent(
    """
    import math, os, time
    from pathlib import Path


    def bowl(h, report):
        for step in (1, 2, 3):
            report(step, loss=(h["x"] - 0.3) ** 2 + 1 / step, step_squared=step * step)


    def behave(h, report):
        report(1, loss=h["x"])
        if h["how"] == "raise":
            raise ArithmeticError("x is not to my liking")
        if h["how"] == "exit":
            os._exit(3)
        if h["how"] == "sleep":
            time.sleep(60)
        return math.nan if h["how"] == "nan" else h["x"]


    def half_fails(h, report):
        if h["x"] > 0.5:
            raise ArithmeticError("x is above a half")
        return (h["x"] - 0.3) ** 2


    def always_fails(h, report):
        raise ArithmeticError("never")


    def tardy(h, report):
        # Leaves a mark when it begins and when it ends, beside this file. Takes time if it is to.
        calls = Path(__file__).with_name(h["log"])
        with calls.open("a") as file:
            file.write(f"begin {h['x']!r}\\n")
        time.sleep(float(os.environ.get("PATIENCE", 0)))
        report(1, loss=h["x"] ** 2)
        with calls.open("a") as file:
            file.write(f"end {h['x']!r}\\n")
    """
)
LEARNERS = dedent(
    """
    import os, time

    from torch import nn

    from nettuner.models.learner import Supervised


    class Linear(Supervised):
        def build(self, *, bias: bool = True):
            answer = nn.Linear(self.data.features, self.data.outputs, bias=bias)
            return nn.Sequential(nn.Flatten(), answer)


    class Fragile(Linear):
        # Breaks at its eleventh step where the learning rate is high.
        steps = 0

        def loss(self, network, networks, batch, now):
            self.steps += 1
            if self.steps > 10 and now["learning_rate"] > 0.5:
                raise ArithmeticError("too fast")
            return super().loss(network, networks, batch, now)

        def evaluate(self, networks, inputs, targets):
            time.sleep(float(os.environ.get("PATIENCE", 0)))
            return super().evaluate(networks, inputs, targets)
    """
)


# Tells of GPUs that are not there, as the real program does of those that are.
NVIDIA_SMI = dedent(
    """
    #!/bin/sh
    case "$1" in
    *memory.total*)
        echo "0, GPU-aaaa-0, NVIDIA Pretended, 4096"
        echo "1, GPU-bbbb-1, NVIDIA Pretended, 4096"
        ;;
    *)
        echo "GPU-aaaa-0, 40"
        echo "GPU-bbbb-1, 60"
        ;;
    esac
    """
).lstrip()


# Threads of torch in several processes would spin against each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What a test starts ends with it.
os.environ["NETTUNER_SERVERS"] = "none"

# What takes longest begins first, so that nobody waits for it at the end.
LONGEST = "test_production"


def pytest_collection_modifyitems(items):
    """The longest file first; tests of one file run in one process and share its fixtures."""
    items.sort(key=lambda item: item.path.stem != LONGEST)


@pytest.fixture
def one_thread():
    """As trials have by default; more only get in each other's way."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def two_gpus(tmp_path, monkeypatch):
    """A machine with two GPUs of 4096 MiB, one 40 % and one 60 % busy."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(NVIDIA_SMI)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return program


class Lab:
    """Makes studies, searches them, and reads back what Prefect and MLflow have of them."""

    def __init__(self, home: Path) -> None:
        from nettuner.tasks.memory import store

        self.home = home
        self.functions = home / "functions.py"
        self.learners = home / "learners.py"
        self.functions.write_text(FUNCTIONS)
        self.learners.write_text(LEARNERS)
        self.mlflow = store.client()
        self._pools: dict[int, WorkerPool] = {}

    def function_study(self, name, function="bowl", **changes):
        """Of a function in a file outside this project."""
        from nettuner.models.study import Study

        given = {
            "name": name,
            "learner": f"{self.functions}:{function}",
            "space": {"x": {"distribution": "uniform", "low": 0, "high": 1}},
            "metric": "loss",
            "direction": "minimize",
            "width": 1,
        }
        return Study.model_validate({**given, **changes})

    def network_study(self, name, **changes):
        """Of a tiny network on a data set that ships with scikit-learn."""
        from nettuner.models.study import Study

        given = {
            "name": name,
            "learner": "mlp",
            "data": "iris",
            "space": {
                "hidden": {"distribution": "integer", "low": 2, "high": 8},
                "learning_rate": {"distribution": "log-uniform", "low": 1e-3, "high": 0.1},
            },
            "metric": "val_accuracy",
            "epochs": 2,
            "width": 1,
        }
        return Study.model_validate({**given, **changes})

    def search(self, study, resume=False):
        """Run the flow of the study's strategy here."""
        from nettuner.flows.engine.find import flow_of
        from nettuner.tasks import strategies

        return flow_of(strategies.full_name(study.strategy.name))(study, resume=resume)

    def workers(self, width, threads, study=None):
        """Workers that are kept until the session ends, in place of those of one search."""
        from nettuner.tasks.workers.pool import WorkerPool

        if width not in self._pools:
            self._pools[width] = WorkerPool(width, threads)
        return nullcontext(self._pools[width])

    def quick_search(self, study):
        """The same with workers that are kept for the next search, as starting them takes long."""
        from nettuner.flows.engine import search

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(search, "open_pool", self.workers)
            try:
                return self.search(study)
            except Exception:
                del self._pools[study.width]  # a search that fails stops its workers
                raise

    def close(self):
        """End the workers that were kept."""
        for pool in self._pools.values():
            pool.stop()

    def past(self, name):
        """What MLflow has of all searches of a study."""
        from nettuner.tasks.memory import recall

        found = recall.searches(self.mlflow, name)
        for search in found:
            assert search.children  # read now, before they go on
        return found

    def runs(self, result_or_past):
        """The trials' runs of one search, by name."""
        parent = self.mlflow.get_run(result_or_past.run_id)
        condition = f"tags.`mlflow.parentRunId` = '{result_or_past.run_id}'"
        found = self.mlflow.search_runs([parent.info.experiment_id], condition)
        return {run.info.run_name: run for run in found}

    def flow_run(self, run_id):
        """Of Prefect, as the search's run in MLflow points to it."""
        from prefect.client.orchestration import get_client

        address = self.mlflow.get_run(run_id).data.tags["nettuner.prefect_run"]
        with get_client(sync_client=True) as client:
            return client.read_flow_run(UUID(address.rpartition("/")[2]))

    def task_runs(self, run_id, count):
        """The nodes of a search's DAG by name, once the server has recorded `count` endings."""
        from prefect.client.orchestration import get_client
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

        of_search = FlowRunFilter(id=FlowRunFilterId(any_=[self.flow_run(run_id).id]))
        deadline = time.monotonic() + 20
        with get_client(sync_client=True) as client:
            while True:
                found = client.read_task_runs(flow_run_filter=of_search)
                ended = [run for run in found if run.state and run.state.is_final()]
                if len(ended) >= count or time.monotonic() > deadline:
                    return found
                time.sleep(0.2)

    def edges(self, run_id, count):
        """The DAG of a search: for every node the names of those it follows directly."""
        nodes = self.task_runs(run_id, count)
        names = {node.id: node.name for node in nodes}
        assert len(set(names.values())) == len(nodes), sorted(names.values())
        return {
            node.name: {names[i.id] for inputs in node.task_inputs.values() for i in inputs}
            for node in nodes
        }

    def command(self, *words, **keywords):
        """The command line in a process of its own, against the same server and store."""
        words = [sys.executable, "-m", "nettuner.flows.cli", *map(str, words)]
        return subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.home,
            **keywords,
        )


@pytest.fixture(scope="session", autouse=True)
def forks():
    """The workers of all tests are forked from one process, which starts when it is needed."""
    from nettuner.tasks.preloaded import Preloaded
    from nettuner.tasks.workers.base import PrivateBase, stand_by

    class Shared(Preloaded):
        def __init__(self):
            self.started = None

        def knock(self):
            self.started = self.started or PrivateBase()
            return self.started.knock()

    shared = Shared()
    with stand_by(shared):
        yield
    if shared.started is not None:
        shared.started.close()


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """Where everything of this session is kept; not the user's own."""
    from nettuner.flows.servers.logging_setup import keep_quiet

    folder = tmp_path_factory.mktemp("home").resolve()
    before = set(os.environ)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETTUNER_HOME", str(folder))
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        patch.delenv("PREFECT_API_URL", raising=False)
        keep_quiet(verbose=False)
        yield folder
        for name in set(os.environ) - before:
            patch.delenv(name)


@pytest.fixture(scope="session")
def lab(home):
    """A running Prefect server and an MLflow store."""
    from prefect import settings
    from prefect.testing.utilities import prefect_test_harness

    from nettuner.tasks.memory import store

    # MLflow's database takes as long to make as Prefect's server to start: both at once.
    database = threading.Thread(target=store.client().search_experiments)
    database.start()
    # Without heartbeats, for whose end every flow run would wait a second.
    quick = settings.temporary_settings({settings.PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
    with (
        prefect_test_harness(server_startup_timeout=120),
        quick,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PREFECT_API_URL", settings.PREFECT_API_URL.value())
        # Every search would leave a process behind that draws charts for seconds.
        patch.setattr("nettuner.flows.engine.leave_report.keep_later", lambda run_id: None)
        database.join()
        found = Lab(home)
        yield found
        found.close()


@dataclass(frozen=True)
class Searched:
    """A search that is over: what was asked for, and what came of it."""

    study: Study
    result: SearchResult
    nodes: int = 0
    kept: list[tuple[set[str], set[str]]] = field(default_factory=list)
    """After every node: the checkpoints that are there, and those that what is in flight needs."""
    trained: dict[str, list[int]] = field(default_factory=dict)
    """The trials that each node trained."""


MIXED = {
    "x": {"distribution": "uniform", "low": 0, "high": 1},
    "units": {"distribution": "integer", "low": 1, "high": 64, "log": True},
    "kind": {"distribution": "choice", "values": ["1", "two"]},
    "flag": {"distribution": "choice", "values": [True, False]},
}


@pytest.fixture(scope="session")
def random_search(lab):
    """Five trials of a function with hyperparameters of all types, two at a time."""
    study = lab.function_study("random", space=MIXED, stop={"trials": 5}, width=2, seed=3)
    return Searched(study, lab.quick_search(study), nodes=7)


@pytest.fixture(scope="session")
def grid_search(lab):
    """A function that goes wrong in four ways; the one that would sleep for a minute is first."""
    how = ["raise", "exit", "fine", "sleep", "nan"]
    space = {
        "x": {"distribution": "choice", "values": [0.25]},
        "how": {"distribution": "choice", "values": how},
    }
    study = lab.function_study(
        "grid", "behave", space=space, strategy="grid", width=2, trial_seconds=3, seed=29
    )
    return Searched(study, lab.search(study), nodes=7)


@pytest.fixture(scope="session")
def bayesian_search(lab):
    """Six trials of a function that fails for half of its values, two at a time."""
    strategy = {"name": "bayesian", "initial": 2, "try_first": [{"x": 0.9}, {"x": 0.8}]}
    study = lab.function_study(
        "bayesian", "half_fails", strategy=strategy, stop={"trials": 6}, width=2
    )
    return Searched(study, lab.quick_search(study), nodes=12)


def kept_and_needed(engine):
    """Names of the checkpoints that there are, and those of all that is in flight or the best."""
    scheduler = engine.scheduler
    running = {f"trial-{proposal.number}" for proposal in scheduler.running}
    files = {path.stem for path in engine.context.folder.glob("*.safetensors")} - running
    needed = {proposal.parent for proposal in (*scheduler.running, *scheduler.waiting)}
    needed |= {engine.best.number} if engine.best else set()
    return files, {f"trial-{number}" for number in needed - {None}}


@pytest.fixture(scope="session")
def population_search(lab):
    """Four members for three generations; one learning rate breaks its member."""
    from nettuner.flows.engine.dag import Dag, node_name
    from nettuner.flows.engine.search import Engine

    space = {
        "learning_rate": {"distribution": "log-uniform", "low": 0.01, "high": 2},
        "bias": {"distribution": "choice", "values": [True, False]},
        "optimizer": {"distribution": "choice", "values": ["sgd", "adam"]},
    }
    study = lab.network_study(
        "population",
        learner=f"{lab.learners}:Fragile",
        data="digits",
        space=space,
        strategy={"name": "population", "size": 4},
        epochs=3,
        width=2,
        seed=8,
    )
    kept, trained = [], {}
    settle, train = Engine.settle, Dag.train

    def started(dag, proposals, parents):
        trained[node_name(proposals)] = [proposal.number for proposal in proposals]
        return train(dag, proposals, parents)

    def watched(engine, number):
        settle(engine, number)
        kept.append(kept_and_needed(engine))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "settle", watched)
        patch.setattr(Dag, "train", started)
        result = lab.search(study)
    together = {number for of in trained.values() if len(of) > 1 for number in of}
    failed = [t for t in result.trials if not t.succeeded and t.number in together]
    # Three proposals, the population is traced, and its winner examined.
    nodes = len(trained) + len(failed) + 5
    return Searched(study, result, nodes, kept, trained)


COLOURS = ["red", "green", "blue", ""]


@pytest.fixture(scope="session")
def table_search(lab):
    """A learner and a table of one's own: texts, whole numbers, and cells that are missing."""
    path = lab.home / "table.csv"
    lines = ["count,weight,colour,grade"]
    for k in range(120):
        weight = "" if k % 7 == 0 else f"{k % 10 / 4}"
        grade = "high" if k % 10 > 4 else "low"
        lines.append(f"{k % 13},{weight},{COLOURS[k % 4]},{grade}")
    path.write_text("\n".join(lines))
    study = lab.network_study(
        "table",
        learner=f"{lab.learners}:Linear",
        data={"source": "csv", "path": str(path)},
        space={
            "bias": {"distribution": "choice", "values": [True, False]},
            "learning_rate": {"distribution": "log-uniform", "low": 1e-3, "high": 0.1},
            "batch_size": {"distribution": "choice", "values": [8, 16]},
        },
        metric="val_loss",
        stop={"trials": 3},
        seed=7,
    )
    return Searched(study, lab.search(study))


@pytest.fixture(scope="session")
def image_search(lab):
    """One trial on the small grey images that ship with scikit-learn."""
    study = lab.network_study("images", data="digits", epochs=1, stop={"trials": 1})
    return Searched(study, lab.search(study))


@pytest.fixture(scope="session")
def translation_search(lab):
    """One trial on the shortest of the sentences that are made here."""
    study = lab.network_study(
        "translation",
        learner="translator",
        data={"source": "numbers", "rows": 200, "longest": 5},
        space={"width": {"distribution": "choice", "values": [8]}},
        metric="val_bleu",
        epochs=1,
        stop={"trials": 1},
    )
    return Searched(study, lab.search(study))


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory):
    """A virtual environment with all that is installed here but for nettuner.

    Its one .pth file names our packages; an editable installation is one of theirs, which Python
    does not follow from there.
    """
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = Path(folder, "bin", "python")
    ask = "import site; print(site.getsitepackages()[0])"
    theirs = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
    Path(theirs.stdout.strip(), "ours.pth").write_text("\n".join(site.getsitepackages()))
    uvicorn = python.with_name("uvicorn")  # which pip would have made, too
    uvicorn.write_text(f"#!{python}\nfrom uvicorn import main\n\nmain()\n")
    uvicorn.chmod(0o755)
    return python
