"""A study as a YAML file: read, checked, and its paths made absolute."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from nettuner.models.brief import brief
from nettuner.models.study import Study
from nettuner.models.study_faults import Key, explain, sentence

DEEPEST = 100
# Stands where errors name the file.
PROGRAM = "study"
# Brackets, and what may hold others that mean nothing: quoted texts and comments.
BRACKETS = re.compile(r"""[\[\]{}]|"(?:[^"\\]|\\.)*"|(?<!\w)'[^']*'|(?<!\S)\#[^\n]*""", re.DOTALL)


class StudyError(ValueError):
    """A study file has faults: `lines` has one line for each, and quotes values in part only."""

    def __init__(self, lines: list[str]) -> None:
        lines = [brief(line) for line in lines]
        super().__init__(lines)
        self.lines = lines

    def __str__(self) -> str:
        return "\n".join(self.lines)


def from_mapping(document: object) -> Study:
    """A study as a program gives it; its files are relative to the working folder.

    Raises:
        StudyError: It, or a file that it names, is missing or invalid.
    """
    return _checked(document, PROGRAM, Path.cwd(), lambda _: None)


def load(path: Path) -> Study:
    """Read a study; its files, given relative to its folder, become absolute paths.

    Raises:
        StudyError: The file, or a file that it names, is missing or invalid.
    """
    document, root = _parsed(_text(path), str(path))
    return _checked(document, str(path), path.absolute().parent, lambda key: _line(root, key))


def _checked(
    document: object, file: str, folder: Path, line_of: Callable[[Key], int | None]
) -> Study:
    """The study that a document says.

    Args:
        document: Plain values.
        file: Name of the file for errors.
        folder: Folder that its paths are relative to.
        line_of: Function from a key to its line number, from 1; None if unknown.
    """
    try:
        study = Study.model_validate(document)
    except ValidationError as error:
        raise StudyError(explain(error, file, document, line_of=line_of)) from None
    located, faults = _located(study, folder)
    if faults:
        raise StudyError(
            [sentence(file, key, message, line_of(key)) for key, message in faults.items()]
        )
    return located


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise StudyError([f"{path}: must be a file, got {reason}; correct the path"]) from None
    except UnicodeDecodeError as error:
        byte = f"byte {error.object[error.start]:#04x} at position {error.start}"
        raise StudyError([f"{path}: must be UTF-8 text, got {byte}; save it as UTF-8"]) from None


def _parsed(text: str, file: str) -> tuple[Any, Node | None]:
    """The document as plain values (YAML 1.2), and as nodes with line numbers."""
    _check_depth(text, file)
    try:
        yaml = YAML(typ="safe", pure=True)
        root = yaml.compose(text)
        return None if root is None else yaml.constructor.construct_document(root), root
    except DuplicateKeyError as error:
        found = re.search(r'duplicate key "(.*?)" with', error.problem or "")
        key = found[1] if found else "a key"
        message = "must be given once, got it twice; drop one"
        raise StudyError([sentence(file, (key,), message, _mark(error))]) from None
    except YAMLError as error:
        raise StudyError([_syntax_error(error, text, file)]) from None
    except (ValueError, RecursionError) as error:  # an invalid date or number; deep nesting
        message = f"must be valid YAML, got: {' '.join(str(error).split())}; quote or correct it"
        raise StudyError([f"{file}: {message}"]) from None


def _check_depth(text: str, file: str) -> None:
    """Refuse what no study needs, before the parser takes seconds to get lost in it."""
    depth = 0
    for found in BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if depth > DEEPEST:
            line = text.count("\n", 0, found.start()) + 1
            message = f"must nest at most {DEEPEST} brackets, got more; close or drop some"
            raise StudyError([f"{file}:{line}: {message}"])


def _mark(error: MarkedYAMLError) -> int | None:
    mark = error.problem_mark or error.context_mark
    return None if mark is None else int(mark.line) + 1


def _syntax_error(error: YAMLError, text: str, file: str) -> str:
    line = _mark(error) if isinstance(error, MarkedYAMLError) else None
    if line is None:
        return f"{file}: must be valid YAML, got: {' '.join(str(error).split())}; correct it"
    lines = text.splitlines()
    written = lines[line - 1].strip() if line <= len(lines) else ""
    problem = " ".join(str(getattr(error, "problem", "")).split())
    return f"{file}:{line}: must be valid YAML, got {written!r:.80}; {problem}"


def _line(root: Node | None, key: Key) -> int | None:
    """The line of a key, or of its nearest ancestor in the file."""
    node, line = root, None
    for part in key:
        if isinstance(node, MappingNode):
            below = {name.value: (name, value) for name, value in node.value}
            if str(part) not in below:
                break
            name, node = below[str(part)]
            line = name.start_mark.line + 1
        elif isinstance(node, SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _located(study: Study, folder: Path) -> tuple[Study, dict[Key, str]]:
    """The study with absolute paths, and what is wrong with them."""
    faults: dict[Key, str] = {}
    changes: dict[str, Any] = {}
    if study.data is not None:
        files = {
            name: _absolute(folder, given)
            for name in study.data.paths
            if (given := getattr(study.data, name, None)) is not None
        }
        for name, found in files.items():
            if not os.path.isfile(found):
                faults["data", name] = _missing(getattr(study.data, name), found)
        for name in study.data.folders:
            given = getattr(study.data, name)
            files[name] = _absolute(folder, given)
            if not os.path.isdir(files[name]):
                faults["data", name] = _missing(given, files[name], "folder")
        if study.data.reference is not None:
            given = getattr(study.data, study.data.reference)
            files[study.data.reference], fault = _located_code(folder, given)
            if fault:
                faults["data", "source"] = fault
        changes["data"] = study.data.model_copy(update=files).below(folder)
    changes["learner"], fault = _located_code(folder, study.learner)
    if fault:
        faults["learner",] = fault
    ours = [_absolute(folder, given) for given in study.runner.files]
    for place, found in enumerate(ours):
        if not os.path.exists(found):
            fault = _missing(study.runner.files[place], found, "file or folder")
            faults["runner", "files", place] = fault
    if ours:
        changes["runner"] = study.runner.model_copy(update={"files": tuple(ours)})
    metrics = [_located_code(folder, given) for given in study.metrics]
    changes["metrics"] = tuple(found for found, _ in metrics)
    faults |= {("metrics", place): fault for place, (_, fault) in enumerate(metrics) if fault}
    return study.model_copy(update=changes), faults


def _located_code(folder: Path, reference: str) -> tuple[str, str | None]:
    """A reference with an absolute path, and what is wrong with it."""
    place, _, name = reference.rpartition(":")
    if reference.removesuffix(":").endswith(".py"):
        given = reference.removesuffix(":")
        return reference, f"must say what of a file, got {reference!r}; add it: {given}:Name"
    if not place.endswith(".py"):
        return reference, None
    found = _absolute(folder, place)
    return f"{found}:{name}", None if os.path.isfile(found) else _missing(place, found)


def _absolute(folder: Path, given: str) -> str:
    return os.path.abspath(folder / os.path.expanduser(given))


def _missing(given: str, found: str, what: str = "file") -> str:
    return (
        f"must be an existing {what}, got {given!r} ({found}); "
        "correct the path, which is relative to the study's folder"
    )
