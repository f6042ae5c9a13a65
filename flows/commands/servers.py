"""The commands about the servers that stay: what runs, and its end."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

from nettuner.flows.commands.shared import fail
from nettuner.flows.servers import resident, warm
from nettuner.tasks import noted, preloaded
from nettuner.tasks.home import home, servers_run
from nettuner.tasks.noted import Served
from nettuner.tasks.workers import base


def status() -> None:
    """Show which servers run for the home, where, since when, and when they would end."""
    found, workers = noted.running(home()), base.running(home())
    if commands := preloaded.running(warm.KIND, home()):
        print(f"commands of {home()} are forked from process {_process(commands)}")
    if workers is not None:
        print(f"workers of {home()} are forked from process {_process(workers)}")
    if found is None:
        print(f"{_of_up() or 'no servers run'} for {home()}; a search starts what it needs")
        return
    used = home() / "resident" / "used"
    print(f"servers of {home()}, nettuner {found.version}, since {_clock(found.since)}")
    print(f"  Prefect     {_server(found.prefect)}")
    print(f"  MLflow      {_server(found.mlflow)}")
    print(f"  supervisor  process {found.process}, {_megabytes(found.process)}")
    if users := noted.attached(home()):
        print(f"in use ({resident.used_by(users)}); they stay as long, and then")
        print(f"{found.idle_minutes:g} minutes more")
    else:
        print(f"nobody uses them: they end at {_clock(used.stat().st_mtime, found.idle_minutes)}")


def down() -> None:
    """End the servers that stay for the home, if no command uses them."""
    try:
        found, workers = resident.end(), base.running(home())
        commands = preloaded.running(warm.KIND, home())
    except ValueError as error:
        fail(str(error), 1)
    if workers is not None:
        workers.end()
        print(f"the process that workers of {home()} are forked from has ended")
    if commands is not None:
        commands.end()
        print(f"the process that commands of {home()} are forked from has ended")
    if found is None:
        print(f"{_of_up() or 'no servers run'} for {home()}; there is nothing to end")
    else:
        print(f"the servers of {home()} have ended")


def _process(found: preloaded.Resident) -> str:
    process = found.process
    return f"{process.pid}, {_megabytes(process.pid)}, since {_clock(process.create_time())}"


def _of_up() -> str | None:
    return "nettuner up runs, which ends with Ctrl-C," if servers_run() else None


def _server(server: Served) -> str:
    if server.process is None:
        return "not needed so far, or ended: see resident.log in the home"
    how = "" if server.answers else ", starting"
    return f"{server.address}  process {server.process}, {_megabytes(server.process)}{how}"


def _megabytes(process: int) -> str:
    try:
        return f"{psutil.Process(process).memory_info().rss / 2**20:.0f} MB"
    except psutil.Error:
        return "just ended"


def _clock(at: float, minutes: float = 0) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at + 60 * minutes))


COMMANDS: tuple[Callable[..., None], ...] = (status, down)
