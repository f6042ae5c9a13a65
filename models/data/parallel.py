"""Parallel text: two files, one sentence per line, gzipped or not."""

from __future__ import annotations

from nettuner.models.data.contents import read
from nettuner.models.data.dataset import Dataset
from nettuner.models.data.source import Parallel
from nettuner.models.data.texts import Pairs, text_dataset


def load_parallel(source: Parallel) -> Dataset:
    """The dataset in parallel text files.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file is no UTF-8 text, two files differ in their number of lines, or too
            few pairs are left.
    """
    given = read_pairs(source.source_text, source.target_text)
    if source.limit is not None:
        given = Pairs(given.source[: source.limit], given.target[: source.limit])
    return text_dataset(
        given,
        source,
        lowercase=source.lowercase,
        validation=_published(source.validation_source_text, source.validation_target_text),
        test=_published(source.test_source_text, source.test_target_text),
    )


def _published(source: str | None, target: str | None) -> Pairs | None:
    return None if source is None or target is None else read_pairs(source, target)


def read_pairs(source: str, target: str) -> Pairs:
    """The lines of two files, without white space at either end.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file is no UTF-8 text, or the numbers of lines differ.
    """
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
