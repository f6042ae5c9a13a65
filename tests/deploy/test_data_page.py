"""The page on data: every example of a source in it is one that a study may have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from nettuner.models.study import Study

PAGE = Path(__file__).parents[2] / "docs/data.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_is_a_part_of_a_study(number):
    given = YAML(typ="safe", pure=True).load(EXAMPLES[number])
    learner = {"name": "x", "learner": "mlp", "space": {}, "metric": "val_loss", "epochs": 1}
    assert Study.model_validate({**learner, **given}).data is not None


def test_there_are_examples_of_tables_images_arrays_and_sentences():
    named = {found for text in EXAMPLES for found in re.findall(r"source: (\w+)", text)}
    assert {"csv", "images", "npz", "sentences"} <= named
