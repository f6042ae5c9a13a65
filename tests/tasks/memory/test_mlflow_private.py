"""The private parts of MLflow that are used, each as it is relied on."""

import inspect
import sqlite3
import subprocess
import sys

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

from nettuner.tasks.memory import mlflow_private as private

pytestmark = pytest.mark.slow


def raised(call, *arguments):
    with pytest.raises(MlflowException) as caught:
        call(*arguments)
    return caught.value


def test_what_is_wrong_with_a_registry_is_told_by_codes(mlflow):
    absent = raised(mlflow.get_model_version_by_alias, "nothing", "champion")
    assert (private.is_absent(absent), private.exists(absent)) == (True, False)
    mlflow.create_registered_model("there")
    no_alias = raised(mlflow.get_model_version_by_alias, "there", "champion")
    assert (private.has_no_alias(no_alias), private.is_absent(no_alias)) == (True, False)
    twice = raised(mlflow.create_registered_model, "there")
    assert (private.exists(twice), private.has_no_alias(twice)) == (True, False)


def test_the_server_is_told_by_the_variables_that_it_reads():
    from mlflow.environment_variables import _MLFLOW_SGI_NAME
    from mlflow.server import constants

    names = {
        constants.BACKEND_STORE_URI_ENV_VAR,
        constants.ARTIFACT_ROOT_ENV_VAR,
        constants.ARTIFACTS_DESTINATION_ENV_VAR,
        constants.SERVE_ARTIFACTS_ENV_VAR,
        _MLFLOW_SGI_NAME.name,
    }
    source = inspect.getsource(private.server_app)
    assert all(f'"{name}"' in source for name in names)


def test_packages_are_looked_through_once_and_in_advance():
    script = (  # in a process of its own, which has not done so
        "import importlib.metadata as metadata\n"
        "from mlflow.utils import requirements_utils\n"
        "from nettuner.tasks.memory.mlflow_private import know_packages\n"
        "know_packages()\n"
        "def again(*_):\n"
        "    raise AssertionError('looked through again')\n"
        "metadata.packages_distributions = metadata.distributions = again\n"
        "requirements_utils.importlib_metadata.packages_distributions = again\n"
        "requirements_utils._init_modules_to_packages_map()\n"
        "print('torch' in requirements_utils._MODULES_TO_PACKAGES)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr


def test_what_a_store_will_never_take_is_told_by_codes(mlflow):
    gone = raised(mlflow.set_tag, "0" * 32, "name", "value")
    run = mlflow.create_run(mlflow.get_experiment_by_name("x").experiment_id).info.run_id
    mlflow.delete_run(run)
    deleted = raised(mlflow.set_tag, run, "name", "value")
    assert (private.is_refusal(gone), private.is_refusal(deleted)) == (True, True)
    away = MlflowException("locked", error_code=TEMPORARILY_UNAVAILABLE)
    assert (private.is_refusal(away), private.is_refusal(OSError())) == (False, False)


@pytest.mark.parametrize(
    ("model", "key", "others"),
    [
        ("SqlTag", {"key", "run_uuid"}, {"value"}),
        ("SqlParam", {"key", "run_uuid"}, {"value"}),
        ("SqlLatestMetric", {"key", "run_uuid"}, {"value", "timestamp", "step", "is_nan"}),
        ("SqlMetric", {"key", "timestamp", "step", "run_uuid", "value", "is_nan"}, set()),
        (
            "SqlRun",
            {"run_uuid"},
            set(private.Tables.run("", "1", "file:///", "", 0)) - {"run_uuid"},
        ),
    ],
)
def test_tables_have_the_columns_and_keys_that_are_written_to(model, key, others):
    table = private._table(model)
    assert {column.name for column in table.primary_key} == key
    assert {column.name for column in table.columns} == key | others


@pytest.mark.parametrize("content", [None, b"", b"no database at all, but long enough to be read"])
def test_a_file_that_is_no_store_is_left_to_the_client(tmp_path, content):
    place = tmp_path / "mlflow.db"
    if content is not None:
        place.write_bytes(content)
    assert private.experiment_in_file(f"sqlite:///{place}", "x") is None
    assert place.exists() == (content is not None)


def test_a_name_that_two_teams_use_is_left_to_the_client(tmp_path):
    place = tmp_path / "mlflow.db"
    MlflowClient(f"sqlite:///{place}").create_experiment("x")
    with sqlite3.connect(place) as file:
        file.execute(
            "insert into experiments (experiment_id, name, lifecycle_stage, workspace) "
            "values (7, 'x', 'active', 'others')"
        )
    assert private.experiment_in_file(f"sqlite:///{place}", "x") is None
