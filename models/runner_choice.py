"""Which runner spreads the trials of a study, over which machines, and what each trial takes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, model_validator

from nettuner.models.space import Number

LOCAL = "local"


class RunnerChoice(BaseModel):
    """Which runner spreads the trials, over which machines, and what each trial takes of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: StrictStr = Field(LOCAL, description="The runner: local, or a file of tasks/runners.")
    address: StrictStr | None = Field(
        None,
        description="Where its cluster answers (default: one is started on this machine for the "
        "search).",
    )
    cpus: Annotated[Number, Field(gt=0)] = Field(1, description="CPUs that each trial takes.")
    gpus: Annotated[Number, Field(ge=0)] = Field(
        0, description="GPUs that each trial takes; with 0.5 two trials share one."
    )
    memory_mib: Annotated[StrictInt, Field(ge=1)] | None = Field(
        None, description="Memory that each trial takes [MiB] (default: it is not counted)."
    )
    files: tuple[StrictStr, ...] = Field(
        (),
        description="Files and folders, relative to the study's folder, that trials need beside "
        "what the study names: they are copied to the workers.",
    )

    @property
    def is_local(self) -> bool:
        """Whether all trials run in processes of this machine, without any runner."""
        return self.name == LOCAL

    @model_validator(mode="after")
    def _local_needs_no_more(self) -> RunnerChoice:
        fields = type(self).model_fields
        given = sorted(name for name, f in fields.items() if getattr(self, name) != f.default)
        if self.is_local and given:
            raise ValueError(
                f"a local runner has no settings, got {', '.join(given)}; name a "
                "runner, or drop them"
            )
        return self
