"""Loopback is exempt from proxies, whatever the variables say."""

import os
import threading
import urllib.request
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
import requests

from nettuner.tasks.loopback import VARIABLES, without_proxy

LOOPBACK = "127.0.0.1,localhost,::1"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    before = dict(os.environ)
    for name in VARIABLES:
        os.environ.pop(name, None)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize(
    ("given", "exempt"),
    [
        ({}, LOOPBACK),
        ({"NO_PROXY": ".intranet, 10.0.0.1"}, f".intranet,10.0.0.1,{LOOPBACK}"),
        ({"no_proxy": "a", "NO_PROXY": "b,localhost"}, "a,b,localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "*"}, "*"),
    ],
)
def test_what_was_exempt_stays_so(given, exempt):
    os.environ.update(given)
    without_proxy()
    without_proxy()
    assert {os.environ[name] for name in VARIABLES} == {exempt}


@pytest.fixture
def server():
    """Something on loopback that answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()
        thread.join()


def by_urllib(address):
    return urllib.request.urlopen(address, timeout=5).status


def by_httpx(address):
    return httpx.get(address, timeout=5).status_code


def by_requests(address):
    return requests.get(address, timeout=5).status_code


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("library", [by_urllib, by_httpx, by_requests])
def test_a_call_to_loopback_goes_there(variable, library, server):
    """At the proxy's port nobody listens."""
    os.environ[variable] = "http://127.0.0.1:9"
    without_proxy()
    assert library(server) == 200
