"""The class of a file that is found by its name: a learner, a source of data, a strategy."""

from __future__ import annotations

import importlib
from typing import Any


def class_of(module: str) -> Any:
    """The class named after its file, in any capitalisation: `GAN` in `gan`.

    Args:
        module: Dotted name of the file's module.

    Raises:
        ValueError: The file has no such class.
    """
    file = module.rpartition(".")[2]
    wanted = file.replace("_", "")
    for name, value in vars(importlib.import_module(module)).items():
        if name.lower() == wanted and isinstance(value, type):
            return value
    path = module.removeprefix("nettuner.").replace(".", "/")
    title = file.title().replace("_", "")
    raise ValueError(f"{path} must define a class {title}, got none; add it")
