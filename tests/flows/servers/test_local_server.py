"""The temporary server of a command, and Ctrl-C, which must not reach it."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

COMMAND = """
import os, signal
from nettuner.flows.servers.logging_setup import keep_quiet
keep_quiet(verbose=False)
from nettuner.flows.servers.local_server import start_local_server
start_local_server()
signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command itself would end
print(os.environ["PREFECT_API_URL"], flush=True)
input()
"""


def answers(address):
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture
def command(tmp_path):
    """A command that has started its local server, and the server's address."""
    environment = {name: v for name, v in os.environ.items() if not name.startswith("PREFECT_")}
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**environment, "NETTUNER_HOME": str(tmp_path)},
        start_new_session=True,  # a process group of its own, as in a terminal
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert answers(address)
    return process, address


@pytest.mark.long
def test_ctrl_c_in_a_terminal_spares_the_local_server_which_ends_with_its_command(command):
    process, address = command
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(3)  # a server that hears it is gone within one
    assert answers(address)
    process.stdin.close()
    assert process.wait(timeout=60) is not None
    assert not answers(address)


@pytest.mark.long
def test_a_command_that_is_killed_leaves_no_server_behind(command):
    process, address = command
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while answers(address) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not answers(address)


@pytest.mark.long
def test_a_page_of_another_server_may_not_ask_it_for_changes(command):
    process, address = command
    request = urllib.request.Request(f"{address}/flows/", b"{}", {"origin": "http://evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, timeout=20)
    process.stdin.close()
    process.wait(timeout=60)
