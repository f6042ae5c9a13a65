"""A function of one's own that answers with the data: `file.py:make` or `package.module:make`."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import pathlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Literal,
    Self,
    get_args,
    get_type_hints,
)

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from nettuner.models.data.source import OwnTask, Share, Source

if TYPE_CHECKING:
    from nettuner.models.data.answer import Answer
    from nettuner.models.data.dataset import Dataset
    from nettuner.models.data.tables import Tables

Reference = Annotated[StrictStr, Field(pattern=r".:.")]


class Written(BaseModel):
    """A function as a study's file names it: its arguments stand beside it."""

    model_config = ConfigDict(extra="allow", title="OwnFunction")

    source: Annotated[Reference, Field(description="file.py:function or package.module:function")]
    target: StrictStr | StrictInt | None = Field(
        None, description="Entry of samples, or column of a DataFrame, that is the target."
    )
    task: OwnTask | None = Field(None, description="What is learned, if the targets do not say it.")
    validation: Share = Field(0.2, description="Share of one set that the search is judged on.")
    test: Share = Field(0.2, description="Share of one set that only the winner ever sees.")
    split_seed: Annotated[StrictInt, Field(ge=0)] = Field(0, description="Which rows go where.")
    relative_to: StrictStr | None = Field(
        None, description="Where arguments that are paths start: the study's folder."
    )


class Own(Source):
    """A function of one's own that answers with the data."""

    reference: ClassVar[str | None] = "function"
    written: ClassVar[tuple[Any, ...]] = (Written, Reference)

    source: Literal["own"] = "own"
    function: Reference = Field(description="file.py:function or package.module:function")
    arguments: dict[StrictStr, Any] = Field(
        default_factory=dict, description="Arguments of the function, by name."
    )
    relative_to: StrictStr | None = Field(
        None, description="Where arguments that are paths start: the study's folder."
    )
    target: StrictStr | StrictInt | None = Field(
        None, description="Entry of samples, or column of a DataFrame, that is the target."
    )
    task: OwnTask | None = Field(None, description="What is learned, if the targets do not say it.")

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @classmethod
    def referred(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The function and its arguments, from a mapping that has them all."""
        own = set(cls.model_fields) - {"source", "function", "arguments"}
        rest = {name: value for name, value in given.items() if name != "source"}
        return {
            "source": "own",
            "function": given["source"],
            "arguments": {name: value for name, value in rest.items() if name not in own},
            **{name: value for name, value in rest.items() if name in own},
        }

    @property
    def name(self) -> str:
        """Name for people."""
        place, _, function = self.function.rpartition(":")
        return f"{Path(place).name}:{function}"

    @property
    def files(self) -> tuple[str, ...]:
        """The function's file, if it is named by one."""
        place = self.function.rpartition(":")[0]
        return (place,) if place.endswith(".py") else ()

    def below(self, folder: Path) -> Self:
        """The same, with paths among its arguments relative to the study's folder."""
        return self.model_copy(update={"relative_to": self.relative_to or str(folder)})

    def load(self) -> Dataset:
        """What the function answers with.

        Raises:
            ValueError: It cannot be imported or called, or its answer breaks a rule.
        """
        from nettuner.models.data.own_data import Told, own_dataset
        from nettuner.models.reference import beside, referred

        function = referred(self.function)
        arguments = self._arguments(function)
        with beside(self.function):
            answer = self._answer(function, arguments)
            told = Told(self.function, self._marks(function, arguments), self.target, self.task)
            return own_dataset(answer, self, told)

    def tables(self) -> Tables | None:
        """The DataFrames that the function answers with; None if it answers with other data."""
        from nettuner.models.data.own_table import own_tables
        from nettuner.models.reference import beside, referred

        function = referred(self.function)
        with beside(self.function):
            answer = self._answer(function, self._arguments(function))
            target = self.target if self.target is not None else answer.options.get("target")
            return own_tables(answer, target)

    def _answer(self, function: Any, arguments: Mapping[str, Any]) -> Answer:
        """What the function answers with.

        Raises:
            ValueError: It raises an error, or answers with something else than data.
        """
        from nettuner.models.data.answer import understood

        try:
            given = function(**arguments)
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise ValueError(f"{self.name} must return data, got {reason}; correct it") from error
        return understood(given, self.name)

    def _arguments(self, function: Any) -> dict[str, Any]:
        """The arguments as the function takes them.

        Where it takes a `Path`, a text becomes one, relative to the study's folder. Keys of
        nettuner's are passed on if the function takes them, too.

        Raises:
            ValueError: One is unknown or missing.
        """
        from nettuner.models.did_you_mean import did_you_mean

        if not callable(function):
            raise ValueError(
                f"{self.name} must be a function that returns data, got {function!r:.60}; name one"
            )
        known = inspect.signature(function).parameters
        anything = any(p.kind == inspect.Parameter.VAR_KEYWORD for p in known.values())
        names = [n for n, p in known.items() if p.kind not in _VARIADIC]
        given = {**self._shared(names), **self.arguments}
        for name in given:
            if name not in names and not anything:
                raise ValueError(
                    f"{self.name} takes no {name!r}; {did_you_mean(name, names)}it takes: "
                    f"{', '.join(names) or 'nothing'}"
                )
        for name in names:
            if name not in given and known[name].default is inspect.Parameter.empty:
                raise ValueError(
                    f"{self.name} must be given {name!r}, got none; add it beside source"
                )
        return {
            name: self._as(_hint(known[name], function), value) if name in known else value
            for name, value in given.items()
        }

    def _shared(self, names: list[str]) -> dict[str, Any]:
        """Keys of nettuner's that were given and that the function takes."""
        own = self.model_fields_set - {"source", "function", "arguments", "relative_to"}
        return {name: getattr(self, name) for name in names if name in own}

    def _as(self, hint: Any, value: Any) -> Any:
        if isinstance(value, str) and (hint is Path or Path in get_args(hint)):
            return Path(self.relative_to or ".", Path(value).expanduser()).absolute()
        return value

    def _marks(self, function: Any, arguments: Mapping[str, Any]) -> dict[str, str]:
        """What tells the data from others: the function's file, and the arguments."""
        try:
            file = inspect.getsourcefile(_definition(function))
        except TypeError:  # it is built in
            file = None
        content = Path(file).read_bytes() if file else b""
        return {
            "function": self.name,
            "file": hashlib.sha256(content).hexdigest()[:16],
            "arguments": json.dumps(arguments, default=str, sort_keys=True),
        }


_VARIADIC = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
# Names that annotations may use though they are imported for type checkers alone.
_PATHS = {"Path": Path, "pathlib": pathlib}


def _definition(function: Any) -> Any:
    """What was written down: the function below decorators and partial ones, an object's class."""
    function = inspect.unwrap(function)
    while isinstance(function, functools.partial):
        function = inspect.unwrap(function.func)
    written = inspect.isroutine(function) or inspect.isclass(function)
    return function if written else type(function)


def _hint(parameter: inspect.Parameter, function: Any) -> Any:
    """The type of a parameter; None where its annotation names what is not imported."""

    def alone() -> None: ...

    alone.__annotations__ = {parameter.name: parameter.annotation}
    module = sys.modules.get(_definition(function).__module__)
    try:
        return get_type_hints(alone, {**_PATHS, **(vars(module) if module else {})})[parameter.name]
    except Exception:
        return None
