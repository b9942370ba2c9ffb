"""What the API takes and answers about drafts of warnings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from hazecast.alerts.engine.draft import Draft, Edit, Status
from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.languages import Language
from hazecast.services.core.field_limits import at_most, plain_line, plain_lines

ID = r"^[A-Za-z0-9._-]{1,128}$"
DraftName = Annotated[str, Field(pattern=ID)]
Why = Annotated[
    str,
    Field(min_length=1, max_length=2_000, description="In words, for the audit trail."),
    AfterValidator(plain_lines),
]
_Comment = Annotated[
    str, Field(max_length=1_000), AfterValidator(lambda text: text.strip() and plain_line(text.strip()))
]
_Advice = Annotated[str, Field(min_length=1, max_length=2_000), AfterValidator(plain_lines)]
_CENTURY = {"ge": datetime(2000, 1, 1, tzinfo=UTC), "lt": datetime(2100, 1, 1, tzinfo=UTC)}
_Time = Annotated[AwareDatetime, Field(**_CENTURY)]


class DraftOut(BaseModel):
    """A message that waits, or has waited, for a person."""

    id: str
    status: Status
    proposed: HazeWarning = Field(description="The message as the run proposes it.")
    drafted_at: datetime
    decided_at: datetime | None
    by: str | None = Field(description="Who decided.")
    reason: str | None
    edits: list[Edit] = Field(description="What was changed, before and after.")

    @classmethod
    def of(cls, draft: Draft, **more: Any) -> DraftOut:
        """Return a draft as the API shows it."""
        return cls(id=draft.id, **{name: getattr(draft, name) for name in Draft.model_fields}, **more)


class AuditOut(BaseModel):
    """A step in the life of a draft."""

    at: datetime
    draft: str
    action: str = Field(description="drafted, approved, amended, rejected, superseded or withdrawn")
    by: str | None
    account: str | None = Field(description="whose account it was; null for a command, or what no person did")
    key: str | None = Field(description="id of the key")
    reason: str | None
    edits: list[Edit] = Field(description="What was changed, before and after.")


class DraftTextOut(BaseModel):
    """What a draft says in one language."""

    language: Language
    headline: str
    description: str
    comment: str = Field(description="What of the description may be edited: the weather; empty for nothing.")
    instruction: str = Field(description="What to do, a line for each audience; may be edited.")


class AuditedDraftOut(DraftOut):
    """A draft in words, with its area, and its history, oldest first."""

    texts: list[DraftTextOut] = Field(description="As proposed, in all languages.")
    area: dict[str, JsonValue] = Field(description="A GeoJSON geometry.")
    audit: list[AuditOut]


class WordingIn(BaseModel):
    """Words in place of the engine's, in one language; what is not given stays."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"comment": "Calm until the front passes."}}
    )

    comment: _Comment | None = Field(default=None, description="On the weather, in one line; empty for none.")
    instruction: _Advice | None = Field(default=None, description="What to do, a line for each audience.")


class DecisionIn(BaseModel):
    """Why a draft is approved or rejected."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"reason": "agrees with the ensemble of the bureau"}}
    )

    reason: Why


class ChangeIn(BaseModel):
    """What is changed of a draft; what is not given stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"level": "orange"}})

    level: str | None = Field(default=None, pattern="^[a-z][a-z0-9_]{0,15}$", description="Another level.")
    onset: _Time | None = None
    expires: _Time | None = None
    texts: dict[Language, WordingIn] = Field(
        default={}, description="By language. The sentences on level, times and values are the engine's and stay."
    )


class AmendmentIn(ChangeIn, DecisionIn):
    """What is changed of a draft, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"reason": "fog in part", "level": "orange"}}
    )


class DecisionsIn(DecisionIn):
    """Several drafts that are approved or rejected as they are, for one reason."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"action": "approve", "drafts": ["cma_haze.beijing.20130112T1000Z"], "reason": "agrees"}
        },
    )

    action: Literal["approve", "reject"]
    drafts: Annotated[list[DraftName], Field(min_length=1, max_length=200), at_most(200)]


class DecidedOut(BaseModel):
    """What became of one of several drafts."""

    id: str
    status: Status | None = Field(description="As it is decided now; null where it could not be.")
    problem: str | None = Field(description="Why it could not be decided.")


class MailOut(BaseModel):
    """A mail, without the map, which is drawn when it is sent."""

    subject: str
    text: str
    message: str = Field(description="The whole mail (RFC 5322), as a mail program opens it.")


class PageOut(BaseModel):
    """What a warning's page shows, in one language."""

    language: Language
    html: str = Field(description="The article of the page.")


class PreviewOut(BaseModel):
    """A message as it would go out, were it decided now."""

    texts: list[DraftTextOut]
    mail: MailOut = Field(description="As a subscriber of all languages receives it.")
    cap: str = Field(description="CAP 1.2, never signed: only what was issued is.")
    pages: list[PageOut]
