"""Drafts of warnings through the API: a forecaster approves, amends or rejects them, by name."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from hazecast.alerts.engine.approval import Draft, Status
from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.texts import LANGUAGES, Language
from hazecast.alerts.messages.warning_texts import compose
from hazecast.grids.errors import InputError
from hazecast.services.accounts.keys import Identity
from hazecast.services.core.field_limits import plain_lines
from hazecast.services.store.drafts import Action, audit_trail, decide_draft, draft_of, list_drafts
from hazecast.services.store.drafts import Decider as DecidedBy
from hazecast.services.web.access import require
from hazecast.services.web.dependencies import Given, Service
from hazecast.services.web.pages import Cursor, Limit, cut, from_cursor, link_next
from hazecast.services.web.problems import Refusal
from hazecast.services.web.routes.common import CONFLICT, DENIED, INVALID, NOT_FOUND
from hazecast.services.web.schemas.items import ItemsOut
from hazecast.services.work.explain import explain

log = logging.getLogger(__name__)


Reader = Annotated[Identity, Depends(require("drafts:read"))]
Decider = Annotated[Identity, Depends(require("drafts:decide"))]
DraftId = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,128}$", examples=["cma_haze.beijing.20130112T1000Z"])]
Simulated = Annotated[bool, Query(description="Those of simulated runs.")]
Why = Annotated[
    str,
    Field(min_length=1, max_length=2_000, description="In words, for the audit trail."),
    AfterValidator(plain_lines),
]
_CENTURY = {"ge": datetime(2000, 1, 1, tzinfo=UTC), "lt": datetime(2100, 1, 1, tzinfo=UTC)}
_Time = Annotated[AwareDatetime, Field(**_CENTURY)]
_DECISIONS = DENIED | NOT_FOUND | CONFLICT | INVALID


class DraftOut(BaseModel):
    """A message that waits, or has waited, for a person."""

    id: str
    status: Status
    proposed: HazeWarning = Field(description="The message as the run proposes it.")
    drafted_at: datetime
    decided_at: datetime | None
    by: str | None = Field(description="Who decided.")
    reason: str | None

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


class DraftTextOut(BaseModel):
    """What a draft says in one language."""

    language: Language
    headline: str
    description: str
    instruction: str = Field(description="What to do, a line for each audience.")


class AuditedDraftOut(DraftOut):
    """A draft in words, with its history, oldest first."""

    texts: list[DraftTextOut] = Field(description="As proposed, in all languages.")
    audit: list[AuditOut]


class DecisionIn(BaseModel):
    """Why a draft is approved or rejected."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"reason": "agrees with the ensemble of the bureau"}}
    )

    reason: Why


class AmendmentIn(DecisionIn):
    """What is changed of a draft, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"reason": "fog in part", "level": "orange"}}
    )

    level: str | None = Field(default=None, pattern="^[a-z][a-z0-9_]{0,15}$", description="Another level.")
    onset: _Time | None = None
    expires: _Time | None = None


router = APIRouter(prefix="/drafts", tags=["drafts"])


@router.get("", responses=DENIED | INVALID)
def drafts(
    service: Given,
    request: Request,
    response: Response,
    _: Reader,
    status: Annotated[Status | Literal["all"], Query(description="Of this status.")] = "pending",
    simulated: Simulated = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> ItemsOut[DraftOut]:
    """Messages that wait for a person, those of the newest run first."""
    keys = from_cursor(cursor, datetime, str)
    after = None if keys is None else (keys[0], keys[1])
    wanted = None if status == "all" else status
    found = list_drafts(service.store.sessions, simulated, wanted, limit + 1, after)
    page, following = cut(found, limit, lambda one: (one.proposed.run_init_time, one.id))
    link_next(response, request, following)
    return ItemsOut(items=[DraftOut.of(one) for one in page], next=following)


@router.get("/{draft_id}", responses=DENIED | NOT_FOUND | INVALID)
def draft(service: Given, draft_id: DraftId, _: Reader, simulated: Simulated = False) -> AuditedDraftOut:
    """One draft with its texts, and its history: what was decided, by whom and why."""
    try:
        found = draft_of(service.store.sessions, draft_id, simulated)
    except InputError as error:
        raise Refusal(error) from error
    audit = [AuditOut.model_validate(row) for row in audit_trail(service.store.sessions, simulated, draft_id)]
    return AuditedDraftOut(**DraftOut.of(found).model_dump(), texts=_texts(service, found.proposed), audit=audit)


@router.post("/{draft_id}/approve", responses=_DECISIONS)
def approve(
    service: Given, draft_id: DraftId, decision: DecisionIn, who: Decider, simulated: Simulated = False
) -> DraftOut:
    """Approve a draft as it is: the warning is issued."""
    return _decide(service, "approve", draft_id, decision, who, simulated)


@router.post("/{draft_id}/amend", responses=_DECISIONS)
def amend(
    service: Given, draft_id: DraftId, decision: AmendmentIn, who: Decider, simulated: Simulated = False
) -> DraftOut:
    """Approve a draft with another level or other times."""
    return _decide(service, "amend", draft_id, decision, who, simulated)


@router.post("/{draft_id}/reject", responses=_DECISIONS)
def reject(
    service: Given, draft_id: DraftId, decision: DecisionIn, who: Decider, simulated: Simulated = False
) -> DraftOut:
    """Reject a draft: no warning is issued."""
    return _decide(service, "reject", draft_id, decision, who, simulated)


def _texts(service: Service, proposed: HazeWarning) -> list[DraftTextOut]:
    rules, city = service.book.rule_set(proposed.rule_set), service.registry.city(proposed.city)
    why = explain(service.store, proposed)
    composed = [
        (language, compose(proposed, rules, city, language, why=why, registry=service.registry))
        for language in LANGUAGES
    ]
    return [
        DraftTextOut(
            language=language, headline=text.headline, description=text.description, instruction=text.instruction
        )
        for language, text in composed
    ]


def _decide(
    service: Service, action: Action, draft_id: str, decision: DecisionIn, who: Identity, simulated: bool
) -> DraftOut:
    try:
        decided = decide_draft(
            service.store.sessions,
            service.book,
            draft_id,
            simulated,
            action,
            by=who.name,
            at=service.clock(),
            who=DecidedBy(who.account_id, who.key_id),
            **decision.model_dump(),
        )
    except InputError as error:
        raise Refusal(error) from error
    log.info("draft %s %s by account %s with key %s", draft_id, decided.status, who.account_id, who.key_id)
    return DraftOut.of(decided)
