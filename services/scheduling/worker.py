"""A run of a job, in a process of its own."""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from datetime import datetime
from multiprocessing.connection import wait

from hazecast.services.core.errors import StoreError
from hazecast.services.core.logs import configure_logging, log_context
from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.history import STORE_FAULT, JobHistory
from hazecast.services.scheduling.spec import Job, JobResult
from hazecast.services.store.database import make_engine
from hazecast.services.store.locks import store_locked

log = logging.getLogger(__name__)

_LOCK_WAIT_SECONDS = 10.0


class JobBusy(RuntimeError):  # noqa: N818 a state, not a fault
    """Another process is running the same job."""


def execute_run(job: Job, settings: Settings, due: datetime, run_id: int) -> str:
    """Make a claimed run under the job's lock, and record how it ended.

    The lock and the record are the process's own: a run whose scheduler has died, or no longer leads,
    is neither made twice nor counted as done.

    Parameters
    ----------
    job : Job
    settings : Settings
    due : datetime
    run_id : int
        The claimed run, by its id in the history.

    Returns
    -------
    str
        The status recorded.
    """
    engine = make_engine(settings.database_url)
    history = JobHistory(engine.begin)
    with log_context(job=job.name, job_run=run_id):
        try:
            busy = JobBusy(f"another process is running the job {job.name}")
            with store_locked(settings.database_url, job_lock(job.name), busy, _LOCK_WAIT_SECONDS):
                if not history.start(run_id):
                    log.warning("not started: the run was given up by another scheduler")
                    return "interrupted"
                status, detail, error = _call(job, settings, due)
                history.finish(run_id, status, detail=detail, error=error)
        except JobBusy as busy:
            status = "missed"
            log.warning("%s", busy)
            history.finish(run_id, status, error=str(busy))
        finally:
            engine.dispose()
    return status


def job_lock(name: str) -> str:
    """Return the name of the lock that a run of a job holds."""
    return f"job-{name}"


def _call(job: Job, settings: Settings, due: datetime) -> tuple[str, str | None, str | None]:
    log.info("started")
    try:
        result = resolve(job.function)(settings, due) or JobResult()
    except StoreError as error:
        # A database that is locked or away, or a full disk, is no fault of the run: it is made again as one that died.
        log.exception("failed")
        return "interrupted" if job.rerun else "failed", None, f"{STORE_FAULT}{error}"
    except Exception as error:
        log.exception("failed")
        return "failed", None, f"{type(error).__name__}: {error}"
    log.info("%s%s", result.status, f": {result.detail}" if result.detail else "")
    return result.status, result.detail, None


def resolve(function: str) -> Callable[[Settings, datetime], JobResult | None]:
    """Return the function that ``module:function`` names."""
    module, _, name = function.partition(":")
    found: Callable[[Settings, datetime], JobResult | None] = getattr(importlib.import_module(module), name)
    return found


def prepare_process(settings: Settings) -> None:
    """Make a new process ready for runs: it ends with its scheduler, and so do the processes that it starts.

    It yields to the processes that answer requests.
    """
    os.nice(5)
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, lambda *_: _end())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    configure_logging(settings)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        _end()


def _end() -> None:
    os.killpg(os.getpgid(0), signal.SIGKILL)
