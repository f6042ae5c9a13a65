"""Trials of one structure are trained in stacks, and remain trials in all that people see."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest

pytestmark = pytest.mark.slow

LEARNERS = dedent(
    """
    import os

    from torch import nn

    from nettuner.models.learner import Supervised


    class Deadly(Supervised):
        # Ends its process at the first step of a stack, and of a trial that is too fast;
        # not at the two rows with which a study is checked.
        def build(self):
            return nn.Linear(self.data.features, self.data.outputs)

        def loss(self, network, networks, batch, now):
            rate = now["learning_rate"]
            if len(batch[0]) > 2 and (not isinstance(rate, float) or rate > 0.05):
                os._exit(3)
            return super().loss(network, networks, batch, now)
    """
)


def rates(*values):
    return {
        "learning_rate": {"distribution": "choice", "values": list(values)},
        "optimizer": {"distribution": "choice", "values": ["sgd"]},
    }


def names(lab, result, count):
    return {run.name: run for run in lab.task_runs(result.run_id, count)}


@pytest.fixture(scope="module")
def random_twins(lab):
    """Six trials of one structure, of which one diverges: stacked, and one by one."""
    space = {
        "learning_rate": {"distribution": "log-uniform", "low": 0.001, "high": 0.1},
        "dropout": {"distribution": "uniform", "low": 0, "high": 0.5},
    }
    given = {"space": space, "stop": {"trials": 6}, "metric": "val_loss", "seed": 4}
    study = lab.network_study("stacked", **given)
    apart = lab.network_study("apart", **given, stack=1)
    return lab.quick_search(study), lab.quick_search(apart)


@pytest.fixture(scope="module")
def with_a_failure(lab):
    space = rates(0.01, 1e30, 0.02)
    study = lab.network_study("one-fails", space=space, strategy="grid", metric="val_loss")
    return lab.quick_search(study)


def test_trials_that_share_a_structure_are_one_node(random_twins, lab):
    stacked, apart = random_twins
    best = f"examine-trial-{stacked.best.number}"
    assert set(names(lab, stacked, 3)) == {"propose-0", "6-trials-0-to-5", best}
    singles = {f"trial-{k}" for k in range(6)}
    assert set(names(lab, apart, 8)) == {
        "propose-0",
        *singles,
        f"examine-trial-{apart.best.number}",
    }


def test_stacks_change_no_score(random_twins):
    stacked, apart = (sorted(r.trials, key=lambda t: t.number) for r in random_twins)
    for one, other in zip(stacked, apart, strict=True):
        assert one.proposal == other.proposal
        assert one.score == pytest.approx(other.score, rel=1e-3)
        assert one.metrics == pytest.approx(other.metrics, rel=1e-3, abs=1e-4)


def test_every_trial_of_a_stack_has_its_run_with_its_metrics_per_epoch(random_twins, lab):
    stacked, _ = random_twins
    runs = lab.runs(stacked)
    assert sorted(runs) == [f"trial {k}" for k in range(6)]
    (node,) = [run for run in lab.task_runs(stacked.run_id, 3) if run.name == "6-trials-0-to-5"]
    for trial in stacked.trials:
        run = runs[f"trial {trial.number}"]
        assert run.info.status == "FINISHED"
        assert run.data.params == {k: str(v) for k, v in trial.proposal.params.items()}
        assert run.data.tags["nettuner.prefect_run"].endswith(str(node.id))
        for metric in ("train_loss", "val_loss", "val_accuracy"):
            history = lab.mlflow.get_metric_history(run.info.run_id, metric)
            assert [point.step for point in history] == [1, 2]
            assert history[-1].value == trial.metrics[metric]


def test_a_stack_has_a_table_of_its_trials(random_twins, lab):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    stacked, _ = random_twins
    of_search = ArtifactFilterFlowRunId(any_=[lab.flow_run(stacked.run_id).id])
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=of_search))
    (table,) = [artifact for artifact in found if artifact.type == "table"]
    for trial in stacked.trials:
        assert f"{trial.score:.6g}" in table.data


def test_a_trial_that_fails_in_a_stack_is_a_failed_node_with_its_reason(with_a_failure, lab):
    (failed,) = [trial for trial in with_a_failure.trials if not trial.succeeded]
    assert failed.proposal.params["learning_rate"] == 1e30
    assert re.match(r"DivergedError: the loss of network is (nan|inf) at step \d+", failed.reason)
    nodes = names(lab, with_a_failure, 4)
    assert nodes["3-trials-0-to-2"].state.is_completed()
    node = nodes[f"trial-{failed.number}"]
    assert node.state.is_failed()
    assert node.state.message.endswith(failed.reason)
    run = lab.runs(with_a_failure)[f"trial {failed.number}"]
    assert run.info.status == "FAILED"
    assert run.data.tags["nettuner.reason"] == failed.reason


def test_where_the_worker_of_a_stack_dies_each_trial_is_tried_alone(lab):
    path = lab.home / "deadly.py"
    path.write_text(LEARNERS)
    study = lab.network_study(
        "deadly",
        learner=f"{path}:Deadly",
        space=rates(0.01, 0.1, 0.02),
        strategy="grid",
        metric="val_loss",
    )
    result = lab.search(study)
    reasons = {t.proposal.params["learning_rate"]: t.reason for t in result.trials}
    assert reasons == {0.01: None, 0.1: "its process exited with status 3", 0.02: None}


def test_a_bayesian_search_may_ask_for_a_stack_at_once(lab):
    space = {"learning_rate": {"distribution": "log-uniform", "low": 0.001, "high": 0.1}}
    study = lab.network_study(
        "bayesian-stacks",
        space=space,
        strategy={"name": "bayesian", "initial": 2},
        metric="val_loss",
        stop={"trials": 8},
        stack=4,
    )
    result = lab.quick_search(study)
    found = {name for name in names(lab, result, 5) if "trials" in name}
    assert found == {"4-trials-0-to-3", "4-trials-4-to-7"}
