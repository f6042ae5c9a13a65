"""A first study: what it is made of data and of code, and that it can be searched as it is."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from ruamel.yaml import YAML

from nettuner.models import learners
from nettuner.models.data.load import load as load_data
from nettuner.models.draft import data_named, drafted
from nettuner.models.draft_text import draft_text, written
from nettuner.models.study_file import load
from nettuner.models.training.loop import facts
from nettuner.tasks.plan import make_plan

DATA = {"translator": "numbers", "gan": "digits", "cnn": "digits", "mlp": "wine"}


@pytest.fixture
def sentences(tmp_path):
    rows = [{"text": f"{'good' if k % 2 else 'bad'} number {k % 7}", "y": k % 2} for k in range(60)]
    path = tmp_path / "reviews.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def study_of(draft, folder):
    path = folder / "study.yaml"
    path.write_text(draft_text(draft), encoding="utf-8")
    return load(path)


@pytest.mark.parametrize("learner", learners.names())
def test_a_first_study_of_each_learner_makes_sense_and_all_its_networks_can_be_built(
    learner, tmp_path, sentences
):
    data = DATA.get(learner) or data_named(str(sentences), "y", "text")
    study = study_of(drafted("first", learner, data), tmp_path)
    assert make_plan(study).trials == 30
    built = learners.find(learner)(facts(load_data(study.data)))
    rng = np.random.default_rng(0)
    for _ in range(10):
        assert built.networks(study.space.sample(rng))


@pytest.mark.parametrize(
    ("data", "learner"), [("wine", "mlp"), ("digits", "cnn"), ("numbers", "translator")]
)
def test_a_learner_is_chosen_that_suits_the_data(data, learner):
    assert drafted("first", None, data).learner == learner


def test_sentences_are_for_a_classifier_of_texts(sentences):
    draft = drafted("first", None, data_named(str(sentences), "y", "text"))
    assert draft.learner == "text_classifier"
    assert draft.data["source"] == "sentences"


def test_a_table_without_names_is_seen_to_have_none(tmp_path):
    (tmp_path / "t.csv").write_text("".join(f"{k},{k % 5},{k % 2}\n" for k in range(40)))
    (tmp_path / "n.csv").write_text(
        "a,b,y\n" + "".join(f"{k},{k % 5},{k % 2}\n" for k in range(40))
    )
    assert data_named(str(tmp_path / "t.csv"), None, None)["header"] is False
    assert "header" not in data_named(str(tmp_path / "n.csv"), None, None)


def test_a_folder_of_images_is_recognised(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / "pets" / name / "1.png")
    found = data_named(str(tmp_path / "pets"), None, None)
    assert found == {"source": "images", "folder": str(tmp_path / "pets")}


def test_the_files_of_mnist_are_recognised_by_their_names(tmp_path):
    for split in ("train", "t10k"):
        (tmp_path / f"{split}-images-idx3-ubyte.gz").touch()
        (tmp_path / f"{split}-labels-idx1-ubyte.gz").touch()
    found = data_named(str(tmp_path), None, None)
    assert found["source"] == "idx"
    assert found["images"].endswith("train-images-idx3-ubyte.gz")
    assert found["test_labels"].endswith("t10k-labels-idx1-ubyte.gz")


def test_a_network_takes_some_thousand_steps():
    assert drafted("first", "mlp", "digits").epochs == 50  # bounded: 2000 * 64 / 1,079 is 119
    assert math.ceil(2000 * 64 / 3000) == drafted("first", None, "numbers").epochs  # 43


def test_a_loop_is_searched_over_the_names_that_it_reads(tmp_path):
    (tmp_path / "own.py").write_text(
        "def train(h, context):\n"
        "    for _ in context.rounds():\n"
        "        context.report(val_accuracy=h['lr'] * h.get('zoom', 3) * h['odd'])\n"
    )
    draft = drafted("own", f"{tmp_path}/own.py:train", None)
    assert list(draft.space) == ["lr", "zoom", "odd"]
    assert (draft.metric, draft.direction, draft.epochs) == ("val_accuracy", "maximize", 50)
    assert draft.notes["odd"] == "a guess: say what it may be"
    assert make_plan(study_of(draft, tmp_path)).trials == 30


@pytest.mark.parametrize(
    ("learner", "data", "told"),
    [
        (None, None, "say what to begin with"),
        ("mlp", None, "learns from data, got none"),
        ("text_classifier", "wine", "takes sentences with a label"),
    ],
)
def test_what_does_not_go_together_is_said(learner, data, told):
    with pytest.raises(ValueError, match=told):
        drafted("first", learner, data)


@pytest.mark.parametrize(
    ("given", "target", "told"),
    [("nowhere.csv", None, "is not there"), ("digits", "y", "are for tables in files")],
)
def test_data_that_are_none_are_said(given, target, told):
    with pytest.raises(ValueError, match=told):
        data_named(given, target, None)


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match="must be a table"):
        data_named(str(tmp_path / "notes.txt"), None, None)


VALUES = st.recursive(
    st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner),
    max_leaves=5,
)


@given(VALUES)
def test_what_is_written_is_read_back(value):
    found = YAML(typ="safe", pure=True).load(f"x: {written(value)}")["x"]
    assert found == value
