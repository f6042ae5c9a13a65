"""A study's model versions, and the changes of its champion, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from nettuner.tasks.memory import tags as names

if TYPE_CHECKING:
    from nettuner.tasks.champion.versions import Version


def versions_table(versions: Sequence[Version]) -> pd.DataFrame:
    """One row per version, oldest first."""
    return pd.DataFrame([_version(version) for version in versions])


def _version(version: Version) -> dict[str, Any]:
    tags = version.tags
    metric = tags.get(names.METRIC, "")
    return {
        "version": version.number,
        "alias": version.alias,
        "promoted": tags.get(names.PROMOTED, "never"),
        "metric": metric,
        "value": float(tags[names.VALUE]) if names.VALUE in tags else None,
        "threshold": float(tags[names.THRESHOLD]) if names.THRESHOLD in tags else None,
        "forced": "yes" if names.FORCED in tags else "",
        "reason": tags.get(names.REASON, ""),
    }


def moves_table(moves: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per promotion or rollback, oldest first."""
    rows = [
        {
            "at (UTC)": str(move["at"]).partition(".")[0],
            "what": move["what"],
            "from": "" if move["from"] is None else f"version {move['from']}",
            "to": f"version {move['to']}",
            "why": move["why"],
        }
        for move in moves
    ]
    return pd.DataFrame(rows, columns=["at (UTC)", "what", "from", "to", "why"])
