"""The page of a report: small, escaped, with nothing from elsewhere, whatever was searched."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nettuner.models.curve import Point
from nettuner.models.study import Proposal, Trial
from nettuner.tasks.memory.recall import Children
from nettuner.tasks.report.html.page import page
from nettuner.tasks.report.html.reproduce import as_python, as_yaml

UNIFORM = {"distribution": "uniform", "low": 0, "high": 1}
MIXED = {
    "rate": {"distribution": "log-uniform", "low": 1e-4, "high": 1},
    "units": {"distribution": "integer", "low": 1, "high": 64, "log": True},
    "kind": ["<script>alert(1)</script>", "$$x$$"],
    "depth": {**UNIFORM, "when": {"kind": "$$x$$"}},
    "decay": {"distribution": "log-normal", "median": 1e-3, "factor": 10},
    "always": 7,
}


class Elements(HTMLParser):
    """The elements of a page, the text of its scripts apart."""

    def __init__(self, text):
        super().__init__()
        self.found, self.texts, self._inside = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def score(params):
    return abs(math.log10(params["rate"]) + 2) + params["units"] / 64


@pytest.fixture(scope="module")
def mixed(made):
    trials = made.sampled(MIXED, score, 40)
    trials[3] = made.trial(3, trials[3].proposal.params, None)
    trials[3] = replace(trials[3], reason="</script><b>bold</b> & co")
    trials[4] = replace(trials[4], stopped="at 1 others were better")
    return made.searched(MIXED, trials, test={"test_loss": 0.5}, fingerprint="f1n9e2")


@pytest.fixture(scope="module")
def text(mixed):
    return page([mixed])


def test_nothing_is_loaded_from_elsewhere(text):
    elements = Elements(text).found
    assert {tag for tag, _ in elements} & {"link", "iframe", "object", "base"} == set()
    addresses = [a.get("src") or a.get("href") or "" for _, a in elements]
    assert [address for address in addresses if address] == []
    assert "localStorage" not in re.sub(r"(?s)<script>.*?</script>", "", text, count=1)


def test_what_people_wrote_is_text(text):
    elements = Elements(text)
    assert sum(tag == "script" for tag, _ in elements.found) == 2
    assert all(tag != "b" or not attrs for tag, attrs in elements.found)
    assert "<b>bold</b>" not in text
    assert "</script><b>bold</b> & co" in elements.text
    assert "<script>alert(1)</script>" in elements.text
    # What bokeh takes for formulas it loads a library for.
    assert "$$x$$" not in text.partition("drawers[")[2].partition("</script>")[0]


def test_the_page_says_what_was_found_and_how_to_search_again(text, mixed):
    told = Elements(text).text
    best = min(t.score for t in mixed.scored)
    assert f"Trial {mixed.winner.number} won, with a val_loss of {best:.6g}" in told
    assert "after 40 trials, 1 of which failed" in told
    assert "nettuner search study.yaml --strategy random_search" in told
    assert "f1n9e2" in told
    for title in ("Best so far", "Learning curves", "Importance", "Parallel coordinates", "Time"):
        assert title in told


def test_the_table_has_every_trial_the_best_first(text, mixed):
    (table,) = re.findall(r'(?s)tabindex="0"><table>.*?</table>', text)
    numbers = re.findall(r'<tr><td class="number" data-key="([\d.]+)"', table)
    assert sorted(int(float(n)) for n in numbers) == list(range(40))
    assert int(float(numbers[0])) == mixed.winner.number
    assert int(float(numbers[-1])) == 3


def test_the_winner_is_copied_as_it_is():
    params = {"rate": 0.1, "kind": "a", "flag": True}
    assert eval(as_python(params).partition("= ")[2]) == params
    assert as_yaml(params).splitlines() == [
        "strategy:",
        "  name: bayesian",
        "  try_first:",
        "  - rate: 0.1",
        "    kind: a",
        "    flag: true",
    ]


@pytest.mark.slow
def test_a_thousand_trials_are_less_than_five_megabytes(made):
    trials = [
        replace(t, curve=tuple(Point(k, t.score + 1 / k, 0.1) for k in range(1, 101)))
        for t in made.sampled(MIXED, score, 1000)
    ]
    assert len(page([made.searched(MIXED, trials)]).encode()) < 5 * 2**20


def test_of_many_hyperparameters_the_most_important_are_shown(made):
    space = {f"x{k:02}": UNIFORM for k in range(40)}
    search = made.searched(space, made.sampled(space, lambda p: p["x17"], 60))
    text = page([search])
    assert len(set(re.findall(r"<figcaption>(x\d\d)</figcaption>", text))) == 12
    assert "<figcaption>x17</figcaption>" in text
    assert "The 12 most important of 40 are shown." in text


def test_several_searches_are_compared(made):
    first = made.searched(MIXED, made.sampled(MIXED, score, 8), name="the first")
    second = made.searched(
        MIXED, made.sampled(MIXED, score, 8, seed=1), name="the second", strategy="grid_search"
    )
    told = Elements(page([first, second])).text
    assert "2 searches" in told
    assert "Best so far against networks trained" in told
    assert told.index("the first") < told.index("the second")


def test_a_population_has_a_family_tree_and_its_schedules(made):
    space = {"rate": UNIFORM}
    trials = [
        Trial(
            Proposal(k, {"rate": 0.1 * (k + 1)}, None if k < 2 else 0, k % 2, 1 + k // 2),
            1.0 / (k + 1),
            rounds=1,
            seconds=1.0,
            ended=float(k + 1),
            curve=(Point(1 + k // 2, 1.0 / (k + 1), 1.0),),
        )
        for k in range(4)
    ]
    changes = {
        "strategy": "population",
        "read": lambda: Children(trials, members={0: "a", 1: "b"}),
    }
    search = replace(made.searched(space, trials, **changes), schedules=b"\x89PNG")
    told = page([search])
    assert "Family tree" in told
    assert 'src="data:image/png;base64,iVBORw=="' in told
    assert "Importance" not in Elements(told).text


ODD = st.sampled_from([None, 0.0, 1.0, -1.0, 1e300, -1e300, 1e-300, math.nan, math.inf, 0.5])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    scores=st.lists(ODD, max_size=9),
    constant=st.booleans(),
    direction=st.sampled_from(["minimize", "maximize"]),
    status=st.sampled_from(["FINISHED", "KILLED", "RUNNING", "FAILED"]),
    timed=st.booleans(),
)
@pytest.mark.slow
def test_no_history_is_too_odd(made, scores, constant, direction, status, timed):
    rng = np.random.default_rng(0)
    space = made.study(MIXED).space
    trials = []
    for number, odd in enumerate(scores):
        params = space.sample(np.random.default_rng(0) if constant else rng)
        curve = () if odd is None or not math.isfinite(odd) else (Point(1, odd, 0.1),) * 1
        times = {"seconds": 1.0, "ended": number + 1.0} if timed else {}
        trials.append(Trial(Proposal(number, params), odd, None, curve=curve, **times))
    search = made.searched(MIXED, trials, direction=direction, status=status)
    assert page([search]).rstrip().endswith("</html>")
