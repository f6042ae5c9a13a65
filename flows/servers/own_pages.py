"""Servers for this machine and their own pages, as long as they have no password.

Any page in a browser may open a WebSocket, without being asked for the token that protects other
calls, and an event that comes in by one starts an automation. A page whose name was made to lead
to this machine passes for one of its own; the name in its calls gives it away.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from nettuner.flows.prefect_runs import empty_database
from nettuner.flows.servers.processes import PASSWORD_OF_PREFECT
from nettuner.tasks.home import FLOW_RUNS

ORIGINS = "PREFECT_SERVER_CORS_ALLOWED_ORIGINS"
MLFLOW_STORE = "MLFLOW_BACKEND_STORE_URI"
MLFLOW_ARTIFACTS = "MLFLOW_ARTIFACTS_DESTINATION"
MLFLOW_ORIGINS = "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"
# Of HTTP: what only looks.
SAFE = ("GET", "HEAD", "OPTIONS")
# Of WebSockets: what came violates a rule.
REFUSED = 1008


def app() -> ASGIApp:
    """Prefect's application, guarded; started by uvicorn as a factory."""
    from nettuner.flows.prefect_runs.prefect_private import server_app  # slow to import

    empty_database.prepare(os.environ.get(FLOW_RUNS, ""))
    if os.environ.get(PASSWORD_OF_PREFECT):
        return server_app()
    return guarded(server_app(), os.environ[ORIGINS].split(","))


def mlflow_app() -> ASGIApp:
    """MLflow's application, guarded: by itself it trusts all pages of this machine."""
    from nettuner.tasks.memory.mlflow_private import server_app

    inner = server_app(os.environ[MLFLOW_STORE], os.environ[MLFLOW_ARTIFACTS])
    return guarded(inner, os.environ[MLFLOW_ORIGINS].split(","))


def guarded(inner: ASGIApp, origins: list[str]) -> ASGIApp:
    """An application that knows its own names and its own pages alone.

    Args:
        inner: Application to guard.
        origins: Origins of its pages, `http://host:port`.
    """

    async def own(scope: Scope, receive: Receive, send: Send) -> None:
        foreign = scope["type"] != "lifespan" and _origin(scope) not in (None, *origins)
        if foreign and scope["type"] == "websocket":
            await receive()  # the request to connect
            await send({"type": "websocket.close", "code": REFUSED})
            return
        if foreign and scope["method"] not in SAFE:
            await PlainTextResponse("a page of another server", 403)(scope, receive, send)
            return
        await inner(scope, receive, send)

    hosts = [urlsplit(origin).hostname or "" for origin in origins]
    return TrustedHostMiddleware(own, allowed_hosts=hosts, www_redirect=False)


def _origin(scope: Scope) -> str | None:
    """What a browser says about the page; other programs say nothing."""
    return next((value.decode() for name, value in scope["headers"] if name == b"origin"), None)
