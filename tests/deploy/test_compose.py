"""The containers of deploy/compose.yaml, as far as they can be checked without Docker."""

import ast
import configparser
import importlib.metadata
import re
import shlex
from pathlib import Path, PurePosixPath

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
EXAMPLE = (DEPLOY / "compose.env.example").read_text(encoding="utf-8")
COMPOSE = YAML(typ="safe").load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
SECRET = re.compile("PASSWORD|SECRET|AUTH(?!_CONFIG_PATH)")
REQUIRED = re.compile(r"\$\{(\w+):\?set (\w+) in deploy/\.env\}")
OPTIONAL = re.compile(r"\$\{(\w+):-([^}]*)\}")

each_service = pytest.mark.parametrize("name", SERVICES)


def instructions(word):
    """The arguments of all instructions of the Dockerfile that begin with a word."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [line.removeprefix(word + " ") for line in text.splitlines() if line.startswith(word)]


def texts(node):
    """All texts in a part of the file."""
    if isinstance(node, dict):
        node = node.values()
    elif not isinstance(node, list):
        return [str(node)]
    return [text for part in node for text in texts(part)]


def environment(prefix):
    """The variables of all services that begin so."""
    names = {name for service in SERVICES.values() for name in service["environment"]}
    return {name for name in names if name.startswith(prefix)}


def mounts(service):
    """What a service mounts: pairs of a source and a path in the container."""
    for mount in service.get("volumes", []):
        if isinstance(mount, dict):
            yield mount["source"], mount["target"]
        else:
            yield tuple(mount.split(":")[:2])


def users():
    """What the MLflow server is told about its users."""
    parser = configparser.ConfigParser()
    parser.read(DEPLOY / "mlflow-users.ini")
    return parser["mlflow"]


def python_code(name):
    """The code of a health check."""
    kind, program, flag, code = SERVICES[name]["healthcheck"]["test"]
    assert (kind, program, flag) == ("CMD", "python", "-c")
    return code


def test_the_services_are_a_database_two_servers_and_a_worker():
    assert set(SERVICES) == {"database", "prefect", "mlflow", "worker"}
    assert set(OURS) == set(SERVICES) - {"database"}


@each_service
def test_a_service_is_checked_restarted_and_made_from_an_image(name):
    service = SERVICES[name]
    assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"])
    assert service["restart"] == "unless-stopped"
    assert ("image" in service) != ("build" in service)


@each_service
def test_a_service_waits_until_those_that_it_needs_are_healthy(name):
    needs = SERVICES[name].get("depends_on", {})
    assert set(needs) <= set(SERVICES) - {name}
    assert all(need == {"condition": "service_healthy"} for need in needs.values())


@each_service
def test_a_service_depends_on_every_other_one_that_it_speaks_to(name):
    service = SERVICES[name]
    said = texts(service["environment"]) + texts(service.get("command", []))
    hosts = {host for text in said for host in re.findall(r"://(?:\w+@)?([a-z]+):\d", text)}
    assert hosts <= set(service.get("depends_on", {}))


@each_service
def test_ports_are_bound_to_this_machine_alone(name):
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{\w+:-\d+\}:\d+", port)


@each_service
def test_volumes_are_declared_and_what_is_mounted_from_the_repository_is_there(name):
    for source, _ in mounts(SERVICES[name]):
        if source.startswith("."):
            assert (DEPLOY / source).is_file()
        elif not source.startswith("$"):
            assert source in COMPOSE["volumes"]


def test_every_declared_volume_is_mounted():
    sources = {source for service in SERVICES.values() for source, _ in mounts(service)}
    assert set(COMPOSE["volumes"]) <= sources


def test_the_data_of_production_are_mounted_read_only_in_the_home():
    worker = SERVICES["worker"]
    (mount,) = (mount for mount in worker["volumes"] if isinstance(mount, dict))
    assert mount["target"] == worker["environment"]["NETTUNER_HOME"] + "/in"
    assert mount["read_only"] is True
    # Git ignores what lies there, so no data of production is committed.
    assert OPTIONAL.fullmatch(mount["source"])[2].startswith("../.nettuner/")


@each_service
def test_every_secret_has_to_be_set_by_whoever_starts_the_containers(name):
    given = SERVICES[name]["environment"]
    secrets = {variable: value for variable, value in given.items() if SECRET.search(variable)}
    assert secrets
    for value in secrets.values():
        # At most the name of the account stands in the file.
        assert REQUIRED.sub("", value) in ("", "nettuner:")
        assert [a for a, b in REQUIRED.findall(value) if a == b]


def test_no_address_has_a_password_in_it():
    for text in [*texts(COMPOSE), *users().values()]:
        assert not re.search(r"://\w*:[^/\s]*@", text)


def test_the_example_names_every_variable_and_sets_no_secret():
    whole = " ".join(texts(COMPOSE))
    required = {name for name, _ in REQUIRED.findall(whole)}
    assert set(re.findall(r"^(\w+)=$", EXAMPLE, flags=re.MULTILINE)) == required
    optional = dict(re.findall(r"^#(\w+)=(.*)$", EXAMPLE, flags=re.MULTILINE))
    assert optional == dict(OPTIONAL.findall(whole))
    # Nothing is put in a place that neither pattern finds.
    assert "$" not in OPTIONAL.sub("", REQUIRED.sub("", whole))


def test_the_file_with_the_passwords_reaches_neither_git_nor_the_image():
    assert "/deploy/.env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored.index("deploy/.env") > ignored.index("!deploy")  # the last that fits counts


def test_everything_that_the_image_copies_is_there_and_sent_to_the_builder():
    sent = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sources = [source for line in instructions("COPY") for source in line.split()[:-1]]
    assert sources
    for source in sources:
        assert (ROOT / source).exists()
        assert "!" + source.split("/")[0] in sent


def test_the_build_of_every_service_is_the_one_dockerfile():
    declared = {line.split("=")[0] for line in instructions("ARG")}
    for service in OURS.values():
        context = (DEPLOY / service["build"]["context"]).resolve()
        assert context == ROOT
        assert context / service["build"]["dockerfile"] == DEPLOY / "Dockerfile"
        assert set(service["build"]["args"]) == declared
        assert "image" not in service


def test_the_containers_run_as_a_user_without_rights():
    (user,) = instructions("USER")
    (made,) = (line for line in instructions("RUN") if "useradd" in line)
    assert re.search(rf"useradd\b[^&]* {user} ", made)
    for service in OURS.values():
        assert "user" not in service
        assert "privileged" not in service
        assert service["cap_drop"] == ["ALL"]


def test_that_user_owns_what_is_mounted():
    (made,) = (line for line in instructions("RUN") if "useradd" in line)
    owned = shlex.split(made.partition("--group nettuner")[2])
    for service in OURS.values():
        assert {target for _, target in mounts(service)} <= set(owned)


def test_the_image_installs_the_tested_versions_with_the_drivers_of_postgresql():
    dependencies, package = (line for line in instructions("RUN") if "pip install" in line)
    assert "--constraint deploy/constraints.txt" in dependencies
    assert "project['optional-dependencies']['postgresql']" in dependencies
    assert "--no-deps" in package


def test_the_image_has_the_python_of_the_oldest_supported_version():
    (image,) = instructions("FROM")
    needed = importlib.metadata.metadata("nettuner")["Requires-Python"]
    assert image == f"python:{needed.removeprefix('>=')}-slim"


def test_the_worker_and_the_image_by_itself_run_a_command_that_there_is():
    from nettuner.flows.cli import app

    assert instructions("CMD") == ['["nettuner", "serve"]']
    assert SERVICES["worker"]["command"] == ["nettuner", "serve", "--alone"]
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="nettuner")
    assert script.value == "nettuner.flows.entry:main"
    commands = app.registered_commands
    assert "serve" in {one.name or one.callback.__name__.rstrip("_") for one in commands}


def test_mlflow_knows_the_options_of_its_command():
    from mlflow.cli import cli

    program, word, *rest = SERVICES["mlflow"]["command"]
    assert program == "mlflow"
    # Parses the values as well; says which option it does not know.
    parsed = cli.commands[word].make_context(word, list(rest)).params
    assert parsed["port"] == 5000
    assert parsed["serve_artifacts"]


def test_prefect_knows_the_options_of_its_command():
    from prefect.cli.server import server_app

    assert SERVICES["prefect"]["command"][:2] == ["prefect", "server"]
    _, bound, unknown = server_app.parse_known_args(SERVICES["prefect"]["command"][2:])[:3]
    assert unknown == []
    assert bound.kwargs == {"host": "0.0.0.0"}


def test_every_variable_of_prefect_is_one_of_its_settings():
    from prefect.settings import Settings
    from prefect.settings.legacy import _get_valid_setting_names

    found = environment("PREFECT_")
    assert found
    assert found - _get_valid_setting_names(Settings) == set()


def test_every_variable_of_mlflow_is_known_to_it():
    from mlflow import environment_variables

    found = environment("MLFLOW_")
    assert found
    assert {name for name in found if not hasattr(environment_variables, name)} == set()


def test_prefect_takes_every_value_that_it_is_given(monkeypatch):
    from prefect.settings import Settings

    for name, value in SERVICES["prefect"]["environment"].items():
        monkeypatch.setenv(name, OPTIONAL.sub(r"\2", REQUIRED.sub("secret", value)))
    server = Settings().server
    assert server.ui.api_url == "http://127.0.0.1:4200/api"
    assert server.api.auth_string.get_secret_value() == "nettuner:secret"
    assert server.services.task_run_recorder.read_batch_size == 100
    assert server.analytics_enabled is False


def test_the_worker_logs_in_with_the_account_that_the_servers_have():
    worker, prefect, mlflow = (
        SERVICES[name]["environment"] for name in ("worker", "prefect", "mlflow")
    )
    assert worker["PREFECT_API_AUTH_STRING"] == prefect["PREFECT_SERVER_API_AUTH_STRING"]
    assert worker["MLFLOW_TRACKING_PASSWORD"] == mlflow["MLFLOW_AUTH_ADMIN_PASSWORD"]
    assert worker["MLFLOW_TRACKING_USERNAME"] == users()["admin_username"]


def test_mlflow_finds_the_file_about_its_users_in_the_image():
    path = PurePosixPath(SERVICES["mlflow"]["environment"]["MLFLOW_AUTH_CONFIG_PATH"])
    (folder,) = instructions("WORKDIR")
    assert path == folder / PurePosixPath("deploy/mlflow-users.ini")
    assert "deploy deploy" in instructions("COPY")


def test_mlflow_understands_all_that_the_file_about_its_users_says():
    import mlflow

    # As text: importing it would set up a store.
    source = (Path(mlflow.__file__).parent / "server/auth/config.py").read_text(encoding="utf-8")
    assert all(f'"{key}"' in source for key in users())
    module, _, function = users()["authorization_function"].partition(":")
    assert module == "mlflow.server.auth"
    source = (Path(mlflow.__file__).parent / "server/auth/__init__.py").read_text(encoding="utf-8")
    assert f"def {function}(" in source


def test_mlflow_lets_the_worker_and_browsers_of_this_machine_in():
    from mlflow.server.security_utils import is_allowed_host_header

    (option,) = (
        word for word in SERVICES["mlflow"]["command"] if word.startswith("--allowed-hosts=")
    )
    hosts = option.partition("=")[2].split(",")
    asked = ["mlflow:5000", "127.0.0.1:5000", "localhost:8080"]
    assert all(is_allowed_host_header(hosts, host) for host in asked)
    assert not is_allowed_host_header(hosts, "example.org:5000")


def test_each_server_has_a_database_of_its_own_that_is_made():
    script = (DEPLOY / "databases.sql").read_text(encoding="utf-8")
    made = re.findall(r"^CREATE DATABASE (\w+);", script, flags=re.MULTILINE)
    database = SERVICES["database"]["environment"]
    said = [
        SERVICES["prefect"]["environment"]["PREFECT_API_DATABASE_CONNECTION_URL"],
        *SERVICES["mlflow"]["command"],
        users()["database_uri"],
    ]
    asked = re.findall(r"\+\w+://(\w+)@database:5432/(\w+)", " ".join(said))
    assert sorted(name for _, name in asked) == sorted([database["POSTGRES_DB"], *made])
    assert {user for user, _ in asked} == {database["POSTGRES_USER"]}


@pytest.mark.parametrize("name", OURS)
def test_the_code_of_a_health_check_compiles_and_waits_no_longer_than_it_may(name):
    tree = ast.parse(python_code(name))
    compile(tree, name, "exec")
    assert "$" not in python_code(name)  # Compose would put something in its place
    limit = int(SERVICES[name]["healthcheck"]["timeout"].removesuffix("s"))
    waits = [
        word.value.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        for word in call.keywords
        if word.arg == "timeout"
    ]
    assert waits
    assert max(waits) < limit


@pytest.mark.parametrize("name", ["prefect", "mlflow"])
def test_a_server_is_asked_for_its_health_at_the_port_that_it_publishes(name):
    inside = SERVICES[name]["ports"][0].rpartition(":")[2]
    assert f"http://127.0.0.1:{inside}/" in python_code(name)
