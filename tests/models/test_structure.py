"""What the members of a stack have in common."""

from __future__ import annotations

from nettuner.models import learners
from nettuner.models.structure import structure


def test_the_structure_is_what_is_structural_or_no_number():
    params = {"hidden": 4, "learning_rate": 0.1, "dropout": 0, "flag": True, "kind": "a"}
    assert structure(learners.find("mlp").structural(), params) == (
        ("flag", True),
        ("hidden", 4),
        ("kind", "a"),
    )
