"""The agents of a search: found, greeted, given what they need, lent, and missed when they go."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from nettuner.models.study import Study
from nettuner.models.training.failure import failure
from nettuner.tasks.cluster.agent import MOST_BYTES, Hello, Part
from nettuner.tasks.cluster.carrier import packed
from nettuner.tasks.cluster.release import release
from nettuner.tasks.cluster.runner import Handle, LostAgentError, Runner, RunnerError, Setting
from nettuner.tasks.cluster.shipped import Shipped
from nettuner.tasks.workers.pool import INTERRUPTED, InterruptedSearchError

# Interval between two looks at which machines there are [s].
WATCH_SECONDS = 1.0
# Interval between two words to each agent that it is still needed [s]; see `LEASE_SECONDS`.
STAY_SECONDS = 10.0
# How long there may be no agent at all [s].
PATIENCE_SECONDS = 120.0
# How long the first agent waits for the others that are known, some of which may have no room yet
# for what a trial takes [s].
OTHERS_SECONDS = 20.0

Slot = tuple[str, int]


class ClusterGoneError(Exception):
    """No machine has been there for long."""


@dataclass
class KnownAgent:
    """An agent, as the search knows it.

    Args:
        slot: Its machine, and its number there.
        handle: How it is called.
        hello: What it has said of itself.
        lost: Whether it is gone.
    """

    slot: Slot
    handle: Handle
    hello: Hello
    lost: bool = False

    def call(self, method: str, *args: object) -> object:
        """See `Handle.call`."""
        if self.lost:
            raise LostAgentError(f"{self.slot[0]} is gone")
        return self.handle.call(method, *args)


class Roster:
    """Keeps an agent in every slot of every machine, as machines come and go.

    Args:
        runner: Cluster.
        study: Study whose trials they run.
        files: Files that they need.
        setting: How they run trials; each gets a slot of its own.
        most: Most agents at once; None for one in every slot.

    Raises:
        RunnerError: The cluster does not answer, or has no room.
    """

    def __init__(
        self,
        runner: Runner,
        study: Study,
        files: Shipped,
        setting: Setting,
        most: int | None,
    ) -> None:
        self._runner = runner
        self._study = study
        self._files = files
        self._setting = setting
        self._most = most
        self.changed: Callable[[], None] = lambda: None
        """Function to call, from any thread, when an agent has come or gone."""
        self._known: dict[Slot, KnownAgent | None] = {}  # None while it is greeted, or is of no use
        self._free: deque[KnownAgent] = deque()
        self._greeting = 0
        self._faults: list[str] = []
        self._news = threading.Condition()
        self._is_over = False
        try:
            machines = runner.machines()
        except LostAgentError as error:
            raise RunnerError(f"{runner.where} must answer, got {error}; start it again") from None
        if machines and not any(machines.values()):
            raise RunnerError(
                f"{runner.where} has {len(machines)} workers, none with room for a trial that "
                f"takes {_taken_by(study)}; ask for less, or use larger workers"
            )
        self._look()
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()

    @property
    def agents(self) -> list[KnownAgent]:
        """Those that can be used."""
        return [agent for agent in list(self._known.values()) if agent is not None]

    def first(self) -> KnownAgent:
        """Wait for those that are known at the beginning; the first of them.

        Raises:
            RunnerError: One of them cannot be used, or there is none.
        """
        with self._news:
            self._news.wait_for(lambda: self._faults or self.agents, PATIENCE_SECONDS)
            self._news.wait_for(lambda: self._faults or not self._greeting, OTHERS_SECONDS)
            if self._faults:
                raise RunnerError(self._faults[0])
            if not self.agents:
                raise RunnerError(
                    f"{self._runner.where} has no worker with room for a trial after "
                    f"{PATIENCE_SECONDS:g} s; start workers, or ask for less in runner"
                )
            return self.agents[0]

    @contextmanager
    def lent(self) -> Iterator[KnownAgent]:
        """A free agent while the block runs; waits for one.

        Raises:
            InterruptedSearchError: The roster was closed meanwhile.
            ClusterGoneError: No agent has been there for long.
        """
        agent = self._taken()
        try:
            yield agent
        finally:
            with self._news:
                if not agent.lost:
                    self._free.append(agent)
                self._news.notify_all()

    def _taken(self) -> KnownAgent:
        with self._news:
            there = time.monotonic()
            while not (self._free or self._is_over):
                self._news.wait(WATCH_SECONDS)
                if self.agents or self._greeting:
                    there = time.monotonic()
                if time.monotonic() - there > PATIENCE_SECONDS:
                    raise ClusterGoneError(
                        f"{self._runner.where} has had no worker for {PATIENCE_SECONDS:g} s; "
                        "start workers, then go on with --resume"
                    )
            if self._is_over:
                raise InterruptedSearchError(INTERRUPTED)
            return self._free.popleft()

    def miss(self, agent: KnownAgent) -> None:
        """An agent does not answer any more."""
        with self._news:
            agent.lost = True
            self._known.pop(agent.slot, None)
            with suppress(ValueError):
                self._free.remove(agent)
            self._news.notify_all()
        self.changed()

    def close(self) -> None:
        """Stop all agents."""
        with self._news:
            if self._is_over:
                return
            self._is_over = True
            self._news.notify_all()
        for agent in self.agents:
            with suppress(LostAgentError):
                agent.handle.call("stop")
        self._watching.join(WATCH_SECONDS * 5)

    def _watch(self) -> None:
        told = time.monotonic()
        while not self._is_over:
            time.sleep(WATCH_SECONDS)
            with suppress(LostAgentError):  # it may answer again
                self._look()
            if time.monotonic() - told > STAY_SECONDS:
                told = time.monotonic()
                self._keep()

    def _keep(self) -> None:
        """Tell all agents to stay; one that does not answer is missed."""
        for agent in self.agents:
            try:
                agent.call("stay")
            except LostAgentError:
                self.miss(agent)

    def _look(self) -> None:
        """Greet who is new; miss who is gone."""
        slots = {(m, n) for m, count in self._runner.machines().items() for n in range(count)}
        for agent in self.agents:
            if agent.slot not in slots:
                self.miss(agent)
        with self._news:
            for gone in self._known.keys() - slots:
                del self._known[gone]
            # The first of every machine before the second of any.
            new = sorted(slots - self._known.keys(), key=lambda slot: (slot[1], slot[0]))
            if self._most is not None:
                new = new[: max(0, self._most - len(self._known))]
            self._known |= dict.fromkeys(new)
            self._greeting += len(new)
        for slot in new:
            threading.Thread(target=self._greet, args=(slot,), daemon=True).start()

    def _greet(self, slot: Slot) -> None:
        machine, number = slot
        agent, fault = None, None
        try:
            handle = self._runner.start(machine, replace(self._setting, slot=number))
            agent, fault = self._readied(slot, handle)
        except LostAgentError:
            with self._news:
                self._known.pop(slot, None)
        except Exception as error:
            known = isinstance(error, RunnerError)
            fault = str(error) if known else f"worker {machine}: {failure(error).reason}"
        with self._news:
            self._greeting -= 1
            if fault is not None:
                self._say(fault)
                self._faults.append(fault)
            if agent is not None and slot in self._known and not self._is_over:
                self._known[slot] = agent
                self._free.append(agent)
            self._news.notify_all()
        if agent is not None:
            self.changed()

    def _readied(self, slot: Slot, handle: Handle) -> tuple[KnownAgent | None, str | None]:
        """The agent with all that it needs, or why it is of no use."""
        hello: Hello = handle.call("hello")
        who = f"worker {slot[0]} on {hello.host}"
        if hello.release != release():
            return None, (
                f"{who} must run the same as here, {release()}, got {hello.release}; install it "
                "there"
            )
        if hello.fault is not None:
            return None, f"{who} {hello.fault}"
        if hello.is_spare:
            handle.call("stop")
            return None, None
        for path in self._files.files:
            for part in parts_of(path):
                handle.call("write", part)
        study, _ = packed(self._study, self._files.roots)
        handle.call("prepare", study)
        return KnownAgent(slot, handle, hello), None

    def _say(self, fault: str) -> None:
        """Warn of one that came later; the first ones end the search before it begins."""
        if self.agents and fault not in self._faults and sys.stderr is not None:
            print(f"not used: {fault}", file=sys.stderr, flush=True)


def _taken_by(study: Study) -> str:
    """What a trial takes, for people."""
    choice = study.runner
    told = [f"cpus={choice.cpus:g}"]
    told += [f"gpus={choice.gpus:g}"] if choice.gpus else []
    told += [f"memory_mib={choice.memory_mib}"] if choice.memory_mib else []
    return ", ".join(told)


def parts_of(path: str) -> Iterator[Part]:
    """A file in parts, one at least."""
    with open(path, "rb") as file:
        offset = 0
        while content := file.read(MOST_BYTES):
            yield Part(path, offset, content)
            offset += len(content)
        if not offset:
            yield Part(path, 0, b"")
