"""Starts the runs of jobs: each claimed in the store before anything else, then made in a process of its own."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.logs import log_context
from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.fence import Fence
from hazecast.services.scheduling.history import JobHistory
from hazecast.services.scheduling.jobs import job_named
from hazecast.services.scheduling.process import JobProcess
from hazecast.services.scheduling.spec import Job
from hazecast.services.store.database import make_engine

log = logging.getLogger(__name__)


def run_now(name: str, settings: Settings | None = None, clock: Clock = utc_now) -> Row[Any]:
    """Make a run of a job now, whichever process leads the schedule.

    Parameters
    ----------
    name : str
        The job.
    settings : Settings, optional
        By default those of the environment.
    clock : callable
        Gives the time, aware.

    Returns
    -------
    Row
        The record of the run (`JobRun`).

    Raises
    ------
    InputError
        If the settings ask for no such job.
    """
    settings = settings or Settings()
    job, due = job_named(name, settings), clock()
    engine = make_engine(settings.database_url)
    history, process = JobHistory(engine.begin, clock), JobProcess(settings, job)
    run_id = history.claim(name, due, manual=True)
    assert run_id is not None, "no run was due at this very microsecond"
    status: str = "interrupted"
    error: str | None = "stopped by hand"
    try:
        status, error = process.run(due, run_id)
    finally:
        process.stop()
        if error is not None:
            history.finish(run_id, status, error=error)
    record = history.run(run_id)
    engine.dispose()
    return record


class RunExecutor:
    """Runs each job as a recorded run.

    Parameters
    ----------
    settings : Settings
    jobs : mapping of str to Job
    fence : Fence
        Through it runs are claimed: only the leader can.
    history : JobHistory
        Over any connection: how a run ended is recorded even if this process no longer leads.
    clock : callable
        Gives the time, aware.
    """

    def __init__(
        self, settings: Settings, jobs: Mapping[str, Job], fence: Fence, history: JobHistory, clock: Clock = utc_now
    ) -> None:
        self._jobs, self._history, self._clock = jobs, history, clock
        self._claims = JobHistory(fence.begin, clock)
        # One thread for each: runs of a job follow one another.
        self._threads = {name: ThreadPoolExecutor(1, f"job-{name}") for name in jobs}
        self._processes = {name: JobProcess(settings, job) for name, job in jobs.items()}
        # The leader's thread of due times and that of its sign of life both start runs.
        self._guard = threading.Lock()
        self._batches: Counter[str] = Counter()
        self._running: set[Future[None]] = set()
        self._ids: set[int] = set()

    def start_due(self, name: str, due_times: Sequence[datetime]) -> None:
        """Claim and start the runs of a job that are due; record those missed, and those left out.

        Returns when they are claimed. Only then may the job's due time be moved on: killed in between, the next
        leader finds the claims.

        Parameters
        ----------
        name : str
            The job.
        due_times : sequence of datetime
            UTC, in order.
        """
        job = self._jobs[name]
        with self._guard:
            if self._batches[name] >= job.max_instances:
                log.warning("job %s is still running: %d runs left out", name, len(due_times))
                self._claims.skip(name, len(due_times))
                return
            self._submit(job, self._claim(job, due_times))

    def _claim(self, job: Job, due_times: Sequence[datetime]) -> list[tuple[datetime, int]]:
        now = self._clock()
        to_run, missed = job.plan(due_times, now)
        if missed:
            log.warning("job %s: %d runs missed, the last was due %s", job.name, len(missed), missed[-1].isoformat())
            self._claims.missed(job.name, missed, f"more than {job.grace_seconds:g} s late at {now.isoformat()}")
        skipped = 0
        if job.catch_up == "latest" and to_run:
            skipped, to_run = len(to_run) - 1, to_run[-1:]
        claimed = [(due, self._claims.claim(job.name, due, skipped=skipped)) for due in to_run]
        return [(due, run_id) for due, run_id in claimed if run_id is not None]

    def start_again(self, name: str, due: datetime, attempt: int) -> bool:
        """Claim and start another attempt at a run.

        Parameters
        ----------
        name : str
            The job.
        due : datetime
        attempt : int
            2 for the second, and so on.

        Returns
        -------
        bool
            False if the job is running, or the attempt was claimed before.
        """
        with self._guard:
            if self._batches[name] >= self._jobs[name].max_instances:
                return False
            run_id = self._claims.claim(name, due, attempt=attempt)
            if run_id is not None:
                self._submit(self._jobs[name], [(due, run_id)])
            return run_id is not None

    def owns(self, run_id: int) -> bool:
        """Return whether a run waits or goes on here."""
        # A run is claimed and added under the guard: one that is just claimed must not look abandoned.
        with self._guard:
            return run_id in self._ids

    def _submit(self, job: Job, runs: Sequence[tuple[datetime, int]]) -> None:
        if runs:
            self._ids.update(run_id for _, run_id in runs)
            self._batches[job.name] += 1
            future = self._threads[job.name].submit(self._make, job, runs)
            self._running.add(future)
            future.add_done_callback(self._running.discard)

    def _make(self, job: Job, runs: Sequence[tuple[datetime, int]]) -> None:
        try:
            for due, run_id in runs:
                with log_context(job=job.name, job_run=run_id):
                    status, error = self._processes[job.name].run(due, run_id)
                    if error is not None and self._history.finish(run_id, status, error=error):
                        log.log(logging.WARNING if status == "interrupted" else logging.ERROR, "%s: %s", status, error)
                self._ids.discard(run_id)
        except Exception:
            log.exception("job %s: how its run ended could not be recorded", job.name)
        finally:
            self._ids.difference_update(run_id for _, run_id in runs)
            with self._guard:
                self._batches[job.name] -= 1

    def stop(self, seconds: float) -> list[str]:
        """Let running jobs go on for some seconds, then stop them; return the names of those stopped."""
        wait(self._running, timeout=seconds)
        stopped = [name for name, process in self._processes.items() if process.stop()]
        wait(self._running)
        for threads in self._threads.values():
            threads.shutdown()
        return stopped
