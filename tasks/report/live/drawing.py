"""Draws what a search has come to; it fits narrow and low terminals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from nettuner.tasks.report.live.sparkline import BLOCKS, PLAIN_BLOCKS, sparkline
from nettuner.tasks.report.live.state import Line, State
from nettuner.tasks.report.live.tally import POINTS

BAR = 24
# Narrower terminals have no bar.
WIDE = 70
LONGEST_NAME = 20
# Lines beside those of trials: title, bar, best, head and failures.
OTHERS = 6
# Colours of lines by how a trial ended.
STYLES = {"": "", "stopped": "dim", "failed": "red"}
Row = tuple[str, str, str, str, tuple[str, str]]
"""Cells: name, metric, curve, rounds so far, and how it is, in words and in which style."""


class Drawing:
    """A search at a moment, as rich draws it.

    Args:
        state: The search.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lines, none of which is wider than the terminal, and no more than it has."""
        plain, state = options.ascii_only, self._state
        bar = self._bar(plain) if options.max_width >= WIDE else []
        lines = [*self._above(bar), *self._table(plain, max(1, console.height - OTHERS))]
        if state.commonest is not None:
            lines.append(self._failures(*state.commonest))
        for line in lines:
            if plain:
                line.plain = line.plain.encode("ascii", "replace").decode()
            line.truncate(options.max_width, overflow="crop" if plain else "ellipsis")
            yield line

    def _above(self, bar: list[tuple[str, str]]) -> Iterator[Text]:
        state = self._state
        yield _line((clean(state.study), "bold"), f"  {clean(state.search)}")
        yield _line(*bar, f"{' ' if bar else ''}{self._counts()}")
        if state.best is not None:
            best = state.best
            yield _line(
                ("best", "bold"),
                f"  {clean(state.metric)} ",
                (f"{best.value:.4g}", "bold green"),
                f" by {best.name}: {_params(best.params)}",
            )

    def _bar(self, plain: bool) -> list[tuple[str, str]]:
        state = self._state
        if not state.of:
            return []
        filled = min(BAR, BAR * state.ended // state.of)
        full, rest = ("#", "-") if plain else ("━", "─")
        return [(full * filled, "green"), (rest * (BAR - filled), "dim")]

    def _counts(self) -> str:
        state = self._state
        return ", ".join([*counted(state), *([state.left] if state.left else [])])

    def _table(self, plain: bool, room: int) -> Iterator[Text]:
        """The lines of trials, those in flight first; no more than there is room for."""
        state, now = self._state, self._state.training
        shown, word = now.shown[:room], "training" if now.begun else "starting"
        rows = [_cells(line, plain, (word, "cyan")) for line in shown]
        if now.count > len(now.shown):
            best = f", the best {len(shown)} above" if shown else ""
            how = (f"{now.count} {word}{best}", "cyan")
            rows.append(("", "", "", _reached(now.least, now.most, now.of), how))
        for line in state.last[: max(0, room - len(rows))]:
            why = f"{line.ending}: {clean(line.why)}" if line.ending else ""
            rows.append(_cells(line, plain, (why, STYLES[line.ending])))
        if rows:
            head = (state.one, _cut(state.metric), "curve", _cut(state.unit), ("", ""))
            yield from _aligned(head, rows)

    def _failures(self, reason: str, count: int) -> Text:
        failed = self._state.failed
        often = "" if failed == 1 else f", {count} of them" if count < failed else ", all of them"
        return _line((f"{failed} failed{often}: ", "red"), clean(reason))


class Ended:
    """What is left of the table when all is trained.

    Args:
        state: The search.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """A line."""
        yield _line(f"trained: {', '.join(counted(self._state))} ...")


def counted(state: State) -> list[str]:
    """How many trials there were, how many failed, and the time."""
    of = f" of {state.of}" if state.of else ""
    networks = f" of {state.networks} networks" if state.networks else ""
    failed = [f"{state.failed} failed"] if state.failed else []
    return [f"{state.ended}{of} {state.many}{networks}", *failed, clock(state.seconds)]


def _cells(line: Line, plain: bool, how: tuple[str, str]) -> Row:
    value = "" if line.value is None else f"{line.value:.4g}"
    curve = sparkline(line.curve, PLAIN_BLOCKS if plain else BLOCKS)
    return line.name, value, curve, _reached(line.done, line.done, line.of), how


def _aligned(head: Row, rows: Sequence[Row]) -> Iterator[Text]:
    """Rows below their head; all columns but the curve are aligned to the right."""
    every = (head, *rows)
    first, second, last = (
        max(map(cell_len, column))
        for column in ([row[0] for row in every], [row[1] for row in every], [r[3] for r in every])
    )
    for row in every:
        one, value, curve, reached, (words, style) = row
        cells = [_right(one, first), _right(value, second), curve.ljust(POINTS)]
        text = "  ".join([*cells, _right(reached, last)])
        yield _line((text, "dim" if row is head else ""), (f"  {words}", style))


def _right(text: str, width: int) -> str:
    return " " * (width - cell_len(text)) + text


def _cut(name: str) -> str:
    """A name that somebody has given as the head of a column."""
    return set_cell_size(clean(name), min(cell_len(clean(name)), LONGEST_NAME))


def _line(*parts: str | tuple[str, str]) -> Text:
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def _reached(least: int, most: int, of: int) -> str:
    """Rounds so far: 3, 3/10, or 2-4/10; empty before the first of nobody knows how many."""
    if not most and not of:
        return ""
    reached = f"{least}" if least == most else f"{least}-{most}"
    return f"{reached}/{of}" if of else reached


def _params(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{clean(name)} {_short(value)}" for name, value in params.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else clean(str(value))


def clean(text: str) -> str:
    """A text of somebody's own in one line, without what terminals obey."""
    return "".join(c if c.isprintable() else " " for c in text)


def clock(seconds: float) -> str:
    """Time that has passed: 0:42, 12:05, 1:00:00."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
