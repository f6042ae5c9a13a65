"""The contract of every learner found, the built-in ones in detail, and references to others."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from nettuner.models import learners
from nettuner.models.check import fit_together
from nettuner.models.data.dataset import Split
from nettuner.models.data.load import load
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.data.sources.csv import Csv
from nettuner.models.data.sources.numbers import Numbers
from nettuner.models.data.sources.sentences import Sentences
from nettuner.models.fitted import MisfitError
from nettuner.models.learner import OPTIMISER, DataFacts, Learner, Supervised
from nettuner.models.space import Space
from nettuner.models.study import Length, Study
from nettuner.models.training import optimiser
from nettuner.models.training.batches import tensors
from nettuner.models.training.examine import export
from nettuner.models.training.loop import facts, fit
from nettuner.models.training.seeding import seeded

pytestmark = pytest.mark.usefixtures("one_thread")

SETS = [
    Builtin(name="iris"),
    Builtin(name="diabetes"),
    Builtin(name="digits"),
    Numbers(rows=200, longest=6),
    Sentences(path=str(Path(__file__).with_name("reviews.csv")), text="review"),
]
LARGE = DataFacts("classification", (1, 28, 28), 10)
SMALL = DataFacts("classification", (1, 8, 8), 10)


def takes(name, data):
    try:
        learners.find(name)(facts(load(data))).networks({})
    except ValueError:
        return False
    return True


PAIRS = [(name, data) for name in learners.names() for data in SETS if takes(name, data)]
every_learner = pytest.mark.parametrize(
    ("name", "data"),
    PAIRS,
    ids=[f"{name}-{getattr(data, 'name', data.source)}" for name, data in PAIRS],
)


def made(name, data):
    """The learner, freshly initialised networks of its defaults, and 8 training rows."""
    dataset = load(data)
    learner = learners.find(name)(facts(dataset))
    with seeded(0):
        networks = learner.networks({})
    inputs, targets = tensors(dataset.train)
    return learner, networks, (inputs[:8], targets[:8])


def weights(networks):
    return [tensor for network in networks.values() for tensor in network.state_dict().values()]


def losses(learner, networks, batch, now):
    with seeded(0):
        return [learner.loss(name, networks, batch, now).item() for name in networks]


def equal(left, right):
    return len(left) == len(right) and all(map(torch.equal, left, right))


def few(split, rows):
    return Split(split.inputs[:rows], split.targets[:rows])


@pytest.fixture
def trained(tmp_path):
    """All weights after two steps of training on 16 rows."""

    def trained(name, data, params):
        dataset = load(data)
        dataset = replace(
            dataset, train=few(dataset.train, 16), validation=few(dataset.validation, 4)
        )
        learner = learners.find(name)(facts(dataset))
        end = tmp_path / "state.safetensors"
        list(fit(learner, dataset, params, Length(2), seed=(0, 0), end=end))
        return [tensor for key, tensor in load_file(end).items() if key.startswith("network/")]

    return trained


def test_every_learner_found_takes_some_of_the_data():
    assert {name for name, _ in PAIRS} == set(learners.names()) >= {"cnn", "mlp"}


@every_learner
def test_a_learner_builds_named_networks_from_its_defaults(name, data):
    learner, networks, _ = made(name, data)
    assert networks
    assert all(key and isinstance(network, nn.Module) for key, network in networks.items())
    assert set(learner.several) in (set(), set(networks))


@every_learner
def test_a_learner_has_one_finite_loss_for_each_network(name, data):
    learner, networks, batch = made(name, data)
    for key in networks:
        loss = learner.loss(key, networks, batch, learner.now({}))
        assert loss.shape == ()
        assert math.isfinite(loss.item())


@every_learner
def test_every_parameter_gets_a_gradient_from_the_loss_of_its_network(name, data):
    learner, networks, batch = made(name, data)
    for key, network in networks.items():
        network.zero_grad()
        learner.loss(key, networks, batch, learner.now({})).backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@every_learner
def test_a_learner_reports_exactly_its_metrics(name, data):
    learner, networks, batch = made(name, data)
    with torch.no_grad():
        found = learner.evaluate(networks, *batch)
    assert set(found) == set(learner.metrics)
    assert all(isinstance(float(value), float) for value in found.values())
    assert set(learner.metrics.values()) <= {"minimize", "maximize"}


@every_learner
def test_the_same_seed_gives_the_same_weights_and_another_one_others(name, data):
    learner = made(name, data)[0]
    found = []
    for seed in (1, 1, 2):
        with seeded(seed):
            found.append(weights(learner.networks({})))
    assert equal(found[0], found[1])
    assert not equal(found[0], found[2])


@pytest.mark.parametrize("name", learners.names())
def test_every_default_is_a_value_that_may_be_given(name):
    found = learners.find(name).hyperparameters()
    assert set(OPTIMISER) | {"batch_size"} <= set(found)
    for h in found.values():
        assert isinstance(h.default, h.kind)
        assert not h.choices or h.default in h.choices
        assert not isinstance(h.default, int | float) or h.low <= h.default <= h.high


@every_learner
def test_structural_hyperparameters_change_shapes_or_code(name, data):
    learner, networks, batch = made(name, data)
    known = learner.hyperparameters()
    common = {"batch_size", "precision", "class_weight"}  # and what belongs to the optimisers
    for key in ("optimizer", "schedule"):
        common |= {key, *(f"{name}_{key}" for name in networks)}
    for key in learner.structural() - common:
        h = known[key]
        other = next(c for c in h.choices if c != h.default) if h.choices else h.default + 1
        with seeded(0):
            changed = learner.networks({key: other})
        before = [tensor.shape for tensor in weights(networks)]
        if before == [tensor.shape for tensor in weights(changed)]:
            for network, old in networks.items():
                changed[network].load_state_dict(old.state_dict())
            now = learner.now({key: other})
            assert losses(learner, networks, batch, learner.now({})) != losses(
                learner, changed, batch, now
            ), key


@every_learner
def test_live_hyperparameters_change_what_is_learned(name, data, trained):
    learner = made(name, data)[0]
    sgd, adam = {"optimizer": "sgd"}, {"optimizer": "adam"}
    cases = [
        (sgd, {"learning_rate": 0.01}),
        (sgd, {"momentum": 0.5}),
        (sgd, {"weight_decay": 0.1}),
        (sgd, {"schedule": "linear"}),
        (sgd, {"clip_norm": 1e-3}),
        (adam, {"beta1": 0.3}),
        (adam, {"beta2": 0.5}),
    ]
    own = {key: {key: min(h.default + 0.3, h.high)} for key, h in learner.live.items()}
    if learner.data.task == "regression":  # which has no classes to be unsure of
        own.pop("label_smoothing", None)
    for shared, change in [*cases, *((adam, change) for change in own.values())]:
        before, after = trained(name, data, shared), trained(name, data, shared | change)
        assert not equal(before, after), change


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "rmsprop"])
@pytest.mark.parametrize("name", learners.names())
def test_another_optimizer_learns_something_else(name, optimizer, trained):
    data = next(data for known, data in PAIRS if known == name)
    params = {"weight_decay": 0.1}  # without it adamw is adam
    other = {**params, "optimizer": optimizer}
    assert not equal(trained(name, data, params), trained(name, data, other))


@every_learner
@pytest.mark.parametrize("rows", [1, 2, 7])
def test_the_exported_program_answers_as_the_network(name, data, rows, tmp_path):
    learner, networks, (inputs, _) = made(name, data)
    network = learner.predictor(networks)
    own = learner.requests(networks, len(inputs))
    inputs = inputs if own is None else own
    export(network, inputs[:2], tmp_path / "network.pt2")
    program = torch.export.load(tmp_path / "network.pt2").module()
    with torch.no_grad():
        torch.testing.assert_close(program(inputs[:rows]), network.eval()(inputs[:rows]))


@pytest.mark.parametrize("name", ["cnn", "mlp"])
def test_dropout_is_random_in_training_and_absent_in_evaluation(name):
    learner = learners.find(name)(SMALL)
    network = learner.networks({"hidden": 64})["network"]
    rows = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    network.train()
    with seeded(0):
        assert not torch.equal(network(rows, dropout=0.5), network(rows, dropout=0.5))
    assert torch.equal(network(rows, dropout=0.0), network(rows))
    network.eval()
    assert torch.equal(network(rows, dropout=0.5), network(rows))


def test_dropout_leaves_the_expectation_as_it_is():
    learner = learners.find("mlp")(DataFacts("regression", (3,), 1))
    network = learner.networks({"hidden": 16})["network"].train()
    row = torch.ones(1, 3)
    with seeded(0), torch.no_grad():
        draws = network(row.expand(20_000, 3), dropout=0.4).double()
        wanted = network.eval()(row).item()
    # A mean of 20 000 lies within 5 of its standard errors but for one run in 10^6.
    assert abs(draws.mean().item() - wanted) < 5 * draws.std().item() / math.sqrt(20_000)


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({"depth": 0}, 64 * 10 + 10),
        ({"hidden": 5}, 64 * 5 + 5 + 5 * 10 + 10),
        ({"hidden": 5, "depth": 3}, 64 * 5 + 5 + 2 * (5 * 5 + 5) + 5 * 10 + 10),
    ],
)
def test_an_mlp_has_as_many_parameters_as_its_layers_have(params, count):
    network = learners.find("mlp")(SMALL).networks(params)["network"]
    assert parameters(network) == count
    assert network(torch.zeros(3, 1, 8, 8)).shape == (3, 10)


@pytest.mark.parametrize(
    ("activation", "wanted"),
    [
        ("relu", [0.0, 2.0]),
        ("tanh", [-0.964028, 0.964028]),
        ("silu", [-0.238406, 1.761594]),  # x / (1 + exp(-x))
        ("gelu", [-0.045500, 1.954500]),  # x times the Gaussian's share below x
    ],
)
def test_the_activation_is_the_one_named(activation, wanted):
    learner = learners.find("mlp")(DataFacts("regression", (1,), 1))
    network = learner.networks({"hidden": 1, "activation": activation})["network"]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1.0 if parameter.ndim == 2 else 0.0)
        answer = network(torch.tensor([[-2.0], [2.0]])).squeeze(1)
    assert answer.tolist() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["8x8", "28x28"])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
def test_a_cnn_has_as_many_parameters_as_its_layers_have(data, kernel):
    def after(side):  # padded by half a kernel on both sides, then halved
        return (side + 2 * (kernel // 2) - kernel + 1) // 2

    network = learners.find("cnn")(data).networks({"kernel": kernel, "channels": 3, "hidden": 7})
    side = after(after(data.shape[1]))
    convolutions = (kernel**2 * 3 + 3) + (kernel**2 * 3 * 6 + 6)
    assert parameters(network["network"]) == convolutions + (6 * side**2 * 7 + 7) + (7 * 10 + 10)
    assert network["network"](torch.zeros(2, *data.shape)).shape == (2, 10)


@pytest.mark.parametrize("shape", [(4,), (1, 3, 8), (8, 8)])
def test_a_cnn_refuses_what_is_no_image(shape):
    with pytest.raises(ValueError, match="cnn needs images") as caught:
        learners.find("cnn")(DataFacts("classification", shape, 2)).networks({})
    assert str(caught.value) == (
        "cnn needs images of shape (colours, height, width), at least 4 x 4 pixels, "
        f"got {shape}; use mlp"
    )


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("mlp", {"hidden": 0}),
        ("mlp", {"depth": -1}),
        ("cnn", {"hidden": 0}),
        ("cnn", {"kernel": 0}),
        ("cnn", {"channels": -1}),
    ],
)
def test_networks_of_nothing_are_refused(name, params):
    with pytest.raises(ValueError, match=rf"^{name} needs .*; raise them$"):
        learners.find(name)(SMALL).networks(params)


def test_label_smoothing_moves_a_share_of_the_target_to_all_classes():
    class Untouched(Supervised):
        def build(self):
            return nn.Identity()

    learner = Untouched(DataFacts("classification", (2,), 2))
    batch = torch.tensor([[0.0, math.log(3)]]), torch.tensor([1])  # p = 1/4, 3/4
    networks = {"network": nn.Identity()}
    plain = learner.loss("network", networks, batch, learner.now({}))
    smooth = learner.loss("network", networks, batch, learner.now({"label_smoothing": 0.2}))
    assert plain.item() == pytest.approx(math.log(4 / 3))
    assert smooth.item() == pytest.approx(0.9 * math.log(4 / 3) + 0.1 * math.log(4))


def test_errors_of_a_regression_are_in_units_of_the_target():
    class Untouched(Supervised):
        def build(self):
            return nn.Identity()

    learner = Untouched(DataFacts("regression", (1,), 1, target_std=10.0))
    answers, targets = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([1.0, 2.0, 5.0])
    found = learner.evaluate({"network": nn.Identity()}, answers, targets)
    # The errors are 0, 0 and -2; the targets' variance is 26/9.
    assert found["loss"] == pytest.approx(4 / 3)
    assert found["rmse"] == pytest.approx(10 * math.sqrt(4 / 3))
    assert found["mae"] == pytest.approx(10 * 2 / 3)
    assert found["r2"] == pytest.approx(1 - (4 / 3) / (26 / 9))


# References

OWN = """
from torch import nn

from nettuner.models.learner import Supervised
from sibling_of_own import WIDTH


class Net(Supervised):
    def build(self, *, hidden: int = WIDTH):
        return nn.Sequential(nn.Linear(self.data.features, hidden), nn.Linear(hidden, 1))


class Bare(Supervised):
    pass


def score(hyperparameters, report):
    return 1.0


number = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A file outside of the repository that imports another one beside it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "sibling_of_own.py").write_text("WIDTH = 5\n")
    (tmp_path / "own.py").write_text(OWN)
    yield tmp_path / "own.py"
    sys.modules.pop("sibling_of_own", None)


def refused(reference):
    with pytest.raises(ValueError, match=r".") as caught:
        learners.find(str(reference))
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_a_built_in_is_found_by_its_name():
    assert learners.find("mlp").__name__ == "MLP"
    assert learners.find("cnn").__name__ == "CNN"


def test_a_class_in_a_file_is_found_with_the_files_beside_it(own):
    found = learners.find(f"{own}:Net")
    assert issubclass(found, Learner)
    assert found.hyperparameters()["hidden"].default == 5
    assert learners.find(f"{own}:Net") is found


def test_a_function_in_a_file_is_found(own):
    assert learners.find(f"{own}:score")({}, None) == 1.0


def test_a_class_in_a_package_is_found_from_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "package_of_own").mkdir()
    (tmp_path / "package_of_own" / "nets.py").write_text(
        "from nettuner.models.learners.mlp import MLP\nclass Mine(MLP): pass\n"
    )
    assert learners.find("package_of_own.nets:Mine").__name__ == "Mine"
    assert learners.find("nettuner.models.learners.mlp:MLP") is learners.find("mlp")


def test_an_unknown_name_lists_what_is_built_in():
    assert refused("mpl") == (
        f"no learner named 'mpl'; built in: {', '.join(learners.names())}; "
        "your own: path/to/file.py:Class"
    )


def test_a_missing_class_lists_what_the_file_defines(own):
    assert refused(f"{own}:Nett") == f"{own} has no 'Nett'; it defines: Net, Bare, score"


def test_what_is_neither_learner_nor_function_is_refused(own):
    assert refused(f"{own}:number") == (
        f"{own}:number must be a subclass of nettuner.models.learner.Learner, a LightningModule "
        "or a function f(hyperparameters, report), got 3; derive it from Supervised"
    )
    assert "got <class 'collections.OrderedDict'>" in refused("collections:OrderedDict")


def test_a_learner_that_is_not_complete_is_refused(own):
    assert refused(f"{own}:Bare") == f"{own}:Bare must define build, got none; add it"
    assert refused("nettuner.models.learner:Learner") == (
        "nettuner.models.learner:Learner must define evaluate, loss, metrics, build, "
        "got none; add it"
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise OSError('two\\nlines')", "OSError: two lines"),
        ("1 +", "SyntaxError: invalid syntax ("),
        ("raise SystemExit(2)", "SystemExit: 2"),
    ],
)
def test_a_file_that_cannot_be_imported_says_why(tmp_path, monkeypatch, source, reason):
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "broken_learner.py"
    path.write_text(source)
    message = refused(f"{path}:Net")
    assert message.startswith(f"{path} could not be imported: {reason}")
    assert message.endswith(f"; python {path} must run")


def test_a_missing_file_or_module_says_so(tmp_path):
    assert "could not be imported: FileNotFoundError: no file" in refused(tmp_path / "no.py:Net")
    assert "No module named 'no_such_package'" in refused("no_such_package.nets:Net")


# Several networks

GAN = """
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as entropy

from nettuner.models.learner import Hyperparameter, Learner


class Gan(Learner):
    several = ("generator", "discriminator")
    live = {"noise": Hyperparameter(float, 1.0, low=0)}
    metrics = {"distance": "minimize"}

    def build(self, *, latent: int = 2):
        return {
            "generator": nn.Sequential(nn.Linear(latent, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)),
            "discriminator": nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.5), nn.Linear(4, 1)),
        }

    def loss(self, network, networks, batch, now):
        rows = batch[0]
        latent = networks["generator"][0].in_features
        fake = networks["generator"](now["noise"] * torch.randn(len(rows), latent))
        judged = networks["discriminator"](fake if network == "generator" else fake.detach())
        if network == "generator":
            return entropy(judged, torch.ones_like(judged))
        real = networks["discriminator"](rows)
        return entropy(real, torch.ones_like(real)) + entropy(judged, torch.zeros_like(judged))

    def evaluate(self, networks, inputs, targets):
        latent = networks["generator"][0].in_features
        fake = networks["generator"](torch.randn(len(inputs), latent))
        return {"distance": (fake.mean(0) - inputs.mean(0)).norm().item()}
"""


@pytest.fixture
def gan(tmp_path, monkeypatch):
    """A file with a learner of two networks, and one with points to learn."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "gan.py").write_text(GAN)
    rows = "".join(f"{i % 7},{i % 5},{i % 3}\n" for i in range(60))
    (tmp_path / "points.csv").write_text("x,y,class\n" + rows)
    return tmp_path


def steps(gan, params):
    """How far each network of the GAN moved in three rounds of training."""
    dataset = load(Csv(path=str(gan / "points.csv")))
    learner = learners.find(f"{gan / 'gan.py'}:Gan")(facts(dataset))
    with seeded(0, 0):
        start = learner.networks(params)
    end = gan / "state.safetensors"
    rounds = list(fit(learner, dataset, params, Length(3), seed=(0, 0), end=end))
    assert set(rounds[-1][1]) == {
        "train_generator_loss",
        "train_generator_learning_rate",
        "train_discriminator_loss",
        "train_discriminator_learning_rate",
        "val_distance",
    }
    after = load_file(end)
    return {
        name: max(
            (after[f"network/{name}/{key}"] - before).abs().max().item()
            for key, before in network.named_parameters()
        )
        for name, network in start.items()
    }


def test_two_networks_train_side_by_side(gan):
    moved = steps(gan, {"optimizer": "sgd", "learning_rate": 0.1})
    assert moved["generator"] > 0
    assert moved["discriminator"] > 0


@pytest.mark.parametrize(
    ("params", "still"),
    [
        ({"generator_learning_rate": 0.0}, {"generator"}),
        ({"discriminator_learning_rate": 0.0, "learning_rate": 0.1}, {"discriminator"}),
        ({"learning_rate": 0.0, "generator_learning_rate": 0.1}, {"discriminator"}),
        ({"learning_rate": 0.0}, {"generator", "discriminator"}),
    ],
)
def test_a_networks_own_hyperparameter_goes_before_that_of_all(gan, params, still):
    moved = steps(gan, {"optimizer": "sgd", **params})
    assert {name for name, step in moved.items() if step == 0} == still


def test_each_network_may_have_its_own_optimizer_and_momentum(gan):
    learner = learners.find(f"{gan / 'gan.py'}:Gan")(DataFacts("classification", (2,), 3))
    now = learner.now({"optimizer": "sgd", "generator_optimizer": "adam", "momentum": 0.5})
    assert optimiser.own("generator", "optimizer", now) == "adam"
    assert optimiser.own("discriminator", "optimizer", now) == "sgd"
    assert optimiser.own("generator", "momentum", now) == 0.5
    assert optimiser.own("generator", "beta1", now) == 0.9


def two_networks(gan, space):
    return Study(
        name="gan",
        learner=f"{gan / 'gan.py'}:Gan",
        data=Csv(path=str(gan / "points.csv")),
        space=Space.model_validate(space),
        metric="val_distance",
        epochs=1,
    )


def test_a_study_may_search_what_one_of_several_networks_is_given(gan):
    rate = {"distribution": "log-uniform", "low": 1e-4, "high": 0.1}
    space = {"generator_learning_rate": rate, "discriminator_optimizer": ["sgd", "adam"]}
    fitted = fit_together(two_networks(gan, space))
    assert {"latent", "optimizer", "discriminator_optimizer"} <= fitted.structural


def test_a_network_that_is_not_there_is_given_nothing(gan):
    with pytest.raises(MisfitError, match="did you mean 'generator_momentum'"):
        fit_together(two_networks(gan, {"generater_momentum": 0.5}))
    source = GAN.replace('("generator", "discriminator")', '("maker", "judge")')
    (gan / "gan.py").write_text(source)
    learners.find.cache_clear()
    with pytest.raises(MisfitError, match="build must return maker, judge as in `several`"):
        fit_together(two_networks(gan, {"maker_momentum": 0.5}))
