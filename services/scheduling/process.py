"""The process in which the runs of a job are made: stopped at its time limit, or with its scheduler."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from datetime import datetime
from multiprocessing import get_context
from typing import Any

from pebble import ProcessExpired, ProcessPool

from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.spec import Job
from hazecast.services.scheduling.worker import execute_run, prepare_process


class JobProcess:
    """The process in which the runs of one job are made, one after the other.

    Parameters
    ----------
    settings : Settings
    job : Job
    """

    def __init__(self, settings: Settings, job: Job) -> None:
        self._settings, self._job = settings, job
        self._guard = threading.Lock()
        self._pool: ProcessPool | None = None
        self._future: Any = None
        self._stopped = False

    def run(self, due: datetime, run_id: int) -> tuple[str, str | None]:
        """Make a claimed run, and wait for its end.

        Parameters
        ----------
        due : datetime
        run_id : int
            The claimed run, by its id in the history.

        Returns
        -------
        status : str
        error : str or None
            What went wrong, if the process could not record the run's end itself.
        """
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
            self._future = self._pool.schedule(execute_run, args=call, timeout=self._job.limit_seconds)
            return self._future

    def stop(self) -> bool:
        """Stop the process for good; return whether a run was in progress."""
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
    return ProcessPool(
        max_workers=1, context=get_context("spawn"), initializer=prepare_process, initargs=(settings,)
    )  # fmt: skip
