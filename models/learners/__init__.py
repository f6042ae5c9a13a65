"""The learners that come with nettuner, one file each, and those of users, found by reference."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from nettuner.models.class_of import class_of
from nettuner.models.learner import Learner

Report = Callable[..., None]
Function = Callable[[Mapping[str, Any], Report], Any]


def names() -> list[str]:
    """The built-in learners: the files beside this one."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


@functools.lru_cache
def find(reference: str) -> type[Learner] | Function:
    """The learner or function that a study names.

    Args:
        reference: A built-in's name, `path/to/file.py:Name` or `package.module:Name`.

    Raises:
        ValueError: Nothing of that name is there, or it is neither a learner nor a function.
    """
    place, _, name = reference.rpartition(":")
    if not place:
        return _builtin(reference)
    try:
        with beside(reference):
            module = (
                _from_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
            )
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ValueError(
            f"{place} could not be imported: {reason}; {_try_alone(place)} must run"
        ) from error
    found = getattr(module, name, None)
    if found is None:
        raise ValueError(
            f"{place} has no {name!r}; it defines: {', '.join(_candidates(module)) or 'nothing'}"
        )
    if inspect.isclass(found) and issubclass(found, Learner):
        missing = sorted(found.__abstractmethods__) + ["build"] * (not hasattr(found, "build"))
        if missing:
            raise ValueError(f"{reference} must define {', '.join(missing)}, got none; add it")
        return found
    if callable(found) and not inspect.isclass(found):
        return found  # type: ignore[no-any-return]
    raise ValueError(
        f"{reference} must be a subclass of nettuner.models.learner.Learner or a function "
        f"f(hyperparameters, report), got {found!r}; derive it from Supervised"
    )


def _try_alone(place: str) -> str:
    """The command that imports a file or a module as is done here."""
    return f"python {place}" if place.endswith(".py") else f"python -c 'import {place}'"


def _builtin(name: str) -> type[Learner]:
    if name not in names():
        raise ValueError(
            f"no learner named {name!r}; built in: {', '.join(names())}; "
            "your own: path/to/file.py:Class"
        )
    found: type[Learner] = class_of(f"nettuner.models.learners.{name}")
    return found


def _from_file(path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    unique = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(unique, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[unique]
        raise
    return module


@contextmanager
def beside(reference: str) -> Iterator[None]:
    """Import first from where a learner of a user's own lies, as `python file.py` would.

    To be entered round all that calls its code, as functions may import when they are called.

    Args:
        reference: As of `find`: the folder of its file, or of a module the working directory.
    """
    place, _, _ = reference.rpartition(":")
    folder = str(Path(place).resolve().parent if place.endswith(".py") else Path.cwd())
    sys.path[:0] = [folder] if place else []
    try:
        yield
    finally:
        if place and folder in sys.path:
            sys.path.remove(folder)  # the first one, which is ours


def _candidates(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__
    ]
