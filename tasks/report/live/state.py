"""What a search has come to at a moment, as it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Ending = Literal["", "stopped", "failed"]


@dataclass(frozen=True)
class Line:
    """A trial as it is shown.

    Args:
        name: Number of the trial, or of the network of which it is a segment.
        value: Latest metric, as people see it; None before the first.
        curve: Metric over the rounds, a few points of it.
        done: Rounds so far, or the step that was reported last.
        of: Rounds up to which it trains; 0 where nobody knows.
        why: Why it failed or was stopped; empty else.
        ending: What `why` is about.
    """

    name: str
    value: float | None = None
    curve: tuple[float, ...] = ()
    done: int = 0
    of: int = 0
    why: str = ""
    ending: Ending = ""


@dataclass(frozen=True)
class Best:
    """The best trial so far.

    Args:
        name: How it is called.
        value: Its metric, as people see it.
        params: Its hyperparameters.
    """

    name: str
    value: float
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Training:
    """What is in flight.

    Args:
        count: Number of trials in flight.
        shown: All of them, or of many the best few.
        least, most: Rounds of the one that has trained least, and of the one that has most.
        of: Rounds up to which the furthest trains; 0 where nobody knows.
        begun: Whether any worker has begun to train.
    """

    count: int = 0
    shown: tuple[Line, ...] = ()
    least: int = 0
    most: int = 0
    of: int = 0
    begun: bool = True


@dataclass(frozen=True)
class State:
    """A search at a moment.

    Args:
        study, search: Their names.
        metric: Name of the metric.
        unit: What a round is called: epochs, say.
        one: What a line is about: trial, member, or network.
        many: What is counted: trials, or segments.
        ended: Number of these that ended.
        of: Number of all that there will be; None if nobody knows.
        seconds: Wall time so far [s].
        left: How long it may still take, in words; empty if nobody knows.
        training: What is in flight.
        last: Trials that ended last, the latest first.
        networks: Number of networks that segments which ended are of; 0 where this is not told.
        best: Best trial; None before the first success.
        failed: Number of failed trials.
        commonest: Commonest reason, and how many failed for it; None without failures.
    """

    study: str
    search: str
    metric: str
    unit: str
    one: str
    many: str
    ended: int
    of: int | None
    seconds: float
    left: str
    training: Training
    last: tuple[Line, ...]
    networks: int = 0
    best: Best | None = None
    failed: int = 0
    commonest: tuple[str, int] | None = None
