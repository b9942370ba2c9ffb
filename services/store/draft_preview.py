"""What a draft would become, were it decided now; nothing in the store is changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hazecast.alerts.engine.approval import amend, approve
from hazecast.alerts.engine.draft import Edit
from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.rules.book import RuleBook
from hazecast.services.store.database import Sessions
from hazecast.services.store.draft_reads import draft_of
from hazecast.services.store.drafts import history_of
from hazecast.services.store.tables.forecasts import WarningDraft


def message_of(
    sessions: Sessions,
    book: RuleBook,
    draft_id: str,
    simulated: bool,
    *,
    by: str,
    at: datetime,
    level: str | None = None,
    onset: datetime | None = None,
    expires: datetime | None = None,
    texts: Sequence[Edit] = (),
) -> HazeWarning:
    """Return the message that a draft would become, approved or amended now; nothing is changed.

    Parameters
    ----------
    sessions : Sessions
    book : RuleBook
        Holds the rule set of the draft.
    draft_id : str
    simulated : bool
    by : str
        Who would decide.
    at : datetime
        When, aware.
    level, onset, expires, texts
        As for `decide_draft`; without any of them it is approved.

    Returns
    -------
    HazeWarning

    Raises
    ------
    UnknownError
        If there is no such draft.
    InputError
        As `decide_draft`.
    """
    draft = draft_of(sessions, draft_id, simulated)
    with sessions() as session:
        history = history_of(session, session.get_one(WarningDraft, (draft_id, simulated)))
    reason = "preview"
    if (level, onset, expires, len(texts)) == (None, None, None, 0):
        return approve(draft, history, by=by, reason=reason, at=at)[1]
    rules = book.rule_set(draft.proposed.rule_set)
    return amend(
        draft, history, rules, by=by, reason=reason, at=at, level=level, onset=onset, expires=expires, texts=texts
    )[1]
