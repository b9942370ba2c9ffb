"""Withdrawing a run: it is no longer read as a forecast, and what it warned of is cancelled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import aliased

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.grids.errors import ConflictError, InputError, UnknownError
from hazecast.services.store.drafts import cancel_drafts
from hazecast.services.store.locks import lock_until_commit
from hazecast.services.store.outbox import WITHDRAWN, record_withdrawal
from hazecast.services.store.store import Store
from hazecast.services.store.tables.delivery import OutboxEvent
from hazecast.services.store.tables.forecasts import ForecastRun, Warning_


@dataclass(frozen=True)
class Withdrawn:
    """The init time of a withdrawn run, and how many messages and pending drafts went with it."""

    init_time: datetime
    warnings: int
    drafts: int


def all_runs(store: Store, limit: int = 20) -> list[ForecastRun]:
    """Return the newest runs by init time, also those in the future and those withdrawn.

    Parameters
    ----------
    store : Store
    limit : int

    Returns
    -------
    list of ForecastRun
    """
    with store.sessions() as session:
        return list(session.scalars(select(ForecastRun).order_by(ForecastRun.init_time.desc()).limit(limit)))


def withdrawn_messages(
    store: Store, *, name: str | None = None, simulated: bool | None = None, since: datetime | None = None
) -> list[tuple[HazeWarning, datetime]]:
    """Return messages that were withdrawn, by a person or by a run made again, and were not issued again since.

    Parameters
    ----------
    store : Store
    name : str, optional
        The id of one.
    simulated : bool, optional
        By default either.
    since : datetime, optional
        Aware; only what was withdrawn later.

    Returns
    -------
    list of (HazeWarning, datetime)
        Each as it was last published, and when it was withdrawn; in the order of withdrawal.
    """
    later = aliased(OutboxEvent)
    newer = exists().where(
        later.subject == OutboxEvent.subject, later.simulated == OutboxEvent.simulated, later.seq > OutboxEvent.seq
    )
    query = select(OutboxEvent.payload, OutboxEvent.occurred_at).where(OutboxEvent.type == WITHDRAWN, ~newer)
    if name is not None:
        query = query.where(OutboxEvent.subject == name)
    if simulated is not None:
        query = query.where(OutboxEvent.simulated == simulated)
    if since is not None:
        query = query.where(OutboxEvent.occurred_at > since)
    with store.sessions() as session:
        rows = session.execute(query.order_by(OutboxEvent.seq)).all()
    return [(HazeWarning.model_validate_json(row.payload), row.occurred_at) for row in rows]


def future_runs(store: Store) -> list[ForecastRun]:
    """Return the runs whose init time has not come, and that were not withdrawn: a clock or an input was wrong."""
    query = select(ForecastRun).where(ForecastRun.init_time > store.clock(), ForecastRun.withdrawn_at.is_(None))
    with store.sessions() as session:
        return list(session.scalars(query.order_by(ForecastRun.init_time)))


def withdraw_run(store: Store, run_id: int, *, by: str, why: str) -> Withdrawn:
    """Withdraw a run, in one transaction.

    Its row, values and files stay, marked. Its messages, also those that a person approved, are no longer in force or
    in the history, and subscribers receive that they are withdrawn; the outbox and the audit keep them. What they
    replaced is in force again. Made again, the run of that init time is a new one.

    Parameters
    ----------
    store : Store
    run_id : int
    by, why : str
        Who decides and for what reason; kept with the run and in the audit.

    Returns
    -------
    Withdrawn

    Raises
    ------
    UnknownError
        If there is no such run.
    ConflictError
        If it was withdrawn before.
    InputError
        If `by` or `why` is empty.
    """
    for name, value in (("by", by), ("why", why)):
        if not value.strip():
            raise InputError(name, repr(value), "some words: who decides, and why")
    at = store.clock()
    with store.sessions.begin() as session:
        lock_until_commit(session, "run")
        run = session.get(ForecastRun, run_id, with_for_update=True)
        if run is None:
            raise UnknownError("run", str(run_id), "the id of a run, as hazecast runs list prints them")
        if run.withdrawn_at is not None:
            raise ConflictError(f"run {run_id}", f"withdrawn at {run.withdrawn_at:%Y-%m-%dT%H:%MZ}", "not withdrawn")
        run.withdrawn_at, run.withdrawn_by, run.withdrawn_why = at, by, why
        own = Warning_.simulated == run.simulated, Warning_.run_init_time == run.init_time
        messages = session.scalars(select(Warning_.id).where(*own).order_by(Warning_.id)).all()
        pending = cancel_drafts(session, run.init_time, run.simulated, messages, by=by, reason=why, at=at)
        session.execute(delete(Warning_).where(*own))
        record_withdrawal(session, run, messages, at)
        return Withdrawn(run.init_time, len(messages), pending)
