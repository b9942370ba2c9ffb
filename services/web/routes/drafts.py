"""Drafts of warnings through the API: a forecaster approves, amends or rejects them, by name."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from hazecast.alerts.engine.draft import Draft, Status
from hazecast.alerts.engine.warning import HazeWarning, Wording
from hazecast.alerts.geography.city_areas import city_area
from hazecast.alerts.geography.shapes import as_geojson
from hazecast.alerts.messages.editing import checked_edits
from hazecast.alerts.messages.texts import LANGUAGES
from hazecast.alerts.messages.warning_texts import compose
from hazecast.grids.errors import InputError
from hazecast.services.accounts.keys import Identity
from hazecast.services.store.draft_preview import message_of
from hazecast.services.store.draft_reads import audit_trail, draft_of, list_drafts
from hazecast.services.store.drafts import Action, decide_draft
from hazecast.services.store.drafts import Decider as DecidedBy
from hazecast.services.web.access import require
from hazecast.services.web.dependencies import Given, Service
from hazecast.services.web.pages import Cursor, Limit, cut, from_cursor, link_next
from hazecast.services.web.problems import Refusal
from hazecast.services.web.routes.common import CONFLICT, DENIED, INVALID, NOT_FOUND
from hazecast.services.web.schemas.drafts import (
    ID,
    AmendmentIn,
    AuditedDraftOut,
    AuditOut,
    ChangeIn,
    DecidedOut,
    DecisionIn,
    DecisionsIn,
    DraftOut,
    DraftTextOut,
)
from hazecast.services.web.schemas.items import ItemsOut
from hazecast.services.work.explain import explain

log = logging.getLogger(__name__)


Reader = Annotated[Identity, Depends(require("drafts:read"))]
Decider = Annotated[Identity, Depends(require("drafts:decide"))]
DraftId = Annotated[str, Path(pattern=ID, examples=["cma_haze.beijing.20130112T1000Z"])]
Simulated = Annotated[bool, Query(description="Those of simulated runs.")]
_DECISIONS = DENIED | NOT_FOUND | CONFLICT | INVALID


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
        place = service.registry.city(found.proposed.city)
        texts = texts_of(service, found.proposed)
    except InputError as error:
        raise Refusal(error) from error
    audit = [AuditOut.model_validate(row) for row in audit_trail(service.store.sessions, simulated, draft_id)]
    area = as_geojson(city_area(place, service.registry).geometry)
    return AuditedDraftOut(**DraftOut.of(found).model_dump(), texts=texts, area=area, audit=audit)


@router.post("/decisions", responses=DENIED | INVALID)
def decide(service: Given, wanted: DecisionsIn, who: Decider, simulated: Simulated = False) -> ItemsOut[DecidedOut]:
    """Approve or reject several drafts as they are. Each by itself: what can't be decided is told, the others are."""
    found = []
    for draft_id in dict.fromkeys(wanted.drafts):
        try:
            decided = _decided(service, wanted.action, draft_id, who, simulated, reason=wanted.reason)
            found.append(DecidedOut(id=draft_id, status=decided.status, problem=None))
        except InputError as error:
            found.append(DecidedOut(id=draft_id, status=None, problem=str(error)))
    return ItemsOut(items=found)


@router.post("/{draft_id}/approve", responses=_DECISIONS)
def approve(
    service: Given, draft_id: DraftId, decision: DecisionIn, who: Decider, simulated: Simulated = False
) -> DraftOut:
    """Approve a draft as it is: the warning is issued."""
    return _or_refused(service, "approve", draft_id, decision, who, simulated)


@router.post("/{draft_id}/amend", responses=_DECISIONS)
def amend(
    service: Given, draft_id: DraftId, decision: AmendmentIn, who: Decider, simulated: Simulated = False
) -> DraftOut:
    """Approve a draft with another level, other times, or other words on the weather and on what to do."""
    return _or_refused(service, "amend", draft_id, decision, who, simulated)


@router.post("/{draft_id}/reject", responses=_DECISIONS)
def reject(
    service: Given, draft_id: DraftId, decision: DecisionIn, who: Decider, simulated: Simulated = False
) -> DraftOut:
    """Reject a draft: no warning is issued."""
    return _or_refused(service, "reject", draft_id, decision, who, simulated)


def texts_of(service: Service, message: HazeWarning) -> list[DraftTextOut]:
    """Return a message in words, in all languages.

    Parameters
    ----------
    service : Service
    message : HazeWarning

    Returns
    -------
    list of DraftTextOut
    """
    rules, city = service.book.rule_set(message.rule_set), service.registry.city(message.city)
    why = explain(service.store, message)
    composed = [
        (language, compose(message, rules, city, language, why=why, registry=service.registry))
        for language in LANGUAGES
    ]
    names = ("headline", "description", "comment", "instruction")
    return [
        DraftTextOut(language=language, **{name: getattr(text, name) for name in names}) for language, text in composed
    ]


def changes_of(service: Service, draft_id: str, given: ChangeIn, simulated: bool, by: str) -> dict[str, Any]:
    """Return what is changed of a draft, as the store takes it.

    Parameters
    ----------
    service : Service
    draft_id : str
    given : ChangeIn
    simulated : bool
    by : str
        Who would decide.

    Returns
    -------
    dict
        ``level``, ``onset``, ``expires`` and ``texts``.

    Raises
    ------
    UnknownError
        If there is no such draft.
    InputError
        If the words may not be said, or, where there are any, as `hazecast.services.store.draft_preview.message_of`.
    """
    facts: dict[str, Any] = {"level": given.level, "onset": given.onset, "expires": given.expires}
    if not given.texts:
        return facts | {"texts": ()}
    issued = message_of(service.store.sessions, service.book, draft_id, simulated, by=by, at=service.clock(), **facts)
    proposed = draft_of(service.store.sessions, draft_id, simulated).proposed
    edits = checked_edits(
        {language: Wording(**one.model_dump()) for language, one in given.texts.items()},
        proposed,
        service.book.rule_set(proposed.rule_set),
        service.registry.city(proposed.city),
        issued=issued,
        why=explain(service.store, proposed),
    )
    return facts | {"texts": edits}


def _or_refused(
    service: Service, action: Action, draft_id: str, decision: DecisionIn, who: Identity, simulated: bool
) -> DraftOut:
    try:
        changes = (
            changes_of(service, draft_id, decision, simulated, who.name) if isinstance(decision, AmendmentIn) else {}
        )
        return DraftOut.of(_decided(service, action, draft_id, who, simulated, reason=decision.reason, **changes))
    except InputError as error:
        raise Refusal(error) from error


def _decided(
    service: Service, action: Action, draft_id: str, who: Identity, simulated: bool, *, reason: str, **changes: Any
) -> Draft:
    if action != "reject":
        # A warning of a city that the service does not know can't be said.
        service.registry.city(draft_of(service.store.sessions, draft_id, simulated).proposed.city)
    decided = decide_draft(
        service.store.sessions,
        service.book,
        draft_id,
        simulated,
        action,
        by=who.name,
        reason=reason,
        at=service.clock(),
        who=DecidedBy(who.account_id, who.key_id),
        **changes,
    )
    log.info("draft %s %s by account %s with key %s", draft_id, decided.status, who.account_id, who.key_id)
    return decided
