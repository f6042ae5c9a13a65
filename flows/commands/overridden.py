"""A study with settings from the command line in place of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nettuner.flows.commands.shared import fail

if TYPE_CHECKING:
    from nettuner.models.study import Study


def overridden(study: Study, **given: Any) -> Study:
    """The study with these settings, but for those that are None; leaves with status 2 if bad."""
    from pydantic import ValidationError

    from nettuner.models.study import Study
    from nettuner.models.study_faults import explain

    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        return study
    document = {**study.model_dump(mode="json", exclude_unset=True), **changes}
    try:
        return Study.model_validate(document)
    except ValidationError as error:
        fail("\n".join(explain(error, "command line", document)), 2)


def runner_of(study: Study, name: str | None, address: str | None) -> dict[str, Any] | None:
    """The runner of a study with another name or address; None if neither is given.

    Settings of the study stay if they were this runner's own.
    """
    if name is None and address is None:
        return None
    own = study.runner.model_dump(mode="json", exclude_unset=True)
    kept = own if name in (None, study.runner.name) else {}
    return {
        **kept,
        "name": name or study.runner.name,
        **({} if address is None else {"address": address}),
    }


def numbers(text: str | None) -> list[int] | None:
    """Numbers separated by commas; leaves with status 2 if they are none."""
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        fail(f"--devices must be numbers of GPUs, got {text!r}; write 0,1", 2)
