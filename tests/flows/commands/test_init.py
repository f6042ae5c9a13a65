"""`nettuner init`: writes a study that can be searched, and says what it understood."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from nettuner.flows.cli import app
from nettuner.models.study_file import load

TABLE = "size,colour,price\n" + "".join(
    f"{k},{'red' if k % 3 else 'blue'},{3 * k + k % 7}\n" for k in range(60)
)


@pytest.fixture
def init(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NETTUNER_HOME", str(tmp_path / "home"))

    def call(*words):
        done = CliRunner().invoke(app, ["init", *words])
        return done.exit_code, done.stdout, done.stderr

    return call


def test_a_table_becomes_a_study_beside_it_and_is_told(init, tmp_path):
    (tmp_path / "houses.csv").write_text(TABLE)
    status, shown, said = init("--data", "houses.csv", "--target", "price")
    assert (status, said) == (0, "")
    assert "36 to train, 12 to validate, 12 to test" in shown
    assert "written: houses.yaml" in shown
    text = (tmp_path / "houses.yaml").read_text()
    assert "data: {source: csv, path: houses.csv, target: price}" in text
    assert load(tmp_path / "houses.yaml").stop.trials == 30


def test_paths_are_written_as_the_study_sees_them(init, tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code/own.py").write_text(
        "def train(h, context):\n"
        "    for _ in context.rounds():\n"
        "        context.report(loss=h['lr'])\n"
    )
    (tmp_path / "studies").mkdir()
    status, _, said = init("studies/mine.yaml", "--learner", "code/own.py:train")
    assert (status, said) == (0, "")
    text = (tmp_path / "studies/mine.yaml").read_text()
    assert "name: mine\n" in text
    assert "learner: ../code/own.py:train\n" in text


def test_a_study_that_is_there_is_not_written_over(init, tmp_path):
    (tmp_path / "wine.yaml").write_text("mine")
    assert init("--data", "wine") == (
        2,
        "",
        "error: wine.yaml is there already; name another file, or remove it\n",
    )
    assert (tmp_path / "wine.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "error: say what to begin with: --data FILE, or --learner FILE.py:NAME\n"),
        (("--data", "wine", "--learner", "cnn"), "cnn needs images"),
        (("--learner", "mlp"), "error: mlp learns from data, got none; add --data FILE\n"),
        (("--data", "gone.csv"), "which is not there; correct it\n"),
    ],
)
def test_what_cannot_be_a_study_leaves_no_file(init, tmp_path, words, told):
    status, _, said = init(*words)
    assert status == 2
    assert told in said
    assert not list(tmp_path.glob("*.yaml"))
