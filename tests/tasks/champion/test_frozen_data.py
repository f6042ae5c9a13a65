"""Fresh data are divided by their content and written down before a retuning."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nettuner.models.data.load import load
from nettuner.models.data.sources.csv import Csv
from nettuner.models.production.incoming import Incoming
from nettuner.models.production.set_aside import set_aside
from nettuner.models.study import Study
from nettuner.tasks.champion.frozen_data import freeze


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("NETTUNER_HOME", str(tmp_path / "home"))
    source = Csv(path="/old.csv", target="side", validation=0.25, test=0.1, split_seed=3)
    return Study.model_validate(
        {"name": "clouds", "learner": "mlp", "data": source, "space": {}, "metric": "val_loss"}
    )


def rows(count, seed=0):
    """Two clouds of points; a third of the last column is missing, numbers beside words."""
    rng = np.random.default_rng(seed)
    side = rng.integers(0, 2, count)
    table = pd.DataFrame({"x": (rng.normal(size=count) + 3 * side).round(6)})
    table["mixed"] = [[1, "one", None][k % 3] for k in range(count)]
    return table.assign(side=np.where(side, "right", "left"))


def incoming(table):
    return Incoming(table, "side", ("in.csv",))


def texts(table):
    return {tuple(map(str, row)) for row in table[["x", "side"]].itertuples(index=False)}


def test_a_quarter_is_set_aside_and_the_rest_is_written_down(study):
    table = rows(400)
    found = freeze(study, incoming(table), 0.25, "classification")
    # Binomial(400, 1/4) has a standard deviation of 8.7; always the same rows, so no chance.
    assert abs(len(found.aside) - 100) < 5 * 8.7
    written = pd.read_parquet(found.study.data.path)
    assert len(written) + len(found.aside) == 400
    aside = found.aside.rows.assign(side=found.aside.truth)
    assert texts(written) | texts(aside) == texts(table)
    assert not texts(written) & texts(aside)


def test_row_numbers_in_front_are_no_input_of_the_new_model(study):
    table = rows(200)
    table.insert(0, "Unnamed: 0", range(200))
    found = freeze(study, incoming(table), 0.25, "classification")
    assert "Unnamed: 0" not in load(found.study.data).preprocessing.columns
    assert "Unnamed: 0" in found.aside.rows.columns  # a champion may know it


def test_the_study_is_the_same_on_the_new_data(study):
    found = freeze(study, incoming(rows(200)), 0.25, "classification").study
    assert found.model_copy(update={"data": study.data}) == study
    data = found.data
    assert (data.source, data.target, data.task) == ("parquet", "side", "classification")
    assert (data.validation, data.test, data.split_seed) == (0.25, 0.1, 3)
    assert load(data).classes == ("left", "right")


def test_rows_that_belong_together_stay_together_on_the_new_data(study):
    source = Csv(path="/old.csv", target="side", split_by="owner", drop=["mixed", "gone"])
    table = rows(400).assign(owner=[f"o{k % 40}" for k in range(400)])
    given = study.model_copy(update={"data": source})
    data = freeze(given, incoming(table), 0.25, "classification").study.data
    assert (data.split_by, data.drop) == ("owner", ("mixed",))
    assert load(data).preprocessing.columns == ("x",)
    del table["owner"]
    assert freeze(given, incoming(table), 0.25, "classification").study.data.split_by is None


def test_the_same_rows_are_set_aside_when_more_have_come(study):
    first, more = rows(200), pd.concat([rows(200), rows(200, seed=1)], ignore_index=True)
    early = freeze(study, incoming(first), 0.25, "classification")
    late = freeze(study, incoming(more), 0.25, "classification")
    before, after = (texts(f.aside.rows.assign(side=f.aside.truth)) for f in (early, late))
    assert before < after
    assert early.study.data.path != late.study.data.path  # both are kept


def test_rows_without_an_answer_are_not_used(study):
    table = rows(200)
    table.loc[:49, "side"] = None
    found = freeze(study, incoming(table), 0.25, "classification")
    assert len(pd.read_parquet(found.study.data.path)) + len(found.aside) == 150


def test_the_reference_describes_the_training_rows(study):
    found = freeze(study, incoming(rows(200)), 0.25, "classification")
    assert {name: facts["kind"] for name, facts in found.reference.items()} == {
        "x": "number",
        "mixed": "category",
    }
    assert sum(found.reference["x"]["counts"]) == len(load(found.study.data).train)


@pytest.mark.parametrize(
    ("count", "share", "what"),
    [(24, 0.5, "to search on"), (60, 0.02, "set aside for the comparison")],
)
def test_too_few_rows_on_either_side_are_refused(study, count, share, what):
    rule = rf"a retuning needs at least 20 labelled rows {what}, got \d+ of {count} in in.csv; wait"
    with pytest.raises(ValueError, match=rule):
        freeze(study, incoming(rows(count)), share, "classification")


@pytest.mark.parametrize(
    ("opened", "aside", "what"),
    [(20, 20, None), (19, 20, "20 labelled rows to search on, got 19 of 39"),
     (20, 19, "20 labelled rows set aside for the comparison, got 19 of 39")],
)  # fmt: skip
def test_twenty_rows_on_each_side_are_enough_and_nineteen_are_not(study, opened, aside, what):
    divided = set_aside(rows(400), 0.25)  # where a row goes does not depend on the others
    table = pd.concat([divided.open[:opened], divided.aside[:aside]], ignore_index=True)
    if what is None:
        found = freeze(study, incoming(table), 0.25, "classification")
        assert len(pd.read_parquet(found.study.data.path)) == len(found.aside) == 20
    else:
        with pytest.raises(ValueError, match=what):
            freeze(study, incoming(table), 0.25, "classification")


def test_both_sides_are_kept_in_a_folder_of_the_study_and_of_the_content(study):
    found = freeze(study, incoming(rows(200)), 0.25, "classification")
    opened = Path(found.study.data.path)
    assert opened.name == "open.parquet"
    assert opened.parents[1].name == "clouds"
    kept = pd.read_parquet(opened.with_name("aside.parquet"))
    assert texts(kept) == texts(found.aside.rows.assign(side=found.aside.truth))
    again = freeze(study, incoming(rows(200)), 0.25, "classification")
    assert again.study == found.study  # the same rows, the same file


def test_columns_of_several_types_become_text_and_gaps_stay_gaps(study):
    found = freeze(study, incoming(rows(200)), 0.25, "classification")
    written = pd.read_parquet(found.study.data.path)
    assert written["x"].dtype == float
    present = written["mixed"].dropna()
    assert set(present) == {"1", "one"}
    # One in three has a gap: Binomial(150, 1/3) has a standard deviation of 5.8; the rows are
    # always the same.
    assert abs(written["mixed"].isna().sum() - 50) < 4 * 5.8
    assert "None" not in set(present)
