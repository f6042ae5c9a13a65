"""Answers to the test rows as charts, and in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nettuner.models.answers import Classes, Numbers
from nettuner.tasks.report.html.findings import Findings
from nettuner.tasks.report.html.held_out_chart import held_out_chart, wrong
from nettuner.tasks.report.html.sections import sections

SPACE = {"x": {"distribution": "uniform", "low": 0, "high": 1}}
COUNTS = Classes(["cat", "dog", "cow"], [[8, 2, 0], [5, 4, 1], [0, 0, 10]])


def section(made, given):
    search = replace(made.searched(SPACE, [made.trial(0, {"x": 0.5}, 1.0)]), answered=given)
    return next(of for of in sections(Findings(search)) if of.title == "Answers to the test rows")


def test_a_matrix_has_a_cell_for_each_pair_with_its_share_of_the_class():
    chart = held_out_chart(COUNTS)
    (cells,) = [of for of in chart.renderers if "share" in of.data_source.data][:1]
    told = cells.data_source.data
    at = {pair: k for k, pair in enumerate(zip(told["true"], told["answer"], strict=True))}
    assert len(at) == 9
    assert told["share"][at["dog", "cat"]] == 0.5
    assert told["percent"][at["cat", "cat"]] == "80.0%"
    assert told["shown"][at["cat", "cow"]] == ""
    assert list(chart.y_range.factors) == ["cow", "dog", "cat"]  # read from above


def test_equal_labels_have_places_of_their_own():
    chart = held_out_chart(Classes(["a", "a"], [[1, 0], [0, 1]]))
    assert list(chart.x_range.factors) == ["a (0)", "a (1)"]


def test_the_commonest_mistake_is_named():
    assert wrong(COUNTS) == ("dog", "cat", 5)
    assert wrong(Classes(["a", "b"], [[3, 0], [0, 4]])) is None


def test_the_report_says_how_many_are_right_and_what_is_taken_for_what(made):
    text = section(made, COUNTS).text
    assert "on the 30 test rows" in text
    assert "22 right" in text
    assert "The commonest mistake: dog taken for cat, 5 times." in text


def test_numbers_lie_beside_a_line_on_which_they_are_right(made):
    given = Numbers([1.0, 2.0], [1.5, 4.0])
    found = section(made, given)
    assert "(2 of them are drawn)" in found.text
    line, dots = found.charts[""].renderers
    assert list(line.data_source.data["x"]) == list(line.data_source.data["y"]) == [1.0, 4.0]
    assert list(dots.data_source.data["answered"]) == [1.5, 4.0]


def test_a_search_without_them_has_no_such_part(made):
    with pytest.raises(StopIteration):
        section(made, None)
