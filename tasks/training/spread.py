"""Where the trials of a search run: in processes of this machine, or on those of a cluster."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from nettuner.models.fitted import Fitted
from nettuner.models.study import Study
from nettuner.models.study_file import StudyError
from nettuner.tasks import runners
from nettuner.tasks.cluster.cluster_pool import ClusterPool
from nettuner.tasks.cluster.roster import Roster
from nettuner.tasks.cluster.runner import Runner, RunnerError, Setting
from nettuner.tasks.cluster.shipped import shipped
from nettuner.tasks.plan import Plan
from nettuner.tasks.training.fit import FIT
from nettuner.tasks.training.placement import placed
from nettuner.tasks.workers.accelerators import Accelerator
from nettuner.tasks.workers.places import Place, Places, Stay
from nettuner.tasks.workers.pool import Pool, TrialFailedError


class PlacesElsewhere(Places):
    """The agents of a cluster, all alike; calls wait for a free one by themselves.

    Args:
        roster: Agents.
        place: What all of them are.
        why: Where they are, in a sentence.
    """

    def __init__(self, roster: Roster, place: Place, why: str) -> None:
        super().__init__((), why)
        self._roster = roster
        self._place = place

    @property
    def count(self) -> int:
        """How many trials, or stacks, can run at once: as many as there are agents, one at
        least."""
        return max(1, len(self._roster.agents))

    def when_changed(self, tell: Callable[[], None]) -> None:
        """See `Places.when_changed`."""
        self._roster.changed = tell

    @contextmanager
    def one(self) -> Iterator[Stay]:
        """A place while the block runs."""
        yield Stay(self._place, time.monotonic())


@contextmanager
def spread(plan: Plan, pool: Pool) -> Iterator[tuple[Pool, Places]]:
    """The workers and places of a search while the block runs.

    Args:
        plan: Plan of the search.
        pool: Workers of this machine.

    Raises:
        StudyError: The runner that the study names cannot be used, or the study not with it.
    """
    study = plan.study
    if study.runner.is_local:
        with placed(plan, pool) as places:
            yield pool, places
        return
    with ExitStack() as held:
        try:
            files = shipped(study)
            runner = runners.connected(study, plan.width)
            held.callback(runner.close)
            # One that is started here is for as many trials at once as would be trained here.
            most = plan.width if study.runner.address is None else study.width
            roster = Roster(runner, study, files, _setting(study), most)
            held.callback(roster.close)
            cluster = ClusterPool(pool, roster, files.roots)
            places = _settled(study, cluster, roster, runner)
        except RunnerError as error:
            raise StudyError([f"study: runner: {error}"]) from None
        yield cluster, places


def _settled(study: Study, cluster: ClusterPool, roster: Roster, runner: Runner) -> Places:
    """The places of a cluster, once it has been seen that the study can be used there."""
    found_there = roster.first().hello.accelerator
    # Its number is that of one machine: on each a worker sees its own as the first.
    gpu = None if found_there is None else Accelerator(found_there.kind, found_there.name)
    place = Place(gpu, elsewhere=True)
    try:
        found: Fitted | list[tuple[str, str]] = cluster.run(
            FIT, study, own_process=True, place=place
        )
    except TrialFailedError as error:
        raise RunnerError(f"its workers cannot use the study, got: {error}") from None
    if not isinstance(found, Fitted):
        raise StudyError([f"study: {key}: on a worker: {line}" for key, line in found])
    hosts = sorted({agent.hello.host for agent in roster.agents})
    why = f"Trained by {runner.where}, {len(roster.agents)} at a time at first, on: "
    return PlacesElsewhere(roster, place, why + ", ".join(hosts) + ".")


def _setting(study: Study) -> Setting:
    return Setting(study.threads, 0, study.runner.gpus, study.deterministic, tuple(sys.path))
