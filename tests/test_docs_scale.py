"""What the page on scale shows of devices is a study that has them."""

from __future__ import annotations

import re
from pathlib import Path

from dask_jobqueue import SLURMCluster
from ruamel.yaml import YAML

from nettuner.models.study import Study
from nettuner.tasks.plan import make_plan

PAGE = (Path(__file__).parents[1] / "docs/scale.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)


def test_two_gpus_with_two_trials_each_are_four_places(two_gpus, tmp_path):
    shown, *_ = BLOCKS
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


def test_the_same_bits_again_are_of_a_device_that_is_named_and_of_no_stack():
    learner = {"name": "s", "learner": "mlp", "data": "iris", "space": {"hidden": [4, 8]}}
    rest = {"metric": "val_loss", "epochs": 1, "stop": {"trials": 2}}
    shown = YAML(typ="safe", pure=True).load(BLOCKS[3])
    plan = make_plan(Study.model_validate({**learner, **rest, **shown}))
    assert (plan.study.deterministic, plan.study.device, plan.stack) == (True, "cpu", 1)


def test_a_runner_is_named_alone_or_with_what_each_trial_takes():
    learner = {"name": "s", "learner": "mlp", "data": "iris", "space": {"hidden": [4, 8]}}
    rest = {"metric": "val_loss", "epochs": 1, "stop": {"trials": 2}}
    alone, whole = (
        Study.model_validate({**learner, **rest, **YAML(typ="safe", pure=True).load(block)})
        for block in BLOCKS[1:3]
    )
    assert (alone.runner.name, alone.runner.address, alone.runner.cpus) == ("dask", None, 1)
    runner = whole.runner
    assert (runner.address, runner.cpus, runner.gpus) == ("tcp://10.0.0.5:8786", 2, 0.5)
    assert runner.files == ("pretrained/", "vocab.txt")


def test_slurm_is_asked_for_workers_with_a_gpu_and_room_for_four_trials(monkeypatch, capsys):
    scaled, made = [], {}
    monkeypatch.setattr(SLURMCluster, "scale", lambda _, jobs: scaled.append(jobs))
    monkeypatch.setattr("builtins.input", lambda _: "")
    exec(PYTHON[0], made)
    script = made["cluster"].job_script()
    made["cluster"].close()
    assert scaled[0] == 8
    for line in ("#SBATCH -p gpu", "#SBATCH -t 08:00:00", "#SBATCH --gres=gpu:1"):
        assert line in script.splitlines()
    assert "--nthreads 4" in script
    assert "--resources GPU=1" in script
    assert "--runner dask --address tcp://" in capsys.readouterr().out
