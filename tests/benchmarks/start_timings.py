"""Everything that `start.py` times, each once in every repetition, one after another.

nettuner is timed as whole processes of its command. In one home, kept for all repetitions, its
servers are ended by `nettuner down`, or run since the command before; in another all is new.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from timed import Taken, timed

HERE = Path(__file__).parent
STUDIES = HERE.parents[1] / "deploy" / "studies"
NETTUNER = [sys.executable, "-m", "nettuner.flows.entry"]
ELSEWHERE = (
    "MLFLOW_TRACKING_URI",
    "PREFECT_API_URL",
    "NETTUNER_SERVERS",
    "NETTUNER_IDLE_MINUTES",
)
TRIALS, CONFIGURATIONS = 30, 64
# A command that is forked takes less time of a processor itself [s].
FORKED_SECONDS = 0.2
STRATEGIES = ("grid", "random", "bayesian", "population")

DIGITS: dict[str, Any] = {
    "name": "one-structure",
    "learner": "mlp",
    "data": "digits",
    "metric": "val_loss",
    "epochs": 60,
    "space": {
        "hidden": 64,
        "optimizer": "sgd",
        "batch_size": 64,
        "learning_rate": {"distribution": "log-uniform", "low": 1e-3, "high": 0.3},
        "momentum": {"distribution": "uniform", "low": 0.5, "high": 0.99},
        "weight_decay": {"distribution": "log-uniform", "low": 1e-6, "high": 1e-2},
    },
    "strategy": "random",
    "stop": {"trials": CONFIGURATIONS},
}


class Timings:
    """What was taken, by name, a value for each repetition.

    Args:
        folder: Where homes and studies are.
        log: Where what commands print is appended.
        opponents: Interpreter with Optuna and Ray; None where they could not be installed.
    """

    def __init__(self, folder: Path, log: Path, opponents: Path | None) -> None:
        self.folder = folder
        self.log = log
        self.opponents = opponents
        self.taken: defaultdict[str, list[Taken]] = defaultdict(list)
        self.failed: dict[str, str] = {}
        self.home = folder / "home"
        (folder / "digits.yaml").write_text(json.dumps(DIGITS), encoding="utf-8")
        wine = YAML(typ="safe").load(STUDIES / "own_net.yaml")
        wine["stop"] = {"trials": TRIALS}
        (folder / "wine.yaml").write_text(json.dumps(wine), encoding="utf-8")
        shutil.copy(STUDIES / "own_net.py", folder)

    def warm(self) -> None:
        """Run everything once that has something to make or to read the first time."""
        self.search(self.home, "wine.yaml", "random")
        self.plain("-c", "import torch")
        if self.opponents:
            self.optuna("wine", "random", 1, "--mlflow", self.optuna_store)

    def repeat(self) -> None:
        """Time everything once."""
        self.take("import torch", lambda: self.plain("-c", "import torch"))
        if self.opponents:
            self.take_opponents()
        self.take_searches()
        self.take_commands()
        self.take("fresh home", lambda: self.in_fresh_home(self.random))
        self.take("demo", lambda: self.in_fresh_home(self.demo))

    def take_opponents(self) -> None:
        """Scripts of Optuna and Ray Tune."""
        self.take("optuna", lambda: self.optuna("wine", "random", TRIALS))
        self.take("optuna tpe", lambda: self.optuna("wine", "tpe", TRIALS))
        self.take("optuna structure", lambda: self.optuna("digits", "random", CONFIGURATIONS))
        recorded = ("wine", "random", TRIALS, "--mlflow", self.optuna_store)
        self.take("optuna mlflow", lambda: self.optuna(*recorded))
        self.take("ray", lambda: self.opponent("start_ray.py", TRIALS))

    def take_searches(self) -> None:
        """Searches with and without running servers; without come first, and leave them running.

        The second one begins while the process that commands are forked from still imports.
        """
        self.down(self.home)
        self.take("random, stopped", lambda: self.random(self.home))
        self.take("random, at once", lambda: self.random(self.home))
        self.wait_for_imports()
        self.take("random, running", lambda: self.random(self.home))
        self.take("bayesian, running", lambda: self.search(self.home, "wine.yaml", "bayesian"))
        self.take("structure, running", lambda: self.search(self.home, "digits.yaml", "random"))
        self.down(self.home)
        self.take("structure, stopped", lambda: self.search(self.home, "digits.yaml", "random"))

    def wait_for_imports(self) -> None:
        """Wait until commands are forked from a process that has all imported, a minute at most."""
        deadline = time.monotonic() + 60
        while self.nettuner(self.home, "status").cpu > FORKED_SECONDS:
            if time.monotonic() > deadline:
                print("  commands are not forked; what runs is timed without that", flush=True)
                return
            time.sleep(2)

    def take_commands(self) -> None:
        """Commands that only read, warm."""
        for words in (["check", self.folder / "wine.yaml"], ["trials", "own-net"]):
            self.nettuner(self.home, *words)
            self.take(str(words[0]), lambda words=words: self.nettuner(self.home, *words))

    def take(self, name: str, action: Callable[[], Taken]) -> None:
        """Keep what an action took, or why it failed, and say so."""
        try:
            found = action()
        except RuntimeError as error:
            self.failed[name] = str(error)
            print(f"  {name}: {error}", flush=True)
            return
        self.taken[name].append(found)
        print(f"  {name:<22}{found.wall:>8.2f} s{found.cpu:>8.2f} s of CPU", flush=True)

    def random(self, home: Path) -> Taken:
        """The search that most rows are about."""
        return self.search(home, "wine.yaml", "random")

    def demo(self, home: Path) -> Taken:
        """The two commands of `make demo`."""
        wanted = [word for strategy in STRATEGIES for word in ("--strategy", strategy)]
        first = self.nettuner(home, "search", STUDIES / "digits.yaml", *wanted)
        second = self.nettuner(home, "compare", "digits", "--plot", self.folder / "demo.png")
        return Taken(first.wall + second.wall, first.cpu + second.cpu)

    def in_fresh_home(self, action: Callable[[Path], Taken]) -> Taken:
        """What an action takes where nothing was ever run."""
        home = self.folder / "fresh"
        try:
            return action(home)
        finally:
            self.down(home)
            shutil.rmtree(home, ignore_errors=True)

    def search(self, home: Path, study: str, strategy: str) -> Taken:
        """A search, from the start of the command to its end."""
        return self.nettuner(home, "search", self.folder / study, "--strategy", strategy)

    def nettuner(self, home: Path, *words: str | Path) -> Taken:
        """A command of nettuner."""
        return timed([*NETTUNER, *words], self.folder, environment(home), self.log)

    def down(self, home: Path) -> None:
        """End the servers of a home."""
        with self.log.open("a", encoding="utf-8") as log:
            subprocess.run(
                [*NETTUNER, "down"],
                cwd=self.folder,
                env=environment(home),
                stdout=log,
                stderr=log,
                check=False,
            )

    def plain(self, *words: str) -> Taken:
        """A command of this Python."""
        return timed([sys.executable, *words], self.folder, environment(self.home), self.log)

    @property
    def optuna_store(self) -> str:
        """The database that Optuna's callback records to; made when everything is warmed."""
        return f"sqlite:///{self.folder / 'optuna.db'}"

    def optuna(self, *words: object) -> Taken:
        """The script of Optuna."""
        return self.opponent("start_optuna.py", *words)

    def opponent(self, script: str, *words: object) -> Taken:
        """A script in the environment of the opponents."""
        assert self.opponents
        others = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [self.opponents, HERE / script, *map(str, words)]
        return timed(command, self.folder, others, self.log)


def environment(home: Path) -> dict[str, str]:
    """That of a user who keeps everything in this home."""
    kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    return {**kept, "NETTUNER_HOME": str(home)}
