"""What a report says, on searches small enough to check by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nettuner.tasks.memory.trial_tags import Final
from nettuner.tasks.report.html.edges import at_least, edges
from nettuner.tasks.report.html.failures import by_chance, reasons, regions
from nettuner.tasks.report.html.findings import Findings
from nettuner.tasks.report.html.luck import as_good, noise, pooled, random_order
from nettuner.tasks.report.html.scales import Line, metric_scale
from nettuner.tasks.report.html.surrogate import fit
from nettuner.tasks.report.html.timeline import rows_of, spent
from nettuner.tasks.report.html.worth import next_trial

UNIFORM = {"distribution": "uniform", "low": 0, "high": 1}
RATE = {"rate": {"distribution": "log-uniform", "low": 1e-4, "high": 1}}


def test_the_best_of_any_two_of_four_is_worse_than_that_of_all():
    found = random_order([4.0, 1.0, 3.0, 2.0])
    assert found.counts.tolist() == [1, 2, 3, 4]
    assert (found.low[3], found.middle[3], found.high[3]) == (1, 1, 1)
    # Of 6 pairs 3 hold the 1, 2 more the 2: the median is 1 or 2, the ninth of ten 2 or 3.
    assert found.middle[1] in (1, 2)
    assert found.high[1] in (2, 3)
    assert found.low[0] == 1


def test_a_failed_trial_is_never_the_best_of_several():
    found = random_order([math.inf, 1.0])
    assert (found.low[0], found.high[0], found.high[1]) == (1, math.inf, 1)


def test_deviations_are_pooled_over_groups():
    # Squares about the means: 2 of (1, 3), 8 of (0, 4); 10 over 2 degrees of freedom.
    assert pooled([(1.0, 3.0), (0.0, 4.0), (7.0,)]) == pytest.approx(math.sqrt(5))
    assert pooled([(1.0,), ()]) is None
    assert pooled([(1.0, math.nan)]) is None


def test_noise_is_known_from_what_was_trained_twice(made):
    twice = [made.trial(k, {"a": 0.5}, score) for k, score in enumerate((1.0, 3.0))]
    search = made.searched({"a": UNIFORM}, twice)
    assert noise(search, None).deviation == pytest.approx(math.sqrt(2))
    assert noise(made.searched({"a": UNIFORM}, twice[:1]), None) is None
    finals = [Final(0, (1.0, 2.0), {})]
    known = noise(made.searched({"a": UNIFORM}, twice, finals=finals), None)
    assert (known.deviation, known.source) == (pytest.approx(math.sqrt(0.5)), "the finals")


def test_trials_within_one_deviation_of_the_best_are_as_good(made):
    trials = [made.trial(k, {}, k / 10) for k in range(5)]
    assert as_good(trials, 0.0, 0.25) == 3


def test_the_best_crowd_at_the_upper_end(made):
    # The best 4 of 20 are those with the largest rate; by chance 1 in 10^4 searches is so.
    space = made.study(RATE).space
    trials = [made.trial(k, {"rate": 10 ** (-4 * k / 19)}, float(k)) for k in range(20)]
    trials[2:4] = [made.trial(k, {"rate": 0.9 - k / 10}, float(k)) for k in (2, 3)]
    (edge,) = edges(space, trials)
    assert (edge.name, edge.upper, edge.limit, edge.there, edge.among) == ("rate", True, 1, 4, 4)
    assert at_least(4, 4, 0.1) == pytest.approx(1e-4)
    assert edges(space, trials[:7]) == []


def test_a_rate_from_which_on_all_failed_is_named(made):
    space = made.study(RATE).space
    trials = [
        made.trial(k, {"rate": 10 ** (-4 + k / 5)}, None if k >= 15 else 1.0) for k in range(20)
    ]
    (region,) = regions(space, trials)
    assert (region.name, region.relation, region.failed, region.tried) == ("rate", "above", 5, 5)
    assert region.value == pytest.approx(0.1)
    # One way of 15,504 to choose 5 of 20.
    assert by_chance(5, 5, 5, 20) == pytest.approx(1 / 15504)
    assert regions(space, trials[:15]) == []


def test_a_choice_at_which_all_failed_is_named(made):
    space = made.study({"kind": ["a", "b"]}).space
    trials = [made.trial(k, {"kind": "ab"[k % 2]}, 1.0 if k % 2 else None) for k in range(20)]
    (region,) = regions(space, trials)
    assert (region.relation, region.value, region.failed) == ("at", "a", 10)
    assert reasons(trials) == [("it broke", list(range(0, 20, 2)))]


def test_a_report_says_what_to_try_next(made):
    trials = made.sampled(
        {**RATE, "idle": UNIFORM},
        lambda p: None if p["rate"] > 0.2 else abs(math.log10(p["rate"]) + 2),
        60,
    )
    findings = Findings(made.searched({**RATE, "idle": UNIFORM}, trials))
    told = " ".join(findings.advice())
    assert "trials with rate of at least 0.2" in told
    assert "failed. Leave these values out." in told
    assert "idle changed little (below 5 % of how scores differ): fix it" in told
    assert "rate changed little" not in told
    assert "Of one more trial the model expects an improvement of" in told


def test_where_all_is_known_another_trial_brings_little(made):
    space = {"a": UNIFORM}
    trials = [made.trial(k, {"a": k / 40}, (k / 40 - 0.5) ** 2) for k in range(41)]
    model = fit(made.study(space).space, trials)
    expected = next_trial(model, trials)
    assert expected.best == 20
    assert expected.share < 0.01
    assert 0 <= expected.gain < 0.001


def test_a_metric_that_is_never_negative_is_not_expected_to_be(made):
    space = {"a": UNIFORM}
    trials = [made.trial(k, {"a": k / 20}, 10.0 ** -(k / 5)) for k in range(20)]
    model = fit(made.study(space).space, trials)
    assert model.score(np.array([-100.0])).tolist() == [0.0]
    assert next_trial(model, trials).gain <= 10.0**-3.8


@pytest.mark.parametrize(
    ("test", "told"),
    [
        (0.9, "The test rows do not show overfitting of the validation rows"),
        (1.5, "that may be chance"),
        (9.0, "more than chance in training explains"),
    ],
)
def test_the_winner_on_the_test_rows_is_beside_that_on_the_validation_rows(made, test, told):
    trials = [
        made.trial(k, {"a": 0.5 + k / 10}, 1.0 + k, scores=(1.0 + k, 2.0 + k)) for k in (0, 1)
    ]
    search = made.searched({"a": UNIFORM}, trials, test={"test_loss": test})
    assert told in " ".join(Findings(search).sure())


def test_a_metric_that_is_maximised_is_told_with_its_own_sign(made):
    trials = [made.trial(k, {"a": k / 10}, -k / 10) for k in range(10)]
    search = made.searched({"a": UNIFORM}, trials, metric="val_acc", direction="maximize")
    assert Findings(search).found() == [
        "Trial 9 won, with a val_acc of 0.9, after 10 trials, none of which failed."
    ]


def test_without_a_success_a_report_says_so(made):
    search = made.searched({"a": UNIFORM}, [made.trial(0, {"a": 0.5}, None)])
    findings = Findings(search)
    assert findings.found() == ["Nothing was found: none of 1 trial has a score."]
    assert findings.advice() == ["1 trial of 1 failed for this reason, which comes first: it broke"]


def test_trials_that_overlap_are_in_rows_of_their_own(made):
    # From 0 to 2, from 1 to 3, from 2 to 4: the third one has room behind the first.
    trials = [made.trial(k, {}, 1.0, seconds=2.0, ended=2.0 + k) for k in range(3)]
    assert rows_of(trials) == {0: 0, 1: 1, 2: 0}
    times = spent([*trials, made.trial(3, {}, 1.0, seconds=2.0, ended=8.0)])
    # Nothing ran from 4 to 6; each trial has three rounds of half a second.
    assert (times.seconds, times.running, times.trials, times.rounds) == (8, 6, 8, 6)


def test_losses_over_decades_have_a_logarithmic_axis():
    assert metric_scale([0.01, 1.0, 10.0], "minimize").kind == "log"
    assert metric_scale([1.0, 2.0], "minimize").kind == "linear"
    assert metric_scale([-1.0, 100.0], "minimize").kind == "linear"
    assert metric_scale([], "minimize").end == 1


def test_a_line_is_named_by_values_of_its_distribution(made):
    space = made.study({**RATE, "kind": ["a", "b"]}).space
    assert list(Line(space["rate"]).ticks().values()) == ["0.0001", "0.001", "0.01", "0.1", "1"]
    assert Line(space["kind"]).ticks() == {0.25: "a", 0.75: "b"}
    assert Line(space["rate"]).place(0.01) == pytest.approx(0.5)
