"""Parallel text: two files, one sentence per line, gzipped or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, StrictBool, StrictStr, model_validator

from nettuner.models.data.contents import read
from nettuner.models.data.source import Count
from nettuner.models.data.text_source import Texts

if TYPE_CHECKING:
    from nettuner.models.data.dataset import Dataset
    from nettuner.models.data.texts import Pairs


class Parallel(Texts):
    """Two text files, one sentence per line, each line of one the translation of the other's."""

    paths: ClassVar[tuple[str, ...]] = (
        "source_text",
        "target_text",
        "validation_source_text",
        "validation_target_text",
        "test_source_text",
        "test_target_text",
    )
    apart: ClassVar[Mapping[str, str]] = {
        "validation": "validation_source_text",
        "test": "test_source_text",
    }

    source: Literal["parallel"] = "parallel"
    source_text: StrictStr = Field(
        description="The text to translate, relative to the study's folder; may be gzipped."
    )
    target_text: StrictStr = Field(description="Its translation, line by line.")
    validation_source_text: StrictStr | None = Field(
        None, description="Published validation text, used instead of a share of `source_text`."
    )
    validation_target_text: StrictStr | None = Field(
        None, description="The translation of `validation_source_text`."
    )
    test_source_text: StrictStr | None = Field(
        None, description="Published test text, used instead of a share of `source_text`."
    )
    test_target_text: StrictStr | None = Field(
        None, description="The translation of `test_source_text`."
    )
    lowercase: StrictBool = Field(False, description="Whether all text is put in lower case.")
    limit: Count | None = Field(
        None, description="Only the first lines of `source_text`, this many."
    )

    @model_validator(mode="after")
    def _published_files_come_in_pairs(self) -> Parallel:
        for split in ("validation", "test"):
            names = f"{split}_source_text", f"{split}_target_text"
            source, target = (getattr(self, name) for name in names)
            if (source is None) != (target is None):
                raise ValueError(
                    f"{names[0]} and {names[1]} go together, got {source!r} and {target!r}; "
                    "give both or neither"
                )
        return self

    def load(self) -> Dataset:
        """The dataset in the text files.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: A file is no UTF-8 text, two files differ in their number of lines, or too
                few pairs are left.
        """
        from nettuner.models.data.texts import Pairs, text_dataset

        given = read_pairs(self.source_text, self.target_text)
        if self.limit is not None:
            given = Pairs(given.source[: self.limit], given.target[: self.limit])
        return text_dataset(
            given,
            self,
            lowercase=self.lowercase,
            validation=_published(self.validation_source_text, self.validation_target_text),
            test=_published(self.test_source_text, self.test_target_text),
        )


def _published(source: str | None, target: str | None) -> Pairs | None:
    return None if source is None or target is None else read_pairs(source, target)


def read_pairs(source: str, target: str) -> Pairs:
    """The lines of two files, without white space at either end.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A file is no UTF-8 text, or the numbers of lines differ.
    """
    from nettuner.models.data.texts import Pairs

    pairs = Pairs(_lines(source), _lines(target))
    if len(pairs.source) != len(pairs.target):
        raise ValueError(
            f"every line needs its translation on the same line, got {len(pairs.source)} lines in "
            f"{source} and {len(pairs.target)} in {target}; pair the files that belong together"
        )
    return pairs


def _lines(path: str) -> list[str]:
    content = read(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path} must be UTF-8 text, got byte {content[error.start]:#04x} in line {line}; "
            "save it as UTF-8"
        ) from None
    # Not by splitlines, which also ends lines at characters that occur inside of sentences.
    return [line.strip() for line in text.removesuffix("\n").split("\n")]
