"""Sentences with a label from the columns of a CSV file."""

import numpy as np
import pandas as pd
import pytest

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.data.preprocessing import END, PAD, UNKNOWN, Preprocessing
from nettuner.models.data.profiling import profile
from nettuner.models.data.sources.sentences import Sentences
from nettuner.models.training.loop import facts

GOOD = ["a good film", "good, so good", "I liked it", "what a joy"]
BAD = ["a bad film", "bad, so bad", "I hated it", "what a bore"]


@pytest.fixture
def reviews(tmp_path):
    """Sixty reviews of five people, good and bad ones in turn."""

    def write(extra=()):
        rows = [
            f'r{i},"{(GOOD if i % 2 == 0 else BAD)[i // 2 % 4]}",p{i % 5},{("yes", "no")[i % 2]}'
            for i in range(60)
        ]
        path = tmp_path / "reviews.csv"
        path.write_text("\n".join(["id,review,person,liked", *rows, *extra]) + "\n")
        return str(path)

    return write


def source(path, **keys):
    return Sentences(path=path, text="review", target="liked", **keys)


def test_sentences_become_tokens_and_labels_classes(reviews):
    data = load(source(reviews()))
    assert (data.task, data.classes) == ("classification", ("no", "yes"))
    assert (len(data.train), len(data.validation), len(data.test)) == (36, 12, 12)
    assert data.train.inputs.dtype == np.int64
    # "good, so good" has four tokens, and its end.
    assert data.shape == (5,)
    assert all((row == END).sum() == 1 for row in data.train.inputs)
    words = data.preprocessing.inputs.vocabulary
    spelled = {words.decode(row) for row in data.train.inputs}
    assert spelled <= {*GOOD, *BAD}
    assert list(data.raw_train.rows.columns) == ["review"]
    assert data.raw_train.truth[0] in ("no", "yes")


def test_all_reviews_of_a_person_go_to_one_split(reviews):
    data = load(source(reviews(), split_by="person"))
    assert {len(data.train), len(data.validation), len(data.test)} == {36, 12}


def test_longer_sentences_are_cut_and_unknown_words_are_known_as_such(reviews):
    long = f'x,"{"good " * 90}",p1,yes'
    data = load(source(reviews([long] * 3), longest=3))
    assert data.shape == (4,)
    served = Preprocessing.from_json(data.preprocessing.to_json())
    assert served == data.preprocessing
    rows = pd.DataFrame({"review": ["good film indeed and more", "zebra", "", None]})
    first, second, third, fourth = served.transform(rows).tolist()
    assert (first[-1], len(first)) == (END, 4)
    assert second == [UNKNOWN, END, PAD, PAD]
    assert third == fourth == [END, PAD, PAD, PAD]


def test_subwords_and_lower_case_are_those_of_translations(reviews):
    data = load(source(reviews(), vocabulary="subword", lowercase=True, vocabulary_size=40))
    words = data.preprocessing.inputs.vocabulary
    assert words.merges is not None
    assert words.decode(words.encode("I liked it")) == "i liked it"


def test_what_was_understood_names_the_sentences(reviews):
    given = source(reviews())
    found = profile(given, load(given))
    assert [(c.name, c.kind) for c in found.columns] == [
        ("id", "left out"),
        ("review", "text"),
        ("person", "left out"),
    ]
    assert found.columns[1].holds == "8 different, such as 'a good film'"
    assert found.inputs.startswith("sentences of up to 4 tokens, of ")


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        ({"text": "reviw"}, "text must name a column, got 'reviw'; did you mean 'review'?"),
        ({"text": "liked"}, "text must name another column than the target, got 'liked' for both"),
        ({"min_count": 100}, "a vocabulary needs tokens that occur 100 times"),
    ],
)
def test_columns_that_do_not_serve_are_told_so(reviews, refused, keys, rule):
    given = source(reviews()).model_copy(update=keys)
    assert refused(given).startswith(rule)


def test_a_monitor_of_sentences_is_refused(reviews):
    with pytest.raises(ValueError, match="production data are read as tables with the target"):
        source(reviews()).target_column()


@pytest.mark.parametrize("name", ["mlp", "cnn", "gan"])
def test_no_learner_takes_tokens_for_numbers(reviews, name):
    data = facts(load(source(reviews())))
    with pytest.raises(
        ValueError, match=r"takes inputs for numbers, got the ids of \d+ tokens; use"
    ):
        learners.find(name)(data)
