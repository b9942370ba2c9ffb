"""Withdrawing a run: it is no longer read as a forecast, and what it warned of is cancelled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from hazecast.grids.errors import ConflictError, InputError, UnknownError
from hazecast.services.store.drafts import cancel_drafts
from hazecast.services.store.locks import lock_until_commit
from hazecast.services.store.outbox import record_withdrawal
from hazecast.services.store.store import Store
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
