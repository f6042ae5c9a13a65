"""What a class says, to tell whether it has changed: its source, or else its compiled code."""

from __future__ import annotations

import inspect
from types import CodeType


def source_text(kind: type) -> str:
    """The source of a class; of one that was defined in a notebook, its compiled methods.

    Args:
        kind: Class.
    """
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):  # no file has it
        functions = {n: getattr(value, "__code__", None) for n, value in vars(kind).items()}
        return repr([(name, _compiled(code)) for name, code in functions.items() if code])


def _compiled(code: CodeType) -> object:
    """What a function does, without the places in memory of the functions inside of it."""
    constants = [_compiled(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return code.co_code, code.co_names, constants
