"""Studies as jobs: asked for once, run by one runner at a time, ended once, and read by the account that asked."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
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
from hazecast.services.store.tables.studies import CANCELLED, DONE, FAILED, OPEN, QUEUED, RUNNING, StudyFile, StudyJob

STOPPED = "the service was stopped"
_LOCK = "study jobs"
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


_SHOWN = [_RESULTS.label(one.name) if one.name == "has_results" else getattr(StudyJob, one.name) for one in fields(Job)]


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
        lock_until_commit(connection, _LOCK)
        own = StudyJob.account_id == asked.account_id
        if asked.idempotency_key is not None:
            query = select(*_SHOWN).where(own, StudyJob.idempotency_key == asked.idempotency_key)
            earlier = connection.execute(query).first()
            if earlier is not None:
                if earlier.digest != asked.digest:
                    raise ConflictError(
                        "Idempotency-Key", "another request than the one that came with it", "the same, or a new key"
                    )
                return _job(earlier), False
        check_places(connection, asked.account_id, places)
        job_id = f"job_{secrets.token_hex(12)}"
        values = {name: getattr(asked, name) for name in Asked.__dataclass_fields__}
        connection.execute(insert(StudyJob).values(id=job_id, state=QUEUED, created_at=now, **values))
        return _job(connection.execute(select(*_SHOWN).where(StudyJob.id == job_id)).one()), True


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
    query = select(*_SHOWN).where(StudyJob.id == job_id, StudyJob.account_id == account_id)
    with store.engine.connect() as connection:
        row = connection.execute(query).first()
    return None if row is None else _job(row)


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
    query = select(*_SHOWN).where(StudyJob.account_id == account_id)
    if before is not None:
        query = query.where(_before(*before))
    query = query.order_by(StudyJob.created_at.desc(), StudyJob.id.desc()).limit(limit)
    with store.engine.connect() as connection:
        return [_job(row) for row in connection.execute(query)]


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
        if _changed(connection, _of(job_id, *OPEN).values(values)):
            return True
        connection.execute(delete(StudyFile).where(StudyFile.job_id == job_id))
        return False


def claim(store: Store, slot: int, now: datetime) -> Job | None:
    """Take the job that has waited longest; None where none waits.

    Parameters
    ----------
    store : Store
    slot : int
        Of the runner, which holds the slot's lock.
    now : datetime
        Aware.

    Returns
    -------
    Job or None
        It runs now.
    """
    oldest = select(StudyJob.id).where(StudyJob.state == QUEUED).order_by(StudyJob.created_at, StudyJob.id).limit(1)
    with store.engine.connect() as connection:
        # Nothing is written where nothing waits.
        if connection.execute(oldest).first() is None:
            return None
    with store.writing() as connection:
        lock_until_commit(connection, _LOCK)
        job_id = connection.execute(oldest).scalar()
        if job_id is None:
            return None
        connection.execute(_of(job_id, QUEUED).values(state=RUNNING, started_at=now, slot=slot))
        return _job(connection.execute(select(*_SHOWN).where(StudyJob.id == job_id)).one())


def body_of_running(store: Store, job_id: str) -> bytes | None:
    """Return what a running job was asked; None if it no longer runs.

    Parameters
    ----------
    store : Store
    job_id : str

    Returns
    -------
    bytes or None
    """
    query = select(StudyJob.body).where(StudyJob.id == job_id, StudyJob.state == RUNNING)
    with store.engine.connect() as connection:
        return connection.execute(query).scalar()


def note_progress(store: Store, job_id: str, text: str | None) -> bool:
    """Note what a job is at; return whether it still runs, for who asked or another runner may have ended it.

    Parameters
    ----------
    store : Store
    job_id : str
    text : str or None
        None where there is nothing new: then nothing is written.

    Returns
    -------
    bool
    """
    if text is not None:
        with store.writing() as connection:
            return _changed(connection, _of(job_id, RUNNING).values(progress=text[:200]))
    with store.engine.connect() as connection:
        state = connection.execute(select(StudyJob.state).where(StudyJob.id == job_id)).scalar()
    return state == RUNNING


def finish(store: Store, job_id: str, files: Mapping[str, bytes], now: datetime) -> bool:
    """Store the results of a job that is done; return False, with nothing stored, if it no longer runs.

    Parameters
    ----------
    store : Store
    job_id : str
    files : mapping of str to bytes
        By name.
    now : datetime
        Aware.

    Returns
    -------
    bool
    """
    with store.writing() as connection:
        if not _changed(connection, _of(job_id, RUNNING).values(state=DONE, finished_at=now, body=None)):
            return False
        rows = [{"job_id": job_id, "name": name, "content": content} for name, content in files.items()]
        connection.execute(insert(StudyFile), rows)
        return True


def fail(
    store: Store, job_id: str, now: datetime, error: str, errors: Sequence[Mapping[str, str]] | None = None
) -> bool:
    """Note that a running job failed; return False if it no longer runs.

    Parameters
    ----------
    store : Store
    job_id : str
    now : datetime
        Aware.
    error : str
    errors : sequence of mapping, optional
        Wrong fields of its body: field and reason.

    Returns
    -------
    bool
    """
    values: dict[str, Any] = {"state": FAILED, "finished_at": now, "error": error, "body": None}
    if errors:
        values["errors"] = [dict(one) for one in errors]
    with store.writing() as connection:
        return _changed(connection, _of(job_id, RUNNING).values(values))


def running_slots(store: Store) -> list[int]:
    """Return the numbers of the runners of which jobs are said to run."""
    query = select(StudyJob.slot).where(StudyJob.state == RUNNING).distinct()
    with store.engine.connect() as connection:
        return [slot for slot in connection.scalars(query) if slot is not None]


def give_up(store: Store, slot: int, now: datetime) -> int:
    """Mark what a runner left running as failed; return how many.

    Parameters
    ----------
    store : Store
    slot : int
        Whose lock the caller holds: nobody else runs anything there.
    now : datetime
        Aware.

    Returns
    -------
    int
    """
    values = {"state": FAILED, "finished_at": now, "error": STOPPED, "body": None}
    left = update(StudyJob).where(StudyJob.state == RUNNING, StudyJob.slot == slot)
    with store.writing() as connection:
        return int(connection.execute(left.values(values)).rowcount)


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


def _job(row: Row[Any]) -> Job:
    return Job(**row._mapping)


def _before(created_at: datetime, job_id: str) -> ColumnElement[bool]:
    same = and_(StudyJob.created_at == created_at, StudyJob.id < job_id)
    return or_(StudyJob.created_at < created_at, same)


def _of(job_id: str, *states: str) -> Update:
    return update(StudyJob).where(StudyJob.id == job_id, StudyJob.state.in_(states))


def _changed(connection: Connection, statement: Update) -> bool:
    return int(connection.execute(statement).rowcount) == 1
