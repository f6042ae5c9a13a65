"""How fast a network is trained is measured once for a learner, its data and a device."""

from __future__ import annotations

import json

import pytest

from nettuner.models.study import Study
from nettuner.models.training.pace import pace
from nettuner.models.training.remembered_pace import path_of, remembered_pace

SMALL, LARGE = {"hidden": 8}, {"hidden": 1024, "depth": 4}


def study(**changes):
    given = {"name": "s", "learner": "mlp", "space": {"hidden": [8, 1024]}, "metric": "val_loss"}
    return Study.model_validate({**given, "data": "digits", "epochs": 1, **changes})


def test_a_network_with_thousands_of_times_the_weights_takes_longer(one_thread):
    # 600 and 3.2 million weights: about 0.6 and 40 ms on one slow core.
    assert 0 < 4 * pace(study(), SMALL, "cpu") < pace(study(), LARGE, "cpu")


@pytest.mark.parametrize("learner", ["gan", "cnn"])
def test_a_step_is_that_of_all_networks_of_a_learner(learner, one_thread):
    assert 0 < pace(study(learner=learner, space={"hidden": [8]}), {}, "cpu") < 10


def test_what_was_measured_is_not_measured_again(tmp_path, one_thread):
    asked = (tmp_path / "paces", study(), SMALL, "cpu", "")
    first = remembered_pace(*asked)
    (file,) = (tmp_path / "paces").iterdir()
    assert json.loads(file.read_text()) == {"seconds": first}
    file.write_text('{"seconds": 7.0}')
    assert remembered_pace(*asked) == 7.0


@pytest.mark.parametrize(
    "other",
    [
        {"params": LARGE},
        {"study": study(data="wine")},
        {"study": study(learner="cnn", space={})},
        {"device": "cuda"},
        {"accelerator": "NVIDIA Pretended"},
    ],
)
def test_whatever_changes_the_pace_is_measured_on_its_own(tmp_path, other):
    asked = {"study": study(), "params": {}, "device": "cpu", "accelerator": ""}
    one = path_of(tmp_path, **asked)
    assert path_of(tmp_path, **asked) == one
    assert path_of(tmp_path, **{**asked, **other}) != one
