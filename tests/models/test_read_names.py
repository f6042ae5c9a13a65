"""What a function reads and reports, by its source."""

from nettuner.models.read_names import read_names


def loop(h, context):
    rate, units = h["learning_rate"], h.get("units", 32)
    for _ in context.rounds():
        context.report(val_loss=rate * units, val_accuracy=0.5)
    other = {"a": 1}
    return other["a"]


def plain(params, report):
    if params.get("kind") == "fast":
        report(1, rmse=2.0)
    return params["kind"]


def unpacked(params, report):
    return dict(**params)


def test_a_loop_reads_two_hyperparameters_and_reports_two_metrics():
    found = read_names(loop)
    assert found.hyperparameters == {"learning_rate": None, "units": 32}
    assert found.metrics == ("val_loss", "val_accuracy")


def test_a_function_reads_one_name_twice():
    found = read_names(plain)
    assert found.hyperparameters == {"kind": None}
    assert found.metrics == ("rmse",)


def test_names_that_are_nowhere_written_are_not_found():
    assert read_names(unpacked).hyperparameters == {}
    assert read_names(len).hyperparameters == {}
