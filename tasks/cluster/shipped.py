"""The files that the trials of a study need, wherever they run: its data, and people's own code."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nettuner.models.study import Study
from nettuner.tasks.cluster.runner import RunnerError

# Most files of code in the folder of one that a study names: beyond, it is no project's.
MOST_FILES = 2000
# Folders that hold packages of others, or nothing that is read.
ELSEWHERE = frozenset({"__pycache__", "node_modules", "site-packages"})


@dataclass(frozen=True)
class Shipped:
    """What is copied to each agent before its first trial.

    Args:
        roots: Paths at or below which paths of the study are those of copies.
        files: Paths of the files that are copied.
    """

    roots: tuple[str, ...]
    files: tuple[str, ...]


def shipped(study: Study) -> Shipped:
    """The files of a study: data, files of code with all Python files beside and below them, and
    what it says itself.

    Raises:
        RunnerError: Something is not there, or a file of code lies among too many others.
    """
    roots: dict[str, None] = {}
    files: dict[str, None] = {}
    for folder in _folders_of_code(study):
        roots[folder] = None
        files |= dict.fromkeys(_code_below(folder))
    if study.data is not None:
        relative_to = getattr(study.data, "relative_to", None)
        for folder in (*(getattr(study.data, name) for name in study.data.folders), relative_to):
            roots |= {folder: None} if folder else {}
        named = [*study.data.files, *_named_as_arguments(study, relative_to)]
        for path in map(os.path.abspath, named):
            roots[path] = None
            files |= dict.fromkeys(_all_below(path))
    for path in study.runner.files:
        if not os.path.exists(path):
            raise RunnerError(
                f"files must be there, got {path!r}; correct the path, which is relative to the "
                "study's folder"
            )
        roots[path] = None
        files |= dict.fromkeys(_all_below(path))
    return Shipped(tuple(roots), tuple(files))


def _folders_of_code(study: Study) -> Iterator[str]:
    references = [study.learner, *study.metrics]
    if study.data is not None and study.data.reference is not None:
        references.append(getattr(study.data, study.data.reference))
    for reference in references:
        place = reference.rpartition(":")[0]
        if place.endswith(".py"):
            yield os.path.dirname(os.path.abspath(place))


def _named_as_arguments(study: Study, relative_to: str | None) -> Iterator[str]:
    """Arguments of a function that answers with the data, where they name what is there."""
    for value in getattr(study.data, "arguments", {}).values():
        if isinstance(value, str) and value:
            path = Path(relative_to or ".", value).expanduser()
            if path.exists():
                yield str(path)


def _code_below(folder: str) -> list[str]:
    found: list[str] = []
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if _may_hold_code(here, name))
        paths = [os.path.join(here, name) for name in sorted(names) if name.endswith(".py")]
        found += [path for path in paths if os.path.isfile(path)]  # a link may lead nowhere
        if len(found) > MOST_FILES:
            raise RunnerError(
                f"a study's code must lie in a folder with at most {MOST_FILES} Python files below "
                f"it, as they are copied to the workers, got more in {folder}; move it to a folder "
                "of its own"
            )
    return found


def _may_hold_code(here: str, name: str) -> bool:
    is_environment = os.path.exists(os.path.join(here, name, "pyvenv.cfg"))
    return not (name.startswith(".") or name in ELSEWHERE or is_environment)


def _all_below(path: str) -> list[str]:
    if os.path.isfile(path):
        return [path]
    return [str(found) for found in sorted(Path(path).rglob("*")) if found.is_file()]
