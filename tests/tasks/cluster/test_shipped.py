"""What a study's trials need on other machines is found: its data, and the code beside its code."""

from __future__ import annotations

import pytest

from nettuner.models.study_file import from_mapping
from nettuner.tasks.cluster import shipped as module
from nettuner.tasks.cluster.runner import RunnerError
from nettuner.tasks.cluster.shipped import shipped


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (
        *("net.py", "parts/layers.py", "parts/deep/more.py", "table.csv", "notes.txt"),
        *(".venv/lib/their.py", "env/pyvenv.cfg", "env/their.py", "parts/__pycache__/x.py"),
        *("weights/a.bin", "weights/b/c.bin"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n1\n")
    return tmp_path


def study(**changes):
    given = {"name": "s", "learner": "net.py:Net", "space": {"x": [1, 2]}, "metric": "val_loss"}
    return from_mapping({**given, **changes})


def names(project, found):
    return sorted(path.removeprefix(f"{project}/") for path in found.files)


def test_python_files_beside_and_below_a_file_of_code_are_sent_and_nothing_else(project):
    found = shipped(study())
    assert names(project, found) == ["net.py", "parts/deep/more.py", "parts/layers.py"]
    assert found.roots == (str(project),)


def test_a_link_that_leads_nowhere_is_left_out(project):
    (project / "parts" / "gone.py").symlink_to(project / "absent.py")
    found = shipped(study())
    assert names(project, found) == ["net.py", "parts/deep/more.py", "parts/layers.py"]


def test_a_table_is_sent(project):
    found = shipped(study(learner="mlp", data={"source": "csv", "path": "table.csv"}))
    assert names(project, found) == ["table.csv"]


def test_what_a_study_says_is_sent_whole(project):
    choice = {"name": "dask", "files": ["weights", "notes.txt"]}
    found = shipped(study(learner="mlp", data="wine", runner=choice))
    assert names(project, found) == ["notes.txt", "weights/a.bin", "weights/b/c.bin"]


def test_paths_that_a_function_of_ones_own_reads_its_data_from_are_sent(project):
    data = {"source": "net.py:make", "path": "table.csv", "size": 3, "kind": "absent"}
    found = shipped(study(learner="mlp", data=data))
    assert "table.csv" in names(project, found)
    assert "notes.txt" not in names(project, found)


def test_nothing_is_sent_of_what_comes_with_nettuner(project):
    found = shipped(study(learner="mlp", data="digits"))
    assert (found.roots, found.files) == ((), ())


def test_a_file_of_code_among_thousands_is_refused(project, monkeypatch):
    monkeypatch.setattr(module, "MOST_FILES", 2)
    with pytest.raises(RunnerError, match=r"at most 2 Python files below it.* move it to a folder"):
        shipped(study())


def test_a_file_that_is_not_there_is_a_fault_of_the_study(project):
    with pytest.raises(ValueError, match=r"runner.files\[0\]: must be an existing file or folder"):
        study(runner={"name": "dask", "files": ["absent"]})
