"""Runs trials on the agents of a cluster, and everything else in workers of this machine."""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from nettuner.models.training.failure import Failure, failure
from nettuner.models.training.job import CURVES
from nettuner.tasks.cluster.agent import Look, Part
from nettuner.tasks.cluster.carrier import packed
from nettuner.tasks.cluster.roster import KnownAgent, Roster, parts_of
from nettuner.tasks.cluster.runner import LostAgentError
from nettuner.tasks.home import home
from nettuner.tasks.workers.messages import Call
from nettuner.tasks.workers.places import HERE, Place
from nettuner.tasks.workers.pool import (
    ATTEMPTS,
    GLANCE_SECONDS,
    INTERRUPTED,
    InterruptedSearchError,
    Pool,
    TrialFailedError,
)

Result = TypeVar("Result")

# First interval between two looks at a call [s]; it doubles up to that between glances.
SHORTEST_SECONDS = 0.01


class ClusterPool(Pool):
    """Calls at a place elsewhere go to any free agent; one that is lost is replaced by another.

    Args:
        here: Workers of this machine.
        roster: Agents.
        roots: Paths at or below which files of the study lie, which agents have copies of.
    """

    def __init__(self, here: Pool, roster: Roster, roots: Sequence[str]) -> None:
        self._here = here
        self._roster = roster
        self._roots = [*roots, str(home() / "stacks")]
        self._is_stopped = False

    def stop(self) -> None:
        """See `Pool.stop`."""
        self._is_stopped = True
        self._here.stop()
        self._roster.close()

    def run(
        self,
        function: Callable[..., Result],
        *args: Any,
        seconds: float | None = None,
        glance: Callable[[], object] = lambda: None,
        begin: Callable[[], object] = lambda: None,
        output: Path | None = None,
        own_process: bool = False,
        place: Place = HERE,
    ) -> Result:
        """See `Pool.run`.

        Raises:
            ClusterGoneError: The cluster has had no worker for long.
        """
        if not place.elsewhere:
            return self._here.run(
                function,
                *args,
                seconds=seconds,
                glance=glance,
                begin=begin,
                output=output,
                own_process=own_process,
                place=place,
            )
        folder = None if output is None else output.parent
        roots = self._roots if folder is None else [*self._roots, str(folder)]
        try:
            call, met = packed(Call(function, args, output), roots)
        except Exception as error:
            raise TrialFailedError(failure(error).reason) from None
        sent = [p for p in met if folder and Path(p).parent == folder and Path(p).is_file()]
        for attempt in range(ATTEMPTS):
            with self._roster.lent() as agent:
                try:
                    for part in (part for path in sent for part in parts_of(path)):
                        agent.call("write", part)
                    agent.call("begin", call, seconds, own_process)
                    answer = self._watched(agent, folder, begin, glance)
                    if folder is not None:
                        _fetch(agent)
                except LostAgentError:
                    self._lose(agent, attempt)
                    continue
                self._forget(agent)
            if isinstance(answer, Failure):
                raise TrialFailedError(answer.reason, answer.details)
            return cast("Result", answer)
        raise TrialFailedError(f"its worker was lost {ATTEMPTS} times")

    def _forget(self, agent: KnownAgent) -> None:
        """Tell an agent to forget its call, of which all is here."""
        try:
            agent.call("forget")
        except LostAgentError:
            self._roster.miss(agent)

    def _lose(self, agent: KnownAgent, attempt: int) -> None:
        self._roster.miss(agent)
        if self._is_stopped:
            raise InterruptedSearchError(INTERRUPTED)
        if sys.stderr is not None:
            again = "; what it trained is begun again" if attempt + 1 < ATTEMPTS else ""
            print(f"worker {agent.slot[0]} is lost{again}", file=sys.stderr, flush=True)

    def _watched(
        self,
        agent: KnownAgent,
        folder: Path | None,
        begin: Callable[[], object],
        glance: Callable[[], object],
    ) -> Any:
        """The result of a call, or its failure; meanwhile what it writes is written here."""
        interval, is_told, told = SHORTEST_SECONDS, False, 0
        while True:
            if self._is_stopped:
                raise InterruptedSearchError(INTERRUPTED)
            if folder is not None:
                told = _tell(agent, folder / CURVES, told)
            look = cast("Look", agent.call("look"))
            for part in look.parts:
                _write(part)
            if look.begun and not is_told:
                is_told = True
                begin()
            if look.answer is not None:
                return pickle.loads(look.answer)
            glance()
            time.sleep(interval)
            interval = min(2 * interval, GLANCE_SECONDS)


def _tell(agent: KnownAgent, path: Path, told: int) -> int:
    """Tell an agent what is new of the curves of all trials; returns how far it knows them."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(told)
        content = file.read()
        if content:
            agent.call("write", Part(str(path), told, content))
            return told + len(content)
    return told


def _write(part: Part) -> None:
    """Write a part of a file; the first one begins it anew, but for what was printed before."""
    is_added = part.offset or part.path.endswith(".txt")
    with open(part.path, "ab" if is_added else "wb") as file:
        file.write(part.content)


def _fetch(agent: KnownAgent) -> None:
    """Fetch all files that a call has left, each whole or not at all."""
    for path, size in cast("list[tuple[str, int]]", agent.call("left")):
        partial = Path(f"{path}.fetched")
        with partial.open("wb") as file:
            while file.tell() < size:
                file.write(cast("bytes", agent.call("read", path, file.tell())))
        partial.replace(path)
