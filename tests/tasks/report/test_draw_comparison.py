"""The picture of a comparison: lines that are told apart, and labels that can be read."""

from __future__ import annotations

from itertools import pairwise

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from nettuner.models.study import Goal, Proposal, Trial
from nettuner.tasks.memory.recall import Children, PastSearch
from nettuner.tasks.report.draw_comparison import apart, draw_comparison

STRATEGIES = ("population", "bayesian", "random_search", "grid_search", "successive_halving", "own")


def past(strategy, losses):
    """A search that began to train 3 s after its start, a trial a second."""
    trials = [
        Trial(Proposal(k, {}), loss, seconds=1 + k / 1000, rounds=10, ended=4.0 + k)
        for k, loss in enumerate(losses)
    ]
    return PastSearch(
        *("r", "1", f"{strategy} 1", "FINISHED", strategy, "d", Goal("val_loss", "minimize")),
        *(10, "epochs", 0.0, {}, lambda: Children(trials)),
    )


@pytest.fixture
def draw(tmp_path, monkeypatch):
    """Draws a comparison; gives its two panels."""
    figures = []
    save = Figure.savefig

    def saved(figure, *arguments, **options):
        figures.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", saved)

    def draw(searches):
        path = tmp_path / "comparison.png"
        draw_comparison(searches, path, "digits")
        assert path.read_bytes().startswith(b"\x89PNG")
        return figures[-1].axes

    return draw


def boxes(axes):
    """Where the labels beside a panel are, in pixels, from the lowest to the highest.

    Without the lines that lead to them.
    """
    found = [Text.get_window_extent(text) for text in axes.texts]
    return sorted(found, key=lambda box: box.y0)


def test_six_lines_that_end_alike_differ_in_more_than_colour_and_no_label_hides_another(draw):
    searches = [past(name, [2.0, 0.5, 0.1 + k / 1e4]) for k, name in enumerate(STRATEGIES)]
    for axes in draw(searches):
        steps = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
        ends = [line for line in axes.lines if line.get_marker() not in ("None", "")]
        looks = {(str(line._unscaled_dash_pattern), line.get_linestyle()) for line in steps}
        assert len(steps) == len(looks) == 6
        assert len({line.get_marker() for line in ends}) == 6
        assert {line.get_markerfacecolor() for line in ends} == {"none"}  # one shows the other
        found = boxes(axes)
        assert len(found) == 6
        assert all(above.y0 >= below.y1 for below, above in pairwise(found))
        assert all(box.x0 > axes.get_window_extent().x1 for box in found)


def test_a_logarithmic_axis_names_more_than_powers_of_ten(draw):
    left, _ = draw([past("bayesian", [2.0, 0.5, 0.1]), past("population", [1.5, 0.2])])
    low, high = left.get_ylim()
    shown = [
        text.get_text()
        for place, text in zip(left.get_yticks(), left.get_yticklabels(), strict=True)
        if low <= place <= high
    ]
    assert shown == ["0.1", "0.2", "0.5", "1", "2"]


def test_time_is_counted_from_the_first_training(draw):
    _, right = draw([past("bayesian", [2.0, 0.5, 0.1])])
    assert right.lines[0].get_xdata() == pytest.approx([1, 2, 3])
    assert right.get_xlabel() == "seconds since the first training began"
    assert [text.get_text() for text in right.texts] == ["bayesian  0.1"]


@pytest.mark.parametrize("losses", [[0.5], [None, 0.5], [0.0, 0.0], [-1.0, -2.0]])
def test_whatever_came_of_a_search_is_drawn(draw, losses):
    assert len(draw([past("own", losses), past("bayesian", losses)])) == 2


@pytest.mark.parametrize(
    ("heights", "found"),
    [
        ([0.2, 0.8], [0.2, 0.8]),
        ([0.5, 0.5], [0.45, 0.55]),
        ([0.5, 0.45, 0.9], [0.525, 0.425, 0.9]),
        ([0.0, 0.0, 0.0], [0.0, 0.1, 0.2]),
        ([1.0, 1.2], [0.9, 1.0]),
        ([0.3] * 21, [k / 20 for k in range(21)]),  # too many for a tenth each
    ],
)
def test_labels_are_a_tenth_apart_and_as_near_as_can_be(heights, found):
    assert apart(heights, 0.1) == pytest.approx(found)
