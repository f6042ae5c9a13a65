"""A function that is imported only where it is called, as in a worker process."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ByName:
    """Calls a function of a module that takes long to import.

    Args:
        module: Dotted name of the module.
        name: Name of the function.
    """

    module: str
    name: str

    def __call__(self, *args: Any) -> Any:
        """What the function answers."""
        return getattr(importlib.import_module(self.module), self.name)(*args)
