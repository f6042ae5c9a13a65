"""Ray: agents are actors, which Ray gives the resources that a trial takes."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from nettuner.models.runner_choice import RunnerChoice
from nettuner.tasks.cluster.agent import Agent
from nettuner.tasks.cluster.runner import (
    LostAgentError,
    Setting,
    line,
    no_answer,
    not_installed,
)

# With 0 Ray's processes listen on the loopback alone, whatever the system.
ONE_MACHINE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
# With 0 Ray tells its makers nothing.
USAGE = "RAY_USAGE_STATS_ENABLED"
# How long the head may take to be reached [s]; Ray itself would try for minutes, then exit.
REACH_SECONDS = 5.0
# How long a call may take; none waits for a trial [s].
PATIENCE_SECONDS = 120.0


class Ray:
    """A Ray cluster.

    Args:
        choice: What a study says of it.
        workers: Trials at once, where the cluster is started here.

    Raises:
        RunnerError: It does not answer.
    """

    def __init__(self, choice: RunnerChoice, workers: int) -> None:
        self._choice = choice
        self.where = f"ray at {choice.address}" if choice.address else "ray on this machine"
        settings: dict[str, Any] = {"address": choice.address}
        if choice.address is None:
            # With `local` it takes no other cluster that runs on this machine.
            settings = {
                "address": "local",
                "num_cpus": max(1, math.ceil(workers * choice.cpus)),
                "include_dashboard": False,
            }
            # Ray reads it once, while it is imported: nothing listens beyond this machine.
            os.environ.setdefault(ONE_MACHINE, "0")
            os.environ.setdefault(USAGE, "0")
        else:
            _reach(choice.address)
        import ray

        self._ray = ray
        self._is_ours = not ray.is_initialized()
        try:
            with _own_signals():
                ray.init(
                    **settings,
                    ignore_reinit_error=True,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
        except (OSError, RuntimeError, ValueError) as error:
            raise no_answer("ray", choice.address or "this machine", error) from None

    def machines(self) -> Mapping[str, int]:
        """The nodes that live, with as many trials as their resources allow."""
        try:
            nodes = self._ray.nodes()
        except Exception as error:
            raise LostAgentError(line(error)) from None
        return {node["NodeID"]: self._room(node["Resources"]) for node in nodes if node["Alive"]}

    def _room(self, resources: Mapping[str, float]) -> int:
        choice = self._choice
        rooms = [resources.get("CPU", 0.0) / choice.cpus]
        if choice.gpus:
            rooms.append(resources.get("GPU", 0.0) / choice.gpus)
        if choice.memory_mib is not None:
            rooms.append(resources.get("memory", 0.0) / 2**20 / choice.memory_mib)
        return int(min(rooms))

    def start(self, machine: str, setting: Setting) -> RayAgent:
        """See `Runner.start`; waits until the node has what a trial takes."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        choice = self._choice
        options: dict[str, Any] = {
            "num_cpus": choice.cpus,
            "num_gpus": choice.gpus,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(machine, soft=False),
        }
        if choice.memory_mib is not None:
            options["memory"] = choice.memory_mib * 2**20
        # Each is shown its own GPUs alone, so each is the first there.
        alone = replace(setting, slot=0)
        return RayAgent(self._ray.remote(Agent).options(**options).remote(alone))

    def close(self) -> None:
        """See `Runner.close`."""
        if self._is_ours:
            with contextlib.suppress(Exception):
                self._ray.shutdown()


class RayAgent:
    """An agent that is an actor.

    Args:
        actor: The actor.
    """

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def call(self, method: str, *args: Any) -> Any:
        """See `Handle.call`."""
        import ray

        try:
            return ray.get(getattr(self._actor, method).remote(*args), timeout=PATIENCE_SECONDS)
        except ImportError as error:
            raise not_installed("workers of ray", error) from None
        except Exception as error:
            raise LostAgentError(line(error)) from None
        finally:
            if method == "stop":
                ray.kill(self._actor)


def _reach(address: str) -> None:
    """Refuse an address where nobody listens."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    try:
        socket.create_connection((host, int(port)), REACH_SECONDS).close()
    except (OSError, ValueError) as error:
        raise no_answer("ray", address, error) from None


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """What SIGTERM does stays as it is: a search that is ended closes its record."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
