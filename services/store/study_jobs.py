"""Studies as jobs, for the account that asks: queued once, read, cancelled. Who runs them uses `hazecast.services.store.study_runs`."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Update,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from hazecast.grids.errors import ConflictError
from hazecast.services.store.locks import lock_until_commit
from hazecast.services.store.store import Store
from hazecast.services.store.study_places import Places, check_places
from hazecast.services.store.tables.studies import CANCELLED, OPEN, QUEUED, RUNNING, StudyFile, StudyJob

# Held by who queues a job and by who takes one.
LOCK = "study jobs"
_RESULTS = exists().where(StudyFile.job_id == StudyJob.id)


@dataclass(frozen=True)
class Asked:
    """A job that is asked for.

    Attributes
    ----------
    account_id, key_id : str
        Who asks.
    study : str
    body : bytes
        As the study takes it.
    digest : str
        Of the study and the body.
    simulated : bool
        Whether stored observations are those of simulated runs.
    idempotency_key : str or None
    """

    account_id: str
    key_id: str
    study: str
    body: bytes
    digest: str
    simulated: bool
    idempotency_key: str | None


@dataclass(frozen=True)
class Job:
    """A job as it is stored, without its body; see `hazecast.services.store.tables.studies.StudyJob`.

    `has_results` says whether results of it are kept.
    """

    id: str
    account_id: str
    key_id: str
    study: str
    simulated: bool
    state: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: str | None
    error: str | None
    errors: list[dict[str, str]] | None
    digest: str
    has_results: bool


# The columns of a `Job`.
SHOWN = [_RESULTS.label(one.name) if one.name == "has_results" else getattr(StudyJob, one.name) for one in fields(Job)]


def submit(store: Store, asked: Asked, places: Places, now: datetime) -> tuple[Job, bool]:
    """Queue a job, or return the one that the same request queued before.

    Parameters
    ----------
    store : Store
    asked : Asked
    places : Places
    now : datetime
        Aware.

    Returns
    -------
    Job
        The job.
    bool
        Whether this call queued it.

    Raises
    ------
    ConflictError
        If the account's Idempotency-Key came with another body before.
    TooManyJobsError
        If there is no place.
    """
    with store.writing() as connection:
        lock_until_commit(connection, LOCK)
        own = StudyJob.account_id == asked.account_id
        if asked.idempotency_key is not None:
            query = select(*SHOWN).where(own, StudyJob.idempotency_key == asked.idempotency_key)
            earlier = connection.execute(query).first()
            if earlier is not None:
                if not hmac.compare_digest(earlier.digest, asked.digest):
                    raise ConflictError(
                        "Idempotency-Key", "another request than the one that came with it", "the same, or a new key"
                    )
                return job_of_row(earlier), False
        check_places(connection, asked.account_id, places)
        job_id = f"job_{secrets.token_hex(12)}"
        connection.execute(insert(StudyJob).values(id=job_id, state=QUEUED, created_at=now, **vars(asked)))
        return job_of_row(connection.execute(select(*SHOWN).where(StudyJob.id == job_id)).one()), True


def job_of(store: Store, account_id: str, job_id: str) -> Job | None:
    """Return a job of an account without its body; None if it has none of that id.

    Parameters
    ----------
    store : Store
    account_id, job_id : str

    Returns
    -------
    Job or None
    """
    query = select(*SHOWN).where(StudyJob.id == job_id, StudyJob.account_id == account_id)
    with store.engine.connect() as connection:
        row = connection.execute(query).first()
    return None if row is None else job_of_row(row)


def jobs_of(store: Store, account_id: str, limit: int, before: tuple[datetime, str] | None = None) -> list[Job]:
    """Return the newest jobs of an account.

    Parameters
    ----------
    store : Store
    account_id : str
    limit : int
    before : (datetime, str) or None
        When the last one of the page before was asked for, and its id.

    Returns
    -------
    list of Job
    """
    query = select(*SHOWN).where(StudyJob.account_id == account_id)
    if before is not None:
        query = query.where(_before(*before))
    query = query.order_by(StudyJob.created_at.desc(), StudyJob.id.desc()).limit(limit)
    with store.engine.connect() as connection:
        return [job_of_row(row) for row in connection.execute(query)]


def ahead_of(store: Store, job: Job) -> int:
    """Return how many jobs run or wait before one that waits.

    Parameters
    ----------
    store : Store
    job : Job

    Returns
    -------
    int
    """
    earlier = and_(StudyJob.state == QUEUED, _before(job.created_at, job.id))
    query = select(func.count()).where(or_(StudyJob.state == RUNNING, earlier))
    with store.engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def file_of(store: Store, job_id: str, name: str) -> bytes | None:
    """Return a result of a job; None if there is none, or no longer.

    Parameters
    ----------
    store : Store
    job_id, name : str

    Returns
    -------
    bytes or None
    """
    query = select(StudyFile.content).where(StudyFile.job_id == job_id, StudyFile.name == name)
    with store.engine.connect() as connection:
        return connection.execute(query).scalar()


def cancel(store: Store, job_id: str, key_id: str, now: datetime) -> bool:
    """Cancel a job that waits or runs, or remove the results of one that has ended.

    Parameters
    ----------
    store : Store
    job_id : str
        Of the account that asks.
    key_id : str
        Who cancels.
    now : datetime
        Aware.

    Returns
    -------
    bool
        Whether it was cancelled: it had not ended.
    """
    with store.writing() as connection:
        values = {"state": CANCELLED, "finished_at": now, "cancelled_by": key_id, "body": None}
        if changed(connection, in_states(job_id, *OPEN).values(values)):
            return True
        connection.execute(delete(StudyFile).where(StudyFile.job_id == job_id))
        return False


def results_until(job: Job, kept: timedelta) -> datetime | None:
    """Return until when the results of a job are kept; None where it has none.

    Parameters
    ----------
    job : Job
    kept : timedelta

    Returns
    -------
    datetime or None
    """
    return job.finished_at + kept if job.has_results and job.finished_at is not None else None


def job_of_row(row: Row[Any]) -> Job:
    """Return the job of a row of `SHOWN`."""
    return Job(**row._mapping)


def _before(created_at: datetime, job_id: str) -> ColumnElement[bool]:
    same = and_(StudyJob.created_at == created_at, StudyJob.id < job_id)
    return or_(StudyJob.created_at < created_at, same)


def in_states(job_id: str, *states: str) -> Update:
    """Return an update of a job, if it is in one of some states.

    Parameters
    ----------
    job_id : str
    *states : str

    Returns
    -------
    Update
    """
    return update(StudyJob).where(StudyJob.id == job_id, StudyJob.state.in_(states))


def changed(connection: Connection, statement: Update) -> bool:
    """Return whether an update of a job found it.

    Parameters
    ----------
    connection : Connection
    statement : Update

    Returns
    -------
    bool
    """
    return int(connection.execute(statement).rowcount) == 1
