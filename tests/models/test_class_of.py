"""Files that are found by their names have a class of that name, or say what is missing."""

import sys

import pytest

from nettuner.models.class_of import class_of


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("nettuner.models.learners.gan", "GAN"),
        ("nettuner.models.data.sources.csv", "Csv"),
        ("nettuner.tasks.strategies.grid_search", "GridSearch"),
        ("nettuner.tasks.strategies.population", "Population"),
    ],
)
def test_the_class_is_named_after_its_file(module, name):
    assert class_of(module).__name__ == name


def test_a_file_without_its_class_says_which_one_it_needs(tmp_path, monkeypatch):
    (tmp_path / "simulated_annealing.py").write_text("simulatedannealing = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    rule = "^simulated_annealing must define a class SimulatedAnnealing, got none; add it$"
    with pytest.raises(ValueError, match=rule):
        class_of("simulated_annealing")
    del sys.modules["simulated_annealing"]
