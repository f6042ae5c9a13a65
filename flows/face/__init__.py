"""Hyperparameter tuning of neural networks as a workflow.

    from nettuner import Supervised, Study, search

Each name is imported when it is first asked for: `import nettuner` alone takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nettuner.flows.commands.search import search
    from nettuner.models.learner import Supervised
    from nettuner.models.study import Study
    from nettuner.models.training.context import Context
    from nettuner.models.training.state import load_state
    from nettuner.models.training.transformers_callback import TransformersCallback

    __version__: str

__all__ = [
    "Context",
    "Study",
    "Supervised",
    "TransformersCallback",
    "__version__",
    "load_state",
    "search",
]

_MODULES = {
    "Context": "nettuner.models.training.context",
    "Study": "nettuner.models.study",
    "Supervised": "nettuner.models.learner",
    "TransformersCallback": "nettuner.models.training.transformers_callback",
    "load_state": "nettuner.models.training.state",
    "search": "nettuner.flows.commands.search",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("nettuner")
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'nettuner' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
