"""All that is settled before a search begins; every fault of a study is found here."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from pydantic import BaseModel, ValidationError

from nettuner.models.by_name import ByName
from nettuner.models.data.profile import Profile
from nettuner.models.fitted import Fitted, Kind, MisfitError
from nettuner.models.study import Goal, StrategyChoice, Study
from nettuner.models.study_faults import explain
from nettuner.models.study_file import StudyError
from nettuner.tasks import runners, strategies
from nettuner.tasks.cluster.runner import RunnerError
from nettuner.tasks.schema import GIVEN
from nettuner.tasks.strategies import Strategy
from nettuner.tasks.strategy_names import short
from nettuner.tasks.workers.accelerators import Accelerator
from nettuner.tasks.workers.selection import selected

# What may change between an interruption and its resume.
CHANGEABLE = {
    *("stop", "width", "stack", "threads", "trial_seconds", "finals", "finals_seeds"),
    *("device", "devices", "per_device", "runner"),
}
# Keys of studies and of data that the digest has had from the beginning, also at their defaults.
# Any other key is in it where it says more than its default: one that comes later needs no entry.
ALWAYS = {
    *("data", "direction", "epochs", "evaluate_every", "seed", "steps", "strategy"),
    *("source", "validation", "test", "split_seed"),
    *("header", "separator", "target", "task"),  # tables
    *("colour", "size", "test_images", "test_labels"),
    *("inputs", "targets", "arguments", "relative_to"),  # arrays and functions
    *("lowercase", "longest", "min_count", "vocabulary", "vocabulary_size"),
    *("test_source_text", "test_target_text", "validation_source_text", "validation_target_text"),
    *("limit", "rows", "highest"),
}
# Defaults of before, meant where none is given now and the data are looked at.
FORMER_DEFAULTS: Mapping[str, object] = {"header": True, "separator": ",", "decimal": "."}
Fit = Callable[[Study], Fitted]
FIT: Fit = ByName("nettuner.models.check", "fit_together")
LARGE_STACK = 64
SMALL_STACK = 8


@dataclass(frozen=True)
class Plan:
    """A study that makes sense, and what follows from it.

    Args:
        study: As given.
        goal: The metric and its direction.
        strategy: Ready to propose.
        strategy_name: The strategy's file.
        structural: Hyperparameters that fix tensor shapes or code paths.
        fingerprint, data_name: Facts of the data; empty where a function brings its own.
        width: Workers: trials, or stacks of trials, in flight at once.
        stack: Most trials that one worker trains together.
        trials: Largest number of trials; None if only time or success ends the search.
        digest: Digest of all that decides what the trials are.
        profile: What was understood of the data; None where a function brings its own.
        kind: What is trained: a learner, a function with a context, or one without.
        stackable: Whether several trainings can be one program: a learner on data in memory, unless
            the same bits are wanted, as the size of stacks is measured.
        accelerators: Accelerators that are used, or that may be (see `is_measured`).
    """

    study: Study
    goal: Goal
    strategy: Strategy
    strategy_name: str
    structural: frozenset[str]
    fingerprint: str
    data_name: str
    width: int
    stack: int
    trials: int | None
    digest: str
    kind: Kind
    stackable: bool
    profile: Profile | None = None
    accelerators: tuple[Accelerator, ...] = ()

    @property
    def is_measured(self) -> bool:
        """Whether it is measured first if these accelerators are faster than the CPU."""
        auto = self.study.device == "auto" and self.kind == "learner"
        return auto and bool(self.accelerators)


def make_plan(study: Study, file: str = "study", fit: Fit = FIT) -> Plan:
    """Settle everything that a search of this study needs.

    Args:
        study: Study to be searched.
        file: Name of its file, for errors.
        fit: Function that loads the learner and the data of a study; by default in this process.

    Raises:
        StudyError: What does not fit, a line for each fault.
    """
    try:
        name = strategies.full_name(study.strategy.name)
    except ValueError as error:
        raise StudyError([f"{file}: strategy: {error}"]) from None
    try:
        runners.check(study)
    except RunnerError as error:
        raise StudyError([f"{file}: runner: {error}"]) from None
    try:
        fitted = fit(study)
        continues = strategies.find(name).continues
        if fitted.kind == "function" and continues == "others":
            raise ValueError(
                f"{name} continues from trained weights, got a function without a context, which "
                f"has none; name its second argument `context`, or choose {_without_segments()}"
            )
        if fitted.kind != "function" and continues != "nothing":
            _check_members(study, name)
        strategy = strategies.load(study, fitted.structural)
        size = strategy.size(study.space)
        _check_early_ends(study, strategy)
        accelerators = selected(study, fitted) if study.runner.is_local else ()
    except MisfitError as error:
        raise StudyError([f"{file}: {key}: {line}" for key, line in error.faults]) from None
    except ValidationError as error:
        lines = explain(
            error,
            file,
            {"strategy": study.strategy.settings},
            prefix=("strategy",),
            model=cast("type[BaseModel]", strategies.find(name)),
            hidden=GIVEN,
        )
        raise StudyError(lines) from None
    except ValueError as error:
        raise StudyError([f"{file}: strategy: {error}"]) from None
    trials = _trials(study, strategy, size)
    stackable = fitted.kind == "learner" and fitted.held and not study.deterministic
    stop = study.stop
    ends = trials is not None or (strategy.counts == "networks" and stop.trials is not None)
    if not ends and stop.seconds is None and stop.target is None and stop.patience is None:
        raise StudyError(
            [
                f"{file}: stop: a {name.removesuffix('_search')} search needs an end, got none; "
                "give trials, seconds, target or patience"
            ]
        )
    plan = Plan(
        study=study,
        goal=fitted.goal,
        strategy=strategy,
        strategy_name=name,
        structural=fitted.structural,
        fingerprint=fitted.fingerprint,
        data_name=fitted.data_name,
        width=width_of(study),
        stack=_stack(study, strategy, stackable),
        trials=trials,
        digest=digest(study, fitted.fingerprint, size),
        profile=fitted.profile,
        kind=fitted.kind,
        stackable=stackable,
        accelerators=accelerators,
    )
    return plan if plan.is_measured else replace(plan, width=width_of(study, accelerators))


def _check_members(study: Study, strategy: str) -> None:
    """Refuse what fits no members that go on from where they stopped.

    Raises:
        MisfitError: It is asked for.
    """
    why = f"{strategy} goes on from the last round of each segment"
    faults = []
    if study.score != "last":
        faults.append(("score", f"{why}, so score must be last, got {study.score}; drop it"))
    if study.patience_rounds is not None:
        faults.append(
            (
                "patience_rounds",
                f"{why}, so it ends none early, got {study.patience_rounds}; drop it",
            )
        )
    for key, given in (("repeats", study.repeats), ("folds", study.folds or 1)):
        if given > 1:
            message = (
                f"what is continued must be one network, got {key}={given}; drop it and "
                f"give finals, or choose {_without_segments()}"
            )
            faults.append((key, message))
    if faults:
        raise MisfitError(faults)


def _check_early_ends(study: Study, strategy: Strategy) -> None:
    """Refuse trials that end early where each is several trainings.

    Raises:
        ValueError: They are.
    """
    if strategy.rule is not None and study.trainings > 1:
        given = f"repeats={study.repeats}" if study.repeats > 1 else f"folds={study.folds}"
        raise ValueError(
            f"trials that end early must be one training each, got {given}; drop it and give "
            "finals, or let none end early"
        )


def _without_segments() -> str:
    """The strategies that train each trial as a whole, for people."""
    known = [(short(name), strategies.find(name)) for name in strategies.names()]
    *others, last = [name for name, found in known if found.continues == "nothing"]
    return f"{', '.join(others)} or {last}"


def plan_for(plan: Plan, study: Study, strategy: Strategy, name: str) -> Plan:
    """The plan with another strategy, whose trials are trained on the same data.

    Args:
        plan: Plan of the study.
        study: Study that differs in nothing that the data or the learner depend on.
        strategy: Strategy that ends by itself.
        name: Its name.
    """
    size = strategy.size(study.space)
    described = hashlib.sha256(f"{plan.digest} {study.seed} {strategy!r}".encode()).hexdigest()
    return replace(
        plan,
        study=study,
        strategy=strategy,
        strategy_name=name,
        stack=_stack(study, strategy, plan.stackable),
        trials=size,
        digest=described[:16],
    )


def width_of(study: Study, accelerators: Sequence[Accelerator] = ()) -> int:
    """Workers of a study: trials, or stacks of trials, in flight at once.

    Args:
        study: Study.
        accelerators: Accelerators that it is trained on, with `per_device` trials at most on each;
            none for the CPU.
    """
    if accelerators:
        places = len(accelerators) * study.per_device
        return min(places, study.width or places)
    return study.width or os.cpu_count() or 1


def _trials(study: Study, strategy: Strategy, size: int | None) -> int | None:
    """The smaller of what the strategy would propose and what the study allows.

    Where the budget counts networks, a strategy keeps to it by itself.
    """
    if strategy.counts == "networks" or study.stop.trials is None:
        return size
    return study.stop.trials if size is None else min(size, study.stop.trials)


def _stack(study: Study, strategy: Strategy, stackable: bool) -> int:
    """The most trials in a stack.

    None are stacked where they cannot be, or may have to be stopped by themselves, and, unless it
    is asked for, where the strategy wants to be asked for single trials. Where results may end the
    search, stacks stay small, for all that is in flight is trained to its end.
    """
    if not stackable or study.trial_seconds is not None:
        return 1
    if study.stack is not None:
        return max(1, study.stack // study.trainings_on_same_rows)
    if strategy.asks == "single":
        return 1
    if study.stop.target is not None or study.stop.patience is not None:
        return max(1, SMALL_STACK // study.trainings_on_same_rows)
    return max(1, LARGE_STACK // study.trainings_on_same_rows)


def digest(study: Study, fingerprint: str, size: int | None) -> str:
    """A digest of everything that decides which trials a search has and how they end.

    Args:
        study: Study; the order of its dimensions decides what is drawn for each.
        fingerprint: Fingerprint of its data.
        size: Size of its grid or population, which may follow from `stop.trials`.
    """
    described = _described(study)
    if study.data is not None:
        described["data"] = _described(study.data)
    text = json.dumps([described, study.space.names(), fingerprint, size], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _described(said: BaseModel) -> dict[str, object]:
    """What a study or its data say, without keys that came later and are not used."""
    defaults = {
        key: field.get_default(call_default_factory=True)
        for key, field in type(said).model_fields.items()
        if key not in ALWAYS
    }
    unused = {
        key
        for key, default in defaults.items()
        if getattr(said, key) in (default, FORMER_DEFAULTS.get(key, default))
    }
    described = said.model_dump(mode="json", exclude=CHANGEABLE | unused)
    return described | {k: v for k, v in FORMER_DEFAULTS.items() if described.get(k, v) is None}


def using(study: Study, strategy: str) -> Study:
    """The study with this strategy; settings stay if they were this strategy's own."""
    if strategies.full_name(study.strategy.name) == strategies.full_name(strategy):
        return study
    return study.model_copy(update={"strategy": StrategyChoice(name=strategy)})
