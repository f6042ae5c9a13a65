"""Prefect's server for this machine and its own pages, as long as it has no password.

Any page in a browser may open a WebSocket, without being asked for the token that protects other
calls, and an event that comes in by one starts an automation. A page whose name was made to lead
to this machine passes for one of its own; the name in its calls gives it away.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from nettuner.flows.prefect_runs.prefect_private import server_app

ORIGINS = "PREFECT_SERVER_CORS_ALLOWED_ORIGINS"
PASSWORD = "PREFECT_SERVER_API_AUTH_STRING"
# Of WebSockets: what came violates a rule.
REFUSED = 1008


def app() -> ASGIApp:
    """Prefect's application, guarded; started by uvicorn as a factory."""
    if os.environ.get(PASSWORD):
        return server_app()
    return guarded(server_app(), os.environ[ORIGINS].split(","))


def guarded(inner: ASGIApp, origins: list[str]) -> ASGIApp:
    """An application that knows its own names and its own pages alone.

    Args:
        inner: Application to guard.
        origins: Origins of its pages, `http://host:port`.
    """

    async def own(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and _origin(scope) not in (None, *origins):
            await receive()  # the request to connect
            await send({"type": "websocket.close", "code": REFUSED})
            return
        await inner(scope, receive, send)

    hosts = [urlsplit(origin).hostname or "" for origin in origins]
    return TrustedHostMiddleware(own, allowed_hosts=hosts, www_redirect=False)


def _origin(scope: Scope) -> str | None:
    """What a browser says about the page; other programs say nothing."""
    return next((value.decode() for name, value in scope["headers"] if name == b"origin"), None)
