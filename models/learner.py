"""The contract of anything that can be trained.

A learner says which networks its structural hyperparameters build, and one loss per network. It
owns no training loop, optimiser or checkpoint. The current hyperparameters are an argument of
every step, so a changed value can never be overwritten by a restored optimiser state.

Where several configurations are trained as one program, `loss` is only called while the program is
traced, and a live hyperparameter in `now` stands for the values of all members. So `loss` keeps no
state between calls, computes with live hyperparameters but does not branch on them, and draws
random numbers by torch's functions (`randn`, `rand`, `functional.dropout` ...). The trials of a
learner that cannot do so are trained one by one.
"""

from __future__ import annotations

import functools
import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from nettuner.models.data.preprocessing import Sentences
from nettuner.models.data.samples import IGNORED
from nettuner.models.data.source import TaskKind
from nettuner.models.inputs import Inputs, called, each, parts, portions, taken
from nettuner.models.optimisers import KINDS
from nettuner.models.schedules import SCHEDULES
from nettuner.models.study import Direction

Networks = Mapping[str, nn.Module]
Now = Mapping[str, Any]
Batch = tuple[Inputs, Any]

EVALUATION_BATCH = 1024
NAMED = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class Hyperparameter:
    """The values that a learner accepts for one hyperparameter.

    Args:
        kind: Type of its values; float accepts whole numbers too.
        default: Value used where the space does not name it; None means it must be given.
        low, high: Bounds, both included.
        choices: Values allowed; empty for any.
        structural: True for one that fixes tensor shapes or code paths: it stays for a whole trial.
    """

    kind: type
    default: Any = None
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[Any, ...] = ()
    structural: bool = False


OPTIMISER: Mapping[str, Hyperparameter] = {
    "optimizer": Hyperparameter(str, "adam", choices=tuple(KINDS), structural=True),
    "learning_rate": Hyperparameter(float, 1e-3, low=0),
    "momentum": Hyperparameter(float, 0.9, low=0, high=1),
    "beta1": Hyperparameter(float, 0.9, low=0, high=0.999999),
    "beta2": Hyperparameter(float, 0.999, low=0, high=0.9999999),
    "weight_decay": Hyperparameter(float, 0.0, low=0),
    "warmup_steps": Hyperparameter(int, 0, low=0),  # of linear warm-up of the learning rate
    "schedule": Hyperparameter(str, "constant", choices=SCHEDULES, structural=True),
    "peak_at": Hyperparameter(float, 0.3, low=0, high=1),  # of one-cycle: share of the training
    "step_every": Hyperparameter(float, 0.3, low=0.001, high=1),  # of step: share of the training
    "step_factor": Hyperparameter(float, 0.1, low=0, high=1),  # of step
    "clip_norm": Hyperparameter(float, 0.0, low=0),  # largest norm of a gradient; 0: no limit
    "ema": Hyperparameter(float, 0.0, low=0, high=0.999999),  # decay of averaged weights; 0: none
}
DATA_FOR: Mapping[TaskKind, str] = {
    "classification": "data for classification",
    "regression": "data for regression",
    "labels": "data for labels (several for each input)",
    "translation": "data for translation",
    "own": "data whose targets only a learner with a loss of its own understands",
}
BATCH_SIZE = Hyperparameter(int, 64, low=1, structural=True)
# Of the computations of a loss; weights, optimisers and evaluation stay in float32.
PRECISION = Hyperparameter(
    str, "float32", choices=("float32", "tf32", "bf16", "fp16"), structural=True
)
CLASS_WEIGHT = Hyperparameter(str, "none", choices=("none", "balanced"), structural=True)


@dataclass(frozen=True)
class DataFacts:
    """The facts about the data that a learner builds its networks from.

    Args:
        task: What is learned: `classification` (a class for each input, or for each of its
            positions), `regression` (one number or several), `labels` (which of several labels
            apply), `translation`, or `own`: anything else, for learners with a loss of their own.
        shape: Shape of one input, without the batch axis; empty where there are several inputs.
        outputs: Number of classes, of numbers, of labels, or size of the target's vocabulary.
        target_std: Regression: standard deviation of the target on the training rows.
        sentences: Translation: vocabularies and lengths of sentences.
        means, stds: Regression: mean and standard deviation of each number on the training rows.
        class_weights: Classification: weight of each class by which all classes count alike on the
            training rows; empty where these are not in memory.
        target_shape: Shape of one target, without the batch axis: empty for one class or number.
        first: Data of one's own: inputs and targets of the first training rows, as tensors, or
            tuples or mappings of tensors.
        tokens: Tokens of a vocabulary, where inputs are their ids (sentences with a label, ended
            and padded as `models/data/preprocessing.py` says); 0 for all others.
    """

    task: TaskKind
    shape: tuple[int, ...]
    outputs: int
    target_std: float = 1.0
    sentences: Sentences | None = None
    target_shape: tuple[int, ...] = ()
    first: Batch | None = None
    means: tuple[float, ...] = (0.0,)
    stds: tuple[float, ...] = (1.0,)
    class_weights: tuple[float, ...] = ()
    tokens: int = 0

    @property
    def features(self) -> int:
        """Numbers in one input."""
        return math.prod(self.shape)

    @property
    def shapes(self) -> Any:
        """Shapes of the inputs, without the batch axis: one, a tuple of them, or by name."""
        if self.first is None:
            return self.shape
        return each(lambda part: tuple(part.shape[1:]), self.first[0])

    def sample(self, rows: int) -> Batch:
        """Inputs and targets with the shapes and types of these data, to try a network on.

        The first rows of data of one's own, zeros for all others.
        """
        if self.first is not None:
            return taken(self.first[0], slice(rows)), taken(self.first[1], slice(rows))
        if self.sentences is not None:
            length = self.sentences.target_length
            inputs = torch.zeros(rows, *self.shape, dtype=torch.int64)
            return inputs, torch.zeros(rows, length, dtype=torch.int64)
        kind = torch.int64 if self.task == "classification" else torch.float32
        of_inputs = torch.int64 if self.tokens else torch.float32
        targets = torch.zeros(rows, *self.target_shape, dtype=kind)
        return torch.zeros(rows, *self.shape, dtype=of_inputs), targets


class Learner(ABC):
    """Anything that can be trained; subclasses define the networks and their losses."""

    live: ClassVar[Mapping[str, Hyperparameter]] = {}
    """Hyperparameters that `loss` reads and that may change between steps."""

    several: ClassVar[tuple[str, ...]] = ()
    """Names of the networks, where `build` returns more than one. Each may then have its own
    optimiser hyperparameters: `generator_learning_rate` beside `learning_rate`."""

    tasks: ClassVar[tuple[TaskKind, ...]] = get_args(TaskKind)
    """The tasks it can learn."""

    takes_tokens: ClassVar[bool] = True
    """Whether its networks embed inputs that are ids of tokens; others take them for numbers."""

    def __init__(self, data: DataFacts) -> None:
        if data.tokens and not self.takes_tokens:
            raise ValueError(
                f"the learner takes inputs for numbers, got the ids of {data.tokens} tokens; use "
                "text_classifier, or a learner of your own with an embedding"
            )
        if data.task not in self.tasks:
            raise ValueError(
                f"the learner is for {' or '.join(self.tasks)}, got {DATA_FOR[data.task]}; "
                "name another learner or other data"
            )
        self.data = data

    # Subclasses name their structural hyperparameters as arguments, so the signatures differ on
    # purpose.
    build: Any
    """`build(self, *, hidden: int = 64, ...)`: an nn.Module, or a dict of them by name."""

    @abstractmethod
    def loss(self, network: str, networks: Networks, batch: Batch, now: Now) -> Tensor:
        """What `network` minimises on this batch, inputs and targets: a scalar tensor."""

    @abstractmethod
    def evaluate(
        self, networks: Networks, inputs: Inputs, targets: Any
    ) -> Mapping[str, float | Tensor]:
        """The metrics on one split; networks are in eval mode, gradients are off.

        Scalar tensors instead of floats allow all members of a stack to be evaluated at once.
        """

    def evaluate_batches(
        self, networks: Networks, batches: Iterator[Batch]
    ) -> Mapping[str, float | Tensor]:
        """The metrics on one split that is not in memory: means over its batches.

        They are weighted by the rows of each; override it for metrics that are no such means.
        """
        totals: dict[str, float] = {}
        rows = 0
        for inputs, targets in batches:
            count = len(parts(targets)[0])
            rows += count
            for name, value in self.evaluate(networks, inputs, targets).items():
                totals[name] = totals.get(name, 0.0) + count * float(value)
        return {name: total / rows for name, total in totals.items()}

    def predictions(self, networks: Networks, inputs: Inputs) -> Tensor:
        """What further metrics of a study are computed from: the answers for these rows.

        Networks are in eval mode, gradients are off. A learner that does not define it has the
        metrics alone that `evaluate` returns.
        """
        raise NotImplementedError

    def truth(self, targets: Any) -> Tensor:
        """The targets that `predictions` is compared with."""
        found: Tensor = targets
        return found

    @property
    @abstractmethod
    def metrics(self) -> Mapping[str, Direction]:
        """Names of the metrics that `evaluate` returns, and the direction of each."""

    def prepare(self, inputs: Inputs, targets: Any) -> None:  # noqa: B027 - most need nothing
        """Prepare once, before training, what evaluation needs beside the networks.

        It must depend on these rows, the training rows, alone.
        """

    def pictures(self, networks: Networks) -> Mapping[str, NDArray[np.uint8]]:
        """Images to look at while it trains, by name: [height, width] or [height, width, 3].

        Networks are in eval mode, gradients are off.
        """
        return {}

    def predictor(self, networks: Networks) -> nn.Module:
        """The network that is served in production; the first one unless overridden."""
        return next(iter(networks.values()))

    def requests(self, networks: Networks, rows: int) -> Tensor | None:
        """`rows` example inputs of the predictor, where these are not inputs from the data.

        The predictor is then served without preprocessing: its outputs are the answers.
        """
        return None

    @classmethod
    def hyperparameters(cls) -> dict[str, Hyperparameter]:
        """All that may be searched: structural and live ones, the optimisers', those of a step."""
        own = {f"{network}_{name}": h for network in cls.several for name, h in OPTIMISER.items()}
        step = {"batch_size": BATCH_SIZE, "precision": PRECISION}
        return {**_structural(cls), **cls.live, **OPTIMISER, **own, **step}

    @classmethod
    def structural(cls) -> frozenset[str]:
        """Names of the hyperparameters that fix tensor shapes or code paths."""
        return frozenset(name for name, h in cls.hyperparameters().items() if h.structural)

    def networks(self, params: Mapping[str, Any]) -> dict[str, nn.Module]:
        """The networks of one configuration, freshly initialised."""
        wanted = _structural(type(self))
        built = self.build(**{name: params[name] for name in wanted if name in params})
        return {"network": built} if isinstance(built, nn.Module) else dict(built)

    def now(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The current hyperparameters: those given, and the defaults of the others.

        A network without its own `<network>_<name>` uses the `name` shared by all networks.
        """
        defaults = {name: h.default for name, h in self.hyperparameters().items()}
        shared = {
            f"{network}_{name}": params[name]
            for network in self.several
            for name in OPTIMISER
            if name in params
        }
        return {**defaults, **shared, **params}


def _structural(cls: type[Learner]) -> dict[str, Hyperparameter]:
    """The hyperparameters that fix the networks."""
    return arguments(cls.build)


def arguments(function: Callable[..., Any]) -> dict[str, Hyperparameter]:
    """The named arguments of a function, with their types and defaults, as hyperparameters."""
    hints = get_type_hints(function)
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "self" or parameter.kind not in NAMED:
            continue
        hint = hints.get(name, object)
        choices = get_args(hint) if get_origin(hint) is Literal else ()
        kind = type(choices[0]) if choices else hint if isinstance(hint, type) else object
        default = None if parameter.default is inspect.Parameter.empty else parameter.default
        found[name] = Hyperparameter(kind, default, choices=choices, structural=True)
    return found


@functools.lru_cache(maxsize=64)
def _taken(network: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the arguments of a network's forward pass."""
    return tuple(inspect.signature(network.forward).parameters)  # type: ignore[attr-defined]


class Supervised(Learner):
    """One network from inputs to targets.

    Cross entropy for a class (or a class at each position), squared error for one number or
    several, binary cross entropy for several labels.

    A subclass only has to `build` the network. It is called as `network(inputs)`, where a sample
    has several inputs as `network(first, second)` or, where these have names, with these. Live
    hyperparameters that are arguments of its `forward` by name (such as `dropout`) are passed to it
    at every step.
    """

    live: ClassVar[Mapping[str, Hyperparameter]] = {
        "label_smoothing": Hyperparameter(float, 0.0, low=0, high=1)
    }
    tasks: ClassVar[tuple[TaskKind, ...]] = ("classification", "regression", "labels")

    @classmethod
    def hyperparameters(cls) -> dict[str, Hyperparameter]:
        """Those of every learner, and whether all classes count alike in the loss."""
        return {**super().hyperparameters(), "class_weight": CLASS_WEIGHT}

    @property
    def metrics(self) -> Mapping[str, Direction]:
        """Loss and accuracy for classes and labels; loss, rmse, mae and r2 for numbers."""
        if self.data.task in ("classification", "labels"):
            return {"loss": "minimize", "accuracy": "maximize"}
        return {"loss": "minimize", "rmse": "minimize", "mae": "minimize", "r2": "maximize"}

    def forward(self, network: nn.Module, inputs: Inputs, now: Now) -> Tensor:
        """Outputs [batch, outputs] for inputs [batch, *shape]."""
        live = {name: now[name] for name in _taken(type(network)) if name in self.live}  # type: ignore[arg-type]
        outputs: Tensor = called(network, inputs, **live)
        return outputs

    def loss(self, network: str, networks: Networks, batch: Batch, now: Now) -> Tensor:
        """Cross entropy [nats], binary or not, or mean squared error of the target."""
        inputs, targets = batch
        outputs = self.forward(networks[network], inputs, now)
        weights = self._class_weights(now, outputs.device)
        if self.data.task == "classification":
            return functional.cross_entropy(
                outputs, targets, weights, label_smoothing=now["label_smoothing"]
            )
        if self.data.task == "labels":
            smooth = now["label_smoothing"]
            return functional.binary_cross_entropy_with_logits(
                outputs, targets * (1 - smooth) + smooth / 2
            )
        return functional.mse_loss(shaped(outputs, targets), targets)

    def _class_weights(self, now: Now, device: torch.device) -> Tensor | None:
        """Weight of each class in the loss; None for equal ones.

        Raises:
            ValueError: There are no classes, or they could not be counted.
        """
        if now.get("class_weight", "none") == "none":
            return None
        if self.data.task != "classification":
            raise ValueError(
                f"class_weight must be none where no classes are learned, got "
                f"{now['class_weight']} and {DATA_FOR[self.data.task]}; drop it"
            )
        if not self.data.class_weights:
            raise ValueError(
                "class_weight: balanced needs the training rows in memory, got data that are read "
                "batch by batch; drop it, or weigh the classes in a loss of your own"
            )
        return torch.tensor(self.data.class_weights, device=device)

    def evaluate(self, networks: Networks, inputs: Inputs, targets: Any) -> Mapping[str, Tensor]:
        """The metrics on one split, errors in units of the target."""
        return self.scores(self._outputs(networks, inputs), targets)

    def _outputs(self, networks: Networks, inputs: Inputs) -> Tensor:
        """Outputs for all rows."""
        network = networks["network"]
        return torch.cat([called(network, part) for part in portions(inputs, EVALUATION_BATCH)])

    def predictions(self, networks: Networks, inputs: Inputs) -> Tensor:
        """Probabilities [rows, classes or labels], or numbers [rows, ...] in the target's unit."""
        outputs = self._outputs(networks, inputs)
        if self.data.task == "classification":
            return outputs.softmax(1)
        if self.data.task == "labels":
            return outputs.sigmoid()
        return self.truth(outputs.reshape(len(outputs), *self.data.target_shape))

    def truth(self, targets: Any) -> Tensor:
        """Classes [rows], labels [rows, labels], or numbers [rows, ...] in the target's unit."""
        found: Tensor = targets
        if self.data.task != "regression":
            return found
        means, stds = (
            torch.tensor(of, dtype=torch.float64, device="cpu")
            for of in (self.data.means, self.data.stds)
        )
        return found.cpu().double() * stds + means

    def evaluate_batches(
        self, networks: Networks, batches: Iterator[Batch]
    ) -> Mapping[str, float | Tensor]:
        """The metrics on one split, from all its outputs; of classes by position means of batches.

        The outputs of the latter are as large as images.
        """
        positions = self.data.task == "classification" and self.data.target_shape
        if positions or type(self).evaluate is not Supervised.evaluate:
            return super().evaluate_batches(networks, batches)
        found = [(called(networks["network"], inputs), targets) for inputs, targets in batches]
        outputs, targets = (torch.cat(whole) for whole in zip(*found, strict=True))
        return self.scores(outputs, targets)

    def scores(self, outputs: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """The metrics of the outputs for all rows of a split."""
        if self.data.task == "classification":
            right = exact(outputs.argmax(1) == targets)
            if self.data.target_shape:
                known = exact(targets != IGNORED)
                accuracy = (right * known).sum() / known.sum()
            else:
                accuracy = right.mean()
            return {"loss": functional.cross_entropy(outputs, targets), "accuracy": accuracy}
        if self.data.task == "labels":
            return {
                "loss": functional.binary_cross_entropy_with_logits(outputs, targets),
                "accuracy": exact((outputs > 0) == (targets > 0.5)).mean(),
            }
        errors = exact(shaped(outputs, targets)) - exact(targets)
        squared = errors.square().mean(0)
        spread = exact(targets).var(0, correction=0)
        r2 = torch.where(spread > 0, 1 - squared / spread, math.nan)
        return {
            "loss": squared.mean(),
            "rmse": squared.mean().sqrt() * self.data.target_std,
            "mae": errors.abs().mean() * self.data.target_std,
            "r2": r2.mean(),
        }


def exact(numbers: Tensor) -> Tensor:
    """Numbers in float64, or in float32 on a device that has no other."""
    return numbers.float() if numbers.device.type == "mps" else numbers.double()


def shaped(outputs: Tensor, targets: Tensor) -> Tensor:
    """Outputs in the shape of the targets: of one number for each row, or of several."""
    return outputs.squeeze(1) if targets.ndim == 1 else outputs.reshape(targets.shape)
