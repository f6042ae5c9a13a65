"""The learners that come with nettuner, one file each, and those of users, found by reference."""

from __future__ import annotations

import functools
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

from nettuner.models.class_of import class_of
from nettuner.models.learner import Learner
from nettuner.models.lightning_class import lightning_package
from nettuner.models.reference import beside, referred

__all__ = ["Function", "Report", "beside", "find", "names"]

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
    if ":" not in reference:
        return _builtin(reference)
    found = referred(reference)
    if inspect.isclass(found) and issubclass(found, Learner):
        missing = sorted(found.__abstractmethods__) + ["build"] * (not hasattr(found, "build"))
        if missing:
            raise ValueError(f"{reference} must define {', '.join(missing)}, got none; add it")
        return found
    if (callable(found) and not inspect.isclass(found)) or lightning_package(found):
        return found  # type: ignore[no-any-return]
    raise ValueError(
        f"{reference} must be a subclass of nettuner.models.learner.Learner, a LightningModule or "
        f"a function f(hyperparameters, report), got {found!r}; derive it from Supervised"
    )


def _builtin(name: str) -> type[Learner]:
    if name not in names():
        raise ValueError(
            f"no learner named {name!r}; built in: {', '.join(names())}; "
            "your own: path/to/file.py:Class"
        )
    found: type[Learner] = class_of(f"nettuner.models.learners.{name}")
    return found
