"""The wheel holds one package and what is served, and lives beside anybody's own packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from textwrap import dedent
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ["flows", "models", "tasks"]
NAMES = ["deploy", "flows", "models", "tasks", "utils"]

pytestmark = pytest.mark.long

# Imports every module it finds in the package, and prints the files they came from.
IMPORT_ALL = """
import importlib, pkgutil, sys

sys.path.insert(0, sys.argv[1])
# tasks/memory/served_model.py runs beside a copy of this module, under this name.
rules = importlib.import_module("nettuner.models.data.preprocessing")
sys.modules["nettuner_preprocessing"] = rules
package = importlib.import_module("nettuner")
print(package.__file__)
for module in pkgutil.walk_packages(package.__path__, "nettuner."):
    print(importlib.import_module(module.name).__file__)
"""


def python(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-P", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
    )


def in_package(path):
    """Where a file of the repository lies in the package."""
    inside = path.relative_to(ROOT).as_posix().removeprefix("flows/face/")
    return f"nettuner/{inside}"


def sources():
    """The Python files of the three floors and of the face, as the package has them."""
    found = {in_package(p) for floor in FLOORS for p in ROOT.glob(f"{floor}/**/*.py")}
    return found | {"nettuner/deploy/__init__.py"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of a copy of the repository: a build leaves folders that mislead the next one."""
    copy, folder = tmp_path_factory.mktemp("copy") / "repository", tmp_path_factory.mktemp("dist")
    ignored = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "tests")
    shutil.copytree(ROOT, copy, ignore=ignored)
    build = "import sys; from setuptools.build_meta import build_wheel as b; b(sys.argv[1])"
    done = python("-c", build, folder, cwd=copy)  # PEP 517
    assert done.returncode == 0, done.stderr
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_every_folder_of_the_floors_is_named_in_pyproject():
    with (ROOT / "pyproject.toml").open("rb") as file:
        named = tomllib.load(file)["tool"]["setuptools"]["packages"]
    folders = {Path(file).parent.as_posix().replace("/", ".") for file in sources()}
    assert sorted(named) == sorted(folders)


def test_its_only_top_level_name_is_nettuner(unpacked):
    found = sorted(path.name for path in unpacked.iterdir())
    assert [name for name in found if not name.endswith(".dist-info")] == ["nettuner"]
    assert len(found) == 2


def test_it_holds_every_source_file_and_no_other(wheel):
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.endswith(".py")}
        others = {name for name in archive.namelist() if name.endswith("py.typed")}
    studies = {in_package(path) for path in ROOT.glob("deploy/studies/*.py")}
    assert names == sources() | studies
    assert others == {"nettuner/py.typed"}
    assert "nettuner/tasks/strategies/population/__init__.py" in names


def test_it_holds_the_deployments_with_their_automations_and_studies_and_no_containers(wheel):
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("nettuner/deploy/")}
    served = {
        in_package(path)
        for folder in ("automations", "studies")
        for path in (ROOT / "deploy" / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == {"nettuner/deploy/__init__.py", "nettuner/deploy/prefect.yaml", *served}


def test_every_module_of_it_can_be_imported_from_an_empty_folder(unpacked, tmp_path):
    done = python("-c", IMPORT_ALL, unpacked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = {
        Path(line).relative_to(unpacked).as_posix() for line in done.stdout.split("\n") if line
    }
    assert found == sources()


def test_its_face_is_imported_late(unpacked, tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r})\n"
        "import nettuner\n"
        "early = {'torch', 'prefect', 'mlflow', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "print(early or 'nothing', nettuner.__version__, dir(nettuner))\n"
        "from nettuner import Supervised, Study, search\n"
        "print(Supervised.__name__, Study.__name__, search.__name__)\n"
        "nettuner.nothing\n"
    )
    done = python("-c", code, cwd=tmp_path)
    names = [
        "Context",
        "Study",
        "Supervised",
        "TransformersCallback",
        "__version__",
        "load_state",
        "search",
    ]
    assert done.stdout.splitlines() == [f"nothing 0.1.0 {names}", "Supervised Study search"]
    assert "module 'nettuner' has no attribute 'nothing'" in done.stderr


def test_it_finds_its_learners_strategies_and_command(unpacked, tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r})\n"
        "from nettuner.models import learners; from nettuner.tasks import strategies\n"
        "print(*(learners.find(name).__name__ for name in learners.names()))\n"
        "print(*(strategies.find(name).__name__ for name in strategies.names()))\n"
    )
    done = python("-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    learners, strategies = (set(line.split()) for line in done.stdout.splitlines())
    assert {"MLP", "CNN"} <= learners
    assert {"GridSearch", "RandomSearch", "Bayesian", "Population"} <= strategies
    (points,) = unpacked.glob("*.dist-info/entry_points.txt")
    assert "nettuner = nettuner.flows.entry:main" in points.read_text().splitlines()


# A project as there are many: packages of the commonest names, and what trains with them.
NET = """
from torch import nn

from models.resnet import Small
from nettuner import Supervised
from utils.part import NAME


class Net(Supervised):
    def build(self, *, hidden: int = 4) -> nn.Module:
        from tasks.part import NAME as late  # only now, in a worker

        assert (NAME, late) == ("utils", "tasks")
        return Small(self.data.features, hidden, self.data.outputs)
"""
FUNCTION = """
from models.resnet import Small
from flows.part import NAME


def train(hyperparameters, report):
    from deploy.part import NAME as late

    assert (NAME, late) == ("flows", "deploy")
    weights = sum(p.numel() for p in Small(4, hyperparameters["hidden"], 3).parameters())
    report(1, loss=float(weights))
"""
RESNET = """
from torch import nn


class Small(nn.Sequential):
    def __init__(self, inputs, hidden, outputs):
        super().__init__(nn.Flatten(), nn.Linear(inputs, hidden), nn.Linear(hidden, outputs))
"""
TRAIN = """
import deploy.part, flows.part, models.resnet, tasks.part, utils.part

print(models.resnet.Small(4, 2, 3), [m.part.NAME for m in (deploy, flows, tasks, utils)])
"""
STUDY = """
name: {name}
learner: {learner}
metric: {metric}
space: {{hidden: {{distribution: integer, low: 2, high: 9}}}}
width: 1
stop: {{trials: 2}}
"""


@pytest.fixture(scope="module", params=["regular", "namespace"])
def project(request, tmp_path_factory):
    """Somebody's project, its packages with and without `__init__.py`."""
    folder = tmp_path_factory.mktemp(request.param)
    for name in NAMES:
        (folder / name).mkdir()
        (folder / name / "part.py").write_text(f"NAME = {name!r}\n")
        if request.param == "regular":
            (folder / name / "__init__.py").touch()
    (folder / "models" / "resnet.py").write_text(RESNET)
    (folder / "net.py").write_text(NET)
    (folder / "function.py").write_text(FUNCTION)
    (folder / "train.py").write_text(TRAIN)
    net = STUDY.format(name=f"net-{request.param}", learner="net.py:Net", metric="val_loss")
    (folder / "net.yaml").write_text(f"{net}data: iris\nepochs: 1\n")
    function = STUDY.format(
        name=f"function-{request.param}", learner="function.py:train", metric="loss"
    )
    (folder / "function.yaml").write_text(f"{function}direction: minimize\n")
    return folder


@pytest.fixture(scope="module")
def installed(wheel, bare_python):
    """A Python with the wheel installed."""
    words = ["-m", "pip", "--python", bare_python, "install", "--no-deps", "--no-index", wheel]
    done = python(*words, "--quiet", "--disable-pip-version-check", cwd=wheel.parent)
    assert done.returncode == 0, done.stderr
    yield bare_python
    python("-m", "pip", "--python", bare_python, "uninstall", "--yes", "nettuner", cwd=wheel.parent)


def ran(words, folder, **environment):
    done = subprocess.run(
        [*map(str, words)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", ["", "."])
@pytest.mark.parametrize("study", ["net.yaml", "function.yaml"])
def test_it_checks_what_is_trained_with_packages_of_the_same_names(
    installed, project, study, path, tmp_path
):
    command = installed.with_name("nettuner")
    environment = {"NETTUNER_HOME": str(tmp_path), **({"PYTHONPATH": path} if path else {})}
    assert "grid:     2 points" in ran([command, "check", study], project, **environment)


def test_the_users_own_script_runs_as_before(installed, project):
    told = ran([installed, "train.py"], project)
    assert "Linear(in_features=4, out_features=2, bias=True)" in told
    assert told.rstrip().endswith("['deploy', 'flows', 'tasks', 'utils']")


@pytest.fixture
def hidden_module(project):
    """A file that the standard library would import, for it tries to import this name."""
    file = project / "nt.py"
    file.write_text("import torch\n\nraise RuntimeError('imported too early')\n")
    yield
    file.unlink()


@pytest.mark.parametrize("study", ["net.yaml", "function.yaml"])
@pytest.mark.usefixtures("lab", "hidden_module")
def test_its_workers_train_with_packages_of_the_same_names(installed, project, study):
    told = ran([installed.with_name("nettuner"), "search", study], project)
    assert "2 trials, 0 failed" in told


@pytest.mark.usefixtures("lab")
def test_from_python_it_trains_with_packages_of_the_same_names(installed, project):
    (project / "tune.py").write_text(
        dedent(
            """
            from nettuner import search

            if __name__ == "__main__":
                found = search("function.yaml", strategy="grid")
                print(len(found.trials), found.best.proposal.params)
            """
        )
    )
    # 4 h + h + 3 h + 3 weights and biases: the fewest for the fewest hidden units.
    assert ran([installed, "tune.py"], project).splitlines()[-1] == "2 {'hidden': 2}"
