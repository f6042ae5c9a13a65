"""What `nettuner check` prints of data."""

from __future__ import annotations

from nettuner.flows.commands.show_profile import MOST_COLUMNS, show_profile
from nettuner.models.data.profile import Column, Profile, TargetFacts

PROFILE = Profile(
    {"train": 1200, "validation": 40, "test": 4},
    "4 features of 2 columns",
    (4,),
    TargetFacts("[answer]", {"no": 1000, "yes": 244}),
    dropped=3,
    recognised={"separator": "\t"},
    columns=(
        Column("size [cm]", "number", "0.5 to 6.5", 0.0004, 1),
        Column("colour", "category", "2: red, blue", 0.25, 3),
        Column("owner", "left out", "divides the rows"),
    ),
)


def shown(profile, capsys):
    show_profile(profile)
    return [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_rows_file_inputs_target_and_columns_are_shown(capsys):
    assert shown(PROFILE, capsys) == [
        "rows:     1,200 to train, 40 to validate, 4 to test; 3 left out",
        r"file:     separator '\t' (recognised)",
        "inputs:   4 features of 2 columns",
        "target:   [answer], 2 classes, rows of each: no: 1,000, yes: 244",
        "column      is         holds              missing   features",
        "────────────────────────────────────────────────────────────",
        "size [cm]   number     0.5 to 6.5            0.1%          1",
        "colour      category   2: red, blue         25.0%          3",
        "owner       left out   divides the rows",
    ]


def test_a_target_that_is_no_column_has_no_name(capsys):
    rows = {"train": 3, "validation": 1}
    given = Profile(rows, "", (2,), TargetFacts("the target", holds="3 classes as they are given"))
    assert "target:   3 classes as they are given" in shown(given, capsys)
    counted = Profile(rows, "", (2,), TargetFacts("the target", {"0": 3, "1": 1}))
    assert "target:   2 classes, rows of each: 0: 3, 1: 1" in shown(counted, capsys)


def test_of_a_wide_table_the_first_columns_are_shown(capsys):
    many = tuple(Column(f"c{i}", "number", "0 to 1", 0, 1) for i in range(MOST_COLUMNS + 5))
    rows = {"train": 3, "validation": 1, "test": 1}
    wide = Profile(rows, "", (45,), TargetFacts("y"), columns=many)
    lines = shown(wide, capsys)
    assert lines[-1] == "and 5 columns more"
    assert lines[-2].startswith(f"c{MOST_COLUMNS - 1} ")
