"""The scheduler: of all processes on one store, one leads and starts the jobs that are due; the others stand by."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Row
from sqlalchemy.exc import SQLAlchemyError

from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.errors import StoreError
from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.due import DueTimes, next_due_time, passed_due_times
from hazecast.services.scheduling.executor import RunExecutor
from hazecast.services.scheduling.fence import Fence
from hazecast.services.scheduling.history import STORE_FAULT, JobHistory
from hazecast.services.scheduling.jobs import all_jobs
from hazecast.services.scheduling.spec import ATTEMPTS, Job
from hazecast.services.scheduling.worker import job_lock
from hazecast.services.store.database import make_engine
from hazecast.services.store.locks import LockLost, StoreLock, store_lock

log = logging.getLogger(__name__)

LEADER_LOCK = "scheduler"
# A manual run is claimed before its process holds the job's lock.
_MANUAL_RUN_STARTS_WITHIN = timedelta(minutes=1)
# A run that could not use the store waits so long, and after its second attempt twice: locks end, and servers come back.
STORE_RETRY_SECONDS = 60.0
# A changed system clock, or a machine that was suspended, is noticed within it.
_LONGEST_WAIT_SECONDS = 1.0


class Leadership:
    """What the leader does: starts what is due, in a thread of its own, and records runs whose process died.

    Parameters
    ----------
    settings : Settings
    jobs : sequence of Job
    lock : StoreLock
        The leader's lock, held.
    engine : Engine
    clock : callable
        Gives the time, aware.
    """

    def __init__(
        self, settings: Settings, jobs: Sequence[Job], lock: StoreLock, engine: Engine, clock: Clock = utc_now
    ) -> None:
        self._settings, self._jobs, self._clock = settings, {job.name: job for job in jobs}, clock
        self.since = clock()
        self._fence = Fence(lock, engine)
        self._history = JobHistory(self._fence.begin, clock)
        self._due_times = DueTimes(self._fence.begin)
        self._executor = RunExecutor(settings, self._jobs, self._fence, JobHistory(engine.begin, clock), clock)
        self._triggers = {job.name: job.schedule.trigger() for job in jobs}
        self._due: dict[str, datetime | None] = {}
        self._failed = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._fire, name="due-times", daemon=True)

    def start(self) -> None:
        """Take over: jobs as they are defined now, with the due times that are stored; then what was interrupted."""
        stored, now = self._due_times.all(), self._clock()
        for name, job in self._jobs.items():
            known = stored.get(name)
            if known is not None and known.schedule == job.schedule:
                # What came due while no scheduler ran is found by the stored time.
                self._due[name] = known.due
            else:
                self._move(job, next_due_time(self._triggers[name], None, now))
        for name in stored.keys() - self._jobs.keys():
            log.info("job %s is no longer scheduled", name)
            self._due_times.remove(name)
        self.beat()
        self._thread.start()

    def _fire(self) -> None:
        try:
            while not self._stop.is_set():
                for job in self._jobs.values():
                    self._start_due(job)
                self._stop.wait(self._seconds_to_wait())
        except Exception:
            self._failed = True
            log.exception("a due job could not be started; this process steps down, and the job stays due")

    def _start_due(self, job: Job) -> None:
        self._pull_back(job)
        passed, following = passed_due_times(self._triggers[job.name], self._due[job.name], self._clock())
        if passed:
            # First the claims, then the due time: killed in between, the next leader finds the claims.
            self._executor.start_due(job.name, passed)
            self._move(job, following)

    def _pull_back(self, job: Job) -> None:
        """Compute a due time again that is further ahead than the next: the clock was ahead when it was stored.

        What comes due a second time was claimed then, and is not run twice.
        """
        due, next_due = self._due[job.name], next_due_time(self._triggers[job.name], None, self._clock())
        if next_due is not None and (due is None or due > next_due):
            log.warning("job %s was due only %s; it is due %s", job.name, due and due.isoformat(), next_due.isoformat())
            self._move(job, next_due)

    def _move(self, job: Job, due: datetime | None) -> None:
        self._due_times.put(job.name, job.schedule, due)
        self._due[job.name] = due

    def _seconds_to_wait(self) -> float:
        now = self._clock()
        waits = [(due - now).total_seconds() for due in self._due.values() if due is not None]
        return max(0.0, min([*waits, _LONGEST_WAIT_SECONDS]))

    @property
    def sound(self) -> bool:
        """Whether due jobs are still started."""
        return not self._failed and not self._fence.broken

    def beat(self) -> None:
        """Leave a sign of life, record runs whose process died, and start them again where the job asks for it.

        Raises
        ------
        LockLost
            If this process no longer leads.
        """
        self._history.beat(self.since)
        for run in self._history.unfinished():
            if not self._executor.owns(run.id):
                self._record_if_dead(run)
        for job in self._jobs.values():
            if job.rerun:
                self._start_again(job)

    def _record_if_dead(self, run: Row[Any]) -> None:
        """Record a run as interrupted if its process is dead: then its lock is free."""
        if run.manual and timedelta() <= self._clock() - run.claimed_at < _MANUAL_RUN_STARTS_WITHIN:
            return
        lock = store_lock(self._settings.database_url, job_lock(run.name))
        if not lock.acquire():
            return
        try:
            if self._history.finish(run.id, "interrupted", error=f"its process died ({run.runner})"):
                log.warning("job %s, due %s: its process died", run.name, run.due.isoformat())
        finally:
            lock.release()

    def _start_again(self, job: Job) -> None:
        since = self._clock() - timedelta(seconds=job.grace_seconds)
        for run in self._history.interrupted(job.name, since):
            # What never began is no attempt.
            left = run.started_at is None or run.attempt < ATTEMPTS
            if left and not self._store_waits(run) and self._executor.start_again(job.name, run.due, run.attempt + 1):
                log.warning("job %s, due %s: started again", job.name, run.due.isoformat())

    def _store_waits(self, run: Row[Any]) -> bool:
        if run.finished_at is None or not (run.error or "").startswith(STORE_FAULT):
            return False
        return bool(self._clock() - run.finished_at < timedelta(seconds=STORE_RETRY_SECONDS * run.attempt))

    def stop_starting(self) -> None:
        """Start no more jobs; those that run go on."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def end(self, seconds: float) -> list[str]:
        """Let running jobs go on for some seconds; return the names of those that were then stopped."""
        return self._executor.stop(seconds)


class Scheduler:
    """One of the schedulers on a store, in a thread of its own.

    Parameters
    ----------
    settings : Settings
    clock : callable
        Gives the time, aware.
    """

    def __init__(self, settings: Settings, clock: Clock = utc_now) -> None:
        self._settings, self._clock = settings, clock
        self._lock = store_lock(settings.database_url, LEADER_LOCK, hold_while_idle=False)
        self._engine = make_engine(settings.database_url)
        self._leadership: Leadership | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        """Start the thread, which leads or stands by."""
        self._thread.start()

    def stop(self) -> list[str]:
        """Stop, running jobs after `ScheduleSettings.stop_seconds`; return the names of those jobs."""
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
                log.warning("this process no longer leads the schedule: %s", error)
                self._step_down(0.0)
            except Exception:
                log.exception("the scheduler failed; it tries again")
                self._step_down(0.0)
            self._stop.wait(self._settings.schedule.scheduler_beat_seconds)

    def _turn(self) -> None:
        if self._leadership is None:
            if self._lock.acquire():
                log.info("this process leads the schedule")
                jobs = all_jobs(self._settings)
                self._leadership = Leadership(self._settings, jobs, self._lock, self._engine, self._clock)
                self._leadership.start()
        elif self._lock.still_held() and self._leadership.sound:
            self._leadership.beat()
        else:
            log.warning("this process no longer leads the schedule")
            self._step_down(0.0)

    def _step_down(self, seconds: float) -> list[str]:
        leadership, self._leadership = self._leadership, None
        if leadership is None:
            self._lock.release()
            return []
        leadership.stop_starting()
        # Not only when running jobs have ended: another may lead meanwhile, since each run holds its job's lock.
        self._lock.release()
        stopped = leadership.end(seconds)
        for name in stopped:
            log.warning("job %s was stopped", name)
        return stopped
