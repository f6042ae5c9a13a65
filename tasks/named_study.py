"""A study by its file, or by the name under which it was searched."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from nettuner.models.data.source import AnySource
from nettuner.models.study import Study
from nettuner.models.study_file import load
from nettuner.tasks.home import home
from nettuner.tasks.memory import recall, store

ENDINGS = (".yaml", ".yml")
# What comes with the product.
SHIPPED = Path(str(files("nettuner.deploy"))) / "studies"


def named(study: str) -> Study:
    """The study that is meant.

    Args:
        study: A YAML file, or the name of a study that was searched.

    Raises:
        StudyError: the file is not right.
        ValueError: there is no such file and no such name.
    """
    if study.endswith(ENDINGS):
        return load(study_file(study))
    client = store.client()
    found = recall.searches(client, study)
    if not found:
        raise ValueError(f"no search of {study!r} has begun so far; give the study's file")
    return recall.as_searched(client, found[-1])


def study_file(name: str) -> Path:
    """Where a study's file is: here, in the home, or among those that come with nettuner."""
    given = Path(name).expanduser()
    places = [given, home() / given, SHIPPED / given.name]
    return next((place for place in places if place.is_file()), given)


def _read(given: Any) -> Any:
    return named(given) if isinstance(given, str) else given


def with_data(study: str) -> tuple[Study, AnySource]:
    """The study that is meant, and its data.

    Raises:
        StudyError: the file is not right.
        ValueError: there is no such study, or it has no data: a function brings its own.
    """
    found = named(study)
    return found, data_of(found)


def data_of(study: Study) -> AnySource:
    """The data of a study.

    Raises:
        ValueError: it has none: a function brings its own.
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
