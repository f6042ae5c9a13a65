"""What every source of tables has: files with one row per example."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, StrictInt, StrictStr, model_validator

from nettuner.models.data.source import Source

if TYPE_CHECKING:
    import pandas as pd

    from nettuner.models.data.dataset import Dataset
    from nettuner.models.data.tables import Tables

Targets = Annotated[tuple[StrictStr | StrictInt, ...], Field(min_length=2)]
TableTask = Literal["classification", "regression"]


class TableSource(Source):
    """What every file with one row per example has."""

    paths: ClassVar[tuple[str, ...]] = ("path", "validation_path", "test_path")
    apart: ClassVar[Mapping[str, str]] = {"validation": "validation_path", "test": "test_path"}

    if TYPE_CHECKING:  # each kind of file declares them in the order of its own keys
        path: str
        target: str | int | tuple[str | int, ...]
        task: TableTask | None
        drop: tuple[str, ...]

    validation_path: StrictStr | None = Field(
        None, description="A file of validation rows, used instead of a share of `path`."
    )
    test_path: StrictStr | None = Field(
        None, description="A file of test rows, used instead of a share of `path`."
    )
    split_by: StrictStr | None = Field(
        None,
        description="A column whose equal values go to one split, such as a customer; no input.",
    )
    split_by_time: StrictStr | None = Field(
        None,
        description="A column of dates or numbers: the oldest rows are trained on, the newest are "
        "for the test.",
    )

    missing: tuple[StrictStr, ...] = Field(
        (), description="More texts that stand for a missing value, beside NA, ? and the like."
    )

    @property
    def why_no_folds(self) -> str | None:
        """Why training and validation rows cannot be divided otherwise; None if they can."""
        if self.split_by_time is not None:
            return "split_by_time trains on the oldest rows"
        return super().why_no_folds

    @property
    def unread(self) -> tuple[str, ...]:
        """The columns that nothing needs: those to leave out that do not divide the rows either."""
        return tuple(n for n in self.drop if n not in (self.split_by, self.split_by_time))

    @model_validator(mode="after")
    def _targets_differ(self) -> TableSource:
        given = self.target if isinstance(self.target, tuple) else ()
        for place, target in enumerate(given):
            if target in given[:place]:
                raise ValueError(
                    f"target: must name different columns, got {target!r} twice; drop one"
                )
        return self

    @model_validator(mode="after")
    def _rows_are_divided_in_one_way(self) -> TableSource:
        if self.split_by is not None and self.split_by_time is not None:
            raise ValueError(
                f"split_by: give split_by or split_by_time, not both, got {self.split_by!r} and "
                f"{self.split_by_time!r}; drop one"
            )
        for key in ("split_by", "split_by_time"):
            given = getattr(self, key)
            if given is not None and self.validation_path and self.test_path:
                raise ValueError(
                    f"{key}: goes with rows to be divided, got {given!r}, and files for validation "
                    f"and test; drop {key}, or one of the files"
                )
        files = [self.path, self.validation_path, self.test_path]
        for place, key in ((1, "validation_path"), (2, "test_path")):
            if files[place] is not None and files[place] in files[:place]:
                raise ValueError(
                    f"{key}: must be a file of other rows, got {files[place]!r} twice; "
                    "give each split its own file"
                )
        return self

    def read(self) -> pd.DataFrame:
        """All of the file as a table, with the names of columns as they are written.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no table.
        """
        raise NotImplementedError

    def load(self) -> Dataset:
        """The dataset in the table.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It cannot be read as a table, or has no such target.
        """
        from nettuner.models.data.tables import table_dataset

        return table_dataset(self.tables(), self, self.task)

    def tables(self) -> Tables:
        """The rows of the files, without columns that nothing needs.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: One cannot be read as a table, or has no such target.
        """
        from nettuner.models.data.columns import check_no_twin, chosen, without
        from nettuner.models.data.division import Division, divides
        from nettuner.models.data.tables import Tables, find_target, two_columns

        read = self.read()
        table = chosen(read, self.unread)
        inputs = two_columns(chosen(read, self.drop), self)
        asked = self.target if isinstance(self.target, tuple) else (self.target,)
        targets = tuple(find_target(list(inputs.columns), one) for one in asked)
        for target in targets:
            check_no_twin(inputs, target)
        group, time = (
            None if name is None else divides(list(table.columns), key, name, targets)
            for key, name in (("split_by", self.split_by), ("split_by_time", self.split_by_time))
        )
        left_out = {group} | (set(table.columns) - set(inputs.columns))
        validation, test = (
            None if path is None else without(self.at(path).read(), self.unread)
            for path in (self.validation_path, self.test_path)
        )
        return Tables(
            table,
            targets[0],
            Division(group, time, tuple(name for name in table.columns if name in left_out)),
            validation,
            test,
            (self.validation_path or "", self.test_path or ""),
            targets[1:],
        )

    def at(self, path: str) -> Self:
        """The same description of another file."""
        return self.model_copy(update={"path": path})

    def target_column(self) -> str | int:
        """The column to predict: its name, as far as the file tells.

        By a position alone, the last column of rows without answers would be taken for the target.
        """
        from nettuner.models.data.columns import chosen
        from nettuner.models.data.tables import find_target

        if isinstance(self.target, tuple):
            raise ValueError(
                f"models are compared in production by one target, got {list(self.target)}; give "
                "the study one of them"
            )
        if isinstance(self.target, str) or not Path(self.path).is_file():
            return self.target
        return find_target(list(chosen(self.read(), self.drop).columns), self.target)
