"""Members of a stack know of each other when one of them is to end early."""

from __future__ import annotations

from nettuner.models.data.load import load
from nettuner.models.early_stop import Median
from nettuner.models.learners.mlp import MLP
from nettuner.models.stacks.stack import Programs, Stack
from nettuner.models.stacks.trials import _run_stacked
from nettuner.models.study import Goal, Proposal, Study
from nettuner.models.training.job import Job
from nettuner.models.training.loop import prepared

RATES = [0.1, 1e-5, 0.05, 1e-6, 0.02]


def test_those_worse_than_the_median_of_the_others_end_after_the_same_round(tmp_path):
    study = Study.model_validate(
        {
            "name": "stack",
            "learner": "mlp",
            "data": "iris",
            "space": {"learning_rate": RATES},
            "metric": "val_loss",
            "epochs": 3,
        }
    )
    jobs = [
        Job(
            study,
            Goal("val_loss", "minimize"),
            Proposal(number, {"learning_rate": rate}),
            tmp_path / f"{number}.jsonl",
            end=tmp_path / f"{number}.safetensors",
            rule=Median(),
        )
        for number, rate in enumerate(RATES)
    ]
    dataset = load(study.data)
    stack = Stack(
        prepared(MLP, dataset),
        [job.proposal.params for job in jobs],
        [job.seed for job in jobs],
        Programs(),
    )
    found = _run_stacked(jobs, stack, dataset, study.length)
    # The two that hardly learn are worse than the median of the four others, in the first round.
    assert [outcome.rounds for outcome in found][1::2] == [1, 1]
    assert all(found[k].stopped == "at 1 worse than the median of 4 others" for k in (1, 3))
    assert max(outcome.rounds for outcome in found) == 3
    assert all(job.end.is_file() for job in jobs)
