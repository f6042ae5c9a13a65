"""Whether a study's learner, data, space and metric fit together, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from nettuner.models import learners
from nettuner.models.data.dataset import Dataset
from nettuner.models.data.foldable import check_foldable
from nettuner.models.data.load import load
from nettuner.models.data.profile import Profile
from nettuner.models.data.profiling import profile
from nettuner.models.data.streams import LoaderStream
from nettuner.models.fitted import Fitted, MisfitError
from nettuner.models.learner import Learner
from nettuner.models.lightning_class import lightning_package
from nettuner.models.space import Choice, Dimension, Fixed, Space
from nettuner.models.space_faults import space_faults
from nettuner.models.study import Direction, Goal, Study
from nettuner.models.training import lightning
from nettuner.models.training.loop import facts
from nettuner.models.training.metrics import asked_for
from nettuner.models.training.metrics import known as further_ones
from nettuner.models.training.own_loop import own_loop
from nettuner.models.training.seeding import seeded


def fit_together(study: Study) -> Fitted:
    """Load learner and data and check the study against them; trains nothing.

    Raises:
        MisfitError: Something does not fit; lists all faults at once where that is possible.
    """
    with learners.beside(study.learner):
        try:
            found = learners.find(study.learner)
        except ValueError as error:
            raise MisfitError([("learner", str(error))]) from None
        return replace(_fitted(study, found), backends=backends())


def _fitted(study: Study, found: Any) -> Fitted:
    if own_loop(found) is not None:
        return _fit_loop(study, found)
    return _fit_learner(study, found) if isinstance(found, type) else _fit_function(study)


def backends() -> frozenset[str]:
    """Kinds of accelerators that torch was built for, asked without touching any."""
    built = {"cuda": torch.version.cuda is not None, "mps": torch.backends.mps.is_built()}
    return frozenset(kind for kind, is_built in built.items() if is_built)


def fit_or_faults(study: Study) -> Fitted | list[tuple[str, str]]:
    """Like `fit_together`, for another process: a misfit is an answer, (key, message) a fault."""
    try:
        return fit_together(study)
    except MisfitError as error:
        return error.faults


def _fit_function(study: Study) -> Fitted:
    faults = []
    if study.data is not None:
        faults.append(
            (
                "data",
                f"a function without a context brings its own data, got {study.data.source}; drop "
                "data, or name the second argument `context`",
            )
        )
    if study.rounds:
        given, length = ("epochs", study.epochs) if study.epochs else ("steps", study.steps)
        faults.append(
            (
                given,
                f"a function without a context trains as long as it likes, got {length}; drop "
                f"{given}, or name the second argument `context`",
            )
        )
    faults += [*_own_metric_faults(study), *_structural_faults(study), *_course_faults(study)]
    faults += _folds_without_data(study)
    if faults or study.direction is None:
        raise MisfitError(faults)
    return Fitted(Goal(study.metric, study.direction), frozenset(), "", "", kind="function")


def _fit_loop(study: Study, found: Any) -> Fitted:
    faults = [*_own_metric_faults(study), *_course_faults(study)]
    if study.data is None:
        faults += _folds_without_data(study)
    if not study.rounds:
        faults.append(("epochs", f"{study.learner} needs a length, got none; give epochs or steps"))
    unknown = [name for name in study.structural or () if name not in study.space]
    if unknown:
        known = ", ".join(study.space.names())
        faults.append(
            ("structural", f"must be names of the space ({known}), got {unknown[0]!r}; correct it")
        )
    if lightning_package(found):
        faults += _lightning_faults(study, found)
    if faults or study.direction is None:
        raise MisfitError(faults)
    goal, kept = Goal(study.metric, study.direction), _kept(study)
    if study.data is None:
        return Fitted(goal, kept, "", "", kind="loop")
    return Fitted(goal, kept, *_told(study, _loaded(study)), kind="loop")


def _lightning_faults(study: Study, found: type) -> list[tuple[str, str]]:
    try:
        known = lightning.hyperparameters(found)
        wrong = lightning.fault(found, study)
    except Exception as error:
        return [("learner", f"{study.learner} cannot be used: {_first_line(error)}")]
    return [*([wrong] if wrong else []), *space_faults(study, known)]


def _own_metric_faults(study: Study) -> list[tuple[str, str]]:
    if study.direction is not None:
        return []
    message = (
        f"a function's metric needs one, got none for {study.metric!r}; give minimize or maximize"
    )
    return [("direction", message)]


def _course_faults(study: Study) -> list[tuple[str, str]]:
    """What a learner's training is told, and a function does by itself."""
    faults = []
    if study.score != "last":
        faults.append(
            (
                "score",
                f"what a function reports last counts, got {study.score}; report the best last",
            )
        )
    if study.patience_rounds is not None:
        faults.append(
            ("patience_rounds", f"a function ends by itself, got {study.patience_rounds}; drop it")
        )
    if study.metrics:
        message = f"what a function reports are its metrics, got {study.metrics[0]}; report it"
        faults.append(("metrics", message))
    return faults


def _folds_without_data(study: Study) -> list[tuple[str, str]]:
    if study.folds is None:
        return []
    message = f"are of the study's data, got {study.folds} without data; give repeats instead"
    return [("folds", message)]


def _structural_faults(study: Study) -> list[tuple[str, str]]:
    if study.structural is None:
        return []
    message = (
        "is for functions with a context, got it for another learner, which knows its own or is "
        "never continued; drop it"
    )
    return [("structural", message)]


def _kept(study: Study) -> frozenset[str]:
    """The hyperparameters that stay with the weights of a function's own networks."""
    if study.structural is not None:
        return frozenset(study.structural)
    return frozenset(name for name, d in study.space.items() if not _is_real(d))


def _is_real(dimension: Dimension) -> bool:
    fixed = isinstance(dimension, Choice | Fixed)
    return not fixed and isinstance(dimension.from_unit(0.5), float)


def _loaded(study: Study) -> Dataset:
    assert study.data is not None
    try:
        dataset = load(study.data)
    except (ValueError, OSError) as error:
        raise MisfitError([("data", str(error))]) from None
    if study.folds is not None:
        try:
            check_foldable(study.data, study.folds)
        except ValueError as error:
            raise MisfitError([("folds", str(error))]) from None
    return dataset


def _told(study: Study, dataset: Dataset) -> tuple[str, str, Profile]:
    """Fingerprint of the data, their name for people, and what was understood of them."""
    assert study.data is not None
    name = getattr(study.data, "name", None) or next(iter(study.data.files), study.data.source)
    return dataset.fingerprint, name, profile(study.data, dataset, folded=study.folds is not None)


def _fit_learner(study: Study, found: type[Learner]) -> Fitted:
    if study.data is None:
        raise MisfitError([("data", f"{study.learner} needs data, got none; for example digits")])
    if not study.rounds:
        raise MisfitError(
            [("epochs", f"{study.learner} needs a length, got none; give epochs or steps")]
        )
    dataset = _loaded(study)
    try:
        learner = found(facts(dataset))
    except Exception as error:
        message = f"{study.learner} cannot be made for these data: {_first_line(error)}"
        raise MisfitError([("learner", message)]) from error
    faults = [*_structural_faults(study), *space_faults(study, found.hyperparameters())]
    if isinstance(dataset.train, LoaderStream) and "batch_size" in study.space:
        own = dataset.train.loader.batch_size
        message = (
            f"must stay the DataLoader's own ({own}), got a hyperparameter; drop it, or return the "
            "Dataset itself"
        )
        faults.append(("space.batch_size", message))
    goal, wrong = _goal(study, learner)
    faults += wrong
    if not faults:
        faults += _build_faults(study.space, learner)
    if faults:
        raise MisfitError(faults)
    return Fitted(goal, found.structural(), *_told(study, dataset), held=dataset.held)


def _goal(study: Study, learner: Learner) -> tuple[Goal, list[tuple[str, str]]]:
    known: dict[str, Direction | None] = dict(learner.metrics)
    try:
        known |= {metric.name: metric.direction for metric in asked_for(study, learner)}
    except ValueError as error:
        return Goal(study.metric, "minimize"), [("metrics", str(error))]
    known = {f"val_{name}": direction for name, direction in known.items()}
    if study.metric not in known:
        further = [f"val_{name}" for name in further_ones(learner) if f"val_{name}" not in known]
        likely = f"val_{study.metric}"
        hint = f"did you mean {likely}? " if likely in (*known, *further) else ""
        message = (
            f"{study.learner} reports no {study.metric!r}; {hint}it reports: {', '.join(known)}"
        )
        if further:
            message += f"; also {', '.join(further)}"
        return Goal(study.metric, "minimize"), [("metric", message)]
    direction = known[study.metric]
    if direction is None:
        faults = _own_metric_faults(study)
        return Goal(study.metric, study.direction or "minimize"), faults
    if study.direction not in (None, direction):
        message = f"{study.metric} is there to {direction}, got {study.direction}; drop direction"
        return Goal(study.metric, direction), [("direction", message)]
    return Goal(study.metric, direction), []


def _build_faults(space: Space, learner: Learner) -> list[tuple[str, str]]:
    """Build the networks at both ends and the middle of the space, and try them on two rows."""
    for unit in (0.0, 0.5, 1.0):
        params = space.from_units(dict.fromkeys(space.names(), unit))
        try:
            _try_out(learner, params)
        except Exception as error:
            shown = ", ".join(f"{name}={value}" for name, value in params.items())
            return [("space", f"the networks cannot be built with {shown}: {_first_line(error)}")]
    return []


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _try_out(learner: Learner, params: Mapping[str, Any]) -> None:
    inputs, targets = learner.data.sample(2)
    with seeded(0):
        networks = learner.networks(params)
        if learner.several and set(networks) != set(learner.several):
            raise ValueError(
                f"build must return {', '.join(learner.several)} as in `several`, "
                f"got {', '.join(networks)}"
            )
        for name in networks:
            loss = learner.loss(name, networks, (inputs, targets), learner.now(params))
            if loss.numel() != 1:
                raise ValueError(
                    f"the loss of {name} must be one number, got shape {tuple(loss.shape)}"
                )
        with torch.no_grad():
            for network in networks.values():
                network.eval()
            reported = learner.evaluate(networks, inputs, targets)
    if set(reported) != set(learner.metrics):
        raise ValueError(
            f"evaluate must return {', '.join(learner.metrics)}, got {', '.join(reported)}"
        )
