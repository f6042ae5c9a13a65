"""The private parts of MLflow that are used, each as it is relied on."""

import inspect

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from nettuner.tasks.memory import mlflow_private as private

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    client.create_experiment("x", artifact_location=(folder / "artifacts").as_uri())
    return client


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


def test_a_folder_that_a_run_keeps_can_be_deleted(mlflow):
    run = mlflow.create_run(mlflow.get_experiment_by_name("x").experiment_id)
    for name in ("kept/a.json", "gone/b.json"):
        mlflow.log_dict(run.info.run_id, {}, name)
    private.delete_artifacts(mlflow, run.info.artifact_uri, "gone")
    assert [file.path for file in mlflow.list_artifacts(run.info.run_id)] == ["kept"]


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
