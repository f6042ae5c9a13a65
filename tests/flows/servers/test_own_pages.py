"""A real Prefect server, asked by its own pages, by programs, and by somebody else's page."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from uuid import uuid4

import pytest
import websockets

from nettuner.flows.servers.processes import prefect_server, running
from nettuner.flows.servers.up import free_port

pytestmark = pytest.mark.long

STRANGER = "http://evil.example"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Its address, without `http://`."""
    folder = tmp_path_factory.mktemp("server")
    told = {
        "PREFECT_HOME": str(folder),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder / 'prefect.db'}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_API_URL": "",
    }
    port = free_port()
    with running([prefect_server("127.0.0.1", port, told)], folder / "server.log"):
        yield f"127.0.0.1:{port}"


def ask(address, path, body=None, method=None, **headers):
    """Status, headers and content of an answer."""
    given = {"content-type": "application/json", **headers}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{address}{path}", data, given, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_a_page_of_somebody_else_may_not_read_what_the_server_says(server):
    status, headers, _ = ask(server, "/api/admin/version", origin=STRANGER)
    assert status == 200
    assert headers["access-control-allow-origin"] is None


def test_a_page_of_its_own_may(server):
    for origin in (f"http://{server}", f"http://localhost:{server.partition(':')[2]}"):
        _, headers, _ = ask(server, "/api/admin/version", origin=origin)
        assert headers["access-control-allow-origin"] == origin


def test_its_pages_are_there(server):
    status, _, content = ask(server, "/")
    assert status == 200
    assert b"<html" in content
    assert json.loads(ask(server, "/ui-settings")[2])["csrf_enabled"] is True


def test_what_changes_something_needs_a_token_that_only_who_may_read_can_have(server):
    assert ask(server, "/api/flows/", {"name": "mine"}, origin=STRANGER)[0] == 403
    assert ask(server, "/api/flows/", {"name": "mine"})[0] == 403
    token = json.loads(ask(server, "/api/csrf-token?client=me")[2])["token"]
    sent = {"prefect-csrf-client": "me", "prefect-csrf-token": token}
    assert ask(server, "/api/flows/", {"name": "mine"}, **sent)[0] == 201


def test_a_name_that_was_made_to_lead_here_is_no_name_of_the_server(server):
    status, _, content = ask(server, "/api/admin/version", host="evil.example:4200")
    assert (status, content) == (400, b"Invalid host header")


async def _emit(server, origin):
    event = {
        "event": "nettuner.champion.degraded",
        "id": str(uuid4()),
        "occurred": "2026-01-01T00:00:00Z",
        "resource": {"prefect.resource.id": "nettuner.study.x"},
        "payload": {},
    }
    address = f"ws://{server}/api/events/in"
    async with websockets.connect(address, origin=origin, proxy=None) as socket:
        await socket.send(json.dumps(event))
        await asyncio.sleep(0.5)
        await socket.ping()


def test_events_are_taken_from_programs_and_from_its_own_pages_alone(server):
    asyncio.run(_emit(server, None))
    asyncio.run(_emit(server, f"http://{server}"))
    with pytest.raises(websockets.exceptions.InvalidStatus, match="403"):
        asyncio.run(_emit(server, STRANGER))


def test_prefects_own_client_brings_a_token(server):
    from prefect.client.orchestration import SyncPrefectClient

    with SyncPrefectClient(f"http://{server}/api") as client:
        client.upsert_global_concurrency_limit_by_name("mine", 1)
        assert client.read_global_concurrency_limit_by_name("mine").limit == 1
