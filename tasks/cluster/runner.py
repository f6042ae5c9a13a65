"""What every runner has: machines with room for trials, and agents that are started there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


def line(error: BaseException) -> str:
    """What an error says, in one line; its kind if it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def no_answer(name: str, address: str, error: BaseException) -> RunnerError:
    """The error where a cluster does not answer."""
    return RunnerError(
        f"{name} must answer at {address}, got {type(error).__name__}: {line(error)}; correct the "
        "address, or start it"
    )


def not_installed(who: str, error: ImportError) -> RunnerError:
    """The error where a worker cannot import nettuner."""
    return RunnerError(
        f"{who} must have the same nettuner as here, got {line(error)}; install it there"
    )


class RunnerError(Exception):
    """The runner a study names cannot be used; the message says why, and the way out."""


class LostAgentError(Exception):
    """An agent does not answer: its machine, or the process it ran in, is gone."""


@dataclass(frozen=True)
class Setting:
    """How an agent runs trials.

    Args:
        threads: Number of threads of numeric libraries in a worker.
        slot: Number of the agent among those of its machine, from 0.
        gpus: GPUs that a trial takes.
        deterministic: Whether its trainings are to give the same bits whenever they are repeated.
        path: Folders that modules are imported from where the search runs; those that are there
            too, are added.
    """

    threads: int
    slot: int
    gpus: float
    deterministic: bool
    path: tuple[str, ...]


class Handle(Protocol):
    """An agent, from afar. Its calls come from the thread of a trial and from the watching one."""

    def call(self, method: str, *args: Any) -> Any:
        """Call a method of the `Agent`.

        Raises:
            LostAgentError: It does not answer.
        """
        ...


class Runner(Protocol):
    """A cluster; called from several threads."""

    @property
    def where(self) -> str:
        """Which it is, and where, for people."""
        ...

    def machines(self) -> Mapping[str, int]:
        """The machines, or processes, that agents can be started on, and how many on each.

        Raises:
            LostAgentError: The cluster does not answer.
        """
        ...

    def start(self, machine: str, setting: Setting) -> Handle:
        """Start an agent.

        Raises:
            LostAgentError: The machine is gone.
            RunnerError: nettuner cannot be imported there.
        """
        ...

    def close(self) -> None:
        """Leave the cluster; ends one that was started for the search."""
        ...
