"""Drafts of warnings in the store: messages that a person approves, amends or rejects, all audited."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from hazecast.alerts.engine.approval import amend, approve, reject, supersede
from hazecast.alerts.engine.draft import Draft, Edit
from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.errors import UnknownError
from hazecast.services.store.database import Sessions
from hazecast.services.store.outbox import record_message
from hazecast.services.store.tables.forecasts import Warning_, WarningAudit, WarningDraft

Action = Literal["approve", "amend", "reject"]


@dataclass(frozen=True)
class Decider:
    """The account and the key by which a person decided, for the audit."""

    account_id: str
    key_id: str


def warning_row(warning: HazeWarning) -> Warning_:
    """Return the row of a message."""
    return Warning_(
        id=warning.id,
        simulated=warning.simulated,
        rule_set=warning.rule_set,
        city=warning.city,
        level=warning.level,
        kind=warning.kind,
        issued=warning.issued,
        onset=warning.onset,
        expires=warning.expires,
        run_init_time=warning.run_init_time,
        payload=warning.model_dump_json(),
    )


def approved_ids(init_time: datetime, simulated: bool) -> Select[str]:
    """Return the query of the ids of a run's messages that a person approved, amended or not.

    Parameters
    ----------
    init_time : datetime
        Of the run, aware.
    simulated : bool

    Returns
    -------
    sqlalchemy.Select
    """
    return select(WarningDraft.id).where(
        WarningDraft.run_init_time == init_time,
        WarningDraft.simulated == simulated,
        WarningDraft.status.in_(("approved", "amended")),
    )


def save_drafts(
    session: Session,
    proposals: Sequence[HazeWarning],
    drafted: Collection[tuple[str, str]],
    init_time: datetime,
    simulated: bool,
    *,
    at: datetime,
) -> None:
    """Store a run's proposals as drafts, within the caller's transaction.

    Pending drafts of earlier runs for the same rule set and city are superseded. A run stored again replaces
    its own pending drafts; what a person has decided stays decided.

    Parameters
    ----------
    session : Session
        In a transaction that writes.
    proposals : sequence of HazeWarning
        The run's messages that need approval.
    drafted : collection of (str, str)
        All rule sets and cities that need approval: ids of both.
    init_time : datetime
        Of the run, aware.
    simulated : bool
    at : datetime
        When the run is stored, aware, for the audit.
    """
    known = {
        row.id: row
        for row in session.scalars(
            select(WarningDraft)
            .where(WarningDraft.simulated == simulated, WarningDraft.status == "pending")
            .with_for_update()
        )
    }
    for row in known.values():
        if (row.rule_set, row.city) in drafted and row.run_init_time < init_time:
            _record(session, row, supersede(Draft.model_validate_json(row.payload), init_time), "superseded", at)
    decided = set(
        session.scalars(
            select(WarningDraft.id).where(
                WarningDraft.run_init_time == init_time,
                WarningDraft.simulated == simulated,
                WarningDraft.status != "pending",
            )
        )
    )
    wanted = {proposal.id: proposal for proposal in proposals if proposal.id not in decided}
    for row in known.values():
        if row.run_init_time != init_time:
            continue
        if row.id in wanted and Draft.model_validate_json(row.payload).proposed == wanted[row.id]:
            del wanted[row.id]
        else:
            session.execute(delete(WarningDraft).where(WarningDraft.id == row.id, WarningDraft.simulated == simulated))
            session.expunge(row)
    for proposal in wanted.values():
        draft = Draft(proposed=proposal, drafted_at=init_time)
        row = WarningDraft(
            id=draft.id, simulated=simulated, rule_set=proposal.rule_set, city=proposal.city,
            run_init_time=init_time, status="pending", payload="",
        )  # fmt: skip
        session.add(row)
        _record(session, row, draft, "drafted", at)


def cancel_drafts(
    session: Session,
    init_time: datetime,
    simulated: bool,
    messages: Collection[str],
    *,
    by: str,
    reason: str,
    at: datetime,
) -> int:
    """Reject the pending drafts of a run that is withdrawn, and put its approved ones into the audit as withdrawn.

    Parameters
    ----------
    session : Session
        In a transaction that writes.
    init_time : datetime
        Of the run, aware.
    simulated : bool
    messages : collection of str
        Ids of the run's messages that were issued.
    by, reason : str
        Who withdraws the run, and why.
    at : datetime
        When, aware.

    Returns
    -------
    int
        How many were pending.
    """
    rows = session.scalars(
        select(WarningDraft)
        .where(WarningDraft.simulated == simulated, WarningDraft.run_init_time == init_time)
        .with_for_update()
    ).all()
    pending = [row for row in rows if row.status == "pending"]
    for row in rows:
        draft = Draft.model_validate_json(row.payload)
        if row in pending:
            _record(session, row, reject(draft, by=by, reason=reason, at=at), "rejected", at)
        elif row.id in messages:
            session.add(
                WarningAudit(
                    at=at, draft_id=row.id, simulated=simulated, action="withdrawn", by=by, reason=reason,
                    payload=row.payload,
                )
            )  # fmt: skip
    return len(pending)


def _record(
    session: Session, row: WarningDraft, draft: Draft, action: str, at: datetime, who: Decider | None = None
) -> None:
    row.status, row.payload = draft.status, draft.model_dump_json()
    session.add(
        WarningAudit(
            at=at, draft_id=draft.id, simulated=draft.proposed.simulated, action=action, by=draft.by,
            reason=draft.reason, payload=row.payload, account_id=who and who.account_id, key_id=who and who.key_id,
        )
    )  # fmt: skip


def decide_draft(
    sessions: Sessions,
    book: RuleBook,
    draft_id: str,
    simulated: bool,
    action: Action,
    *,
    by: str,
    reason: str,
    at: datetime,
    who: Decider | None = None,
    level: str | None = None,
    onset: datetime | None = None,
    expires: datetime | None = None,
    texts: Sequence[Edit] = (),
) -> Draft:
    """Approve, amend or reject a draft, in one transaction.

    Approved and amended messages are stored as warnings, issued at `at`.

    Parameters
    ----------
    sessions : Sessions
    book : RuleBook
        Holds the rule set of the draft.
    draft_id : str
    simulated : bool
    action : {"approve", "amend", "reject"}
    by : str
        Who decides, for the audit.
    reason : str
        Why, for the audit.
    at : datetime
        When, aware.
    who : Decider, optional
        Whose account and key it was; without, a command's.
    level : str, optional
        Another level; of an amendment, as all that follow.
    onset, expires : datetime, optional
        Other times, aware.
    texts : sequence of Edit
        Other words, as `hazecast.alerts.messages.editing.checked_edits` returns them.

    Returns
    -------
    Draft
        As it is after the decision.

    Raises
    ------
    UnknownError
        If there is no such draft.
    InputError
        If `hazecast.alerts.engine.approval` refuses; a `ConflictError` where the state of the draft or of other
        warnings is the reason. Nothing is then changed.
    """
    with sessions.begin() as session:
        # An update that changes nothing, as a lock on any database: no other decision is made until this one is finished.
        own_row = (WarningDraft.id == draft_id, WarningDraft.simulated == simulated)
        session.execute(update(WarningDraft).where(*own_row).values(status=WarningDraft.status))
        row = session.get(WarningDraft, (draft_id, simulated))
        if row is None:
            raise UnknownError("draft", draft_id, "the id of a draft, as hazecast warnings drafts lists them")
        draft = Draft.model_validate_json(row.payload)
        if action == "reject":
            _record(session, row, reject(draft, by=by, reason=reason, at=at), "rejected", at, who)
            return Draft.model_validate_json(row.payload)
        history = history_of(session, row)
        if action == "approve":
            decided, message = approve(draft, history, by=by, reason=reason, at=at)
        else:
            rules = book.rule_set(row.rule_set)
            decided, message = amend(
                draft,
                history,
                rules,
                by=by,
                reason=reason,
                at=at,
                level=level,
                onset=onset,
                expires=expires,
                texts=texts,
            )
        session.add(warning_row(message))
        _record(session, row, decided, decided.status, at, who)
        session.flush()
        record_message(session, message)
        return decided


def history_of(session: Session, row: WarningDraft) -> list[HazeWarning]:
    """Return the messages of a draft's rule set and city.

    Parameters
    ----------
    session : Session
    row : WarningDraft

    Returns
    -------
    list of HazeWarning
    """
    own = session.scalars(
        select(Warning_.payload).where(
            Warning_.simulated == row.simulated, Warning_.rule_set == row.rule_set, Warning_.city == row.city
        )
    )
    return [HazeWarning.model_validate_json(payload) for payload in own]
