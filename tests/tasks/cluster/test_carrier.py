"""A call travels with its paths: below a root there they name copies, everything else stays."""

from __future__ import annotations

from pathlib import Path

from nettuner.models.study import Study
from nettuner.tasks.cluster.carrier import packed, unpacked

ROOT = Path("/there")


def carried(given, *roots):
    call, met = packed(given, roots)
    return unpacked(call, ROOT), met


def test_paths_and_texts_at_or_below_a_root_lie_below_the_other_root():
    given = [Path("/home/me/a.csv"), "/home/me/a.csv", {"/home/me": ("/home/me/net.py:Net",)}]
    found, met = carried(given, "/home/me")
    there = "/there/home/me"
    assert found == [Path(f"{there}/a.csv"), f"{there}/a.csv", {there: (f"{there}/net.py:Net",)}]
    assert met == ["/home/me", "/home/me/a.csv", "/home/me/net.py:Net"]


def test_everything_else_stays_as_it_is():
    given = ["me", "/home/meyer/a.csv", Path("/etc/hosts"), 1.5, None, "relative/a.csv"]
    assert carried(given, "/home/me") == (given, [])


def test_a_study_refers_to_the_copies_of_its_files():
    study = Study.model_validate(
        {
            "name": "s",
            "learner": "/home/me/net.py:Net",
            "data": {"source": "csv", "path": "/data/table.csv"},
            "space": {"x": [1, 2]},
            "metric": "val_loss",
        }
    )
    found, _ = carried(study, "/home/me", "/data/table.csv")
    assert found.learner == "/there/home/me/net.py:Net"
    assert found.data.path == "/there/data/table.csv"
    assert found.space == study.space
