"""What a study refers to as `path/to/file.py:name` or `package.module:name`, imported."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

# Packages that come with an extra of ours.
EXTRAS = {
    "lightning": "lightning",
    "pytorch_lightning": "lightning",
    "transformers": "transformers",
    "accelerate": "transformers",
}


def referred(reference: str) -> Any:
    """What a reference names.

    Args:
        reference: `path/to/file.py:name` or `package.module:name`.

    Raises:
        ValueError: It cannot be imported, or has nothing of that name.
    """
    place, _, name = reference.rpartition(":")
    try:
        with beside(reference):
            module = (
                _from_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
            )
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        extra = EXTRAS.get(error.name or "") if isinstance(error, ModuleNotFoundError) else None
        way = f"pip install 'nettuner[{extra}]'" if extra else f"{_try_alone(place)} must run"
        raise ValueError(f"{place} could not be imported: {reason}; {way}") from error
    found = getattr(module, name, None)
    if found is None:
        raise ValueError(
            f"{place} has no {name!r}; it defines: {', '.join(_candidates(module)) or 'nothing'}"
        )
    return found


def _try_alone(place: str) -> str:
    """The command that imports a file or a module as is done here."""
    return f"python {place}" if place.endswith(".py") else f"python -c 'import {place}'"


def _from_file(path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    return _executed(path, path.stat().st_mtime_ns)


@functools.lru_cache
def _executed(path: Path, changed: int) -> ModuleType:
    """The module in a file, the same for all that is referred to in it until the file changes."""
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
    """Import first from where a file of a user's own lies, as `python file.py` would.

    To be entered round all that calls its code, as functions may import when they are called.

    Args:
        reference: As of `referred`: the folder of its file, or of a module the working directory.
    """
    place, _, _ = reference.rpartition(":")
    folder = _folder(os.path.abspath(place)) if place.endswith(".py") else os.getcwd()
    sys.path[:0] = [folder] if place else []
    try:
        yield
    finally:
        if place and folder in sys.path:
            sys.path.remove(folder)  # the first one, which is ours


@functools.lru_cache
def _folder(file: str) -> str:
    return str(Path(file).resolve().parent)


def _candidates(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__
    ]
