"""The DAG of a search has the edges along which knowledge and weights flow, and no others."""

from __future__ import annotations

import pytest

from nettuner.flows.engine.dag import node_name

pytestmark = pytest.mark.slow


@pytest.fixture
def edges(lab):
    """For every node of a search the names of those it follows directly."""

    def read(search):
        return lab.edges(search.result.run_id, search.nodes)

    return read


@pytest.mark.parametrize("name", ["random_search", "grid_search"])
def test_all_trials_of_a_random_and_a_grid_search_hang_on_one_proposal(name, edges, request):
    search = request.getfixturevalue(name)
    assert edges(search) == {
        "propose-0": set(),
        **{f"trial-{number}": {"propose-0"} for number in range(5)},
        f"examine-trial-{search.result.best.number}": {f"trial-{search.result.best.number}"},
    }


def test_a_bayesian_proposal_follows_the_one_before_and_the_trial_that_ended_since(
    bayesian_search, edges
):
    ended = [f"trial-{trial.number}" for trial in bayesian_search.result.trials]
    best = bayesian_search.result.best.number
    assert edges(bayesian_search) == {
        "propose-0": set(),
        **{f"propose-{k}": {f"propose-{k - 1}", ended[k - 1]} for k in (1, 2, 3, 4)},
        "trial-0": {"propose-0"},
        "trial-1": {"propose-0"},
        **{f"trial-{k + 1}": {f"propose-{k}"} for k in (1, 2, 3, 4)},
        f"examine-trial-{best}": {f"trial-{best}"},
    }


def test_segments_follow_their_proposal_and_those_whose_weights_they_continue(
    population_search, edges
):
    trials = {trial.number: trial for trial in population_search.result.trials}
    trained = population_search.trained
    node = {number: name for name, numbers in trained.items() for number in numbers}
    best = population_search.result.best.number
    expected = {"propose-0": set(), f"examine-trial-{best}": {node[best]}}
    for name, numbers in trained.items():
        parents = {trials[number].proposal.parent for number in numbers} - {None}
        expected[name] = {f"propose-{numbers[0] // 4}"} | {node[parent] for parent in parents}
        if len(numbers) > 1:
            failed = [trials[number] for number in numbers if not trials[number].succeeded]
            expected |= {node_name([trial.proposal]): {name} for trial in failed}
    for generation in (1, 2):
        before = {node[4 * (generation - 1) + member] for member in range(4)}
        expected[f"propose-{generation}"] = {f"propose-{generation - 1}"} | before
    expected["trace-population"] = {"propose-2"} | {node[8 + member] for member in range(4)}
    assert edges(population_search) == expected
    copied = [t for t in trials.values() if (t.proposal.parent or 0) % 4 != t.number % 4]
    assert copied  # else this would not show whose weights were continued
    assert any(len(numbers) > 1 for numbers in trained.values())  # nor that some are stacked


@pytest.mark.parametrize(
    ("name", "failures"),
    [("grid_search", 4), ("bayesian_search", None), ("population_search", 1)],
)
def test_a_failed_trial_is_a_failed_node_whose_message_is_the_reason(name, failures, lab, request):
    search = request.getfixturevalue(name)
    reasons = {t.number: t.reason for t in search.result.trials if not t.succeeded}
    if failures is None:  # every x above a half fails; two such are tried first
        failures = sum(trial.proposal.params["x"] > 0.5 for trial in search.result.trials)
        assert failures >= 2
    assert len(reasons) == failures
    failed = {
        run.name: run.state.message
        for run in lab.task_runs(search.result.run_id, search.nodes)
        if run.state.is_failed()
    }
    assert len(failed) == len(reasons)
    for trial in search.result.trials:
        if not trial.succeeded:
            where = trial.proposal
            name = f"trial-{where.number}"
            if where.member is not None:
                name = f"member-{where.member}-until-{where.until}"
            assert failed[name].endswith(f": {trial.reason}")
