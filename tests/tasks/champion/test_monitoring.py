"""A check of the champion: what it finds, what it counts, and what it leaves in MLflow."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from nettuner.models.production.drift import reference
from nettuner.models.production.incoming import Incoming
from nettuner.tasks.champion import monitoring
from nettuner.tasks.champion.monitoring import Limits, check, note_failure
from nettuner.tasks.champion.versions import Version
from nettuner.tasks.memory import tags as names

pytestmark = pytest.mark.slow

LIMITS = Limits(drift=0.25, rows=20)


def table(seed, shift=0.0, rows=400):
    """A column of standard normal numbers, and a target."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"x": rng.normal(size=rows) + shift, "y": rng.normal(size=rows)})


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory):
    return MlflowClient(f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}")


@pytest.fixture
def look(mlflow, monkeypatch, tmp_path, request):
    """Check a champion of this test's own, whose answers are off by so much."""
    study = request.node.name.replace("[", "-").replace("]", "")
    where = mlflow.create_experiment(study, artifact_location=(tmp_path / "kept").as_uri())
    gate = mlflow.create_run(where).info.run_id
    mlflow.log_dict(gate, reference(table(0)[["x"]]), "reference.json")
    tags = {
        names.METRIC: "mae",
        names.DIRECTION: "minimize",
        names.THRESHOLD: "0.5",
        names.GATE: gate,
    }
    version = Version(study, 3, "run", tags, "champion")

    asked = []

    def look(came, off=0.0, target="y", limits=LIMITS, version=version):
        incoming = Incoming(came, target, ("in.csv",))
        truth = incoming.examples().truth
        answers = pd.DataFrame({"prediction": np.array(truth, dtype=float) + off})

        def answer(models, rows):
            asked.append((models, rows))
            return [answers]

        monkeypatch.setattr(monitoring, "answers", answer)
        return check(mlflow, version, "regression", incoming, limits)

    look.asked = asked
    look.trained_on = lambda rows: mlflow.log_dict(gate, reference(rows), "reference.json")
    look.version = version
    look.course = lambda found: mlflow.get_run(found.url.rpartition("/")[2].partition("?")[0])
    return look


def test_what_is_within_its_threshold_is_fine(look):
    found = look(table(1), off=0.25)
    assert (found.outcome, found.value, found.threshold) == ("fine", pytest.approx(0.25), 0.5)
    assert (found.version, found.breaches, found.drifted) == (3, 0, [])
    assert "mae 0.25 is within the threshold 0.5; none of 1 columns" in found.message


def test_a_metric_beyond_its_threshold_is_degraded(look):
    found = look(table(1), off=0.75)
    assert (found.outcome, found.breaches) == ("degraded", 1)
    assert "mae 0.75 is beyond the threshold 0.5" in found.message


def test_a_metric_at_its_threshold_is_fine(look):
    assert look(table(1), off=0.5 - 1e-9).outcome == "fine"


@pytest.mark.parametrize("off", [np.inf, np.nan])
def test_a_metric_that_is_no_number_is_degraded(look, off):
    assert look(table(1), off=off).outcome == "degraded"


def test_inputs_that_have_drifted_are_degraded_however_good_the_answers(look):
    # Shifted by two standard deviations: most rows lie in the last of ten bins.
    found = look(table(1, shift=2.0), off=0.0)
    assert (found.outcome, found.drifted) == ("degraded", ["x"])
    assert "1 of 1 columns have drifted: x (" in found.message


def test_breaches_in_a_row_are_counted_and_a_good_check_ends_them(look):
    counts = [look(table(k), off=off).breaches for k, off in enumerate([0.75, 0.75, 0.0, 0.75], 1)]
    assert counts == [1, 2, 0, 1]


def test_data_that_were_checked_before_neither_count_nor_reset(look):
    look(table(1), off=0.75)
    again = look(table(1), off=0.0)
    assert (again.outcome, again.breaches, again.value) == ("no new data", 1, None)
    assert look(table(2), off=0.75).breaches == 2


def test_too_few_rows_say_nothing(look):
    found = look(table(1, rows=19), off=0.75)
    assert (found.outcome, found.breaches) == ("too few rows", 0)
    assert found.message == "19 rows are too few to judge by, 20 are needed"


def test_without_labels_the_breaches_stand_as_they_were_unless_inputs_drift(look):
    look(table(1), off=0.75)
    unlabelled = look(table(2).drop(columns="y"))
    assert (unlabelled.outcome, unlabelled.value, unlabelled.breaches) == ("no labels", None, 1)
    drifted = look(table(3, shift=2.0).drop(columns="y"))
    assert (drifted.outcome, drifted.breaches) == ("degraded", 2)


def test_every_check_is_a_point_of_the_champions_curves(look, mlflow):
    look(table(1), off=0.25)
    course = look.course(look(table(2), off=0.75))
    history = mlflow.get_metric_history(course.info.run_id, "check/mae")
    assert [(m.step, m.value) for m in history] == [
        (1, pytest.approx(0.25)),
        (2, pytest.approx(0.75)),
    ]
    assert course.data.metrics["check/mae_threshold"] == 0.5
    assert course.data.metrics["check/rows"] == 400
    assert "drift/x" in course.data.metrics
    tags = course.data.tags
    assert (tags[names.CHECKS], tags[names.BREACHES], tags[names.KIND]) == ("2", "1", "monitoring")
    assert tags[names.LATEST].startswith("degraded: mae 0.75")


def test_a_check_that_could_not_be_made_is_noted_and_counts_as_none(look, mlflow):
    look(table(1), off=0.75)
    note_failure(mlflow, look.version, "the column x is gone")
    found = look(table(2), off=0.75)
    assert found.breaches == 2
    note_failure(mlflow, look.version, "no file")
    latest = look.course(found).data.tags[names.LATEST]
    assert latest == "could not be made: no file"


@pytest.mark.parametrize(
    ("off", "outcome"), [(0.5, "fine"), (0.5 + 2**-10, "degraded")], ids=["at", "beyond"]
)
def test_a_metric_may_be_as_bad_as_the_threshold_but_no_worse(look, off, outcome):
    came = table(1).assign(y=lambda t: (4 * t["y"]).round() / 4)  # sums of quarters are exact
    found = look(came, off=off)
    assert (found.value, found.outcome) == (off, outcome)


@pytest.mark.parametrize(
    ("off", "threshold", "outcome"),
    [(0.0, "1.0", "fine"), (0.5, "0.5", "fine"), (1.0, "0.5", "degraded")],
)
def test_a_metric_to_maximise_is_degraded_below_its_threshold(look, off, threshold, outcome):
    # Answers that are off by a constant have an R2 of 1 - off^2 / variance: 1, 3/4 and 0, for
    # the true answers are half of them -1 and half of them 1.
    told = {names.METRIC: "r2", names.DIRECTION: "maximize", names.THRESHOLD: threshold}
    version = replace(look.version, tags={**look.version.tags, **told})
    found = look(table(1).assign(y=[-1.0, 1.0] * 200), off=off, version=version)
    assert (found.value, found.outcome) == (1 - off**2, outcome)


def test_as_many_rows_as_are_needed_are_enough(look):
    found = look(table(1, rows=20), off=0.25)
    assert (found.outcome, found.value) == ("fine", pytest.approx(0.25))


@pytest.mark.parametrize(("known", "outcome"), [(19, "no labels"), (20, "fine")])
def test_the_metric_is_measured_on_those_rows_whose_answer_is_known(look, known, outcome):
    came = table(1)
    came.loc[known:, "y"] = np.nan
    found = look(came, off=0.25)
    assert found.outcome == outcome
    if outcome == "fine":
        ((models, rows),) = look.asked
        assert models == [look.version.uri]
        assert rows["x"].tolist() == came["x"].tolist()[:20]
        assert list(rows.columns) == ["x"]
    else:
        assert look.asked == []  # too few answers are known: nobody loads the model
        assert found.message == "no true answers are known yet; none of 1 columns has drifted"


def test_a_column_has_drifted_above_the_limit_that_was_given(look):
    assert look(table(1, shift=2.0), limits=Limits(drift=100.0, rows=20)).outcome == "fine"
    assert look(table(2, shift=2.0), limits=Limits(drift=1.0, rows=20)).outcome == "degraded"


def test_what_chance_explains_is_no_drift_however_low_the_limit(look):
    # Without any drift the index is not zero; here it is 9 degrees of freedom / 200 on average.
    found = look(table(1), limits=Limits(drift=0.0, rows=20))
    assert found.outcome == "fine"
    assert look.course(found).data.metrics["drift/x"] > 0


def test_of_many_columns_that_drifted_five_are_named_the_worst_first(look):
    still = {f"still{k}": np.arange(400.0) for k in range(2)}
    moved = {f"moved{k}": np.arange(400.0) for k in range(7)}
    look.trained_on(pd.DataFrame({**still, **moved}))
    shifted = {name: column + 40 * int(name[-1]) + 40 for name, column in moved.items()}
    found = look(pd.DataFrame({**still, **shifted, "y": 0.0}))
    assert found.drifted == [f"moved{k}" for k in (6, 5, 4, 3, 2, 1, 0)]
    told = found.message.partition("7 of 9 columns have drifted: ")[2]
    assert [word.partition(" ")[0] for word in told.split(", ")] == found.drifted[:5]
    assert told.endswith(") and 2 more")


def test_the_curves_tell_how_many_columns_drifted_how_far_and_how_often_in_a_row(look):
    look.trained_on(table(0).rename(columns={"y": "z"}))
    for seed in (1, 2):
        found = look(table(seed, shift=2.0).assign(z=table(seed)["y"]), off=0.0)
    metrics = look.course(found).data.metrics
    assert (found.drifted, metrics["check/drifted_columns"]) == (["x"], 1)
    assert metrics["check/largest_drift"] == metrics["drift/x"] > metrics["drift/z"]
    assert metrics["check/breaches_in_a_row"] == 2


def test_why_nothing_could_be_said_is_the_latest_of_the_champion(look):
    few = look(table(1, rows=19))
    told = look.course(few).data.tags
    assert told[names.LATEST] == "too few rows: 19 rows are too few to judge by, 20 are needed"
    assert names.CHECKS not in told  # it was no check
    look(table(1))
    again = look(table(1))
    assert again.message == "in.csv was checked before"
    told = look.course(again).data.tags
    assert (told[names.LATEST], told[names.CHECKS]) == (f"no new data: {again.message}", "1")


def test_data_count_as_new_when_others_were_checked_in_between(look):
    outcomes = [look(table(seed), off=0.25).outcome for seed in (1, 2, 1)]
    assert outcomes == ["fine"] * 3


def test_every_champion_has_a_course_of_its_own(look):
    first = look(table(1), off=0.75)
    second = look(table(1), off=0.75, version=replace(look.version, number=4))
    assert (second.outcome, second.breaches, second.version) == ("degraded", 1, 4)
    assert first.url != second.url
    assert look(table(2), off=0.75).breaches == 2


def test_a_long_reason_why_a_check_could_not_be_made_is_cut(look, mlflow):
    found = look(table(1))
    note_failure(mlflow, look.version, "x" * 10_000)
    latest = look.course(found).data.tags[names.LATEST]
    assert len(latest) == 5000
    assert latest.startswith("could not be made: xxx")
