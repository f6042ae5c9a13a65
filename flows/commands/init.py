"""The command that writes a first study."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nettuner.flows.commands.shared import fail

if TYPE_CHECKING:
    from nettuner.models.draft import Draft


def init(
    output: Annotated[
        Path | None,
        typer.Argument(help="The study to write; default: called like the data or the code."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="A table (csv, parquet), arrays (npz), a folder with a folder of images for each "
            "class, MNIST's files, a function that reads it (file.py:f), or a data set that comes "
            "with nettuner (digits).",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="Of a table, the column to predict; default: the last one."),
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Of a table, the column with sentences to classify.")
    ] = None,
    learner: Annotated[
        str | None,
        typer.Option(
            help="What to train: your own file.py:Class or file.py:function, or a learner that "
            "comes with nettuner; default: one that suits the data.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a first study of your data or your code, and say what was understood of it.

    It can be searched as it is; its comments say what may be changed.
    """
    from nettuner.models.draft import data_named, drafted
    from nettuner.models.draft_text import draft_text

    name = output.stem if output is not None else _name(data, learner)
    path = output or Path(f"{name}.yaml")
    if path.exists():
        fail(f"{path} is there already; name another file, or remove it", 2)
    try:
        given = None if data is None else data_named(data, target, text)
        draft = drafted(name, learner, given)
        written = draft_text(_seen_from(path.absolute().parent, draft))
    except (OSError, ValueError) as error:
        fail(str(error), 2)
    path.write_text(written, encoding="utf-8")
    _show(path)


def _show(path: Path) -> None:
    """The file as `nettuner check` shows it; one that makes no sense does not stay."""
    from nettuner.flows.commands.show import show_plan
    from nettuner.models.study_file import StudyError, load
    from nettuner.tasks.plan import make_plan

    try:
        plan = make_plan(load(path), path.name)
    except (StudyError, ValueError) as error:
        path.unlink()
        fail(str(error), 2)
    show_plan(plan)
    print(f"\nwritten: {path}; look at it, then: nettuner search {path}")


def _name(data: str | None, learner: str | None) -> str:
    """A study's name from that of a file, a folder, a function or a learner."""
    place, _, function = (data or learner or "study").rpartition(":")
    stem = Path(place or function).name.split(".")[0]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._") or "study"


def _seen_from(folder: Path, draft: Draft) -> Draft:
    """The draft with paths as they are written in a study in this folder."""
    data = draft.data
    if isinstance(data, Mapping):
        data = {key: _path(str(v), folder) if _is_path(v) else v for key, v in data.items()}
    elif data is not None:
        data = _reference(data, folder)
    return replace(draft, data=data, learner=_reference(draft.learner, folder))


def _is_path(value: object) -> bool:
    return isinstance(value, str) and os.path.isabs(value)


def _reference(given: str, folder: Path) -> str:
    """`file.py:name` with its file; anything else as it is."""
    file, _, name = given.rpartition(":")
    return f"{_path(file, folder)}:{name}" if file.endswith(".py") else given


def _path(given: str, folder: Path) -> str:
    """A path relative to the folder where it lies in it or beside it, else from the root."""
    found = os.path.relpath(given, folder)
    far = found.startswith(os.path.join(os.pardir, os.pardir))
    return os.path.abspath(given) if far else found
