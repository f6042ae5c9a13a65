"""The home belongs to one account, and addresses keep no passwords."""

import os
import stat

import pytest

from nettuner.tasks import home as home_module
from nettuner.tasks.home import (
    HomeError,
    configure_prefect,
    home,
    mlflow_ui,
    prefect_ui,
    tracking_uri,
)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """What a test sets is gone after it, also what it had others set."""
    before = dict(os.environ)
    yield monkeypatch
    os.environ.clear()
    os.environ.update(before)


def test_a_home_is_made_for_its_account_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("NETTUNER_HOME", str(tmp_path / "new" / "home"))
    assert mode(home()) == 0o700


def test_a_home_that_others_could_read_is_closed_with_all_that_is_in_it(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    (folder / "artifacts" / "study").mkdir(parents=True)
    inside = folder / "artifacts" / "study" / "model.pt"
    elsewhere = tmp_path / "elsewhere.csv"
    for file in (folder / "mlflow.db", inside, elsewhere):
        file.touch()
        file.chmod(0o664)
    (folder / "link.csv").symlink_to(elsewhere)
    folder.chmod(0o775)
    monkeypatch.setenv("NETTUNER_HOME", str(folder))
    home()
    assert [mode(path) for path in (folder, inside.parent, inside)] == [0o700, 0o700, 0o600]
    assert mode(folder / "mlflow.db") == 0o600
    assert mode(elsewhere) == 0o664


def test_a_database_that_others_could_read_is_closed_in_a_closed_home_too(tmp_path, monkeypatch):
    (tmp_path / "prefect.db").touch()
    (tmp_path / "prefect.db").chmod(0o644)
    tmp_path.chmod(0o700)
    monkeypatch.setenv("NETTUNER_HOME", str(tmp_path))
    home()
    assert mode(tmp_path / "prefect.db") == 0o600


def test_a_folder_where_all_accounts_write_is_no_home_and_stays_as_it_is(tmp_path, monkeypatch):
    tmp_path.chmod(0o1777)
    monkeypatch.setenv("NETTUNER_HOME", str(tmp_path))
    with pytest.raises(HomeError, match=r"must be a folder of your own, got .*all accounts write"):
        home()
    assert mode(tmp_path) == 0o1777


@pytest.mark.parametrize("place", ["/dev/null", "/dev/null/x", "/proc/x", "~nobody-by-this-name/x"])
def test_what_cannot_be_a_folder_is_one_line(place, monkeypatch):
    monkeypatch.setenv("NETTUNER_HOME", place)
    with pytest.raises(HomeError, match=r"^NETTUNER_HOME must be .* got .*; set it") as refused:
        home()
    assert len(str(refused.value).splitlines()) == 1


def test_an_account_in_mlflows_address_moves_to_mlflows_own_variables(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:p%40ss@host:5000/base")
    monkeypatch.delenv("NETTUNER_MLFLOW_UI", raising=False)
    assert tracking_uri() == mlflow_ui() == "http://host:5000/base"
    assert os.environ["MLFLOW_TRACKING_URI"] == "http://host:5000/base"
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "me"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "p@ss"


def test_an_account_in_prefects_address_moves_to_prefects_own_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("NETTUNER_HOME", str(tmp_path))
    monkeypatch.setenv("PREFECT_API_URL", "http://me:p%40ss@host:4200/api")
    monkeypatch.delenv("NETTUNER_PREFECT_UI", raising=False)
    configure_prefect()
    assert os.environ["PREFECT_API_URL"] == "http://host:4200/api"
    assert os.environ["PREFECT_API_AUTH_STRING"] == "me:p@ss"
    assert prefect_ui() == "http://host:4200"


def test_links_for_people_have_no_account_either(monkeypatch):
    monkeypatch.setenv("NETTUNER_MLFLOW_UI", "https://me:secret@outside/mlflow/")
    monkeypatch.setenv("NETTUNER_PREFECT_UI", "https://me:secret@outside/prefect/")
    assert mlflow_ui() == "https://outside/mlflow"
    assert prefect_ui() == "https://outside/prefect"


def test_servers_that_were_noted_are_exempt_from_proxies(tmp_path, monkeypatch):
    monkeypatch.setenv("NETTUNER_HOME", str(tmp_path))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "intranet")
    monkeypatch.setenv("NETTUNER_PASSWORD", "//[no address]")
    home_module.note_servers("http://10.0.0.7:1", "http://10.0.0.7:2")
    configure_prefect()
    assert os.environ["no_proxy"] == "intranet,127.0.0.1,localhost,::1,10.0.0.7"
