"""What a program or a notebook gives a search: classes, functions and data, kept in files.

Workers, and searches of later days, import it from there as from a file of one's own.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import cloudpickle

from nettuner.tasks.home import home

CODE = '''"""What a program gave nettuner; it is kept as long as its study is."""

from pathlib import Path

import cloudpickle

{name} = cloudpickle.loads(Path(__file__).with_suffix(".pkl").read_bytes())
'''
DATA = '''"""The data that a program gave nettuner; they are kept as long as their study is."""

from pathlib import Path

import cloudpickle


def data():
    return cloudpickle.loads(Path(__file__).with_suffix(".pkl").read_bytes())
'''


def code(given: Any) -> str:
    """A reference to a class or a function, `file.py:name` or `package.module:name`.

    What is defined in a notebook, in the script that runs or inside of a function is kept as it is
    now; all else is imported by its name.

    Args:
        given: Class or function with a name.

    Raises:
        ValueError: It is neither, has no name, or holds what cannot be kept.
    """
    if not (inspect.isclass(given) or inspect.isroutine(given)):
        raise ValueError(
            f"learner must be a class or a function, got {type(given).__name__}; give it itself, "
            "not an object of it"
        )
    name = given.__name__
    if not name.isidentifier():
        raise ValueError(f"learner must have a name, got {name}; define it by class or def")
    if _is_importable(given):
        return f"{given.__module__}:{name}"
    path = _kept(given, name, CODE.format(name=name))
    return f"{path}:{name}"


def data(given: Any) -> str:
    """A reference to a function that answers with data.

    Args:
        given: Data as such a function may return them (a DataFrame, arrays, Datasets ...), or the
            function itself.

    Raises:
        ValueError: They cannot be kept.
    """
    if inspect.isroutine(given):
        return code(given)
    return f"{_kept(given, 'data', DATA)}:data"


def _is_importable(given: Any) -> bool:
    """Whether its name is all that another process needs."""
    module = sys.modules.get(given.__module__)
    if given.__module__ == "__main__" or getattr(module, "__file__", None) is None:
        return False
    return getattr(module, given.__name__, None) is given


def _kept(given: Any, name: str, text: str) -> Path:
    """The file that has it when it is imported."""
    try:
        content = cloudpickle.dumps(given)
    except Exception as error:
        why = " ".join(str(error).split())
        raise ValueError(
            f"{name} cannot be kept for other processes: {why}; put it into a file and give "
            f"'file.py:{name}'"
        ) from error
    folder = home() / "given"
    folder.mkdir(mode=0o700, exist_ok=True)
    digest = hashlib.sha256(content).hexdigest()[:16]
    path = folder / f"{re.sub('[^a-z0-9_]', '_', name.lower())}_{digest}.py"
    path.with_suffix(".pkl").write_bytes(content)
    path.write_text(text, encoding="utf-8")
    return path
