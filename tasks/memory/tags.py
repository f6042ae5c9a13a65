"""All names of tags, metrics and files in MLflow: the schema of the records.

A change of a name or of its meaning needs a new `VERSION`: older records must stay readable.
"""

from __future__ import annotations

from collections.abc import Mapping

VERSION = 1
"""Version of this schema; records without a version have this one, too."""
SCHEMA = "nettuner.schema"

# MLflow's own tags.
NOTE = "mlflow.note.content"
PARENT = "mlflow.parentRunId"
# Makes MLflow's pages show an experiment as model training, and runs as nettuner's.
SHOWN_AS_TRAINING = {"mlflow.experimentKind": "custom_model_development"}
SOURCE = {"mlflow.source.name": "nettuner", "mlflow.source.type": "LOCAL"}

# Tags of every run.
# Kinds: `study`, `search`, `replay`, `finals`, `trial`, `member`, `gate` or `monitoring`.
KIND = "nettuner.kind"
STRATEGY = "nettuner.strategy"
DATA = "nettuner.data_fingerprint"
REASON = "nettuner.reason"
PREFECT = "nettuner.prefect_run"
STOPPED = "stopped early"
"""What the reason of a trial begins with that was not trained to its end; it did not fail."""

# Tags of a search.
DIGEST = "nettuner.study_digest"
METRIC = "nettuner.metric"
DIRECTION = "nettuner.direction"
ROUNDS = "nettuner.rounds"
ROUND_UNIT = "nettuner.round_unit"
MODEL = "nettuner.model"
REPLAYED = "nettuner.replayed"
REPLAYED_RUN = "nettuner.replayed_run"
FINALS_OF = "nettuner.finals_of"
ENDED = "nettuner.ended"
"""Why a search ended, once its finals have begun: nothing more is proposed."""
FINALS = "nettuner.finals"
"""Address of the run of a search's finals."""
# What came of the finals as JSON: number and scores of each finalist, the best first.
RANKED = "mlflow.nettuner.finals"
WINNER = "nettuner.winner"
"""Number of the trial that a search answers with."""
BEST_SO_FAR = "best_"
"""Prefix of the metric of a search that has its best so far, as people see it."""
BEST = "best."
"""Prefix of a hyperparameter: its value in the best trial."""

# Tags of a trial or of a population member.
SEARCH = "nettuner.search"
SEED = "nettuner.seed"
MEMBER = "nettuner.member"
COPIED = "nettuner.copied"
WORD = "hyperparameter."
"""Prefix of a non-numeric hyperparameter that changes: its value."""
NUMBER = "hyperparameter/"
"""Prefix of a numeric hyperparameter that changes; a metric, as MLflow's params are immutable."""
DEVICE = "nettuner.device"
"""Where it was trained: cpu, or an accelerator and its name."""
SECONDS = "nettuner/seconds"
"""Wall time of a trial [s], a metric."""
PEAK = "nettuner/peak_memory_mib"
"""Most memory of an accelerator that it took at once [MiB], a metric."""
UTILISATION = "nettuner/gpu_utilisation"
"""How busy its GPU was meanwhile on average [%], a metric."""
OURS = ("nettuner/", NUMBER)
"""Prefixes of our own metrics."""
# Prefixes of a trial's number: the trial as JSON. MLflow's pages hide tags that begin so.
TRIAL = "mlflow.nettuner.trial."
PARAMS = "mlflow.nettuner.params."

# Tags of a comparison of the champion with a challenger.
CHALLENGER = "nettuner.challenger"
AGAINST = "nettuner.against"

# Tags of a version of the registered model, besides METRIC, DIRECTION and REASON.
PROMOTED = "nettuner.promoted"
BEFORE = "nettuner.version_before"
VALUE = "nettuner.value"
THRESHOLD = "nettuner.threshold"
GAIN = "nettuner.gain"
GATE = "nettuner.gate_run"
GATE_PAGE = "nettuner.gate"
SEARCH_PAGE = "nettuner.search"
TRAINED_ON = "nettuner.data"
FORCED = "nettuner.forced"

# Tags of the registered model: prefix of the time of each move of the alias.
MOVE = "nettuner.move."

# Tags of the monitoring run of a champion.
CHAMPION_VERSION = "nettuner.version"
CHECKS = "nettuner.checks"
BREACHES = "nettuner.breaches_in_a_row"
SEEN = "nettuner.data_seen"
LATEST = "nettuner.latest_check"

# Tags of a study.
RETUNED = "nettuner.retuned"
COUNTED = "mlflow.nettuner.searches."
"""Prefix of a strategy: the number of its searches that have begun, which their names have."""

# Artifact of a search: its study.
STUDY_FILE = "study.json"
# Artifact of a failed trial: its traceback, or what its process printed last.
TRACEBACK = "traceback/trial-{}.txt"
# Artifact of a search: the state of its best trial, where a user's own loop was trained.
WINNER_STATE = "state.safetensors"


def check_version(tags: Mapping[str, str], name: str) -> None:
    """Reject records of a newer nettuner.

    Args:
        tags: Tags of a search's run.
        name: Name of the search.

    Raises:
        ValueError: The record has a newer schema.
    """
    found = int(tags.get(SCHEMA, VERSION))
    if found > VERSION:
        raise ValueError(
            f"records of schema {VERSION} or older can be read, got {found} in {name!r}; "
            "install a newer nettuner"
        )


# Artifact of a search: what its winner answers to the test rows.
ANSWERED = "answers.json"
