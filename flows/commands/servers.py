"""The commands about the servers that stay: what runs, and its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import psutil

from nettuner.flows.commands.shared import Json, fail
from nettuner.flows.servers import resident, warm
from nettuner.tasks import noted, preloaded
from nettuner.tasks.home import home, servers_run
from nettuner.tasks.noted import Served
from nettuner.tasks.workers import base


def status(as_json: Json = False) -> None:
    """Show which servers run for the home, where, since when, and when they would end."""
    if as_json:
        from nettuner.flows.commands.show_json import show_json

        show_json(_facts())
        return
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


def _facts() -> dict[str, Any]:
    """The same facts for programs; times as ISO 8601, what does not run is null."""
    found, used = noted.running(home()), home() / "resident" / "used"
    users = noted.attached(home())
    ends = None
    if found is not None and not users:
        ends = _iso(used.stat().st_mtime + 60 * found.idle_minutes)
    return {
        "home": str(home()),
        "commands": _facts_of(preloaded.running(warm.KIND, home())),
        "workers": _facts_of(base.running(home())),
        "up": servers_run(),
        "servers": None
        if found is None
        else {
            "nettuner": found.version,
            "since": _iso(found.since),
            "prefect": _facts_of_server(found.prefect),
            "mlflow": _facts_of_server(found.mlflow),
            "supervisor": {"process": found.process, "megabytes": _size(found.process)},
            "users": [command.process for command in users],
            "idle_minutes": found.idle_minutes,
            "ends": ends,
        },
    }


def _facts_of(found: preloaded.Resident | None) -> dict[str, Any] | None:
    if found is None:
        return None
    process = found.process
    since = _iso(process.create_time())
    return {"process": process.pid, "megabytes": _size(process.pid), "since": since}


def _facts_of_server(server: Served) -> dict[str, Any] | None:
    if server.process is None:
        return None
    return {
        "address": server.address,
        "answers": server.answers,
        "process": server.process,
        "megabytes": _size(server.process),
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="seconds")


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
    size = _size(process)
    return "just ended" if size is None else f"{size} MB"


def _size(process: int) -> int | None:
    """Memory of a process [MiB]; None if it has just ended."""
    try:
        taken: int = psutil.Process(process).memory_info().rss
    except psutil.Error:
        return None
    return round(taken / 2**20)


def _clock(at: float, minutes: float = 0) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at + 60 * minutes))


COMMANDS: tuple[Callable[..., None], ...] = (status, down)
