"""A LightningModule as an own loop: its rounds are the epochs of Lightning's trainer.

The arguments of the module, of its LightningDataModule and of Lightning's Trainer are the
hyperparameters. Networks, optimisers, schedules, callbacks and the trainer's own counts are kept.
"""

from __future__ import annotations

import inspect
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

import torch
from torch.utils.data import DataLoader, TensorDataset

from nettuner.models.data.dataset import Dataset, Split
from nettuner.models.learner import NAMED, Hyperparameter, arguments
from nettuner.models.lightning_class import PACKAGES, lightning_package
from nettuner.models.training.context import Context

# Settings of the trainer that are ours.
OURS: Mapping[str, Any] = {
    "devices": 1,
    "num_nodes": 1,
    "max_steps": -1,
    "logger": False,
    "check_val_every_n_epoch": 1,
    "num_sanity_val_steps": 0,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
ALSO_OURS = ("callbacks", "default_root_dir", "max_epochs", "max_time", "fast_dev_run")
BATCH_SIZE = 64


def hyperparameters(module: type) -> dict[str, Hyperparameter]:
    """What may be searched: arguments of the module, its data and the trainer, by their names."""
    trainer = _package(module).Trainer
    taken = [name for name in _arguments(trainer) if name not in (*OURS, *ALSO_OURS)]
    # Those that are left out are the trainer's own concern.
    found = {name: Hyperparameter(object, "") for name in taken}
    found["batch_size"] = Hyperparameter(int, BATCH_SIZE, low=1)
    for part in (_data_module(module), module):
        found |= _arguments(part) if part else {}
    return found


def fault(module: type, given: Any) -> tuple[str, str] | None:
    """What a study of this module does not fit in: key and message; None if it fits.

    Args:
        module: Class of the module.
        given: Study that names it.
    """
    if given.steps is not None:
        return "steps", f"a LightningModule trains by epochs, got {given.steps} steps; give epochs"
    defined_in = module.train_dataloader.__module__.partition(".")[0]  # type: ignore[attr-defined]
    own = defined_in not in PACKAGES or _data_module(module) is not None
    if own is (given.data is None):
        return None
    if own:
        return "data", (
            f"{module.__name__} brings its own, got {given.data.source} too; drop data, or its "
            "train_dataloader and its LightningDataModule"
        )
    return "data", (
        f"{module.__name__} needs some, got none; define train_dataloader in it, a "
        "LightningDataModule in its file, or name data"
    )


def as_loop(module: type) -> Callable[[Mapping[str, Any], Context], None]:
    """The function with a context that trains a LightningModule."""

    def train(hyperparameters: Mapping[str, Any], context: Context) -> None:
        _train(module, hyperparameters, context)

    return train


def _train(module: type, now: Mapping[str, Any], context: Context) -> None:
    package = _package(module)
    logging.getLogger(package.__name__).setLevel(logging.ERROR)
    data = _data_module(module)
    owned = {name for part in (module, data) if part for name in _arguments(part)}
    settings = {k: v for k, v in now.items() if k not in owned and k in _arguments(package.Trainer)}
    trainer = package.Trainer(
        **OURS,
        **settings,
        max_epochs=context.length.rounds,
        callbacks=[_rounds(package, context)],
        default_root_dir=context.folder,
    )
    given: dict[str, Any] = {}
    if data is not None:
        given["datamodule"] = _made(data, now)
    elif context.data is not None:
        batch_size = now.get("batch_size", BATCH_SIZE)
        given["train_dataloaders"], given["val_dataloaders"] = _loaders(context.data, batch_size)
    with warnings.catch_warnings():
        # Of how many workers would load faster, and the like.
        warnings.filterwarnings("ignore", module=rf"{package.__name__.partition('.')[0]}\.")
        trainer.fit(_made(module, now), **given)


def _rounds(package: Any, context: Context) -> Any:
    """The callback that makes epochs rounds of the context."""

    class Rounds(package.Callback):  # type: ignore[misc]
        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            context.keep(**dict(_parts(trainer, pl_module)))
            # Or the first epoch would take the batches that were drawn before its round began.
            trainer.fit_loop.on_iteration_done()
            self._rounds = context.rounds()

        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            next(self._rounds)

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            context.report(trainer.callback_metrics)
            trainer.should_stop = trainer.should_stop or context.is_last

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            if context.is_last:  # schedules have made their step only now
                next(self._rounds, None)
            else:
                del self._rounds

    return Rounds()


def _parts(trainer: Any, module: Any) -> Iterator[tuple[str, Any]]:
    """What a training goes on from, by name."""
    yield "module", module
    for place, optimiser in enumerate(trainer.optimizers):
        yield f"optimiser_{place}", optimiser
    for place, config in enumerate(trainer.lr_scheduler_configs):
        yield f"schedule_{place}", config.scheduler
    for place, callback in enumerate(trainer.callbacks):
        yield f"callback_{place}", callback
    if trainer.datamodule is not None:
        yield "data", trainer.datamodule
    yield "loops", trainer.fit_loop


def _loaders(dataset: Dataset, batch_size: int) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Loaders of the training rows, shuffled, and of the validation rows."""
    parts = dataset.train, dataset.validation
    if not all(isinstance(part, Split) for part in parts):
        raise ValueError(
            "data of a LightningModule must fit into memory, got some that are read when they are "
            "needed; give it a LightningDataModule"
        )
    train, validation = (
        TensorDataset(torch.as_tensor(part.inputs), torch.as_tensor(part.targets))
        for part in parts
        if isinstance(part, Split)
    )
    return DataLoader(train, batch_size, shuffle=True), DataLoader(validation, batch_size)


def _made(cls: type, now: Mapping[str, Any]) -> Any:
    return cls(**{name: now[name] for name in _arguments(cls, now) if name in now})


def _arguments(cls: type, now: Mapping[str, Any] | None = None) -> dict[str, Hyperparameter]:
    """The named arguments of a class; all of `now` where it takes any.

    None is a default of theirs, which must not be given.
    """
    parameters = inspect.signature(cls).parameters.values()
    found = arguments(cls.__init__)  # type: ignore[misc]
    for parameter in parameters:
        if parameter.kind in NAMED and parameter.default is None:
            found[parameter.name] = replace(found[parameter.name], kind=object, default="")
    if now is not None and any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        found = dict.fromkeys(now, Hyperparameter(object, "")) | found
    return found


def _package(module: type) -> Any:
    name = lightning_package(module)
    assert name is not None
    return import_module(name)


def _data_module(module: type) -> type | None:
    """The one LightningDataModule in the module's file.

    Raises:
        ValueError: There are several.
    """
    found = {
        value
        for value in vars(sys.modules[module.__module__]).values()
        if lightning_package(value, "LightningDataModule") is not None
    }
    if len(found) > 1:
        names = ", ".join(sorted(cls.__name__ for cls in found))
        raise ValueError(
            f"the file of {module.__name__} must have one LightningDataModule, got {names}; "
            "move the others to another file"
        )
    return found.pop() if found else None
