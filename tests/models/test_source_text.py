"""A class is told apart from another by its source, or by its code where no file has it."""

from __future__ import annotations

from nettuner.models.learners.mlp import MLP
from nettuner.models.source_text import source_text


def defined(body):
    """A class that no file has, as in a notebook."""
    space = {}
    exec(f"class Net:\n    def f(self, x):\n        {body}", space)
    return space["Net"]


def test_a_class_in_a_file_is_its_source():
    assert source_text(MLP).startswith("class MLP(Supervised):")


def test_a_class_of_a_notebook_is_what_its_methods_do():
    assert source_text(defined("return x + 1")) == source_text(defined("return x + 1"))
    bodies = ["return x + 1", "return x + 2", "return x - 1", "return self.y", "return self.z"]
    assert len({source_text(defined(body)) for body in bodies}) == 5


def test_functions_inside_of_methods_count_without_their_places_in_memory():
    inner = "return [lambda k=k: k + 1 for k in x]"
    assert source_text(defined(inner)) == source_text(defined(inner))
    assert source_text(defined(inner)) != source_text(defined(inner.replace("+ 1", "+ 2")))
