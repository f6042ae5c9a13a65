"""A study by its file, or by the name under which it was searched."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from nettuner.models.data.source import Source
from nettuner.models.study import Study
from nettuner.models.study_file import load
from nettuner.tasks.home import home
from nettuner.tasks.memory import recall
from nettuner.tasks.memory.reader import reader

ENDINGS = (".yaml", ".yml")
# What comes with the product.
SHIPPED = Path(str(files("nettuner.deploy"))) / "studies"


def named(study: str) -> Study:
    """The study that is meant.

    Args:
        study: A YAML file, or the name of a study that was searched.

    Raises:
        StudyError: The file is not right.
        ValueError: There is no such file and no such name.
    """
    if study.endswith(ENDINGS):
        return load(study_file(study))
    records = reader()
    return recall.as_searched(records, recall.latest(records, study))


def name_of(study: str) -> str:
    """The name of a study that is given by its file or by its name.

    Raises:
        StudyError: The file is not right.
    """
    return load(study_file(study)).name if study.endswith(ENDINGS) else study


def study_file(study: str) -> Path:
    """Where a study's file is: here, in the home, or among those that come with nettuner.

    Every command and every flow looks for it here, so all of them find the same one.
    """
    given = Path(study).expanduser()
    places = [given, home() / given, SHIPPED / given.name]
    return next((place for place in places if place.is_file()), given)


def _read(given: Any) -> Any:
    return named(given) if isinstance(given, str) else given


def with_data(study: str) -> tuple[Study, Source]:
    """The study that is meant, and its data.

    Raises:
        StudyError: The file is not right.
        ValueError: There is no such study, or it has no data: a function brings its own.
    """
    found = named(study)
    return found, data_of(found)


def data_of(study: Study) -> Source:
    """The data of a study.

    Raises:
        ValueError: It has no data: a function brings its own.
    """
    if study.data is None:
        raise ValueError(
            f"a function brings its own data and has no model, got the study {study.name!r}; "
            "give a learner and data"
        )
    return study.data


StudyGiven = Annotated[
    Study,
    BeforeValidator(_read),
    WithJsonSchema({"type": "string"}),
]
"""A study as a flow's parameter: a form shows a line of text, Python may pass a Study."""
