"""A search at a moment as lines of a terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from nettuner.tasks.report.live.drawing import Drawing, clock
from nettuner.tasks.report.live.state import Best, Line, State, Training

STATE = State(
    study="digits",
    search="bayesian 3",
    metric="val_loss",
    unit="epochs",
    one="trial",
    many="trials",
    ended=8,
    of=16,
    seconds=42.3,
    left="about 45 s left",
    training=Training(
        2, (Line("8", 0.1203, (0.9, 0.5, 0.3, 0.2), 4, 10), Line("9", of=10)), 0, 4, 10
    ),
    last=(
        Line("7", 0.0912, (0.9, 0.1), 10),
        Line("6", done=3, why="ValueError: no", ending="failed"),
        Line("5", 0.25, (0.5, 0.25), 3, why="worse than others", ending="stopped"),
    ),
    best=Best("trial 2", 0.0380149, {"learning_rate": 0.01408, "hidden": 100}),
    failed=3,
    commonest=("ValueError: no", 2),
)
DOCS = Path(__file__).parents[4] / "docs" / "watching.md"
TABLE = re.findall(r"```text\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)[0]


def drawn(state, width=80, height=24, encoding="utf-8"):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width, height=height, force_terminal=True, color_system=None)
    console.print(Drawing(state))
    file.flush()
    lines = file.buffer.getvalue().decode(encoding).splitlines()
    assert all(len(line) <= width for line in lines)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def test_a_search_in_80_columns_is_as_the_docs_show_it():
    assert drawn(STATE) == TABLE


@pytest.mark.parametrize("width", [20, 40, 60])
def test_a_narrow_terminal_has_as_many_lines_which_are_shorter(width):
    lines = drawn(STATE, width).splitlines()
    assert len(lines) == len(TABLE.splitlines())
    assert lines[1].startswith("8 of 16 trials")  # without a bar


def test_a_low_terminal_shows_what_is_in_flight_rather_than_what_has_ended():
    lines = drawn(STATE, height=9).splitlines()
    assert [line.split()[0] for line in lines[4:-1]] == ["8", "9", "7"]
    assert len(lines) < 9


def test_a_terminal_that_knows_ascii_alone_gets_nothing_else():
    named = replace(STATE, study="Ziffern für ☃")
    text = drawn(named, encoding="ascii", width=75)
    assert text.splitlines()[0] == "Ziffern f?r ?  bayesian 3"
    assert drawn(named, encoding="latin-1", width=40)
    assert "############------------ 8 of 16 trials" in text
    assert "    8    0.1203  #=._            4/10  training" in text


def test_64_trials_in_flight_are_a_line_and_the_best_of_them():
    best = tuple(Line(str(k), 0.1 * k, (), 4, 10) for k in (1, 2, 3))
    state = replace(STATE, training=Training(64, best, 3, 4, 10), last=())
    table = drawn(state).splitlines()[4:-1]
    assert len(table) == 4
    assert table[-1].split(maxsplit=1) == ["3-4/10", "64 training, the best 3 above"]


def test_a_search_that_has_just_begun_and_has_no_known_size_is_two_lines():
    nothing = {"best": None, "failed": 0, "commonest": None, "training": Training(), "last": ()}
    state = replace(STATE, ended=0, of=None, left="", **nothing)
    assert drawn(state).splitlines()[1:] == ["0 trials, 0:42"]


def test_before_any_worker_has_begun_trials_are_starting():
    waiting = Training(1, (Line("0", of=10),), begun=False)
    assert drawn(replace(STATE, training=waiting)).splitlines()[4].endswith("0/10  starting")


def test_segments_are_counted_with_the_networks_that_they_are_of():
    state = replace(STATE, ended=14, of=None, many="segments", networks=9, failed=0, left="")
    assert drawn(state).splitlines()[1] == "14 segments of 9 networks, 0:42"


def test_what_people_named_cannot_steer_the_terminal():
    params = {"\x1b[31mred": "two\nlines", "[bold]x[/bold]": 1}
    state = replace(STATE, study="a\x1b]0;title\x07b", best=Best("trial 2", 1.0, params))
    text = drawn(state)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "two lines, [bold]x[/bold] 1" in text


def test_a_metric_of_a_long_name_leaves_room_for_the_curve():
    line = drawn(replace(STATE, metric="m" * 200)).splitlines()[4]
    assert line == "    8                0.1203  █▄▂▁            4/10  training"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.9, "0:00"), (62, "1:02"), (3599, "59:59"), (3661, "1:01:01")]
)
def test_time_that_has_passed_is_told_to_the_second(seconds, shown):
    assert clock(seconds) == shown
