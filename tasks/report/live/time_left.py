"""How long a search may still take, as far as what it has trained tells.

An estimate is the work that is left at the pace of the work that was done: wall time, with all
workers that there are, since the first of them began to train. Work is counted in rounds (epochs)
where these are counted, else in trials.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# Trainings that tell the pace; a quarter of all where that is less.
ENOUGH_TRAININGS = 10
# Less time tells nothing of it [s].
ENOUGH_SECONDS = 5.0
# Estimates are told as the nearest of these [s], for they are not known any better.
STEPS = (
    *(10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 420, 600, 900, 1200, 1800, 2700),
    *(3600, 5400, 7200, 10800, 14400, 21600, 28800, 43200, 64800, 86400),
)
A_FEW_SECONDS = 7.0
MINUTE, HOUR, DAY = 60, 3600, 86400


@dataclass(frozen=True)
class Work:
    """What was done since a search began, or went on, and what is left, in one unit.

    Args:
        done: Work of trials that ended and of those in flight.
        left: Work that is left.
        training: Work of one training, on average.
        seconds: Wall time since the first worker began [s].
        settled: Whether so much has ended that what is in flight hardly counts; true where its
            progress is known.
    """

    done: float
    left: float
    training: float
    seconds: float
    settled: bool = True

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the time that is left [s]; None before enough is known.

        That is 10 trainings or a quarter of the work, 5 seconds, and, where nobody knows the
        progress of what is in flight, two trials that ended for each one in flight.
        """
        enough = min(ENOUGH_TRAININGS * self.training, (self.done + self.left) / 4)
        if not self.settled or self.seconds < ENOUGH_SECONDS or self.done < max(enough, 1e-9):
            return None
        return self.left / self.done * self.seconds


def work_of_trials(trials: int, ended: int, before: int, in_flight: int, seconds: float) -> Work:
    """Work in trials; each one in flight is taken for half done.

    Args:
        trials: Trials of the whole search.
        ended: Trials that ended since it began or went on.
        before: Trials that had ended before it went on.
        in_flight: Trials in flight.
        seconds: Wall time since the first worker began [s].
    """
    half = in_flight / 2
    left = max(0.0, trials - before - ended - half)
    return Work(ended + half, left, 1.0, seconds, ended >= 2 * max(1, in_flight))


def work_of_rounds(
    trials: int,
    ended: int,
    before: int,
    rounds: int,
    usual: float,
    in_flight: list[int],
    seconds: float,
) -> Work:
    """Work in rounds; a trial that has not begun is taken for as long as those that ended.

    Args:
        trials: Trials of the whole search.
        ended: Trials that ended since it began or went on.
        before: Trials that had ended before it went on.
        rounds: Rounds of those that ended since.
        usual: Rounds of a trial, as long as none has ended.
        in_flight: Rounds so far of each trial in flight.
        seconds: Wall time since the first worker began [s].
    """
    mean = rounds / ended if rounds else usual
    new = max(0, trials - before - ended - len(in_flight))
    left = new * mean + sum(max(0.0, mean - done) for done in in_flight)
    return Work(rounds + sum(in_flight), left, mean, seconds)


def work_of_halving(
    networks: int,
    begun: int,
    rounds: int,
    before: int,
    fewest: int,
    in_flight: list[tuple[int, int]],
    seconds: float,
) -> Work:
    """Work in rounds where most networks end early.

    All networks together are taken to train as many rounds each as those that have begun, but no
    fewer than the strategy says, as of these some will go on.

    Args:
        networks: Networks of the whole search.
        begun: Networks that have begun.
        rounds: Rounds that ended segments trained in all.
        before: Rounds of these from before the search went on.
        fewest: Fewest rounds that so many networks train in all.
        in_flight: Rounds so far, and rounds in all, of each segment in flight.
        seconds: Wall time since the first worker began [s].
    """
    running = sum(done for done, _ in in_flight)
    trained = rounds + running
    whole = max(fewest, trained / begun * networks if begun else 0.0)
    left = max(whole - trained, sum(until - done for done, until in in_flight))
    return Work(trained - before, left, whole / networks, seconds)


def spoken(seconds: float) -> str:
    """A time in words, no more precise than the steps above: 20 s, 1.5 min, 3 h, 2 days."""
    if seconds < A_FEW_SECONDS:
        return "a few seconds"
    if seconds > 1.2 * STEPS[-1]:
        return f"{math.ceil(seconds / DAY)} days"
    nearest = min(STEPS, key=lambda step: abs(math.log(step / seconds)))
    for unit, name in ((HOUR, "h"), (MINUTE, "min")):
        if nearest >= unit:
            return f"{nearest / unit:g} {name}"
    return f"{nearest} s"


def told(estimate: float | None, limit: float | None, may_end_before: bool) -> str:
    """The time left for people; empty while nothing can be said.

    Args:
        estimate: Estimate of the time left [s]; None while there is none.
        limit: Time after which no trial is started any more [s]; None for no such limit.
        may_end_before: Whether a result may end the search before.
    """
    if limit is not None and (estimate is None or limit < estimate):
        return f"new trials for {spoken(max(0.0, limit))} at most"
    if estimate is None:
        return ""
    about = "" if estimate < A_FEW_SECONDS else "about "
    return f"{'at most ' if may_end_before else ''}{about}{spoken(estimate)} left"
