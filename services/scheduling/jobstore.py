"""APScheduler's job store, with the state of a job as JSON: nothing from the database is ever unpickled."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from apscheduler.job import Job
from apscheduler.jobstores.base import ConflictingIdError, JobLookupError
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.util import datetime_to_utc_timestamp
from sqlalchemy.exc import IntegrityError

from hazecast.services.scheduling.spec import schedule_from, schedule_of
from hazecast.services.store.tables.jobs import ScheduledJob

_PLAIN = ("version", "id", "func", "executor", "kwargs", "name", "misfire_grace_time", "coalesce", "max_instances")


class JsonJobStore(SQLAlchemyJobStore):  # type: ignore[misc]
    """Jobs in the table ``scheduled_job``, which the migrations make.

    Parameters
    ----------
    engine
        What gives transactions by ``begin()``; the leader's own, so that nobody else moves a due time.
    """

    def __init__(self, engine: Any) -> None:
        super().__init__(engine=engine)
        self.jobs_t: Any = ScheduledJob.__table__

    def start(self, scheduler: Any, alias: str) -> None:
        """Start; the table is there already."""
        super(SQLAlchemyJobStore, self).start(scheduler, alias)

    def add_job(self, job: Job) -> None:
        """Store a new job."""
        try:
            with self.engine.begin() as connection:
                connection.execute(self.jobs_t.insert().values(id=job.id, **_row(job)))
        except IntegrityError as error:
            raise ConflictingIdError(job.id) from error

    def update_job(self, job: Job) -> None:
        """Store a changed job."""
        with self.engine.begin() as connection:
            update = self.jobs_t.update().where(self.jobs_t.c.id == job.id).values(**_row(job))
            if connection.execute(update).rowcount == 0:
                raise JobLookupError(job.id)

    def shutdown(self) -> None:
        """Leave the connection to the leader, who owns it."""

    def _reconstitute_job(self, job_state: dict[str, Any]) -> Job:
        due = job_state["next_run_time"]
        restored = Job.__new__(Job)
        restored.__setstate__(
            {name: job_state[name] for name in _PLAIN}
            | {
                "args": tuple(job_state["args"]),
                "trigger": schedule_from(job_state["schedule"]).trigger(),
                "next_run_time": None if due is None else datetime.fromisoformat(due),
                "jobstore": self,
            }
        )
        restored._scheduler, restored._jobstore_alias = self._scheduler, self._alias
        return restored


def _row(job: Job) -> dict[str, Any]:
    state, due = job.__getstate__(), job.next_run_time
    kept = {name: state[name] for name in _PLAIN}
    kept |= {
        "args": list(state["args"]),
        "schedule": schedule_of(job.trigger).as_dict(),
        "next_run_time": None if due is None else due.isoformat(),
    }
    return {"next_run_time": datetime_to_utc_timestamp(due), "job_state": kept}
