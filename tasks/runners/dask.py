"""Dask: agents live in the worker processes of a `distributed` cluster."""

from __future__ import annotations

import contextlib
import logging
import math
import uuid
from collections.abc import Mapping
from typing import Any

from distributed import Client
from distributed.deploy.subprocess import SubprocessCluster

from nettuner.models.runner_choice import RunnerChoice
from nettuner.tasks.cluster.agent import Agent
from nettuner.tasks.cluster.runner import (
    LostAgentError,
    Setting,
    line,
    no_answer,
    not_installed,
)
from nettuner.tasks.variable import variable

# What ends its processes where it was started for a search.
ENDS = "nettuner.tasks.cluster.end_with_search"
# How its processes are told what to print: to the terminal of the command.
LOGGING = "DASK_LOGGING__DISTRIBUTED"
# How long a scheduler may take to answer at first [s].
PATIENCE_SECONDS = 20.0

# In a worker process of the cluster: its agents, by a name of their own.
_agents: dict[str, Agent] = {}


class Dask:
    """A Dask cluster.

    Args:
        choice: What a study says of it.
        workers: Worker processes, where the cluster is started here.

    Raises:
        RunnerError: It does not answer.
    """

    def __init__(self, choice: RunnerChoice, workers: int) -> None:
        logging.getLogger("distributed").setLevel(logging.ERROR)
        self._choice = choice
        self._cluster: Any = None
        address = choice.address
        if address is None:
            self._cluster = _started(choice, workers)
            address = str(self._cluster.scheduler_address)
        self.where = f"dask at {address}"
        try:
            self._client = Client(address, timeout=PATIENCE_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise no_answer("dask", address, error) from None

    def machines(self) -> Mapping[str, int]:
        """The worker processes by address, with as many trials as their threads allow."""
        try:
            told = self._client.sync(self._client.scheduler.identity)
        except Exception as error:
            raise LostAgentError(line(error)) from None
        return {address: self._room(worker) for address, worker in told["workers"].items()}

    def _room(self, worker: Mapping[str, Any]) -> int:
        """How many trials a worker has room for at once, by threads, memory, and resource GPU."""
        choice = self._choice
        rooms = [worker["nthreads"] / choice.cpus]
        if choice.memory_mib is not None and worker["memory_limit"]:
            rooms.append(worker["memory_limit"] / 2**20 / choice.memory_mib)
        if choice.gpus and "GPU" in worker["resources"]:
            rooms.append(worker["resources"]["GPU"] / choice.gpus)
        return int(min(rooms))

    def start(self, machine: str, setting: Setting) -> DaskAgent:
        """See `Runner.start`."""
        agent = DaskAgent(self._client, machine)
        agent.call("__init__", setting)
        return agent

    def close(self) -> None:
        """See `Runner.close`."""
        with contextlib.suppress(Exception):
            self._client.close(timeout=5)
        if self._cluster is not None:
            with contextlib.suppress(Exception):
                self._cluster.close(timeout=10)


class DaskAgent:
    """An agent in a worker process.

    Args:
        client: Connection to the cluster.
        worker: Address of the worker process.
    """

    def __init__(self, client: Client, worker: str) -> None:
        self._client = client
        self._worker = worker
        self._name = uuid.uuid4().hex

    def call(self, method: str, *args: Any) -> Any:
        """See `Handle.call`."""
        try:
            found = self._client.run(
                called, self._name, method, args, workers=[self._worker], on_error="return"
            )
        except Exception as error:
            raise LostAgentError(line(error)) from None
        answer = found.get(self._worker)
        if isinstance(answer, ImportError):
            raise not_installed(f"worker {self._worker}", answer)
        if isinstance(answer, BaseException):
            raise LostAgentError(line(answer))
        return answer


def called(name: str, method: str, args: tuple[Any, ...]) -> Any:
    """In a worker process: call an agent's method; one that is over is forgotten."""
    if method == "__init__":
        _agents[name] = Agent(*args)
        return None
    if method == "stop":
        return _agents.pop(name).stop()
    return getattr(_agents[name], method)(*args)


def _started(choice: RunnerChoice, workers: int) -> Any:
    """A cluster on this machine, of processes of their own: nothing of the search is forked."""
    # Started as `python -m`, they would import files of the working folder by accident.
    with variable("PYTHONSAFEPATH", "1"), variable(LOGGING, "critical"):
        return SubprocessCluster(
            n_workers=workers,
            threads_per_worker=math.ceil(choice.cpus),
            dashboard_address=None,
            scheduler_kwargs={"preload": [ENDS]},
            worker_kwargs={"memory_limit": 0, "dashboard": False, "preload_nanny": [ENDS]},
            silence_logs=logging.CRITICAL,
        )
