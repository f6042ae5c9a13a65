"""The retuning itself: what it refuses, what a person decides, and when it leaves early."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from prefect.client.orchestration import get_client

from nettuner.flows.commands import promotion
from nettuner.flows.engine import search
from nettuner.flows.prefect_runs.approval import Approval
from nettuner.flows.prefect_runs.one_at_a_time import BusyError, one_at_a_time
from nettuner.flows.retune import retune
from nettuner.tasks.champion import registry
from nettuner.tasks.champion.promote import promote
from nettuner.tasks.memory import recall
from nettuner.tasks.memory import tags as names

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two clouds of points, a study on them that learns quickly, and 400 rows that came in."""
    folder = tmp_path_factory.mktemp("clouds")
    rng = np.random.default_rng(0)
    side = rng.integers(0, 2, 600)
    table = pd.DataFrame(rng.normal(size=(600, 2)) + 3 * side[:, None], columns=["x", "y"])
    table = table.assign(side=np.where(side, "right", "left")).round(4)
    table[:200].to_csv(folder / "train.csv", index=False)
    table[200:].to_csv(folder / "in.csv", index=False)
    file = folder / "clouds.yaml"
    file.write_text(
        "name: clouds\nlearner: mlp\nmetric: val_loss\nepochs: 6\nwidth: 1\nstrategy: bayesian\n"
        "data: {source: csv, path: train.csv, target: side}\n"
        "space:\n"
        "  learning_rate: {distribution: log-uniform, low: 1.0e-2, high: 5.0e-2}\n"
        "  hidden: [4, 8]\n"
        "stop: {trials: 2}\n"
    )
    return file


@pytest.fixture(autouse=True, scope="module")
def kept_workers(lab):
    """Workers that stay for the next retuning, as starting them takes long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "open_pool", lab.workers)
        yield


def begin(study, **more):
    """A retuning on what came in."""
    given = {"finals": 1, "seeds": 2, "cool_down_minutes": 0, **more}
    return retune(str(study), str(study.with_name("in.csv")), return_state=True, **given)


def ending(state):
    """How a retuning ended, as the list of runs shows it."""
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(state.state_details.flow_run_id)
    assert run.state_name == "Completed"
    return run.name.removeprefix("clouds-retune: ")


@pytest.fixture(scope="module")
def first(lab, study):
    """The first retuning: the registry is empty, and the study was never searched."""
    return begin(study, reason="the first")


def test_the_first_run_beats_the_best_constant_and_becomes_the_champion(lab, first, study):
    assert ending(first) == "promoted"
    found = first.result()
    assert found.version == 1
    assert "against the best answer that ignores its input" in found.reason
    champion = registry.champion(lab.mlflow, "clouds")
    assert champion.number == 1
    assert champion.tags["nettuner.reason"].startswith("the first; challenger")
    # Half of the rows on each side: the best constant has a loss of log(2) = 0.69.
    assert float(champion.tags["nettuner.value"]) < 0.3


def test_the_finals_train_the_best_configuration_with_seeds_of_their_own(lab, first):
    champion = registry.champion(lab.mlflow, "clouds")
    (searched,) = recall.searches(lab.mlflow, "clouds")  # the finals are none
    assert champion.run_id == searched.run_id
    finals = lab.mlflow.get_run(recall.finals_of(lab.mlflow, searched).run_id)
    members = lab.mlflow.search_runs(
        [finals.info.experiment_id], f"tags.`mlflow.parentRunId` = '{finals.info.run_id}'"
    )
    assert len(members) == 2
    assert len({run.data.tags["nettuner.seed"] for run in members}) == 2
    assert len({run.data.params["hidden"] for run in members}) == 1
    assert searched.name == first.result().search


def test_what_is_set_aside_is_in_no_part_of_what_is_searched(lab, first, study):
    (searched,) = recall.searches(lab.mlflow, "clouds")
    source = recall.as_searched(lab.mlflow, searched).data
    opened = pd.read_parquet(source.path)
    aside = pd.read_parquet(source.path.replace("open.parquet", "aside.parquet"))
    came = pd.read_csv(study.with_name("in.csv"))
    assert len(opened) + len(aside) == len(came)
    assert len(opened.merge(aside)) == 0
    assert 70 < len(aside) < 130


def test_a_challenger_that_is_not_better_by_the_margin_is_refused(lab, first, study):
    state = begin(study, margin=1.0)
    assert ending(state) == "refused"
    assert "not proved better: challenger against version 1" in state.result().reason
    assert registry.champion(lab.mlflow, "clouds").number == 1
    # This search began from what the first one had found.
    latest = recall.searches(lab.mlflow, "clouds")[-1]
    assert any(
        file.path == "earlier_trials.json" for file in lab.mlflow.list_artifacts(latest.run_id)
    )


def test_a_second_run_while_one_is_at_it_leaves_to_that(lab, first, study):
    with one_at_a_time("retune", "clouds"):
        state = begin(study)
    assert ending(state) == "already running"
    assert state.result().outcome == "skipped"
    with one_at_a_time("retune", "clouds"), pytest.raises(BusyError, match="another retune"):
        one_at_a_time("retune", "clouds").__enter__()


def test_none_begins_while_the_study_cools_down(lab, first, study):
    state = begin(study, cool_down_minutes=60)
    assert ending(state) == "cooling down"
    assert "clouds was retuned" in state.message


def test_too_few_rows_and_a_study_without_data_are_refused_before_anything_is_trained(
    lab, first, study, tmp_path
):
    few = tmp_path / "few.csv"
    pd.read_csv(study.with_name("in.csv")).head(30).to_csv(few, index=False)
    began = len(recall.searches(lab.mlflow, "clouds"))
    with pytest.raises(ValueError, match="needs at least 20 labelled rows"):
        retune(str(study), str(few), cool_down_minutes=0)
    assert len(recall.searches(lab.mlflow, "clouds")) == began


def decide(lab, study, answer):
    """Retune with a person who gives this answer, in the form of the paused run."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState

    paused = FlowRunFilter(state=FlowRunFilterState(name={"any_": ["Paused"]}))
    asked = []

    def person():
        deadline = time.monotonic() + 100
        with get_client(sync_client=True) as client:
            while time.monotonic() < deadline:
                for run in client.read_flow_runs(flow_run_filter=paused):
                    asked.append(run.id)
                    client.resume_flow_run(run.id, run_input=answer)
                    return
                time.sleep(0.5)

    thread = threading.Thread(target=person)
    if answer is not None:
        thread.start()
    # Another state of the champion's labels, so that the challenger passes the gate.
    state = begin(study, approve="human", patience_minutes=2 if answer else 0.02)
    if answer is not None:
        thread.join()
        assert len(asked) == 1
    return state


@pytest.fixture
def turned(study, tmp_path):
    """Production has turned round: what was left is right."""
    file = tmp_path / "clouds.yaml"
    text = study.read_text().replace("train.csv", str(study.with_name("train.csv")))
    file.write_text(text)
    came = pd.read_csv(study.with_name("in.csv"))
    came = came.assign(side=came["side"].map({"left": "right", "right": "left"}))
    came.to_csv(file.with_name("in.csv"), index=False)
    return file


def test_a_person_who_does_not_answer_has_said_no(lab, first, turned):
    state = decide(lab, turned, None)
    assert ending(state) == "declined"
    assert "nobody answered within 0.02 minutes" in state.message
    assert registry.champion(lab.mlflow, "clouds").number == 1


def test_a_person_who_agrees_is_named_with_the_version(lab, first, turned):
    state = decide(lab, turned, {"promote": True, "name": "the owner", "note": "on a Monday"})
    assert ending(state) == "promoted"
    champion = registry.champion(lab.mlflow, "clouds")
    assert champion.number == 2
    assert "approved by the owner: on a Monday" in champion.tags["nettuner.reason"]


def test_a_refusal_is_told_with_what_the_person_said():
    assert Approval(name="the owner", note="not today").refusal == (
        "declined by the owner: not today"
    )
    assert Approval().refusal == "declined"


@pytest.fixture(scope="module")
def comparison(lab, first):
    """The winner of the latest search, which learned of a world turned round, on the old one."""
    return promotion.compare(
        "clouds", None, None, None, 1, metric=None, margin=0.0, confidence=0.95, why="a test"
    )


def test_a_challenger_is_not_promoted_over_a_champion_that_it_was_not_compared_with(
    lab, comparison
):
    """While a person thought about it, somebody else promoted or rolled back."""
    now = registry.champion(lab.mlflow, "clouds")
    other = replace(comparison, champion=replace(now, number=now.number + 5))
    with pytest.raises(registry.UnfitError, match=r"compared with version \d while version \d is"):
        promote(lab.mlflow, other, "a test", forced=True)
    assert registry.champion(lab.mlflow, "clouds").number == now.number


def test_what_is_not_proved_better_is_promoted_by_force_alone_and_says_so(lab, comparison):
    assert not comparison.verdict.passed
    before = registry.champion(lab.mlflow, "clouds").number
    with pytest.raises(ValueError, match="not promoted: challenger against version"):
        promote(lab.mlflow, comparison, "a test")
    assert registry.champion(lab.mlflow, "clouds").number == before
    promote(lab.mlflow, comparison, "a test", forced=True)
    champion = registry.champion(lab.mlflow, "clouds")
    assert champion.number > before
    assert champion.tags[names.FORCED] == "yes: it was not proved better"
