"""The part of the benchmark that a command asks for."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import families
from contest import OPPONENTS, Job

SEEDS = 10


@dataclass(frozen=True)
class Part:
    """Families, seeds and opponents.

    Args:
        families: Families whose data are there, of those that were asked for.
        absent: Those whose data are not.
        seeds: Seeds of each search.
        opponents: Optimisers to compare with.
        workers: Searches side by side.
        only_kept: Whether nothing is run: what is kept is shown.
    """

    families: tuple[str, ...]
    absent: tuple[str, ...]
    seeds: range
    opponents: tuple[str, ...]
    workers: int = 1
    only_kept: bool = False

    @classmethod
    def asked(cls, what: str | None) -> Self:
        """By the arguments of the command."""
        parser = argparse.ArgumentParser(
            description=what, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("--seeds", type=int, default=SEEDS, help="of each search")
        parser.add_argument("--families", type=names_among(families.NAMES), metavar="A,B")
        parser.add_argument("--opponents", type=names_among(OPPONENTS), metavar="A,B")
        parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="at once")
        parser.add_argument("--kept", action="store_true", help="run nothing, show what is kept")
        given = parser.parse_args()
        wanted = given.families or families.NAMES
        return cls(
            tuple(name for name in wanted if families.available(name)),
            tuple(name for name in wanted if not families.available(name)),
            range(given.seeds),
            given.opponents or OPPONENTS,
            given.workers,
            given.kept,
        )

    @property
    def is_whole(self) -> bool:
        """Whether it is everything, so that results are written and claims are judged."""
        everything = self.families == families.NAMES and self.opponents == OPPONENTS
        return everything and len(self.seeds) == SEEDS and not self.only_kept

    def __str__(self) -> str:
        what = "the whole benchmark" if self.is_whole else "a part of the benchmark"
        found = f"{what}: {len(self.seeds)} seeds of {', '.join(self.families)}"
        if self.absent:
            found += f"; left out, as their data are not there: {', '.join(self.absent)}"
        return found


def complete(jobs: Sequence[Job], done: Callable[[Job], bool]) -> list[Job]:
    """The jobs on those problems and seeds that all optimisers have run on."""
    missing = {job[1:] for job in jobs if not done(job)}
    return [job for job in jobs if job[1:] not in missing]


def names_among(known: Sequence[str]) -> Any:
    """Reads names with commas between them."""

    def read(text: str) -> tuple[str, ...]:
        found = tuple(text.split(","))
        for name in found:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return found

    return read
