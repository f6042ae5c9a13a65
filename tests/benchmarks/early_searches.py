"""Searches in tables of curves: each answers with the segments that it trains, in order."""

from __future__ import annotations

import itertools
import math
from bisect import insort
from collections.abc import Callable, Iterator

import numpy as np
from early_tables import Segment, Table

from nettuner.models.study import Proposal, Trial
from nettuner.tasks.strategies.bayesian.coordinates import Coordinates
from nettuner.tasks.strategies.bayesian.expectation import expect
from nettuner.tasks.strategies.bayesian.trend import Trend
from nettuner.tasks.strategies.freeze_thaw import MOST_DRAWN
from nettuner.tasks.strategies.freeze_thaw.observations import Observations
from nettuner.tasks.strategies.freeze_thaw.outlook import Domain, Outlook, settings_of
from nettuner.tasks.strategies.freeze_thaw.rungs import rungs

Search = Callable[[Table, int, int], Iterator[Segment]]


def order(table: Table, seed: int) -> list[int]:
    """The configurations in a random order."""
    return [int(row) for row in np.random.default_rng(seed).permutation(len(table.rows))]


def random_in_full(table: Table, seed: int, budget: int) -> Iterator[Segment]:
    """Every configuration in full, in a random order."""
    for row in order(table, seed):
        yield row, 0, table.end(row, 0, table.rounds)


def three_then_best(table: Table, seed: int, budget: int) -> Iterator[Segment]:
    """Three rounds each, then the best three in full; the only one that knows the budget."""
    rows = order(table, seed)[: max(1, (budget - 3 * (table.rounds - 3)) // 3)]
    for row in rows:
        yield row, 0, table.end(row, 0, 3)
    for row in sorted(rows, key=lambda row: table.score(row, 3))[:3]:
        yield row, 3, table.end(row, 3, table.rounds)


def hyperband(table: Table, seed: int, budget: int) -> Iterator[Segment]:
    """Brackets of successive halving by three, over and over (Li et al. 2018)."""
    rows = itertools.cycle(order(table, seed))
    halvings = int(math.log(table.rounds, 3))
    while True:
        for s in range(halvings, -1, -1):
            count = math.ceil((halvings + 1) / (s + 1) * 3**s)
            racing, start = [next(rows) for _ in range(count)], 0
            for i in range(s + 1):
                until = max(1, round(table.rounds * 3.0 ** (i - s)))
                for row in racing:
                    yield row, start, table.end(row, start, until)
                ranked = sorted(racing, key=lambda row, until=until: table.score(row, until))
                racing, start = ranked[: max(1, len(racing) // 3)], until


def asha(table: Table, seed: int, budget: int) -> Iterator[Segment]:
    """Asynchronous successive halving by three, one worker (Li et al. 2020)."""
    ends = [3**k for k in range(int(math.log(table.rounds / math.sqrt(3), 3)) + 1)] + [table.rounds]
    ranked: list[list[tuple[float, int]]] = [[] for _ in ends]
    promoted: list[set[int]] = [set() for _ in ends]
    rows = iter(order(table, seed))
    while True:
        for rung in range(len(ends) - 2, -1, -1):
            best = ranked[rung][: len(ranked[rung]) // 3]
            waiting = [row for score, row in best if row not in promoted[rung] and score < np.inf]
            if waiting:
                row, to = waiting[0], rung + 1
                promoted[rung].add(row)
                break
        else:
            row, to = next(rows, -1), 0
            if row < 0:
                return
        start = ends[to - 1] if to else 0
        yield row, start, table.end(row, start, ends[to])
        insort(ranked[to], (table.score(row, ends[to]), row))


def bayesian(table: Table, seed: int, budget: int) -> Iterator[Segment]:
    """The model and the acquisition function of `bayesian` in full trainings, score of the best.

    Start points are drawn at random among the rows.
    """
    coordinates, rows = Coordinates(table.space), order(table, seed)
    points = coordinates.points(table.rows)
    history: list[Trial] = []
    none = points[:0]
    while rows:
        expected = None
        if len(history) >= max(4, min(2 * points.shape[1], budget // table.rounds // 5)):
            expected = expect(coordinates, history, [], seed)
        row = rows[0]
        if expected is not None:
            row = rows[int(np.argmax(expected.promise(points[rows], none, 1.0)))]
        rows.remove(row)
        end = table.end(row, 0, table.rounds)
        yield row, 0, end
        score = float(table.curves[row].min()) if table.score(row, end) < np.inf else None
        history.append(
            Trial(Proposal(len(history), table.rows[row]), score, "nan" if score is None else None)
        )


def freeze_thaw(table: Table, seed: int, budget: int, shortest: int = 1) -> Iterator[Segment]:
    """The model and the acquisition function of `freeze_thaw`, with the rows as candidates."""
    dimensions = np.arange(table.units.shape[1])
    ends = rungs(table.rounds, shortest)
    domain = Domain(dimensions, Trend(dimensions, np.full(len(dimensions), -1)), ends)
    left, started = order(table, seed), list[int]()
    reached, closed = list[int](), list[bool]()
    points: list[tuple[int, int, float]] = []
    while True:
        index = _next(table, domain, started, left, reached, closed, points)
        if index < 0:
            row = left.pop(-1 - index)
            index = len(started)
            started.append(row)
            reached.append(0)
            closed.append(False)
        row, start = started[index], reached[index]
        end = table.end(row, start, next(rung for rung in ends if rung > start))
        yield row, start, end
        points += [(index, r, float(table.curves[row, r - 1])) for r in range(start + 1, end + 1)]
        reached[index] = end
        closed[index] = end == table.rounds or not np.isfinite(table.curves[row, end - 1])


def _next(
    table: Table,
    domain: Domain,
    started: list[int],
    left: list[int],
    reached: list[int],
    closed: list[bool],
    points: list[tuple[int, int, float]],
) -> int:
    """Index of the started configuration to continue, or -1 - k for the k-th of those left."""
    if len(started) < MOST_DRAWN:
        return -1
    waiting = np.flatnonzero(~np.array(closed))
    whole = any(r == table.rounds for r in reached)
    if not whole and sum(reached) >= table.rounds and len(waiting):
        return int(
            min(waiting, key=lambda i: (-reached[i], table.score(started[i], reached[i]), i))
        )
    owner, round_, score = (np.array(column) for column in zip(*points, strict=True))
    seen = Observations(owner, round_.astype(float), score)
    columns = table.units[started]
    settings = settings_of(domain, columns, seen)
    outlook = None if settings is None else Outlook.of(domain, columns, seen, settings)
    if outlook is None:
        return int(waiting[0]) if len(waiting) else -1
    on = outlook.of_continuing(waiting, np.array(reached)[waiting]) if len(waiting) else []
    new = outlook.of_starting(table.units[left]) if left else np.array([-np.inf])
    if len(on) and max(on) >= new.max():
        return int(waiting[int(np.argmax(on))])
    return -1 - int(np.argmax(new))


SEARCHES: dict[str, Search] = {
    "freeze_thaw": freeze_thaw,
    "random in full": random_in_full,
    "hyperband": hyperband,
    "asha": asha,
    "3 rounds each, best 3 in full": three_then_best,
    "bayesian in full": bayesian,
}
