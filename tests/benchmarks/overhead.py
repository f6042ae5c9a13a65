"""What a trial costs beside its training, and how long a proposal takes.

Run: make bench            (about two minutes; writes tests/benchmarks/results/overhead.json)

Every figure of one run comes from one process on one machine: compare them with each other.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
NOOP = """
def noop(hyperparameters, report):
    return hyperparameters["x"]
"""
TRIALS = 60


def proposal_seconds() -> dict[str, dict[str, float]]:
    """Median seconds of one proposal after so many finished trials, in 6 dimensions."""
    import numpy as np

    from nettuner.models.space import Choice, Integer, LogUniform, Space, Uniform
    from nettuner.models.study import Stop, StrategyChoice, Study, Trial
    from nettuner.tasks import strategies

    space = Space(
        {
            "learning_rate": LogUniform(1e-4, 0.1),
            "dropout": Uniform(0.0, 0.5),
            "hidden": Integer(16, 256, log=True),
            "depth": Integer(1, 4),
            "activation": Choice(["relu", "gelu", "tanh"]),
            "weight_decay": LogUniform(1e-6, 1e-2),
        }
    )
    found: dict[str, dict[str, float]] = {}
    for name in strategies.names():
        study = Study(
            name="bench",
            learner="mlp",
            metric="val_loss",
            epochs=50,
            space=space,
            strategy=StrategyChoice(name=name),
            stop=Stop(trials=400),
        )
        strategy = strategies.load(study)
        # What continues trainings has a history of its own segments; all others have random trials.
        random = study.model_copy(update={"strategy": StrategyChoice(name="random")})
        source = strategies.load(random) if strategy.continues == "nothing" else strategy
        for finished in (50, 100, 200):
            rng = np.random.default_rng(0)
            history: list[Trial] = []
            while len(history) < finished:
                proposals = source.propose(space, history, [], min(10, finished - len(history)))
                history += [Trial(p, float(rng.normal())) for p in proposals]
            times = []
            for _ in range(3):
                began = time.perf_counter()
                strategy.propose(space, history, [], 1)
                times.append(time.perf_counter() - began)
            found.setdefault(name, {})[str(finished)] = statistics.median(times)
    return found


def trial_seconds(folder: Path) -> dict[str, float]:
    """Seconds per trial of a function that does nothing, through Prefect, workers and MLflow."""
    from nettuner.flows.servers.logging_setup import keep_quiet

    keep_quiet(verbose=False)
    from nettuner.flows.random_search import random_search
    from nettuner.models.study import Study

    (folder / "noop.py").write_text(NOOP, encoding="utf-8")

    def study(trials: int) -> Study:
        return Study.model_validate(
            {
                "name": "overhead",
                "learner": f"{folder / 'noop.py'}:noop",
                "metric": "y",
                "direction": "minimize",
                "space": {"x": {"distribution": "uniform", "low": 0.0, "high": 1.0}},
                "width": 2,
                "stop": {"trials": trials},
            }
        )

    began = time.perf_counter()
    random_search(study(2))
    first = time.perf_counter() - began
    result = random_search(study(TRIALS + 2))
    after_start = sorted(trial.ended for trial in result.trials)
    return {
        "first search of a process, 2 trials": first,
        "one more trial, 2 at a time": (after_start[-1] - after_start[1]) / TRIALS,
    }


def main() -> None:
    """Measure, print, write."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NETTUNER_HOME"] = folder
        trials = trial_seconds(Path(folder))
        proposals = proposal_seconds()
    print(f"{'seconds of':<44}")
    for name, seconds in trials.items():
        print(f"  {name:<42}{seconds:>8.3f}")
    print(f"\n{'seconds of one proposal after':<28}{'50':>8}{'100':>8}{'200':>8} trials")
    for name, times in proposals.items():
        print(f"  {name:<26}" + "".join(f"{seconds:>8.3f}" for seconds in times.values()))
    packages = ("torch", "prefect", "mlflow", "scikit-optimize")
    record = {
        "trial_seconds": trials,
        "proposal_seconds": proposals,
        "versions": {name: version(name) for name in packages},
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }
    (HERE / "results").mkdir(exist_ok=True)
    text = json.dumps(record, indent=2) + "\n"
    (HERE / "results" / "overhead.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
