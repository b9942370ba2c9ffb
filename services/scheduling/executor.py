"""Runs jobs for APScheduler: each run claimed before anything else, made in a process of its own, stopped in time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Any

from apscheduler.executors.base import BaseExecutor
from pebble import ProcessExpired, ProcessPool
from sqlalchemy import Row

from hazecast.services.core.logs import log_context
from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.fence import Fence
from hazecast.services.scheduling.history import JobHistory
from hazecast.services.scheduling.jobs import job_named
from hazecast.services.scheduling.spec import Job
from hazecast.services.scheduling.worker import prepare, work
from hazecast.services.store.database import make_engine

log = logging.getLogger(__name__)


def run_now(name: str, settings: Settings | None = None) -> Row[Any]:
    """Make a run of a job now, whoever leads the schedule, and return its record.

    Raises
    ------
    InputError
        If the settings ask for no such job.
    """
    settings = settings or Settings()
    job, due = job_named(name, settings), datetime.now(UTC)
    engine = make_engine(settings.database_url)
    history, apart = JobHistory(engine.begin), Apart(settings, job)
    run_id = history.claim(name, due, manual=True)
    assert run_id is not None, "no run was due this very microsecond"
    status: str = "interrupted"
    error: str | None = "stopped by hand"
    try:
        status, error = apart.run(due, run_id)
    finally:
        apart.stop()
        if error is not None:
            history.finish(run_id, status, error=error)
    made = history.run(run_id)
    engine.dispose()
    return made


class RunExecutor(BaseExecutor):  # type: ignore[misc]
    """Runs each job as a recorded run.

    Parameters
    ----------
    settings : Settings
    jobs : dict of str to Job
    fence : Fence
        Through it runs are claimed: who doesn't lead can't.
    history : JobHistory
        Over any connection: what a run came to is recorded all the same.
    """

    def __init__(self, settings: Settings, jobs: dict[str, Job], fence: Fence, history: JobHistory) -> None:
        super().__init__()
        self._settings, self._jobs, self._fence, self._history = settings, jobs, fence, history
        self._claims = JobHistory(fence.begin)
        # One thread for each: runs of a job follow one another.
        self._threads = {name: ThreadPoolExecutor(1, f"job-{name}") for name in jobs}
        self._apart = {name: Apart(settings, job) for name, job in jobs.items()}
        self._running: set[Future[None]] = set()
        self._ids: set[int] = set()

    def _do_submit_job(self, job: Any, run_times: Sequence[datetime]) -> None:
        # Claimed here, in the scheduler's own thread: only then does APScheduler move the job's due time on. Killed
        # in between, the next leader finds the claim; failed, the due time stays.
        try:
            self._claim_and_submit(self._jobs[job.id], run_times)
        except BaseException:
            self._fence.broken = True
            raise

    def _claim_and_submit(self, spec: Job, run_times: Sequence[datetime]) -> None:
        now = datetime.now(UTC)
        to_run, missed = spec.plan([time.astimezone(UTC) for time in run_times], now)
        if missed:
            log.warning("job %s: %d runs missed, the last was due %s", spec.name, len(missed), missed[-1].isoformat())
            self._claims.missed(spec.name, missed, f"more than {spec.grace_seconds:g} s late at {now.isoformat()}")
        skipped = 0
        if spec.catch_up == "latest" and to_run:
            skipped, to_run = len(to_run) - 1, to_run[-1:]
        claimed = [(due, self._claims.claim(spec.name, due, skipped=skipped)) for due in to_run]
        self._submit(spec, [(due, run_id) for due, run_id in claimed if run_id is not None])

    def run_again(self, name: str, due: datetime, attempt: int) -> bool:
        """Claim and start another attempt at a run; False if the job is running or the attempt is claimed."""
        with self._lock:
            if self._instances[name] >= self._jobs[name].max_instances:
                return False
            run_id = self._claims.claim(name, due, attempt=attempt)
            if run_id is not None:
                self._submit(self._jobs[name], [(due, run_id)])
                self._instances[name] += 1
            return run_id is not None

    def owns(self, run_id: int) -> bool:
        """Return whether this executor is at a run."""
        return run_id in self._ids

    def _submit(self, spec: Job, runs: list[tuple[datetime, int]]) -> None:
        self._ids.update(run_id for _, run_id in runs)
        future = self._threads[spec.name].submit(self._work, spec, runs)
        self._running.add(future)
        future.add_done_callback(self._running.discard)

    def _work(self, spec: Job, runs: list[tuple[datetime, int]]) -> None:
        try:
            for due, run_id in runs:
                with log_context(job=spec.name, job_run=run_id):
                    self._run(spec, due, run_id)
                self._ids.discard(run_id)
        except Exception as error:
            self._run_job_error(spec.name, error)
        else:
            self._run_job_success(spec.name, [])

    def _run(self, spec: Job, due: datetime, run_id: int) -> None:
        status, error = self._apart[spec.name].run(due, run_id)
        if error is not None and self._history.finish(run_id, status, error=error):
            log.log(logging.WARNING if status == "interrupted" else logging.ERROR, "%s: %s", status, error)

    def stop(self, seconds: float) -> list[str]:
        """Let what runs go on for some seconds, then stop it; return the names of the jobs stopped."""
        wait(self._running, timeout=seconds)
        stopped = [name for name, apart in self._apart.items() if apart.stop()]
        wait(self._running)
        for threads in self._threads.values():
            threads.shutdown()
        return stopped


class Apart:
    """The process in which the runs of a job are made."""

    def __init__(self, settings: Settings, job: Job) -> None:
        self._settings, self._job = settings, job
        self._guard = threading.Lock()
        self._pool: ProcessPool | None = None
        self._future: Any = None
        self._stopped = False

    def run(self, due: datetime, run_id: int) -> tuple[str, str | None]:
        """Make a run; return how it ended, with an error if its process couldn't record that itself."""
        future = self._schedule(due, run_id)
        if future is None:
            return "interrupted", "the scheduler stopped before the run began"
        try:
            return str(future.result()), None
        except TimeoutError:
            return "timeout", f"stopped after {self._job.limit_seconds:g} s"
        except ProcessExpired as error:
            return "interrupted", f"its process died (exit code {error.exitcode})"
        except CancelledError:
            return "interrupted", "stopped with the scheduler"
        except Exception as error:
            # The job's own errors are recorded where they happen: this is about the record itself.
            return "failed", f"{type(error).__name__}: {error}"
        finally:
            with self._guard:
                self._future = None
            if not self._job.keep_process:
                self._close()

    def _schedule(self, due: datetime, run_id: int) -> Any:
        with self._guard:
            if self._stopped:
                return None
            if self._pool is None or not self._pool.active:
                self._pool = _pool(self._settings)
            call = (self._job, self._settings, due, run_id)
            self._future = self._pool.schedule(work, args=call, timeout=self._job.limit_seconds)
            return self._future

    def stop(self) -> bool:
        """Stop the process for good; return whether it was at a run."""
        with self._guard:
            self._stopped = True
            busy = self._future is not None and self._future.cancel()
        self._close()
        return bool(busy)

    def _close(self) -> None:
        with self._guard:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()


def _pool(settings: Settings) -> ProcessPool:
    # Spawned, not forked: the scheduler has threads.
    return ProcessPool(max_workers=1, context=get_context("spawn"), initializer=prepare, initargs=(settings,))
