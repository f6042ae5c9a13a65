"""Every name under which something is kept in MLflow: the schema of the product's records.

A name that is changed or given another meaning here needs a new `VERSION`: what was recorded
before must still be read.
"""

from __future__ import annotations

from collections.abc import Mapping

VERSION = 1
"""Of this schema; what was recorded before there were versions has this one, too."""
SCHEMA = "nettuner.schema"

# MLflow's own.
NOTE = "mlflow.note.content"
PARENT = "mlflow.parentRunId"
# MLflow's pages show an experiment with this as model training, and runs with that as ours.
SHOWN_AS_TRAINING = {"mlflow.experimentKind": "custom_model_development"}
SOURCE = {"mlflow.source.name": "nettuner", "mlflow.source.type": "LOCAL"}

# Of every run: `study`, `search`, `replay`, `finals`, `trial`, `member`, `gate` or `monitoring`.
KIND = "nettuner.kind"
STRATEGY = "nettuner.strategy"
DATA = "nettuner.data_fingerprint"
REASON = "nettuner.reason"
PREFECT = "nettuner.prefect_run"

# Of a search.
DIGEST = "nettuner.study_digest"
METRIC = "nettuner.metric"
DIRECTION = "nettuner.direction"
ROUNDS = "nettuner.rounds"
ROUND_UNIT = "nettuner.round_unit"
MODEL = "nettuner.model"
REPLAYED = "nettuner.replayed"
REPLAYED_RUN = "nettuner.replayed_run"
FINALS_OF = "nettuner.finals_of"
BEST = "best."
"""Followed by a hyperparameter: its value in the best trial."""

# Of a trial, or of a member of a population.
SEARCH = "nettuner.search"
SEED = "nettuner.seed"
MEMBER = "nettuner.member"
COPIED = "nettuner.copied"
WORD = "hyperparameter."
"""Followed by a hyperparameter that changes and is no number: its value."""
NUMBER = "hyperparameter/"
"""A metric, followed by a hyperparameter that changes: MLflow's params are immutable."""
# Followed by the trial's number: all of it as JSON. MLflow's pages leave out what begins so.
TRIAL = "mlflow.nettuner.trial."
PARAMS = "mlflow.nettuner.params."

# Of a comparison of the champion with a challenger.
CHALLENGER = "nettuner.challenger"
AGAINST = "nettuner.against"

# Of a version of the registered model, beside METRIC, DIRECTION and REASON.
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

# Of the registered model, followed by the time: each move of the alias.
MOVE = "nettuner.move."

# Of the run that holds the checks of one champion.
CHAMPION_VERSION = "nettuner.version"
CHECKS = "nettuner.checks"
BREACHES = "nettuner.breaches_in_a_row"
SEEN = "nettuner.data_seen"
LATEST = "nettuner.latest_check"

# Of a study.
RETUNED = "nettuner.retuned"

# Files kept with a search: its study, and what a population has not sent to its members' runs.
STUDY_FILE = "study.json"
SEGMENTS = "segments"


def check_version(tags: Mapping[str, str], name: str) -> None:
    """Refuse what a newer nettuner has recorded.

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
