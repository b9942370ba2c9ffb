"""The scheduler: of all processes on one store, one leads and fires the jobs; the others stand by."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, JobSubmissionEvent
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import Engine, Row
from sqlalchemy.exc import SQLAlchemyError

from hazecast.services.core.errors import StoreError
from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.executor import RunExecutor, run_now
from hazecast.services.scheduling.fence import Fence
from hazecast.services.scheduling.history import JobHistory
from hazecast.services.scheduling.jobs import all_jobs
from hazecast.services.scheduling.jobstore import JsonJobStore
from hazecast.services.scheduling.spec import ATTEMPTS, Job, schedule_of
from hazecast.services.scheduling.worker import job_lock
from hazecast.services.store.database import make_engine
from hazecast.services.store.locks import LockLost, StoreLock, store_lock

log = logging.getLogger(__name__)

LEADER_LOCK = "scheduler"
# A run by hand is claimed before its process holds the job's lock.
_BY_HAND_STARTS_WITHIN = timedelta(minutes=1)


class _Apscheduler(BackgroundScheduler):  # type: ignore[misc]
    died = False

    def _main_loop(self) -> None:
        try:
            super()._main_loop()
        except Exception:
            self.died = True
            log.exception("the scheduler's thread ended; it is started anew")


class Leadership:
    """What a leader runs: APScheduler on the store, and the executor of its jobs.

    Parameters
    ----------
    settings : Settings
    jobs : sequence of Job
    lock : StoreLock
        Held.
    engine : Engine
    """

    def __init__(self, settings: Settings, jobs: Sequence[Job], lock: StoreLock, engine: Engine) -> None:
        self._settings, self._jobs = settings, {job.name: job for job in jobs}
        self.since = datetime.now(UTC)
        self._fence = Fence(lock, engine)
        self._history = JobHistory(self._fence.begin)
        self._executor = RunExecutor(settings, self._jobs, self._fence, JobHistory(engine.begin))
        self._scheduler = _Apscheduler(
            timezone=UTC,
            jobstores={"default": JsonJobStore(self._fence)},
            executors={"default": self._executor},
            jobstore_retry_interval=1,
        )
        self._scheduler.add_listener(self._left_out, EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        """Take over: jobs as they are defined now, with the due times that are stored; then what was interrupted."""
        self._scheduler.start(paused=True)
        for job in self._jobs.values():
            self._put(job)
        for stored in self._scheduler.get_jobs():
            if stored.id not in self._jobs:
                log.info("job %s is no longer scheduled", stored.id)
                stored.remove()
        self.beat()
        self._scheduler.resume()

    def _put(self, job: Job) -> None:
        trigger = job.schedule.trigger()
        stored = self._scheduler.get_job(job.name)
        due = {}
        if stored is not None and schedule_of(stored.trigger) == job.schedule:
            # What came due while no scheduler ran is found by the stored time.
            due = {"next_run_time": stored.next_run_time}
        self._scheduler.add_job(
            run_now,
            trigger,
            args=(job.name,),
            id=job.name,
            name=job.name,
            coalesce=False,
            max_instances=job.max_instances,
            misfire_grace_time=None,
            replace_existing=True,
            **due,
        )

    @property
    def sound(self) -> bool:
        """Whether jobs are still fired."""
        return not self._scheduler.died and not self._fence.broken

    def beat(self) -> None:
        """Leave a sign of life, and see to runs whose process has died.

        Raises
        ------
        LockLost
            If the leader is one no more.
        """
        self._history.beat(self.since)
        for run in self._history.unfinished():
            if not self._executor.owns(run.id):
                self._settle(run)
        for job in self._jobs.values():
            if job.rerun:
                self._run_again(job)

    def _settle(self, run: Row[Any]) -> None:
        """Record a run as interrupted if its process is dead: then its lock is free."""
        if run.manual and datetime.now(UTC) - run.claimed_at < _BY_HAND_STARTS_WITHIN:
            return
        lock = store_lock(self._settings.database_url, job_lock(run.name))
        if not lock.acquire():
            return
        try:
            if self._history.finish(run.id, "interrupted", error=f"its process died ({run.runner})"):
                log.warning("job %s, due %s: its process died", run.name, run.due.isoformat())
        finally:
            lock.release()

    def _run_again(self, job: Job) -> None:
        since = datetime.now(UTC) - timedelta(seconds=job.grace_seconds)
        for run in self._history.interrupted(job.name, since):
            # What never began is no attempt.
            left = run.started_at is None or run.attempt < ATTEMPTS
            if left and self._executor.run_again(job.name, run.due, run.attempt + 1):
                log.warning("job %s, due %s: started again", job.name, run.due.isoformat())

    def _left_out(self, event: JobSubmissionEvent) -> None:
        log.warning("job %s is still running: %d runs left out", event.job_id, len(event.scheduled_run_times))
        self._history.skip(event.job_id, len(event.scheduled_run_times))

    def stop_firing(self) -> None:
        """Fire no more jobs; those that run go on."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def end(self, seconds: float) -> list[str]:
        """Let running jobs go on for some seconds; return the names of those that were then stopped."""
        return self._executor.stop(seconds)


class Scheduler:
    """One of the schedulers on a store, in a thread of its own.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = store_lock(settings.database_url, LEADER_LOCK, hold_while_idle=False)
        self._engine = make_engine(settings.database_url)
        self._leadership: Leadership | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        """Start."""
        self._thread.start()

    def stop(self) -> list[str]:
        """Stop; running jobs may go on for `ScheduleSettings.stop_seconds`. Return the names of those stopped."""
        self._stop.set()
        self._thread.join()
        stopped = self._step_down(self._settings.schedule.stop_seconds)
        self._engine.dispose()
        return stopped

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._turn()
            except (LockLost, SQLAlchemyError, StoreError) as error:
                log.warning("this process leads the schedule no more: %s", error)
                self._step_down(0.0)
            except Exception:
                log.exception("the scheduler failed; it tries again")
                self._step_down(0.0)
            self._stop.wait(self._settings.schedule.scheduler_beat_seconds)

    def _turn(self) -> None:
        if self._leadership is None:
            if self._lock.acquire():
                log.info("this process leads the schedule")
                self._leadership = Leadership(self._settings, all_jobs(self._settings), self._lock, self._engine)
                self._leadership.start()
        elif self._lock.still_held() and self._leadership.sound:
            self._leadership.beat()
        else:
            log.warning("this process leads the schedule no more")
            self._step_down(0.0)

    def _step_down(self, seconds: float) -> list[str]:
        leadership, self._leadership = self._leadership, None
        if leadership is None:
            self._lock.release()
            return []
        leadership.stop_firing()
        # Before what runs has ended: another may lead meanwhile, since each run holds its job's lock.
        self._lock.release()
        stopped = leadership.end(seconds)
        for name in stopped:
            log.warning("job %s was stopped", name)
        return stopped
