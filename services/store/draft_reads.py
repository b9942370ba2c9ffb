"""Drafts of warnings as they are read: listed, one by one, and what was done with them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select

from hazecast.alerts.engine.draft import Draft, Status
from hazecast.grids.errors import UnknownError
from hazecast.grids.times import format_time
from hazecast.services.store.database import Sessions
from hazecast.services.store.tables.forecasts import WarningAudit, WarningDraft


def list_drafts(
    sessions: Sessions,
    simulated: bool,
    status: Status | None = "pending",
    limit: int | None = None,
    after: tuple[datetime, str] | None = None,
) -> list[Draft]:
    """Return drafts, those of the newest run first.

    Parameters
    ----------
    sessions : Sessions
    simulated : bool
    status : str, optional
        Only of this status; all if None.
    limit : int, optional
        At most so many.
    after : (datetime, str) or None
        Init time and id of the last draft of the page before.

    Returns
    -------
    list of Draft
    """
    query = select(WarningDraft.payload).where(WarningDraft.simulated == simulated)
    if status is not None:
        query = query.where(WarningDraft.status == status)
    if after is not None:
        same = and_(WarningDraft.run_init_time == after[0], WarningDraft.id > after[1])
        query = query.where(or_(WarningDraft.run_init_time < after[0], same))
    with sessions() as session:
        found = session.scalars(query.order_by(WarningDraft.run_init_time.desc(), WarningDraft.id).limit(limit))
        return [Draft.model_validate_json(payload) for payload in found]


def draft_of(sessions: Sessions, draft_id: str, simulated: bool) -> Draft:
    """Return one draft.

    Parameters
    ----------
    sessions : Sessions
    draft_id : str
    simulated : bool

    Returns
    -------
    Draft

    Raises
    ------
    UnknownError
        If there is none of that id.
    """
    with sessions() as session:
        row = session.get(WarningDraft, (draft_id, simulated))
    if row is None:
        raise UnknownError("draft", draft_id, "the id of a draft, as hazecast warnings drafts lists them")
    return Draft.model_validate_json(row.payload)


def audit_trail(sessions: Sessions, simulated: bool, draft_id: str | None = None) -> list[dict[str, Any]]:
    """Return what was done with one draft, or with all, oldest first.

    Parameters
    ----------
    sessions : Sessions
    simulated : bool
    draft_id : str, optional
        By default all drafts.

    Returns
    -------
    list of dict
        Each with ``at`` (ISO 8601), ``draft``, ``action``, ``by``, ``account``, ``key``, ``reason`` and ``edits``: what was
        changed, before and after.
    """
    query = select(WarningAudit).where(WarningAudit.simulated == simulated)
    if draft_id is not None:
        query = query.where(WarningAudit.draft_id == draft_id)
    with sessions() as session:
        return [
            {
                "at": format_time(row.at),
                "draft": row.draft_id,
                "action": row.action,
                "by": row.by,
                "account": row.account_id,
                "key": row.key_id,
                "reason": row.reason,
                "edits": [edit.model_dump() for edit in Draft.model_validate_json(row.payload).edits],
            }
            for row in session.scalars(query.order_by(WarningAudit.id))
        ]
