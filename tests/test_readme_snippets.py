"""What README and pages show beside examples: errors, parts of studies, rows that arrive."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from nettuner.models.study import Study
from nettuner.models.study_file import StudyError, load
from nettuner.tasks.plan import make_plan
from nettuner.tasks.study_page import study_page

ROOT = Path(__file__).parents[1]
NAMES = ("README", "docs/strategies", "docs/populations", "docs/production")
SHOWN = "\n".join((ROOT / f"{name}.md").read_text(encoding="utf-8") for name in NAMES)
DIGITS = (ROOT / "deploy/studies/digits.yaml").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", SHOWN, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("line", "right", "wrong"),
    [(0, "learning_rate:", "learnin_rate:"), (1, "metric: val_loss", "metric: accuracy")],
)
def test_a_fault_is_told_as_the_readme_shows(tmp_path, line, right, wrong):
    (errors,) = [text for text in blocks("text") if text.startswith("error: ")]
    shown = errors.splitlines()[line].removeprefix("error: ").removesuffix("...")
    assert DIGITS.count(right) == 1
    path = tmp_path / "digits.yaml"
    path.write_text(DIGITS.replace(right, wrong))
    with pytest.raises(StudyError) as told:
        make_plan(load(path), path.name)
    assert str(told.value).startswith(shown)


PARTS = [text for text in blocks("yaml") if not text.startswith("name:")]


@pytest.mark.parametrize("part", PARTS, ids=["bayesian", "population"])
def test_a_part_of_a_study_is_one_that_makes_sense(part):
    digits, given = (YAML(typ="safe", pure=True).load(text) for text in (DIGITS, part))
    if "learner" in given:
        digits["space"] = {"learning_rate": digits["space"]["learning_rate"]}
    study = Study.model_validate({**digits, **given})
    assert study.strategy.name == given["strategy"]["name"]
    assert make_plan(study, "part.yaml").trials


def test_the_second_delivery_is_other_tumours_measured_by_a_device_that_shows_more(
    tmp_path, monkeypatch
):
    from sklearn.datasets import load_breast_cancer

    (script,) = [text for text in blocks("python") if "load_breast_cancer" in text]
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for day in ("0", "1"):
        monkeypatch.setattr(sys, "argv", ["arrive.py", day])
        exec(script, {})
    first, second = (pd.read_csv(tmp_path / f".nettuner/in/day-{day}.csv") for day in (0, 1))
    assert (len(first), len(second)) == (280, 280)
    assert set(first["target"]) == {"malignant", "benign"}
    measured = pd.concat([first, second])["mean radius"] / 1.7
    radius = load_breast_cancer(as_frame=True).frame["mean radius"]
    left = Counter(radius.round(6))
    left.subtract(measured.round(6))
    assert min(left.values()) == 0  # no tumour came twice
    assert left.total() == 9  # of 569


def test_the_readme_is_the_first_hour_only():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 250


def test_the_page_of_settings_is_the_one_the_command_writes():
    written = (ROOT / "docs/study.md").read_text(encoding="utf-8")
    assert written == study_page(), "renew it with `make schema`"
