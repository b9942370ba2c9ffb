"""Studies as jobs, for who runs them: each is taken by one runner, and ended once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from hazecast.services.store.locks import lock_until_commit
from hazecast.services.store.store import Store
from hazecast.services.store.study_jobs import LOCK, SHOWN, Job, changed, in_states, job_of_row
from hazecast.services.store.tables.studies import DONE, FAILED, QUEUED, RUNNING, StudyFile, StudyJob

STOPPED = "the service was stopped"


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
        lock_until_commit(connection, LOCK)
        job_id = connection.execute(oldest).scalar()
        if job_id is None:
            return None
        connection.execute(in_states(job_id, QUEUED).values(state=RUNNING, started_at=now, slot=slot))
        return job_of_row(connection.execute(select(*SHOWN).where(StudyJob.id == job_id)).one())


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
            return changed(connection, in_states(job_id, RUNNING).values(progress=text[:200]))
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
        if not changed(connection, in_states(job_id, RUNNING).values(state=DONE, finished_at=now, body=None)):
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
        return changed(connection, in_states(job_id, RUNNING).values(values))


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
