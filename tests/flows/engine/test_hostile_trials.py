"""Trials that report, raise, print and change whatever they like: each bears it alone."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from nettuner.models.study_file import StudyError, load
from nettuner.tasks.report.tables import trials_table

pytestmark = pytest.mark.slow

# What a trial does, by the value of its only hyperparameter, in the order of the grid.
HOSTILE = dedent(
    r"""
    import os, subprocess, sys
    import torch

    kept = []


    def f(h, report):
        how = h["how"]
        if how == "names":
            report(1, {"val//acc": 1, "loss/": 2, "../x": 3, "": 4, "a%": 5, "a&": 6, "seconds": 7})
        if how == "step":
            report(2**70, loss=1.0)
        if how == "text":
            raise OSError("caf\udce9 \0 \x1b[31m [/INST]")
        if how == "silent":
            class Silent(Exception):
                def __str__(self):
                    raise RuntimeError("no comment")
            raise Silent
        if how == "leaves":
            os._exit(0)
        if how == "prints":
            print("from Python")
            subprocess.run(["echo", "from a program"])
            print("an error", file=sys.stderr)
        if how == "changes":
            os.chdir("/")
            os.environ["OF_A_TRIAL"] = "1"
            torch.set_default_dtype(torch.float64)
            torch.set_grad_enabled(False)
            kept.append(1)
        if how == "looks":
            same = (
                os.getcwd() != "/"
                and "OF_A_TRIAL" not in os.environ
                and torch.tensor(0.5).dtype == torch.float32
                and torch.is_grad_enabled()
                and not kept
            )
            return 1.0 if same else 0.0
        if how == "best":
            for step, loss in enumerate([3.0, 1.0, 2.0], start=1):
                report(step, loss=loss)
            return 1.0
        if how == "asks":
            h["only_sometimes"]
        if how == "misspells":
            h["hwo"]
        return 0.5
    """
)
HOW = [
    "names",
    "step",
    "text",
    "silent",
    "leaves",
    "prints",
    "changes",
    "looks",
    "best",
    "asks",
    "misspells",
]
STUDY = """
name: hostile
learner: hostile.py:f
metric: loss
direction: minimize
width: 1
strategy: grid
stop: {failures: 100}
space:
  how: {distribution: choice, values: HOW}
  only_sometimes: {distribution: choice, values: [1], when: {how: best}}
"""


@pytest.fixture(scope="module")
def path(lab):
    (lab.home / "hostile.py").write_text(HOSTILE)
    file = lab.home / "hostile.yaml"
    file.write_text(STUDY.replace("HOW", str(HOW)))
    return file


@pytest.fixture(scope="module")
def hostile(lab, path):
    return lab.search(load(path))


@pytest.fixture(scope="module")
def trials(hostile):
    return {trial.proposal.params["how"]: trial for trial in hostile.trials}


@pytest.fixture(scope="module")
def runs(hostile, lab):
    return {run.data.params["how"]: run for run in lab.runs(hostile).values()}


def test_whatever_a_trial_does_all_others_are_run(trials):
    assert set(trials) == set(HOW)
    failed = {how for how, trial in trials.items() if not trial.succeeded}
    assert failed == {"step", "text", "silent", "leaves", "asks", "misspells"}


def test_metrics_of_any_name_are_recorded_and_none_is_lost(runs):
    recorded = runs["names"].data.metrics
    values = [value for name, value in recorded.items() if name != "nettuner/seconds"]
    assert sorted(values) == [0.5, 1, 2, 3, 4, 5, 6, 7]
    assert recorded["seconds"] == 7.0  # theirs; ours has a name of its own
    assert recorded["nettuner/seconds"] > 0


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("step", "ValueError: a step must be at most 2**63 - 1, got 1180591620717411303424"),
        ("text", r"OSError: caf\udce9 \x00 \x1b[31m [/INST]"),
        ("silent", "Silent, which cannot be printed"),
        ("leaves", "its process exited with status 0"),
        ("asks", "only_sometimes: it exists only when {'how': 'best'}"),
        ("misspells", "hwo: the space has no such hyperparameter"),
    ],
)
def test_a_failure_tells_its_reason(trials, runs, how, reason):
    assert reason in trials[how].reason
    assert reason in runs[how].data.tags["nettuner.reason"]
    assert runs[how].info.status == "FAILED"


def test_what_a_trial_prints_is_among_the_artifacts_of_its_run(trials, runs, lab, tmp_path):
    number = trials["prints"].number
    name = f"output/trial-{number}.txt"
    file = lab.mlflow.download_artifacts(runs["prints"].info.run_id, name, str(tmp_path))
    lines = Path(file).read_text().splitlines()
    assert sorted(lines) == ["an error", "from Python", "from a program"]
    assert not lab.mlflow.list_artifacts(runs["looks"].info.run_id)


def test_nothing_that_a_trial_changes_meets_the_next_one(trials):
    assert trials["changes"].number < trials["looks"].number
    assert trials["looks"].score == 1.0


def test_a_value_that_is_returned_is_not_one_more_round(trials, runs, lab):
    assert (trials["best"].score, trials["best"].rounds) == (1.0, 3)
    history = lab.mlflow.get_metric_history(runs["best"].info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [
        (1, 3.0),
        (2, 1.0),
        (3, 2.0),
        (3, 1.0),
    ]


def test_the_table_shows_brackets_as_they_are(hostile, lab, path):
    shown = lab.command("trials", path)
    said, errors = shown.communicate(timeout=120)
    assert (shown.returncode, errors) == (0, "")
    assert r"OSError: caf\udce9 \x00 \x1b[31m [/INST]" in said
    assert trials_table(lab.past("hostile")[-1]).shape[0] == len(HOW)


def test_text_that_no_file_can_hold_is_refused_before_anything_is_trained(lab, path):
    odd = path.with_name("odd.yaml")
    odd.write_text(path.read_text().replace("'names'", '"caf\\udce9"'))
    with pytest.raises(StudyError, match="must be text that can be stored"):
        load(odd)
