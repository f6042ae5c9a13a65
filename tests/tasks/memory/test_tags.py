"""The names of what is kept in MLflow: all in one place, none twice, newer ones refused."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from nettuner.tasks.memory import tags as names

ROOT = Path(__file__).parents[3]
# What Prefect is told, and where modules are: no names of MLflow's.
ELSE = re.compile(r"nettuner\.(flows|tasks|models|deploy|champion|challenger|study)\b")


def texts(file):
    """The constant texts in a file that are names of tags, also parts of f-strings."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            own = re.fullmatch(r"(mlflow\.)?nettuner\.[a-z_.]+", node.value)
            theirs = re.match(r"mlflow\.(note|parentRunId|source|experiment)", node.value)
            if theirs or (own and not ELSE.match(node.value)):
                yield node.value


def test_a_name_is_written_nowhere_else():
    files = [*ROOT.glob("tasks/**/*.py"), *ROOT.glob("flows/**/*.py")]
    found = {f.relative_to(ROOT).as_posix(): list(texts(f)) for f in files}
    assert len(found.pop("tasks/memory/tags.py")) > 30
    assert {file: some for file, some in found.items() if some} == {}


def test_no_two_names_of_one_kind_of_run_are_equal():
    values = [v for k, v in vars(names).items() if k.isupper() and isinstance(v, str)]
    twice = [value for value, count in Counter(values).items() if count > 1]
    # Of a trial it is the search's name, of a version the address of its page.
    assert twice == [names.SEARCH]


def test_records_of_before_there_were_versions_are_read():
    names.check_version({}, "an old one")
    names.check_version({names.SCHEMA: "1"}, "a present one")


def test_records_of_a_newer_schema_are_refused_in_one_line():
    with pytest.raises(ValueError, match="of schema 1 or older can be read, got 2 in 'next'; inst"):
        names.check_version({names.SCHEMA: "2"}, "next")
