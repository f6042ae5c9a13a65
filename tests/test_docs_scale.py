"""What the page on scale shows of devices is a study that has them."""

from __future__ import annotations

import re
from pathlib import Path

from ruamel.yaml import YAML

from nettuner.models.study import Study
from nettuner.tasks.plan import make_plan

PAGE = (Path(__file__).parents[1] / "docs/scale.md").read_text(encoding="utf-8")


def test_two_gpus_with_two_trials_each_are_four_places(two_gpus, tmp_path):
    (shown,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "own.py").write_text("def f(h, report):\n    return h['x']\n")
    study = Study.model_validate(
        {
            "name": "s",
            "learner": f"{tmp_path / 'own.py'}:f",
            "space": {"x": [1, 2]},
            "metric": "loss",
            "direction": "minimize",
            "stop": {"trials": 2},
            **YAML(typ="safe", pure=True).load(shown),
        }
    )
    plan = make_plan(study)
    assert [gpu.device for gpu in plan.accelerators] == ["cuda:0", "cuda:1"]
    assert plan.width == 4
