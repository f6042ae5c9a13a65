"""What the command line prints of data: what was understood of them."""

from __future__ import annotations

from nettuner.flows.commands.show_table import bare_table, plain_console
from nettuner.models.data.profile import Profile

MOST_COLUMNS = 40
MOST_CLASSES = 12
SPLITS = {"train": "to train", "validation": "to validate", "test": "to test"}


def show_profile(profile: Profile) -> None:
    """The rows of each split, the inputs, the target, and the columns of a table."""
    console = plain_console()
    rows = ", ".join(
        f"{'as loaded' if count is None else f'{count:,}'} {SPLITS[name]}"
        for name, count in profile.rows.items()
    )
    dropped = f"; {profile.dropped:,} left out" if profile.dropped else ""
    console.print(f"rows:     {rows}{dropped}", soft_wrap=True)
    if profile.recognised:
        found = ", ".join(f"{key} {value!r}" for key, value in profile.recognised.items())
        console.print(f"file:     {found} (recognised)", soft_wrap=True)
    console.print(f"inputs:   {profile.inputs}", soft_wrap=True)
    console.print(f"target:   {_target(profile)}", soft_wrap=True)
    if not profile.columns:
        return
    table = bare_table()
    for name in ("column", "is", "holds"):
        table.add_column(name)
    for name in ("missing", "features"):
        table.add_column(name, justify="right")
    for column in profile.columns[:MOST_COLUMNS]:
        missing = f"{max(column.missing, 0.001):.1%}" if column.missing else ""
        features = str(column.features) if column.features else ""
        table.add_row(column.name, column.kind, column.holds, missing, features)
    console.print(table)
    if len(profile.columns) > MOST_COLUMNS:
        console.print(f"and {len(profile.columns) - MOST_COLUMNS:,} columns more")


def _target(profile: Profile) -> str:
    target = profile.target
    column = f"{target.name}, " if profile.columns else ""
    if not target.classes:
        return f"{column}{target.holds}"
    counts = [f"{label}: {rows:,}" for label, rows in target.classes.items()]
    more = f" and {len(counts) - MOST_CLASSES} more" if len(counts) > MOST_CLASSES else ""
    shown = ", ".join(counts[:MOST_CLASSES])
    what = target.holds or "classes"
    return f"{column}{len(counts)} {what}, rows of each: {shown}{more}"
