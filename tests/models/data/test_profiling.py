"""What is understood of data, and what looks wrong with them."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from nettuner.models.data.load import load
from nettuner.models.data.profile import MOST_CHARACTERS, Column, Profile, TargetFacts
from nettuner.models.data.profiling import profile
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.data.sources.csv import Csv
from nettuner.models.data.sources.numbers import Numbers
from nettuner.models.data.sources.own import Own
from nettuner.models.data.sources.parquet import Parquet


@pytest.fixture
def write(tmp_path):
    def write(header, rows, name="data.csv"):
        path = tmp_path / name
        path.write_text("\n".join([header, *rows]) + "\n")
        return str(path)

    return write


def look(source):
    return profile(source, load(source))


def test_every_column_is_told_with_what_it_holds(write):
    header = "size;colour;on;same;note;owner;answer"
    rows = [
        f"{i % 7},5;{'' if i % 10 == 0 else ('red', 'blue', 'red', 'green')[i % 4]};"
        f"2020-01-{1 + i % 28:02};7;text {i};o{i % 20};{('no', 'yes', '?')[i % 3]}"
        for i in range(60)
    ]
    source = Csv(path=write(header, rows), drop=["note"], split_by="owner")
    found = look(source)
    assert found.recognised == {"separator": ";", "decimal": ","}
    assert found.dropped == 20
    assert sum(found.rows.values()) == 40
    assert found.target == TargetFacts("answer", {"no": 20, "yes": 20})
    assert found.inputs == f"{found.shape[0]} features of 3 columns"
    assert found.columns == (
        Column("size", "number", "0.5 to 6.5", 0, 1),
        Column("colour", "category", "3: red, blue, green", 0.1, 4),
        Column("on", "date", "2020-01-01 to 2020-01-28", 0, 1),
        Column("same", "left out", "one value alone"),
        Column("owner", "left out", "divides the rows"),
        Column("note", "left out", "as drop says"),
    )


def warned(write, cells, target=None):
    """The warnings of a table of 400 rows with one column beside a number, but for its size."""
    rows = [
        f"{i * 7919 % 400 / 2},{cells(i)},{target(i) if target else 'ny'[i % 2]}"
        for i in range(400)
    ]
    lines = look(Csv(path=write("x,c,y", rows), validation=0.6)).warnings
    return list(lines)


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        (lambda i: i, "every row has another whole number in 'c', as row numbers and identifiers"),
        (lambda i: 5, "no training row differs from another in 'c': left out; correct the file"),
        (
            lambda i: f"w{i * 3 // 4}",
            "'c' has 300 different words in 400 rows, of which a network learns little; 49 have a "
            'feature of their own, the others share one; leave it out with drop: ["c"], or group',
        ),
        (
            lambda i: f"{i % 5} %",
            "'c' looks like numbers written as text, such as '0 %', and is taken as 5 categories; "
            "write them as 1234.5",
        ),
        (lambda i: f'"{1 + i % 5},234.5"', "'c' looks like numbers written as text, such as"),
        (lambda i: f"{1 + i % 5}.12.2020", "'c' looks like dates written as text, such as"),
        (lambda i: ("Red", "red", "blue")[i % 3], "'Red' and 'red' in 'c' differ in blanks or cap"),
        (lambda i: ("big red", "bigred")[i % 2], "'big red' and 'bigred' in 'c' differ in"),
    ],
)
def test_a_column_that_looks_wrong_is_warned_of(write, cells, line):
    (found,) = warned(write, cells)
    assert found.startswith(line), found


@pytest.mark.parametrize(
    "cells",
    [
        lambda i: i * 1.5,
        lambda i: i * i,
        lambda i: ("1st", "2nd", "3rd", "4th")[i % 4],
        lambda i: ("red", "blue")[i % 2],
        lambda i: f"w{i % 100}",
        lambda i: i % 3,
    ],
)
def test_a_column_that_does_not_is_not(write, cells):
    assert warned(write, cells) == []


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (
            lambda i: "rare" if i < 12 else "usual",
            "97.0% of the rows are 'usual' in 'y': who always says so has that accuracy;",
        ),
        (lambda i: ("yes", "no", "Yes")[i % 3], "'Yes' and 'yes' in 'y' differ in blanks or capit"),
        (lambda i: ("5 %", "10 %")[i % 2], "'y' looks like numbers written as text, such as '5 %'"),
    ],
)
def test_classes_that_look_wrong_are_warned_of(write, target, line):
    (found,) = warned(write, lambda i: i % 3, target)
    assert found.startswith(line), found


def test_an_identifier_is_known_by_its_name_if_all_are_different(write):
    rows = [f"{i * 17 + 3},{i * 17 + 3},{'ny'[i % 2]}" for i in range(40)]
    lines = look(Csv(path=write("customer_id,price,y", rows))).warnings
    assert "whole number in 'customer_id', as" in lines[0]
    assert lines[0].endswith('drop: ["customer_id"]')


# 30 of 150 rows: sqrt(0.9 * 0.1 / 30) is 5.5 points; 2 points need 0.09 / 0.0004 = 225 rows.
# 88 of 442: 1 / sqrt(176) is 8 %; 5 % needs 0.5 / 0.0025 = 200 rows.
@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "iris",
            "30 validation rows tell accuracies near 90% apart by 5.5 points at best (one standard "
            "error); about 225 are enough: give more rows, a larger share, or folds",
        ),
        (
            "diabetes",
            "88 validation rows tell errors apart by 8% at best (one standard error of val_rmse); "
            "about 200 are enough: give more rows, a larger share, or folds",
        ),
    ],
)
def test_a_validation_too_small_to_tell_configurations_apart_is_told_with_the_figure(name, line):
    assert look(Builtin(name=name)).warnings == (line,)


def test_with_folds_all_rows_but_those_of_the_test_are_validated_on():
    # 354 of 442 rows: 1 / sqrt(708) is 3.8 %. 120 of 150: sqrt(0.09 / 120) is 2.7 points.
    data = load(Builtin(name="diabetes"))
    assert profile(Builtin(name="diabetes"), data, folded=True).warnings == ()
    (line,) = profile(Builtin(name="iris"), load(Builtin(name="iris")), folded=True).warnings
    assert line.startswith("120 validation rows tell accuracies near 90% apart by 2.7 points")


def test_with_a_rare_class_the_figure_is_that_of_the_usual_one(write):
    rows = [f"{i / 3},{'rare' if i < 40 else 'usual'}" for i in range(1000)]
    (line,) = [
        w for w in look(Csv(path=write("x,y", rows), validation=0.05)).warnings if "tell" in w
    ]
    assert f"near 96% apart by {100 * math.sqrt(0.96 * 0.04 / 50):.1f} points" in line


def test_images_and_sentences_are_told_without_columns():
    found = look(Builtin(name="digits"))
    assert found.inputs == "images of 1 x 8 x 8 (colours, height, width)"
    assert sum(found.target.classes.values()) == sum(found.rows.values()) == 1797
    assert found.warnings == ()
    found = look(Numbers(rows=200))
    assert found.inputs.startswith("sentences of up to ")
    assert found.columns == ()


def test_a_regression_is_told_with_its_range(write):
    rows = [f"{i / 3},{i + 0.5}" for i in range(100)]
    found = look(Csv(path=write("x,y", rows)))
    assert found.target == TargetFacts("y", holds="0.5 to 99.5, 50 on average")


def test_categories_that_are_declared_and_booleans_are_told_alike(tmp_path):
    table = pd.DataFrame({"c": pd.Categorical(["1", "2"] * 20), "b": [True, False] * 20})
    table = table.assign(y=np.arange(40) / 3)
    table.to_parquet(tmp_path / "data.parquet")
    found = look(Parquet(path=str(tmp_path / "data.parquet")))
    assert [(c.kind, c.holds) for c in found.columns] == [
        ("category", "2: 1, 2"),
        ("category", "2: True, False"),
    ]


def test_however_long_arguments_and_names_are_a_database_can_keep_what_is_known():
    long = "\N{SNOWMAN}" * 70_000  # six characters each in JSON
    found = Profile(
        {"train": 3},
        "many",
        (2,),
        TargetFacts(long, holds=long),
        columns=(Column("x", "number"),),
        warnings=(long,) * 9,
        origin={"function": "own.py:make", "arguments": long},
    )
    schema, facts = found.schema(), found.facts()
    assert max(len(schema), len(facts)) <= MOST_CHARACTERS
    assert json.loads(facts)["origin"]["function"] == "own.py:make"


def test_a_function_is_not_called_again_for_data_that_are_no_table(tmp_path):
    (tmp_path / "own.py").write_text(
        "from pathlib import Path\n\nimport numpy as np\n\n\n"
        "def make(note: Path):\n"
        "    note.write_text(note.read_text() + '.')\n"
        "    return np.eye(20), np.arange(20) / 20\n"
    )
    note = tmp_path / "calls.txt"
    note.write_text("")
    found = look(Own(function=f"{tmp_path / 'own.py'}:make", arguments={"note": str(note)}))
    assert found.columns == ()
    assert note.read_text() == "."


def wide(columns):
    return Profile(
        {"train": 3, "validation": 1, "test": 1},
        "many",
        (columns,),
        TargetFacts("y", {f"class {i}": 1 for i in range(columns)}),
        columns=tuple(Column(f"column {i}", "number", "0 to 1", 0, 1) for i in range(columns)),
        warnings=("w" * 500,) * 20,
    )


@pytest.mark.parametrize("columns", [2, 20_000])
def test_however_wide_a_table_is_a_database_can_keep_what_is_known_of_it(columns):
    found = wide(columns)
    schema, facts = found.schema(), found.facts()
    assert max(len(schema), len(facts)) <= MOST_CHARACTERS
    assert json.loads(facts)["num_rows"] == 5
    names = [column["name"] for column in json.loads(schema)["mlflow_colspec"]]
    assert names[0] == "column 0"
    assert names[-1] == "y"


@pytest.mark.parametrize(
    ("targets", "task", "holds"),
    [
        ("np.arange(30) % 3", None, "3 classes as they are given"),
        ("np.random.rand(30, 2)", None, "numbers as they are given, shape [2]"),
        ("np.random.rand(30, 2) > 0.5", "labels", "labels of 0 and 1 as they are given, shape [2]"),
        ("np.arange(30) % 3", "own", "as they are given"),
    ],
)
def test_of_the_target_of_a_function_it_is_said_what_networks_get(tmp_path, targets, task, holds):
    made = f"{{'inputs': np.zeros((30, 2)), 'targets': {targets}}}"
    (tmp_path / "own.py").write_text(f"import numpy as np\n\n\ndef make():\n    return {made}\n")
    assert look(Own(function=f"{tmp_path / 'own.py'}:make", task=task)).target.holds == holds
