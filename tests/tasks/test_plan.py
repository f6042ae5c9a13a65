"""Every fault of a study is found before anything is trained, and said in one line."""

from __future__ import annotations

import os
import sys

import pytest

from nettuner.models.study import Study
from nettuner.models.study_file import StudyError
from nettuner.tasks import strategies
from nettuner.tasks.plan import digest, make_plan, plan_for, using
from nettuner.tasks.strategies.population.lineage import Phase
from nettuner.tasks.training.context import TrialContext
from nettuner.tasks.training.finals import Finals

OWN = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from nettuner.models.learner import Supervised


def score(hyperparameters, report):
    return 1.0


class Needs(Supervised):
    def build(self, *, width: int):
        wide = nn.Linear(self.data.features, width)
        return nn.Sequential(nn.Flatten(), wide, nn.Linear(width, self.data.outputs))


class Flags(Supervised):
    def build(self, *, bias: bool = True):
        return nn.Sequential(nn.Flatten(), nn.Linear(self.data.features, self.data.outputs, bias))


class Choosy(Flags):
    def __init__(self, data):
        raise ValueError(f"made for 3 features, got {data.features}")


class Lies(Flags):
    def evaluate(self, networks, inputs, targets):
        return {"loss": 1.0}


class Rows(Flags):
    def loss(self, network, networks, batch, now):
        return networks[network](batch[0])


class Breaks(Flags):
    def build(self, *, groups: int = 1):
        assert self.data.features % groups == 0
        return super().build()


class Incomplete(Supervised):
    pass


def loaded():
    rows = TensorDataset(torch.rand(24, 2), torch.arange(24) % 2)
    return DataLoader(rows, batch_size=6), DataLoader(rows, batch_size=6)
"""

IRIS = {
    "name": "iris",
    "learner": "mlp",
    "data": "iris",
    "space": {"hidden": [4, 8]},
    "metric": "val_loss",
    "epochs": 3,
    "stop": {"trials": 4},
}
FUNCTION = {
    "name": "own",
    "learner": "OWN:score",
    "space": {"x": [1, 2]},
    "metric": "cost",
    "direction": "minimize",
    "stop": {"trials": 4},
}
SETTINGS = (
    "batch_size, beta1, beta2, class_weight, clip_norm, depth, dropout, ema, hidden, "
    "label_smoothing, learning_rate, momentum, optimizer, peak_at, precision, schedule, "
    "step_every, step_factor, warmup_steps, weight_decay"
)


FURTHER = "val_balanced_accuracy, val_macro_f1, val_roc_auc, val_average_precision"


def uniform(low, high, **more):
    return {"distribution": "uniform", "low": low, "high": high, **more}


def integer(low, high, **more):
    return {"distribution": "integer", "low": low, "high": high, **more}


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Plans a study; OWN stands for a file of learners, FOLDER for where it is."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "broken.py").write_text("import no_such_module\n")

    def plan(base=IRIS, **changes):
        given = {**base, **changes}
        own = str(tmp_path / "own.py")
        given["metrics"] = [name.replace("OWN", own) for name in given.get("metrics", [])]
        learner = given["learner"].replace("OWN", own)
        given["learner"] = learner.replace("FOLDER", str(tmp_path))
        return make_plan(Study.model_validate(given), "s.yaml")

    return plan


def lines(plan, tmp_path, base, changes):
    with pytest.raises(StudyError) as caught:
        plan(base, **changes)
    text = str(caught.value).replace(str(tmp_path / "own.py"), "OWN")
    return text.replace(str(tmp_path), "FOLDER").splitlines()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        # what the learner takes
        (
            {"space": {"dropuot": 0.1}},
            "space.dropuot: mlp takes no 'dropuot'; did you mean 'dropout'? "
            f"it takes: activation, {SETTINGS}",
        ),
        ({"space": {"xyz": 1}}, f"space.xyz: mlp takes no 'xyz'; it takes: activation, {SETTINGS}"),
        (
            {"space": {"schedule": ["cosine", "triangle"]}},
            "space.schedule: must be one of constant, linear, cosine, one-cycle, step, got "
            "'triangle'; drop it",
        ),
        (
            {"space": {"class_weight": ["none", "balanced"]}, "data": "diabetes"},
            "space: the networks cannot be built with class_weight=balanced: class_weight must be "
            "none where no classes are learned, got balanced and data for regression; drop it",
        ),
        (
            {"space": {"ema": 1}},
            "space.ema: must be between 0 and 0.999999, got 1; correct it",
        ),
        (
            {"space": {"clip_norm": -1}},
            "space.clip_norm: must be at least 0, got -1; correct it",
        ),
        (
            {"space": {"dropout": uniform(0, 1.5)}},
            "space.dropout: must be between 0 and 0.99, got values up to 1.5; narrow the range",
        ),
        (
            {"space": {"learning_rate": uniform(-0.1, 0.1)}},
            "space.learning_rate: must be at least 0, got values down to -0.1; narrow the range",
        ),
        (
            {"space": {"learning_rate": {"distribution": "normal", "mean": 0, "std": 1}}},
            # 7.05 standard deviations below: all but one draw in 2^40 lie above
            "space.learning_rate: must be at least 0, got values down to -7.0477; narrow the range",
        ),
        (
            {"space": {"momentum": [0.5, 1.5]}},
            "space.momentum: must be between 0 and 1, got 1.5; correct it",
        ),
        (
            {"space": {"batch_size": 0}},
            "space.batch_size: must be at least 1, got 0; correct it",
        ),
        (
            {"space": {"batch_size": integer(0, 64)}},
            "space.batch_size: must be at least 1, got values down to 0; narrow the range",
        ),
        (
            {"space": {"optimizer": ["adam", "lion"]}},
            "space.optimizer: must be one of sgd, adam, adamw, rmsprop, got 'lion'; drop it",
        ),
        (
            {"space": {"activation": "swish"}},
            "space.activation: must be one of relu, gelu, tanh, silu, got 'swish'; drop it",
        ),
        (
            {"data": "digits", "learner": "cnn", "space": {"kernel": uniform(1, 5)}},
            "space.kernel: must be a whole number, got 1.0 (float); use distribution: integer",
        ),
        (
            {"data": "digits", "learner": "cnn", "space": {"kernel": [3.0, 5.0]}},
            "space.kernel: must be a whole number, got 3.0 (float); use distribution: integer",
        ),
        (
            {"space": {"learning_rate": ["fast", "slow"]}},
            "space.learning_rate: must be a number, got 'fast' (str); "
            "use distribution: uniform or log-uniform",
        ),
        (
            {"learner": "OWN:Flags", "space": {"bias": [0, 1]}},
            "space.bias: must be true or false, got 0 (int); use a choice of true and false",
        ),
        (
            {"learner": "OWN:Needs", "space": {"learning_rate": 0.1}},
            "space: OWN:Needs must be given 'width', got none; add it to the space",
        ),
        (
            {
                "learner": "OWN:Needs",
                "space": {
                    "optimizer": ["sgd", "adam"],
                    "width": integer(1, 4, when={"optimizer": "sgd"}),
                },
            },
            "space.width: must be given in every trial, got a condition; "
            "drop when, or give width a default in OWN:Needs",
        ),
        (
            {
                "space": {
                    "optimizer": ["sgd", "adam"],
                    "momentum": uniform(0, 2, when={"optimizer": "sgd"}),
                }
            },
            "space.momentum: must be between 0 and 1, got values up to 2; narrow the range",
        ),
        # what cannot be built
        (
            {"learner": "cnn", "space": {"channels": 4}},
            "space: the networks cannot be built with channels=4: cnn needs images of shape "
            "(colours, height, width), at least 4 x 4 pixels, got (4,); use mlp",
        ),
        (
            {"data": "digits", "learner": "cnn", "space": {"kernel": integer(0, 5)}},
            "space: the networks cannot be built with kernel=0: cnn needs channels, kernel and "
            "hidden >= 1, got 16, 0 and 64; raise them",
        ),
        (
            {"space": {"hidden": 4, "depth": integer(-1, 2)}},
            "space: the networks cannot be built with hidden=4, depth=-1: "
            "mlp needs hidden >= 1 and depth >= 0, got hidden=4 and depth=-1; raise them",
        ),
        (
            {"learner": "OWN:Breaks", "space": {"groups": [1, 2, 3]}},
            "space: the networks cannot be built with groups=3: AssertionError",
        ),
        (
            {"learner": "OWN:Lies", "space": {"bias": True}},
            "space: the networks cannot be built with bias=True: "
            "evaluate must return loss, accuracy, got loss",
        ),
        (
            {"learner": "OWN:Rows", "space": {"bias": True}},
            "space: the networks cannot be built with bias=True: "
            "the loss of network must be one number, got shape (2, 3)",
        ),
        # metric and direction
        (
            {"metric": "accuracy"},
            "metric: mlp reports no 'accuracy'; did you mean val_accuracy? "
            f"it reports: val_loss, val_accuracy; also {FURTHER}",
        ),
        (
            {"metric": "f1"},
            f"metric: mlp reports no 'f1'; it reports: val_loss, val_accuracy; also {FURTHER}",
        ),
        (
            {"metric": "roc_auc"},
            "metric: mlp reports no 'roc_auc'; did you mean val_roc_auc? it reports: val_loss, "
            f"val_accuracy; also {FURTHER}",
        ),
        (
            {"metrics": ["mape"]},
            "metrics: mlp has no 'mape' for these data; it has: balanced_accuracy, macro_f1, "
            "roc_auc, average_precision; or your own: file.py:function",
        ),
        (
            {"metrics": ["OWN:score"], "metric": "val_score"},
            "direction: a function's metric needs one, got none for 'val_score'; give minimize or "
            "maximize",
        ),
        (
            {"metric": "accuracy", "data": "diabetes"},
            "metric: mlp reports no 'accuracy'; it reports: val_loss, val_rmse, val_mae, val_r2; "
            "also val_mape",
        ),
        (
            {"metric": "val_accuracy", "direction": "minimize"},
            "direction: val_accuracy is there to maximize, got minimize; drop direction",
        ),
        # data and length
        ({"data": None}, "data: mlp needs data, got none; for example digits"),
        ({"epochs": None}, "epochs: mlp needs a length, got none; give epochs or steps"),
        (
            {"data": {"source": "csv", "path": "/no/such.csv"}},
            "data: no file /no/such.csv; correct the path",
        ),
        # learners
        (
            {"learner": "mpl"},
            "learner: no learner named 'mpl'; built in: cnn, gan, mlp, "
            "text_classifier, translator; "
            "your own: path/to/file.py:Class",
        ),
        (
            {"learner": "FOLDER/broken.py:Net"},
            "learner: FOLDER/broken.py could not be imported: ModuleNotFoundError: "
            "No module named 'no_such_module'; python FOLDER/broken.py must run",
        ),
        (
            {"learner": "OWN:Choosy"},
            "learner: OWN:Choosy cannot be made for these data: made for 3 features, got 4",
        ),
        (
            {"learner": "OWN:Incomplete"},
            "learner: OWN:Incomplete must define build, got none; add it",
        ),
        # strategies
        (
            {"strategy": "gird"},
            "strategy: no strategy named 'gird'; tasks/strategies has: "
            f"{', '.join(strategies.names())}",
        ),
        (
            {"strategy": {"name": "random", "resolution": 3}},
            "strategy.resolution: unknown key, got resolution: 3; known keys: early_stop",
        ),
        (
            {"strategy": {"name": "grid", "resolutoin": 3}},
            "strategy.resolutoin: unknown key, got resolutoin: 3; did you mean 'resolution'? "
            "known keys: early_stop, values, resolution",
        ),
        (
            {"strategy": {"name": "grid", "values": {"hiden": [1]}}},
            "strategy: grid values must name dimensions, got 'hiden'; the space has: hidden",
        ),
        (
            {"strategy": {"name": "grid", "values": {"hidden": [5]}}},
            "strategy: grid values must lie inside their dimension, got hidden=5; it takes 4, 8",
        ),
        (
            {
                "strategy": {"name": "grid", "resolution": 100},
                "space": {name: uniform(0.1, 0.9) for name in ("dropout", "beta1", "momentum")},
            },
            "strategy: a grid has at most 100,000 configurations, got 1,000,000 or more; lower "
            "resolution, list a few values per dimension, or use random search",
        ),
        (
            {"strategy": {"name": "bayesian", "explore": -1}},
            "strategy.explore: must be a number of at least 0 and of at most 100, got -1; "
            "give one such as 1",
        ),
        (
            {"strategy": {"name": "bayesian", "initial": 0}},
            "strategy.initial: must be a whole number of at least 1, got 0; give one such as 10",
        ),
        (
            {"strategy": {"name": "bayesian", "seed": 3}},
            "strategy.seed: unknown key, got seed: 3; known keys: early_stop, initial, explore, "
            "try_first, warm_start, repeat",
        ),
        (
            {"strategy": {"name": "population", "size": 1}},
            "strategy.size: a population needs size >= 2, got 1; allow more trials",
        ),
        (
            {"strategy": {"name": "population", "size": 8}},
            "strategy: a population needs stop.trials >= size, got stop.trials=4 and size=8; "
            "each member counts once: raise stop.trials",
        ),
        (
            {"strategy": {"name": "population", "fraction": 0.9}},
            "strategy.fraction: fraction must be in (0, 0.5], got 0.9; 0.2 replaces the worst "
            "fifth",
        ),
        (
            {"strategy": {"name": "population", "perturb": 0.2}},
            "strategy.perturb: perturb must be in (1, 10], got 0.2; 1.25 multiplies by 1.25 or "
            "by 0.8",
        ),
        (
            {"strategy": {"name": "population", "selection": "roulette"}},
            "strategy.selection: must be one of truncation, tournament, got 'roulette'; "
            "choose one of them",
        ),
        (
            {"strategy": {"name": "population", "burn_in": 3}},
            "strategy: burn_in must be less than the whole training, got burn_in=3 of 3 rounds; "
            "lower it or train longer",
        ),
        (
            {"strategy": {"name": "population", "try_first": [{}] * 5}},
            "strategy: try_first must have at most one configuration for each of the 4 members, "
            "got 5; drop some or raise size",
        ),
        (
            {"strategy": "population", "score": "best"},
            "score: population goes on from the last round of each segment, so score must "
            "be last, got best; drop it",
        ),
        (
            {"strategy": "population", "patience_rounds": 2},
            "patience_rounds: population goes on from the last round of each segment, so "
            "it ends none early, got 2; drop it",
        ),
        (
            {"strategy": "population", "repeats": 3},
            "repeats: what is continued must be one network, got repeats=3; drop it and "
            "give finals, or choose bayesian, grid or random",
        ),
        (
            {"strategy": "population", "folds": 5},
            "folds: what is continued must be one network, got folds=5; drop it and "
            "give finals, or choose bayesian, grid or random",
        ),
        (
            {"folds": 121},
            "folds: every fold needs a share of the training and validation rows, got 120 for "
            "121 folds; give fewer folds",
        ),
        (
            {"strategy": {"name": "population", "interval": 0}},
            "strategy.interval: must be a whole number of at least 1, got 0; give one such as 10",
        ),
        # an end
        (
            {"strategy": "random", "stop": {}},
            "stop: a random search needs an end, got none; "
            "give trials, seconds, target or patience",
        ),
        (
            {"strategy": "bayesian", "stop": {}, "space": {"dropout": uniform(0, 0.5)}},
            "stop: a bayesian search needs an end, got none; "
            "give trials, seconds, target or patience",
        ),
    ],
)
def test_a_study_whose_parts_do_not_fit_is_told_why_in_one_line(plan, tmp_path, changes, line):
    assert lines(plan, tmp_path, IRIS, changes) == [f"s.yaml: {line}"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"data": "iris"},
            "data: a function without a context brings its own data, got builtin; drop data, or "
            "name the second argument `context`",
        ),
        (
            {"epochs": 3},
            "epochs: a function without a context trains as long as it likes, got 3; drop epochs, "
            "or name the second argument `context`",
        ),
        (
            {"steps": 100},
            "steps: a function without a context trains as long as it likes, got 100; drop steps, "
            "or name the second argument `context`",
        ),
        (
            {"direction": None},
            "direction: a function's metric needs one, got none for 'cost'; "
            "give minimize or maximize",
        ),
        (
            {"strategy": "population"},
            "strategy: population continues from trained weights, got a function without a "
            "context, which has none; name its second argument `context`, or choose bayesian, grid "
            "or random",
        ),
        (
            {"folds": 5},
            "folds: are of the study's data, got 5 without data; give repeats instead",
        ),
        (
            {"score": "best"},
            "score: what a function reports last counts, got best; report the best last",
        ),
        (
            {"patience_rounds": 3},
            "patience_rounds: a function ends by itself, got 3; drop it",
        ),
        (
            {"metrics": ["macro_f1"]},
            "metrics: what a function reports are its metrics, got macro_f1; report it",
        ),
        ({"learner": "OWN:scroe"}, None),
    ],
)
def test_a_function_that_does_not_fit_is_told_why_in_one_line(plan, tmp_path, changes, line):
    wanted = line or (
        "learner: OWN has no 'scroe'; it defines: "
        "score, Needs, Flags, Choosy, Lies, Rows, Breaks, Incomplete, loaded"
    )
    assert lines(plan, tmp_path, FUNCTION, changes) == [f"s.yaml: {wanted}"]


def test_all_faults_are_told_at_once(plan, tmp_path):
    changes = {"metric": "accuracy", "space": {"dropout": 1.0, "hiden": 3}}
    found = lines(plan, tmp_path, IRIS, changes)
    assert [line.split(": ")[1] for line in found] == ["space.dropout", "space.hiden", "metric"]
    found = lines(plan, tmp_path, FUNCTION, {"data": "iris", "epochs": 3, "direction": None})
    assert [line.split(": ")[1] for line in found] == ["data", "epochs", "direction"]


# Studies that make sense


@pytest.mark.parametrize(
    ("changes", "trials"),
    [
        ({}, 4),
        ({"strategy": "random", "stop": {"seconds": 60}}, None),
        ({"strategy": "random", "stop": {"target": 0.1}}, None),
        ({"strategy": "random", "stop": {"patience": 5}}, None),
        ({"strategy": "grid", "stop": {}}, 2),  # hidden: 4 or 8
        ({"strategy": "grid", "stop": {"trials": 1}}, 1),
        ({"strategy": "grid", "space": {"hidden": [4, 8], "depth": [0, 1, 2]}, "stop": {}}, 6),
        ({"strategy": "bayesian", "stop": {}}, 2),
        ({"strategy": "bayesian", "space": {"dropout": uniform(0, 0.5)}}, 4),
        ({"strategy": "population"}, 4 * 3),  # four members, each trained in three segments
        ({"strategy": {"name": "population", "interval": 2, "size": 3}}, 3 * 2),
    ],
)
def test_trials_are_as_many_as_the_strategy_proposes_and_the_study_allows(plan, changes, trials):
    assert plan(**changes).trials == trials


@pytest.mark.parametrize(
    ("changes", "stack"),
    [({}, 64), ({"repeats": 3}, 21), ({"folds": 3}, 64), ({"stack": 8, "repeats": 3}, 2)],
)
def test_a_stack_has_as_many_networks_with_repeats_as_without(plan, changes, stack):
    # Trials times repeats are at most 64, or what is asked for; folds are never together.
    assert plan(**changes).stack == stack


def test_the_same_bits_are_trained_one_by_one_as_the_size_of_a_stack_is_measured(plan):
    found = plan(deterministic=True, repeats=3)
    assert (found.stack, found.stackable) == (1, False)


def test_what_a_loader_reads_is_trained_one_by_one_also_in_finals_and_repeats(plan, tmp_path):
    changes = {"learner": "OWN:Flags", "space": {"learning_rate": uniform(0.01, 0.1)}, "repeats": 3}
    found = plan(**changes, data=f"{tmp_path / 'own.py'}:loaded")
    strategy = Finals(((Phase(0, 3, {"learning_rate": 0.05}),),), seeds=3)
    finals = plan_for(found, found.study.model_copy(update={"repeats": 1}), strategy, "finals")
    assert (found.stack, finals.stack) == (1, 1)
    assert (
        TrialContext(found, pool=None, places=None, record=None, folder=tmp_path).most_together == 1
    )
    held = plan(**changes)
    assert (held.stack, plan_for(held, held.study, strategy, "finals").stack) == (21, 21)
    assert (
        TrialContext(held, pool=None, places=None, record=None, folder=tmp_path).most_together
        is None
    )


def test_a_plan_knows_what_follows_from_its_study(plan):
    found = plan(strategy="random", width=3, metric="val_accuracy")
    assert found.strategy_name == "random_search"
    assert found.width == 3
    assert (found.goal.metric, found.goal.direction) == ("val_accuracy", "maximize")
    networks, training = {"hidden", "depth", "activation"}, {"optimizer", "schedule", "batch_size"}
    training |= {"precision", "class_weight"}
    assert found.structural == networks | training
    assert found.data_name == "iris"
    assert len(found.fingerprint) == 16
    assert plan(metric="val_accuracy", direction="maximize").goal == found.goal


def test_as_many_trials_as_cores_unless_a_width_is_given(plan):
    assert plan().width == (os.cpu_count() or 1)


def test_a_function_needs_neither_data_nor_length(plan):
    found = plan(FUNCTION)
    assert (found.fingerprint, found.data_name, found.structural) == ("", "", frozenset())
    assert (found.goal.metric, found.goal.direction) == ("cost", "minimize")


@pytest.mark.parametrize(
    "space",
    [
        {"optimizer": ["sgd", "adam"], "momentum": uniform(0, 0.9, when={"optimizer": "sgd"})},
        {"optimizer": ["adam", "sgd"], "beta1": uniform(0, 0.9, when={"optimizer": "adam"})},
        {"depth": [0, 1, 2], "hidden": integer(1, 8, when={"depth": [1, 2]})},
        {"learning_rate": {"distribution": "log-normal", "median": 0.01, "factor": 3}},
        {"learning_rate": 1, "dropout": 0},  # whole numbers are numbers
    ],
)
def test_good_spaces_are_planned(plan, space):
    assert plan(space=space).trials == 4


# The digest

SAME = [
    {"stop": {"trials": 9}},
    {"stop": {"trials": 4, "seconds": 10, "patience": 3, "failures": 2, "target": 0.0}},
    {"width": 3},
    {"threads": 2},
    {"trial_seconds": 60},
    {"device": "cpu"},
    {"device": "auto", "devices": [0, 1], "per_device": 2},
    {"strategy": {"name": "random"}},
    {"score": "last", "patience_rounds": None, "metrics": [], "deterministic": False},
    {"repeats": 1, "folds": None},
    {"finals": 3, "finals_seeds": 2},
]
OTHER = [
    {"space": {"hidden": [4, 16]}},
    {"space": {"hidden": [8, 4]}},
    {"seed": 1},
    {"epochs": 4},
    {"epochs": None, "steps": 3},
    {"metric": "val_accuracy"},
    {"data": "wine"},
    {"data": {"source": "builtin", "name": "iris", "split_seed": 1}},
    {"strategy": "grid"},
    {"learner": "OWN:Needs", "space": {"width": [4, 8]}},
    {"metrics": ["macro_f1"]},
    {"score": "best"},
    {"patience_rounds": 2},
    {"deterministic": True},
    {"repeats": 2},
    {"folds": 2},
]


@pytest.mark.parametrize("changes", SAME)
def test_the_digest_stays_where_trials_stay_as_they_are(plan, changes):
    assert plan(**changes).digest == plan().digest


@pytest.mark.parametrize("changes", OTHER)
def test_the_digest_changes_with_whatever_decides_the_trials(plan, changes):
    assert plan(**changes).digest != plan().digest


def test_the_digest_changes_with_the_content_of_the_data(plan, tmp_path):
    path = tmp_path / "rows.csv"
    rows = [f"{i},{i % 7},{i % 2}" for i in range(40)]
    data = {"source": "csv", "path": str(path)}
    path.write_text("\n".join(["a,b,y", *rows]))
    before = plan(data=data).digest
    assert plan(data=data).digest == before
    path.write_text("\n".join(["a,b,y", "0,5,0", *rows[1:]]))
    assert plan(data=data).digest != before


@pytest.mark.parametrize(
    ("source", "before"), [("csv", "3ee57fbb23a8be0f"), ("parquet", "7824205b1f0dd933")]
)
def test_an_option_that_came_later_changes_no_digest_until_it_is_used(source, before):
    """Searches begun by an earlier version can be resumed: these are the digests it gave."""
    study = Study(
        name="a",
        learner="mlp",
        data={"source": source, "path": "/a.csv"},
        space={"lr": 0.1},
        metric="val_loss",
        epochs=1,
    )
    assert digest(study, "0123456789abcdef", None) == before
    for used in ({"drop": ("id",)}, {"split_by": "id"}, {"missing": ("-",)}):
        changed = study.model_copy(update={"data": study.data.model_copy(update=used)})
        assert digest(changed, "0123456789abcdef", None) != before


def test_a_key_that_comes_later_changes_no_digest_at_its_default():
    class Later(Study):
        patches: tuple[int, ...] = ()
        tuned: bool | None = True

    given = {
        "name": "a",
        "learner": "mlp",
        "data": "iris",
        "space": {"lr": 0.1},
        "metric": "val_loss",
    }
    before = digest(Study.model_validate(given), "0123", None)
    assert digest(Later.model_validate(given), "0123", None) == before
    for used in ({"patches": (1,)}, {"tuned": False}, {"tuned": None}):
        assert digest(Later.model_validate({**given, **used}), "0123", None) != before


def test_the_digest_changes_with_the_order_of_the_dimensions_as_the_draws_do(plan):
    first, second = {"dropout": uniform(0, 0.5)}, {"momentum": uniform(0, 0.5)}
    one, other = plan(space=first | second), plan(space=second | first)
    drawn = [p.strategy.propose(p.study.space, [], [], 1)[0].params for p in (one, other)]
    assert drawn[0] != drawn[1]
    assert one.digest != other.digest


@pytest.mark.parametrize(
    ("strategy", "changes"),
    [
        ("grid", True),  # more trials make a finer grid
        ({"name": "grid", "resolution": 3}, False),
        ("population", True),  # more trials make more members
        ({"name": "population", "size": 3}, False),
        ("bayesian", False),
    ],
)
def test_a_budget_belongs_to_the_digest_where_it_decides_the_trials(plan, strategy, changes):
    space = {"dropout": uniform(0, 0.5), "momentum": uniform(0, 0.5)}
    few = plan(space=space, strategy=strategy, stop={"trials": 4}).digest
    many = plan(space=space, strategy=strategy, stop={"trials": 30}).digest
    assert (few != many) == changes


def test_another_strategy_takes_its_own_settings_and_leaves_those_of_others():
    study = Study.model_validate({**IRIS, "strategy": {"name": "grid", "resolution": 5}})
    assert using(study, "grid_search").strategy.settings == {"resolution": 5}
    assert using(study, "random").strategy.settings == {}
    assert using(study, "random").strategy.name == "random"
