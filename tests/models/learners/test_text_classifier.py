"""The classifier of sentences: padding changes nothing, and what is learned is served."""

import numpy as np
import pandas as pd
import pytest
import torch

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.data.preprocessing import PAD, Preprocessing
from nettuner.models.data.sources.sentences import Sentences
from nettuner.models.learner import DataFacts
from nettuner.models.space import Space
from nettuner.models.study import Length, Study
from nettuner.models.training.examine import examine
from nettuner.models.training.loop import facts, fit

LEARNER = learners.find("text_classifier")
DATA = DataFacts("classification", (6,), 2, tokens=20)
BAG, TRANSFORMER = {"layers": 0}, {"layers": 2, "heads": 3}


@pytest.fixture
def reviews(tmp_path):
    """A sentence is good if one of its words is: the order and the other words say nothing."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(400):
        words = rng.choice(["the", "film", "was", "so", "very", "long"], size=rng.integers(2, 6))
        words = rng.permutation([*words, ("good", "bad")[i % 2]])
        rows.append(f"{' '.join(words)},{('yes', 'no')[i % 2]}")
    path = tmp_path / "reviews.csv"
    path.write_text("\n".join(["review,liked", *rows]) + "\n")
    return Sentences(path=str(path), text="review")


@pytest.mark.parametrize("params", [BAG, TRANSFORMER], ids=["bag", "transformer"])
def test_padding_changes_no_answer(params):
    network = LEARNER(DATA).networks(params)["network"].eval()
    short = torch.tensor([[5, 6, 3]])
    padded = torch.tensor([[5, 6, 3, PAD, PAD, PAD]])
    if params is BAG:
        torch.testing.assert_close(network(short), network(padded))
    other = LEARNER(DATA).networks(params)["network"].eval()
    other.load_state_dict(network.state_dict())
    together = other(torch.cat([padded, torch.tensor([[7, 8, 9, 10, 11, 3]])]))
    torch.testing.assert_close(together[:1], network(padded))


def test_the_order_of_words_counts_with_layers_alone():
    one, other = torch.tensor([[5, 6, 7, 3, PAD, PAD]]), torch.tensor([[7, 6, 5, 3, PAD, PAD]])
    bag = LEARNER(DATA).networks(BAG)["network"].eval()
    torch.testing.assert_close(bag(one), bag(other))
    transformer = LEARNER(DATA).networks(TRANSFORMER)["network"].eval()
    assert not torch.allclose(transformer(one), transformer(other), atol=1e-4)


@pytest.mark.parametrize("params", [BAG, TRANSFORMER], ids=["bag", "transformer"])
def test_it_learns_which_word_matters(reviews, params, one_thread):
    data = load(reviews)
    params = {**params, "width": 12, "learning_rate": 0.02, "batch_size": 32}
    *_, (_, metrics) = fit(LEARNER(facts(data)), data, params, Length(8), seed=(0,))
    assert metrics["val_accuracy"] > 0.95


def test_the_winner_answers_sentences_as_people_write_them(reviews, tmp_path, one_thread):
    data = load(reviews)
    params = {"width": 8, "learning_rate": 0.05, "batch_size": 32}
    state = tmp_path / "state"
    for _ in fit(LEARNER(facts(data)), data, params, Length(5), seed=(0,), end=state):
        pass
    study = Study(
        name="winner",
        learner="text_classifier",
        data=reviews,
        space=Space.model_validate({"width": 8}),
        metric="val_loss",
        epochs=5,
    )
    winner = examine(study, params, state, tmp_path / "out")
    assert winner.why_not is None
    served = Preprocessing.from_json(winner.preprocessing)
    rows = pd.DataFrame({"review": ["the film was good", "so very bad", "bad"]})
    network = torch.export.load(winner.network).module()
    with torch.no_grad():
        answers = served.answer(network(torch.from_numpy(served.transform(rows))).numpy())
    assert answers["prediction"].tolist() == ["yes", "no", "no"]


def test_data_without_a_vocabulary_are_refused():
    with pytest.raises(
        ValueError, match=r"takes sentences with a label .* got inputs of shape \[4\]"
    ):
        LEARNER(DataFacts("classification", (4,), 2))


@pytest.mark.parametrize("params", [{"width": 1}, {"layers": -1}, {"heads": 0}])
def test_sizes_that_are_too_small_are_refused(params):
    with pytest.raises(ValueError, match="text_classifier needs width >= 2, layers >= 0 and heads"):
        LEARNER(DATA).networks(params)
