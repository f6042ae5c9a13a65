"""What does not fit together with data of one's own is said before anything is trained."""

from __future__ import annotations

from textwrap import dedent

import pytest

from nettuner.models.check import fit_together
from nettuner.models.fitted import MisfitError
from nettuner.models.study import Study

OWN = dedent(
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    from nettuner.models.learner import Supervised


    def points(targets):
        return TensorDataset(torch.zeros(8, 2), targets)


    def loader():
        part = points(torch.arange(8) % 2)
        return DataLoader(part, batch_size=4), part


    def held():
        return points(torch.arange(8) % 2), points(torch.arange(8) % 2)


    def complex():
        return points(torch.zeros(8, dtype=torch.complex64)), points(torch.zeros(8))


    class Net(Supervised):
        def build(self):
            return nn.Linear(2, self.data.outputs)
    """
)


def study(folder, function, **changes):
    (folder / "own.py").write_text(OWN)
    given = {
        "name": "own",
        "learner": f"{folder / 'own.py'}:Net",
        "data": f"{folder / 'own.py'}:{function}",
        "space": {"learning_rate": 0.1},
        "metric": "val_loss",
        "epochs": 1,
    }
    return Study.model_validate({**given, **changes})


def faults(folder, function, **changes):
    with pytest.raises(MisfitError) as raised:
        fit_together(study(folder, function, **changes))
    return raised.value.faults


def test_the_batch_size_of_a_loader_cannot_be_searched(tmp_path):
    space = {"learning_rate": 0.1, "batch_size": [4, 8]}
    assert faults(tmp_path, "loader", space=space) == [
        (
            "space.batch_size",
            "must stay the DataLoader's own (4), got a hyperparameter; drop it, or return the "
            "Dataset itself",
        )
    ]
    assert fit_together(study(tmp_path, "held", space=space)).held


def test_what_is_read_from_a_loader_is_not_stacked(tmp_path):
    assert not fit_together(study(tmp_path, "loader")).held


def test_targets_that_no_loss_of_ours_understands_need_a_learner_of_their_own(tmp_path):
    ((key, message),) = faults(tmp_path, "complex")
    assert key == "learner"
    assert "got data whose targets only a learner with a loss of its own understands" in message


def test_a_file_that_cannot_be_imported_is_a_fault_of_the_data(tmp_path):
    (tmp_path / "broken.py").write_text("import no_such_module\n")
    ((key, message),) = faults(tmp_path, "held", data=f"{tmp_path / 'broken.py'}:make")
    assert key == "data"
    assert "broken.py could not be imported: ModuleNotFoundError: No module named" in message


def test_production_says_that_it_needs_a_table(tmp_path):
    given = study(tmp_path, "held")
    with pytest.raises(ValueError, match=r"read as tables .* got a study on 'own.py:held'; give"):
        given.data.target_column()
