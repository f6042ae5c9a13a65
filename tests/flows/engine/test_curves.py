"""Searches know the curve of every trial, and MLflow has it as it was."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow


def test_the_curve_of_a_function_has_what_it_reported_and_how_long_it_took(random_search, lab):
    for trial in random_search.result.trials:
        x = trial.proposal.params["x"]
        scores = [(x - 0.3) ** 2 + 1 / step for step in (1, 2, 3)]
        assert [(point.round, point.score) for point in trial.curve] == [*enumerate(scores, 1)]
        assert 0 < sum(point.seconds for point in trial.curve) < trial.seconds + 1
    (past,) = lab.past("random")
    known = {trial.number: trial.curve for trial in past.trials}
    assert known == {trial.number: trial.curve for trial in random_search.result.trials}


def test_the_curve_of_a_segment_has_its_own_rounds(population_search):
    for trial in population_search.result.trials:
        rounds = [point.round for point in trial.curve]
        assert rounds == ([trial.proposal.until] if trial.succeeded else [])
        assert [point.score for point in trial.curve] == ([trial.score] if rounds else [])
