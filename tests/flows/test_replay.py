"""A replay trains on the schedule that a population found, and is recorded beside it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from prefect.exceptions import TerminationSignal
from typer.testing import CliRunner

from nettuner.tasks.memory import recall
from nettuner.tasks.report.population_page import LINEAGE, PICTURE
from nettuner.tasks.strategies.population import lineage
from nettuner.tasks.strategies.population.schedule import FILE

pytestmark = pytest.mark.long

SPACE = """
  learning_rate: {distribution: log-uniform, low: 0.001, high: 1}
  bias: {distribution: choice, values: [true, false]}
"""
STUDY = f"""
name: replayed
learner: learners.py:Linear
data: digits
metric: val_loss
epochs: 4
seed: 1
width: 1
space: {SPACE}
strategy: {{name: population, size: 5, interval: 1, fraction: 0.4}}
"""


def call(*words):
    """Run the command here; gives status, standard output and standard error."""
    from nettuner.flows.cli import app

    done = CliRunner().invoke(app, [*map(str, words)])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(scope="module", autouse=True)
def kept_workers(lab):
    """As starting workers takes longer than a replay."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nettuner.flows.replay.open_pool", lab.workers)
        yield


@dataclass
class Replayed:
    """A population, and two replays of it by the command line."""

    path: Path
    result: object
    status: int
    said: str
    run: object
    again: object


def replays(lab, name):
    """The runs of all replays of a study, the oldest first."""
    experiment = lab.mlflow.get_experiment_by_name(name).experiment_id
    found = lab.mlflow.search_runs([experiment], "tags.`nettuner.kind` = 'replay'")
    return sorted(found, key=lambda run: run.info.start_time)


def score(run):
    return run.data.metrics["best_val_loss"]


@pytest.fixture(scope="module")
def replayed(lab):
    from nettuner.models.study_file import load

    path = lab.home / "replayed.yaml"
    path.write_text(STUDY)
    result = lab.quick_search(load(path))
    status, said, _ = call("replay", path)
    call("replay", "replayed", "--search", result.name)
    first, second = replays(lab, "replayed")[:2]
    return Replayed(path, result, status, said, first, second)


def kept(lab, run_id, name, folder):
    return Path(lab.mlflow.download_artifacts(run_id, name, str(folder)))


# What a population leaves


def test_the_schedule_that_is_kept_is_that_of_the_winners_ancestry(replayed, lab, tmp_path):
    result = replayed.result
    told = json.loads(kept(lab, result.run_id, FILE, tmp_path).read_text())
    assert told["ancestry"][-1] == result.best.number
    for trial in lineage.ancestry(result.trials, result.best):
        (phase,) = [
            phase
            for phase in told["phases"]
            if phase["from_round"] < trial.proposal.until <= phase["until_round"]
        ]
        assert phase["hyperparameters"] == trial.proposal.params
    assert told["phases"][-1]["until_step"] == result.best.proposal.until


def test_the_copies_are_a_table_that_mlflow_shows(replayed, lab):
    result = replayed.result
    copies = lineage.lineage(result.trials)
    assert copies
    run = lab.mlflow.get_run(result.run_id)
    assert {"path": LINEAGE, "type": "table"} in json.loads(run.data.tags["mlflow.loggedArtifacts"])
    table = lab.mlflow.load_table(run.info.experiment_id, LINEAGE, [result.run_id])
    assert table["copied member"].tolist() == [copy.source for copy in copies]
    assert table["its val_loss"].tolist() == pytest.approx([copy.score for copy in copies])


def test_a_picture_of_all_schedules_is_kept(replayed, lab, tmp_path):
    path = kept(lab, replayed.result.run_id, PICTURE, tmp_path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 20_000


def test_a_members_run_says_whom_it_copied(replayed, lab):
    runs = lab.runs(replayed.result)
    found = {
        (int(name.removeprefix("member ")), tag, value)
        for name, run in runs.items()
        for tag, value in run.data.tags.items()
        if tag.startswith("nettuner.copied")
    }
    copies = lineage.lineage(replayed.result.trials)
    assert found == {
        (copy.member, f"nettuner.copied.after-{copy.until}", f"member {copy.source}")
        for copy in copies
    }
    for copy in copies:
        note = runs[f"member {copy.member}"].data.tags["mlflow.note.content"]
        assert f"At step {copy.until} it went on from a copy of member {copy.source}." in note


def test_only_a_population_is_traced(random_search, lab):
    names = {run.name for run in lab.task_runs(random_search.result.run_id, random_search.nodes)}
    assert "trace-population" not in names


# What a replay is


def test_a_replays_hyperparameters_are_the_schedule(replayed, lab):
    phases = lineage.schedule(replayed.result.trials, replayed.result.best)
    (run,) = lab.runs(replayed.run.info).values()
    history = lab.mlflow.get_metric_history(run.info.run_id, "hyperparameter/learning_rate")
    expected = [(phase.first, phase.params["learning_rate"]) for phase in phases]
    assert [(point.step, point.value) for point in history] == expected
    assert len(phases) > 1  # else this would be no schedule
    losses = lab.mlflow.get_metric_history(run.info.run_id, "val_loss")
    assert [point.step for point in losses] == list(range(1, phases[-1].until + 1))
    used = lab.mlflow.get_metric_history(run.info.run_id, "train_learning_rate")
    rates = [p.params["learning_rate"] for p in phases for _ in range(p.first, p.until)]
    assert [point.value for point in used] == pytest.approx(rates)


def test_a_replay_is_recorded_as_one_and_points_to_its_search(replayed, lab):
    run = replayed.run
    assert run.info.status == "FINISHED"
    assert run.info.run_name == f"{replayed.result.name} replay"
    assert run.data.tags["nettuner.replayed"] == replayed.result.name
    assert run.data.tags["nettuner.replayed_run"] == replayed.result.url
    assert {"test_loss", "test_accuracy"} <= set(run.data.metrics)
    assert replayed.result.name in run.data.tags["mlflow.note.content"]
    models = lab.mlflow.search_logged_models([run.info.experiment_id])
    assert run.info.run_id in {model.source_run_id for model in models}
    assert not (lab.home / "checkpoints" / run.info.run_id).exists()


def test_a_replay_is_a_chain_in_prefect(replayed, lab):
    phases = lineage.schedule(replayed.result.trials, replayed.result.best)
    names = [f"member-{replayed.result.best.proposal.member}-until-{p.until}" for p in phases]
    names.append(f"examine-trial-{len(phases) - 1}")
    edges = lab.edges(replayed.run.info.run_id, len(names))
    before = [set(), *({name} for name in names[:-1])]
    assert edges == dict(zip(names, before, strict=True))
    flow_run = lab.flow_run(replayed.run.info.run_id)
    assert flow_run.name == f"replayed: {replayed.result.name} replay"


def test_a_replay_can_be_repeated(replayed):
    assert score(replayed.run) == score(replayed.again)
    assert replayed.run.data.metrics["test_loss"] == replayed.again.data.metrics["test_loss"]


def test_a_replay_says_how_it_did_beside_its_search(replayed):
    assert replayed.status == 0
    winner = replayed.result.best
    lines = [line.rstrip() for line in replayed.said.splitlines()]
    assert (
        f"val_loss {score(replayed.run):.6g} on the schedule of member {winner.proposal.member} "
        f"of {replayed.result.name}, which had {winner.score:.6g}"
    ) in lines
    assert any(f"/runs/{replayed.run.info.run_id}" in line for line in lines)


def test_searches_do_not_see_replays(replayed, lab):
    (past,) = lab.past("replayed")
    assert past.run_id == replayed.result.run_id
    assert recall.population(lab.mlflow, "replayed").run_id == past.run_id
    status, said, _ = call("trials", "replayed")
    assert status == 0
    assert "replay 20" not in said


# A winner that never copied


@pytest.fixture(scope="module")
def faithful(lab):
    """A population whose every member keeps its hyperparameters, one by one."""
    study = lab.network_study(
        "faithful",
        strategy={"name": "population", "size": 2, "interval": 1},
        epochs=2,
        metric="val_loss",
        stack=1,
        seed=3,
    )
    result = lab.quick_search(study)
    assert len({t.proposal.member for t in lineage.ancestry(result.trials, result.best)}) == 1
    return study, result


def test_the_replay_of_a_winner_that_never_copied_is_its_training_once_more(faithful):
    from nettuner.flows.replay import replay

    study, result = faithful
    again = replay(study)
    assert again.trials[-1].score == result.best.score
    assert again.test == result.test
    other = replay(study, seed=99)
    assert other.trials[-1].score != result.best.score


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (KeyboardInterrupt(), "KILLED", "interrupted"),
        (TerminationSignal(15), "KILLED", "interrupted"),  # what Prefect makes of SIGTERM
        (ArithmeticError("no"), "FAILED", "ArithmeticError: no"),
    ],
)
@pytest.mark.parametrize("resumable", [True, False])
def test_what_ends_early_is_closed_with_its_reason(error, status, reason, resumable, home):
    from nettuner.flows.engine.record import folder_of

    closed = []

    def finish(status, note, metrics, params, reason):
        closed.append((status, note, reason))

    facts = SimpleNamespace(what="replay")
    record = SimpleNamespace(run_id="early", facts=facts, finish=finish)
    with pytest.raises(type(error)), folder_of(record, resumable) as folder:
        raise error
    assert closed == [(status, f"replay, ended early: {reason}", reason)]
    assert folder.exists() == resumable
    if folder.exists():
        folder.rmdir()


# What cannot be replayed


def test_ctrl_c_ends_a_replay_cleanly(replayed, lab, monkeypatch):
    shown = []

    def interrupt(progress, trials, best, running):
        shown.append(len(trials))
        if trials:
            raise KeyboardInterrupt

    monkeypatch.setattr("nettuner.flows.replay.Progress.show", interrupt)
    status, _, complained = call("replay", "replayed")
    assert shown == [0, 1]
    assert status == 130
    assert complained.splitlines()[-1] == (
        "interrupted; nothing of a replay is kept; start it anew"
    )
    run = replays(lab, "replayed")[-1]
    assert run.info.status == "KILLED"
    assert run.data.tags["nettuner.reason"] == "interrupted"
    assert [member.info.status for member in lab.runs(run.info).values()] == ["KILLED"]
    assert not (lab.home / "checkpoints" / run.info.run_id).exists()


def test_what_cannot_be_replayed_is_one_line_and_status_2(replayed, random_search, lab):
    changed = lab.home / "changed.yaml"
    changed.write_text(STUDY.replace("seed: 1", "seed: 2"))
    nothing = lab.home / "nothing.yaml"
    nothing.write_text(STUDY.replace("size: 5", "size: 1"))
    name = re.escape(replayed.result.name)
    before = len(replays(lab, "replayed"))
    for words, message in [
        (["unheard-of"], "no study named 'unheard-of' was searched so far"),
        (["random"], "no population search of 'random' is finished; search it first"),
        (["replayed", "--search", "x"], f"no finished population search 'x'; .* are: '{name}'"),
        ([changed], f"the study 'replayed' or its data was changed since '{name}' found its"),
        ([nothing], "a population needs size >= 2|size"),
        ([lab.home / "none.yaml"], "must be a file"),
    ]:
        status, said, complained = call("replay", *words)
        assert (status, said) == (2, ""), words
        (line,) = complained.splitlines()
        assert line.startswith("error: ")
        assert re.search(message, line), line
    assert len(replays(lab, "replayed")) == before
