"""A search from end to end: what ran is what is recorded, and it ends when it should."""

from __future__ import annotations

import pytest

from nettuner.flows.engine.search import SearchFailedError
from nettuner.tasks.plan import make_plan

pytestmark = pytest.mark.slow

EVERY = ["random_search", "grid_search", "bayesian_search", "population_search"]


@pytest.fixture(params=EVERY)
def searched(request):
    return request.getfixturevalue(request.param)


def by_number(trials):
    return sorted(trials, key=lambda trial: trial.number)


def outcomes(trials):
    return [(t.number, t.proposal.params, t.score) for t in by_number(trials)]


@pytest.fixture(scope="module")
def twins(table_search, lab):
    """The same study twice, one trial at a time and three at a time."""
    return [table_search.result, lab.search(table_search.study.model_copy(update={"width": 3}))]


# What is recorded


def test_all_trials_are_read_back_from_mlflow_as_they_were(searched, lab):
    (past,) = lab.past(searched.study.name)
    read, ran = by_number(past.trials), by_number(searched.result.trials)
    assert read == ran
    for one, other in zip(read, ran, strict=True):
        kinds = {name: type(value) for name, value in other.proposal.params.items()}
        assert {name: type(value) for name, value in one.proposal.params.items()} == kinds


def test_the_search_is_read_back_from_mlflow_as_it_was(searched, lab):
    plan = make_plan(searched.study)
    (past,) = lab.past(searched.study.name)
    assert past.run_id == searched.result.run_id
    assert past.name == searched.result.name
    assert past.status == "FINISHED"
    assert past.strategy == plan.strategy_name
    assert past.goal == plan.goal
    assert past.digest == plan.digest
    assert past.rounds == searched.study.rounds
    assert past.test == searched.result.test
    assert not past.unfinished


def test_a_run_says_of_a_trial_what_people_ask_of_it(random_search, lab):
    runs = lab.runs(random_search.result)
    assert len(runs) == 5
    for trial in random_search.result.trials:
        run = runs[f"trial {trial.number}"]
        assert run.info.status == "FINISHED"
        assert run.data.params == {k: str(v) for k, v in trial.proposal.params.items()}
        assert run.data.metrics["loss"] == trial.score
        assert run.data.metrics["nettuner/seconds"] == trial.seconds
        assert run.data.tags["nettuner.seed"] == f"3, {trial.number}"
        assert run.data.tags["nettuner.strategy"] == "random_search"
        assert run.data.tags["mlflow.parentRunId"] == random_search.result.run_id
        history = lab.mlflow.get_metric_history(run.info.run_id, "step_squared")
        assert [(point.step, point.value) for point in history] == [(1, 1), (2, 4), (3, 9)]


def test_every_epoch_of_a_network_is_recorded_at_its_step(twins, lab):
    for name, run in lab.runs(twins[0]).items():
        trial = by_number(twins[0].trials)[int(name.removeprefix("trial "))]
        assert trial.rounds == 2
        for metric in ("train_loss", "val_loss", "val_accuracy"):
            history = lab.mlflow.get_metric_history(run.info.run_id, metric)
            assert [point.step for point in history] == [1, 2]
            assert history[-1].value == trial.metrics[metric]


def test_the_data_of_a_network_is_recorded_with_its_search_and_every_trial(table_search, lab):
    fingerprint = make_plan(table_search.study).fingerprint
    assert fingerprint
    parent = lab.mlflow.get_run(table_search.result.run_id)
    for run in (parent, *lab.runs(table_search.result).values()):
        assert run.data.tags["nettuner.data_fingerprint"] == fingerprint
    (logged,) = parent.inputs.dataset_inputs
    assert logged.dataset.digest == fingerprint


def test_prefect_points_to_mlflow_and_back(random_search, lab):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    flow_run = lab.flow_run(random_search.result.run_id)
    assert random_search.result.name == "random 1"  # the first of its study
    assert flow_run.name == "random: random 1"
    assert flow_run.state.is_completed()
    filters = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run.id]))
    with get_client(sync_client=True) as client:
        (page,) = client.read_artifacts(artifact_filter=filters)
    assert random_search.result.url in page.data
    task_runs = {str(run.id): run.name for run in lab.task_runs(random_search.result.run_id, 7)}
    for name, run in lab.runs(random_search.result).items():
        address = run.data.tags["nettuner.prefect_run"]
        assert task_runs[address.rpartition("/")[2]] == name.replace(" ", "-")


def test_a_members_changing_hyperparameters_are_stepped_metrics_and_the_others_params(
    population_search, lab
):
    runs = lab.runs(population_search.result)
    assert sorted(runs) == [f"member {member}" for member in range(4)]
    for member in range(4):
        run = runs[f"member {member}"]
        segments = by_number(
            trial for trial in population_search.result.trials if trial.proposal.member == member
        )
        history = lab.mlflow.get_metric_history(run.info.run_id, "hyperparameter/learning_rate")
        rates = [trial.proposal.params["learning_rate"] for trial in segments]
        assert [(point.step, point.value) for point in history] == list(enumerate(rates))
        assert "learning_rate" not in run.data.params
        assert run.data.params["bias"] == str(segments[0].proposal.params["bias"])
        last = "FINISHED" if segments[-1].succeeded else "FAILED"
        assert run.info.status == last


def test_a_members_rounds_are_counted_from_its_beginning(population_search, lab):
    for member in range(4):
        run = lab.runs(population_search.result)[f"member {member}"]
        history = lab.mlflow.get_metric_history(run.info.run_id, "val_accuracy")
        ended = [
            trial.proposal.until
            for trial in by_number(population_search.result.trials)
            if trial.proposal.member == member and trial.succeeded
        ]
        assert [point.step for point in history] == ended


def test_what_a_population_kept_for_a_resume_is_gone_in_the_end(population_search, lab):
    assert any(len(numbers) > 1 for numbers in population_search.trained.values())
    files = {file.path for file in lab.mlflow.list_artifacts(population_search.result.run_id)}
    assert "study.json" in files
    assert "segments" not in files


# The numbers


def test_a_seed_gives_the_same_trials_and_scores_whatever_the_width(twins):
    assert outcomes(twins[0].trials) == outcomes(twins[1].trials)
    assert twins[0].test == twins[1].test
    assert len({score for _, _, score in outcomes(twins[0].trials)}) > 1


# Failures


def test_a_trial_fails_with_its_reason_and_the_search_goes_on(grid_search, lab):
    reasons = {t.proposal.params["how"]: t.reason for t in grid_search.result.trials}
    assert reasons == {
        "fine": None,
        "raise": "ArithmeticError: x is not to my liking",
        "exit": "its process exited with status 3",
        "sleep": "stopped: a trial may take 3 s (trial_seconds)",
        "nan": "DivergedError: loss is nan at the end",
    }
    runs = lab.runs(grid_search.result)
    for trial in grid_search.result.trials:
        run = runs[f"trial {trial.number}"]
        assert run.info.status == ("FINISHED" if trial.succeeded else "FAILED")
        assert run.data.tags.get("nettuner.reason") == trial.reason
    assert grid_search.result.best.proposal.params["how"] == "fine"


def test_a_slow_trial_does_not_hold_back_the_others(grid_search):
    slowest = grid_search.result.trials[-1]
    assert slowest.proposal.params["how"] == "sleep"
    assert slowest.number == 0


def test_what_a_failed_trial_reported_before_is_kept(grid_search, lab):
    for trial in grid_search.result.trials:
        run = lab.runs(grid_search.result)[f"trial {trial.number}"]
        (point, *_) = lab.mlflow.get_metric_history(run.info.run_id, "loss")
        assert (point.step, point.value) == (1, 0.25)


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        (
            {"trials": 5, "failures": 2},
            "2 trials in a row failed (stop.failures), the last one because "
            "ArithmeticError: never; see `nettuner trials hopeless-2 --failed`",
        ),
        (
            {"trials": 1},
            "none of 1 trials succeeded, the last one because ArithmeticError: never; "
            "see `nettuner trials hopeless-10 --failed`",
        ),
    ],
)
def test_a_search_without_any_success_fails(stop, reason, lab):
    name = f"hopeless-{stop.get('failures', 10)}"
    study = lab.function_study(name, "always_fails", stop=stop)
    with pytest.raises(SearchFailedError) as failure:
        lab.quick_search(study)
    assert str(failure.value) == reason
    (past,) = lab.past(name)
    assert past.status == "FAILED"
    run = lab.mlflow.get_run(past.run_id)
    assert run.data.tags["nettuner.reason"] == f"SearchFailedError: {reason}"
    assert lab.flow_run(past.run_id).state.is_failed()


# The end


def test_a_search_says_why_it_ended(random_search, grid_search, bayesian_search, population_search):
    assert random_search.result.ended == "5 trials are done (stop.trials)"
    assert grid_search.result.ended == "every point of the grid was tried"
    assert bayesian_search.result.ended == "6 trials are done (stop.trials)"
    assert population_search.result.ended == "the population was trained to its end"


def test_a_target_that_is_reached_ends_the_search(lab):
    # With seed 1 the losses are 0.378, 0.334, 0.355, 0.415, 0.342 ...
    study = lab.function_study("target", stop={"target": 0.335, "trials": 50}, seed=1)
    result = lab.quick_search(study)
    assert result.ended == "loss reached 0.335 (stop.target)"
    assert [trial.score <= 0.335 for trial in result.trials] == [False, True]


def test_patience_ends_a_search_that_gets_no_better(lab):
    result = lab.quick_search(lab.function_study("patience", stop={"patience": 3}, seed=1))
    assert result.ended == "3 trials brought no new best (stop.patience)"
    assert [trial.number for trial in result.trials] == [0, 1, 2, 3, 4]
    assert result.best.number == 1


def test_time_ends_a_search(lab):
    result = lab.quick_search(lab.function_study("time", stop={"seconds": 0.5}))
    assert result.ended == "0.5 s have passed (stop.seconds)"
    # One trial at a time: all but the last were over before it was asked for, in time.
    assert all(trial.ended < 0.5 for trial in result.trials[:-1])


# Checkpoints


def test_no_checkpoint_outlives_its_search(searched, twins, lab):
    for run_id in (searched.result.run_id, twins[1].run_id):
        assert not (lab.home / "checkpoints" / run_id).exists()


def test_a_population_keeps_the_checkpoints_that_something_may_need_and_few_others(
    population_search,
):
    generations = []
    for files, needed in population_search.kept:
        assert needed <= files
        numbers = {int(name.removeprefix("trial-")) for name in files}
        assert len(numbers) <= 2 * 4 + 1
        generations.append({number // 4 for number in numbers})
    # Of the last generation and the one before it, and perhaps of an older best.
    assert all(len(present) <= 3 for present in generations)
