"""The runners that a study may name, one file each: what trials of a search are spread with."""

from __future__ import annotations

from nettuner.models.class_of import class_of
from nettuner.models.runner_choice import LOCAL
from nettuner.models.study import Study
from nettuner.tasks import runner_names
from nettuner.tasks.cluster.runner import Runner, RunnerError


def names() -> list[str]:
    """What a study may name: `local`, and the files beside this one."""
    return [LOCAL, *runner_names.names()]


def check(study: Study) -> None:
    """Refuse a runner that there is not.

    Raises:
        RunnerError: There is none of this name.
    """
    if study.runner.name not in names():
        raise RunnerError(
            f"must be one of {', '.join(names())}, got {study.runner.name!r}; give one of them"
        )


def connected(study: Study, workers: int) -> Runner:
    """The runner of a study, connected to its cluster, or to one that is started on this machine.

    Args:
        study: Study that names one.
        workers: Trials at once, where it is started here.

    Raises:
        RunnerError: It is not installed, or its cluster does not answer.
    """
    check(study)
    name = study.runner.name
    try:
        runner: Runner = class_of(f"nettuner.tasks.runners.{name}")(study.runner, workers)
    except ModuleNotFoundError as error:
        raise RunnerError(
            f"{name} needs the package {error.name}, got none of that name; "
            f"pip install 'nettuner[{name}]'"
        ) from None
    return runner
