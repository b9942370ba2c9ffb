"""What is kept of studies that ran as jobs, and how many there were."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, or_, select

from hazecast.services.store.store import Store
from hazecast.services.store.tables.studies import OPEN, STATES, StudyFile, StudyJob


def prune_jobs(
    store: Store, results_before: datetime, jobs_before: datetime, *, dry_run: bool = False
) -> dict[str, int]:
    """Remove old results, and the record of older jobs.

    Parameters
    ----------
    store : Store
    results_before, jobs_before : datetime
        By the job's end, aware.
    dry_run : bool
        Only count.

    Returns
    -------
    dict of str to int
        Rows by table.
    """
    old = select(StudyJob.id).where(StudyJob.finished_at < max(results_before, jobs_before))
    conditions = {StudyFile: StudyFile.job_id.in_(old), StudyJob: StudyJob.finished_at < jobs_before}
    found = {}
    with store.writing() as connection:
        for table, condition in conditions.items():
            counted = select(func.count()).select_from(table).where(condition)
            found[table.__tablename__] = int(connection.execute(counted).scalar_one())
            if not dry_run:
                connection.execute(delete(table).where(condition))
    return {name: rows for name, rows in found.items() if rows}


def states_since(store: Store, moment: datetime) -> dict[str, int]:
    """Return how many jobs are in each state: all that wait or run, and those that ended since a moment.

    Parameters
    ----------
    store : Store
    moment : datetime
        Aware.

    Returns
    -------
    dict of str to int
        By state, all of them.
    """
    query = select(StudyJob.state, func.count()).where(or_(StudyJob.state.in_(OPEN), StudyJob.finished_at >= moment))
    with store.engine.connect() as connection:
        counts = {state: number for state, number in connection.execute(query.group_by(StudyJob.state))}
    return {state: counts.get(state, 0) for state in STATES}
