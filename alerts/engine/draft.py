"""A draft as data: a message that waits for a person, or has waited; `hazecast.alerts.engine.approval` decides on it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hazecast.alerts.engine.warning import HazeWarning, UtcDatetime

Status = Literal["pending", "approved", "amended", "rejected", "superseded"]


class Edit(BaseModel):
    """One thing that a person changed of a message, before and after.

    `part` is ``level``, ``onset`` or ``expires`` (times as ISO 8601 in UTC), without a language, or ``comment`` or
    ``instruction``, the words of one language: see `hazecast.alerts.engine.warning.Wording`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: Literal["level", "onset", "expires", "comment", "instruction"]
    language: Literal["zh", "ja", "en"] | None = None
    before: str
    after: str


class Draft(BaseModel):
    """A message that waits for a person's decision, or has waited.

    `by`, `reason`, `edits` and `decided_at` belong to the decision; a superseded draft has the later run as its reason.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    proposed: HazeWarning
    status: Status = "pending"
    drafted_at: UtcDatetime
    decided_at: UtcDatetime | None = None
    by: str | None = None
    reason: str | None = None
    edits: tuple[Edit, ...] = Field(default=(), exclude_if=lambda found: not found)

    @property
    def id(self) -> str:
        """The id of the message that it proposes."""
        return self.proposed.id
