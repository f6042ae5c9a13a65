"""What trials print is shown line by line, or its place is told once."""

from __future__ import annotations

import pytest

from nettuner.tasks.training.printed import Printed, output_shown


@pytest.fixture
def shown():
    with output_shown(True):
        return Printed()


@pytest.fixture
def said(capsys):
    return lambda: capsys.readouterr().err


def test_a_line_is_shown_once_it_is_complete_and_the_last_one_at_the_end(shown, said, tmp_path):
    path = tmp_path / "trial-3.txt"
    shown.look("trial 3", path)
    path.write_text("one\ntw")
    shown.look("trial 3", path)
    assert said() == "trial 3: one\n"
    path.write_text("one\ntwo\nthree")
    shown.look("trial 3", path)
    assert said() == "trial 3: two\n"
    shown.look("trial 3", path)
    shown.end("trial 3", path)
    assert said() == "trial 3: three\n"


def test_a_bar_is_shown_as_it_was_drawn_last_and_nothing_steers_the_terminal(shown, said, tmp_path):
    path = tmp_path / "trial-0.txt"
    path.write_bytes(b"10%\r50%\r100%\r\n\x1b[31mred\x1b[0m\x07\x1b]0;title\x07 \xff\n")
    shown.look("trial 0", path)
    assert said() == "trial 0: 100%\ntrial 0: red �\n"


def test_who_prints_a_lot_is_shown_in_part(shown, said, tmp_path):
    path = tmp_path / "trial-0.txt"
    path.write_text("x\n" * 120)
    shown.look("trial 0", path)
    assert said() == "trial 0: [70 lines are left out here]\n" + "trial 0: x\n" * 50
    with path.open("a") as file:
        file.write("y" * 50_000 + "\nend\n")
    shown.look("trial 0", path)
    first, last = said().splitlines()
    assert first.startswith("trial 0: [30005 bytes are left out here] yyy")
    assert last == "trial 0: end"


def test_where_it_is_not_wanted_its_place_is_told_once(said, tmp_path):
    printed = Printed()
    for number in range(3):
        path = tmp_path / f"trial-{number}.txt"
        path.write_text("" if number == 0 else "words\n")
        printed.look(f"trial {number}", path)
        printed.end(f"trial {number}", path)
    assert said() == (
        "trial 1 has printed something: see output/ of its run (nettuner ui), or --output\n"
    )


def test_a_search_begins_as_its_command_asks_and_later_ones_do_not(said, tmp_path):
    path = tmp_path / "trial-0.txt"
    path.write_text("words\n")
    with output_shown(True):
        inside = Printed()
    Printed().look("later", path)
    inside.look("inside", path)
    assert said() == "inside: words\n"
