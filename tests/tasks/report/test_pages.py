"""The page of a search says what is not obvious about its winner."""

from __future__ import annotations

from nettuner.models.study import Goal, Proposal, Study, Trial
from nettuner.tasks.report.pages import luck, search_as_markdown

GOAL = Goal("loss", "minimize")
TRIALS = [Trial(Proposal(k, {"x": k}), score) for k, score in enumerate([0.5, 0.1, 0.2])]
STUDY = Study.model_validate(
    {
        "name": "luck",
        "learner": "file.py:f",
        "space": {"x": [0, 1, 2]},
        "metric": "loss",
    }
)
WHY = "trial 1 had 0.1, but trials vary by chance, and more is expected of trial 2"


def test_a_winner_that_has_not_the_best_score_is_explained():
    assert luck(GOAL, TRIALS, TRIALS[2]) == WHY
    page = search_as_markdown(STUDY, GOAL, TRIALS, TRIALS[2], {}, "3 trials are done")
    assert f"T{WHY[1:]}." in page.splitlines()


def test_one_that_has_it_is_not_nor_one_that_won_finals():
    assert luck(GOAL, TRIALS, TRIALS[1]) is None
    page = search_as_markdown(STUDY, GOAL, TRIALS, TRIALS[2], {}, "3 trials are done", [TRIALS[2]])
    assert "chance" not in page
