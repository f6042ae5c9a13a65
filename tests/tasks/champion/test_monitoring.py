"""A check of the champion: what it finds, what it counts, and what it leaves in MLflow."""

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from nettuner.models.production.drift import reference
from nettuner.models.production.incoming import Incoming
from nettuner.tasks.champion import monitoring
from nettuner.tasks.champion.monitoring import Limits, check, note_failure
from nettuner.tasks.champion.registry import Version
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
    study = request.node.name[:60].replace("[", "-").replace("]", "")
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

    def look(came, off=0.0, target="y"):
        incoming = Incoming(came, target, ("in.csv",))
        truth = incoming.examples().truth
        answers = pd.DataFrame({"prediction": np.array(truth, dtype=float) + off})
        monkeypatch.setattr(monitoring, "answers", lambda models, rows: [answers])
        return check(mlflow, version, "regression", incoming, LIMITS)

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


def test_a_metric_that_is_no_number_is_degraded(look):
    assert look(table(1), off=np.inf).outcome == "degraded"


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
