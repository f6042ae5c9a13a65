"""What the command line prints of plans and results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from nettuner.flows.commands.show_profile import show_profile
from nettuner.flows.commands.show_table import bare_table, plain_console, short
from nettuner.models.space import Dimension
from nettuner.models.study import Goal, Trial
from nettuner.tasks import strategies
from nettuner.tasks.plan import Plan, using
from nettuner.tasks.report.pages import luck

if TYPE_CHECKING:
    from nettuner.flows.engine.search import SearchResult
    from nettuner.flows.replay import ReplayResult


def _titled(title: str, text: str) -> Text:
    return Text.assemble((title, "bold"), text)


def show_plan(plan: Plan) -> None:
    """A study that makes sense: its space, the grid's size, the number of trials."""
    study, console = plan.study, plain_console()
    data = f" on {plan.data_name} (data {plan.fingerprint})" if plan.data_name else ""
    what = f": {study.learner}{data}, {plan.goal.direction} {plan.goal.metric}"
    console.print(_titled(study.name, what), soft_wrap=True)
    if plan.profile is not None:
        show_profile(plan.profile)
    table = bare_table()
    for column in ("hyperparameter", "distribution", "values", "exists when", "kind"):
        table.add_column(column)
    for name, dimension in study.space.items():
        kind = "structural" if name in plan.structural else "live"
        table.add_row(
            name, _distribution(dimension), dimension.support(), _condition(dimension), kind
        )
    console.print(table)
    console.print(f"grid:     {_grid(plan)}", soft_wrap=True)
    console.print(f"strategy: {plan.strategy_name}, {_at_a_time(plan)}", soft_wrap=True)
    length = f"{study.steps} steps" if study.steps else f"{study.rounds} epochs"
    if plan.accelerators:
        console.print(f"device:   {_devices(plan)}", soft_wrap=True)
    each = f", each at most {length}" if study.rounds else ""
    console.print(f"trials:   {_size(plan)}{each}")
    if (told := _rounds(plan)) is not None:
        console.print(f"rounds:   {told}")
    if study.trainings > 1 or study.finals:
        console.print(f"networks: {_networks(plan)}", soft_wrap=True)
    for line in plan.profile.warnings if plan.profile is not None else ():
        console.print(_titled("warning:  ", line), soft_wrap=True)


def _at_a_time(plan: Plan) -> str:
    """How many trials run at once, and where they are spread over machines."""
    runner = plan.study.runner
    if runner.is_local:
        return f"{plan.width} trials at a time"
    if runner.address is None:
        return f"{plan.width} trials at a time by {runner.name} on this machine"
    most = f", {plan.study.width} at most" if plan.study.width else ""
    return f"as many trials at a time as {runner.name} at {runner.address} has room for{most}"


def _size(plan: Plan) -> str:
    """How many trials there are; of a population, how many members."""
    members = _members(plan)
    if plan.strategy.continues == "others" and plan.trials is not None and members:
        return f"{members} members x {plan.trials // members} segments"
    known = plan.trials or members
    return "no fixed number of" if known is None else str(known)


def _devices(plan: Plan) -> str:
    """The accelerators that it is trained on, or may be."""
    shown = ", ".join(accelerator.shown for accelerator in plan.accelerators)
    if plan.is_measured:
        return f"{shown}, or the CPU where that is faster, as the search measures first"
    return f"{shown}; {plan.study.per_device} at a time on each"


def _rounds(plan: Plan) -> str | None:
    """How many rounds are trained at least and at most, where trials may end early."""
    study, networks = plan.study, _members(plan)
    if not study.rounds or networks is None:
        return None
    most = networks * study.rounds
    fewest = plan.strategy.fewest_rounds(networks, study.rounds)
    return None if fewest == most else f"{fewest:,} to {most:,} {study.unit} in all"


def _networks(plan: Plan) -> str:
    """How many networks are trained in all."""
    study = plan.study
    parts = []
    of_trials = _members(plan)
    what = "members" if plan.strategy.continues == "others" else "trials"
    total = (of_trials or 0) * study.trainings
    folds = _times(study.folds or 1, "folds")
    each = _times(study.repeats, "repeats") + folds
    many = "the" if of_trials is None else str(of_trials)
    parts.append(f"{many} {what}{each}")
    if study.finals:
        total += study.finals * study.finals_seeds * (study.folds or 1)
        parts.append(f"{study.finals} finalists x {study.finals_seeds} seeds{folds}")
    sum_of = " + ".join(parts)
    return sum_of if of_trials is None else f"{total} ({sum_of})"


def _times(count: int, what: str) -> str:
    return f" x {count} {what}" if count > 1 else ""


def _members(plan: Plan) -> int | None:
    """Networks that a strategy trains, as far as that is known."""
    if plan.strategy.counts == "trials":
        return plan.trials
    if plan.trials is None:
        return plan.study.stop.trials
    first = plan.strategy.propose(plan.study.space, [], [], plan.trials)
    return len({proposal.member for proposal in first})


def _distribution(dimension: Dimension) -> str:
    words = [str(getattr(dimension, "distribution", ""))]
    words += ["log"] if getattr(dimension, "log", False) else []
    words += ["ordered"] if getattr(dimension, "ordered", False) else []
    return " ".join(words)


def _condition(dimension: Dimension) -> str:
    conditions = (dimension.when or {}).items()
    return " and ".join(
        f"{name} is {' or '.join(map(str, v)) if isinstance(v, list) else v}"
        for name, v in conditions
    )


def grid_size(plan: Plan) -> int | None:
    """Points of the grid of a study.

    Raises:
        ValueError: Why it has none.
    """
    grid = strategies.load(using(plan.study, "grid_search"), plan.structural)
    return grid.size(plan.study.space)


def _grid(plan: Plan) -> str:
    try:
        return f"{grid_size(plan)} points"
    except ValueError as error:
        return str(error)


def show_result(result: SearchResult, plan: Plan) -> None:
    """The best trial of a search, and where to look further."""
    console = plain_console()
    winner = result.best
    assert winner is not None
    failed = sum(not trial.succeeded for trial in result.trials)
    console.print()
    console.print(_titled(result.name, f": {_counted(result.trials)}, {failed} failed"))
    table = bare_table()
    table.add_column(f"best: trial {winner.number}")
    table.add_column("", justify="right")
    table.add_row(plan.goal.metric, plan.goal.shown(winner), style="bold")
    for name, value in result.test.items():
        table.add_row(name, f"{value:.6g}")
    for name, chosen in winner.proposal.params.items():
        table.add_row(f"  {name}", short(chosen))
    console.print(table)
    if result.finals:
        shown = ", ".join(f"trial {t.number}: {plan.goal.shown(t)}" for t in result.finals)
        seeds = plan.study.finals_seeds
        console.print(f"finals ({seeds} other seeds each): {shown}", soft_wrap=True)
    elif chance := luck(plan.goal, result.trials, winner):
        console.print(chance, soft_wrap=True)
    if result.where:
        console.print(result.where, soft_wrap=True)
    console.print(f"ended because {result.ended}")
    console.print(f"recorded as {result.url}", soft_wrap=True)


def _counted(trials: Sequence[Trial]) -> str:
    """How many trials there were; where they continue others, how many networks in how many."""
    networks = {trial.proposal.member for trial in trials} - {None}
    if networks:
        return f"{len(networks)} networks in {len(trials)} segments"
    return f"{len(trials)} trials"


def show_replay(found: ReplayResult) -> None:
    """What came of a replay, beside the search that it replays."""
    console = plain_console()
    goal, replayed = found.replayed.goal, found.replayed
    console.print()
    console.print(_titled(found.name, f": {len(found.trials)} phases, one network from scratch"))
    table = bare_table()
    table.add_column(f"{replayed.unit}")
    table.add_column(goal.metric, justify="right")
    names = list(dict.fromkeys(name for t in found.trials for name in t.proposal.params))
    for name in names:
        table.add_column(name, justify="right")
    first = 0
    for trial in found.trials:
        until = trial.proposal.until or 0
        values = [short(trial.proposal.params.get(name)) for name in names]
        table.add_row(f"{first + 1} to {until}", _metric(goal, trial), *values)
        first = until
    console.print(table)
    for name, value in found.test.items():
        console.print(f"{name} {value:.6g}")
    console.print(
        _titled(
            f"{goal.metric} {_metric(goal, found.trials[-1])}",
            f" on the schedule of member {found.original.proposal.member} of {replayed.name}, "
            f"which had {_metric(goal, found.original)}",
        ),
        soft_wrap=True,
    )
    console.print(f"recorded as {found.url}", soft_wrap=True)


def _metric(goal: Goal, trial: Trial) -> str:
    return "" if trial.score is None else f"{goal.value(trial.score):.6g}"
