"""Scheduled cycles: when they run, that only one runs at a time, and what became of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    JobEvent,
)
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from services.locks import only_one
from services.settings import Settings

log = logging.getLogger(__name__)

BEIJING = ZoneInfo("Asia/Shanghai")
JOB_ID = "cycle"
LOCK_FILE = "cycle.lock"
_EVENTS = EVENT_JOB_EXECUTED | EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES


class CycleBusy(RuntimeError):  # noqa: N818 a state, not a fault
    """Another process is running a cycle."""


@contextmanager
def cycle_lock(settings: Settings) -> Iterator[None]:
    """Hold the one lock under which a cycle runs; the system frees it if the process is killed.

    Raises
    ------
    CycleBusy
        At once, if another cycle holds it.
    """
    with only_one(settings.data_dir / LOCK_FILE, CycleBusy("another process is running a cycle")):
        yield


def run_locked(settings: Settings, run_cycle: Callable[[], object]) -> object:
    """Run a cycle under the lock.

    Returns
    -------
    object
        What `run_cycle` returns, or None if another process is at it: its result serves both.
    """
    try:
        with cycle_lock(settings):
            return run_cycle()
    except CycleBusy as busy:
        log.warning("cycle skipped: %s", busy)
        return None


def build_scheduler(settings: Settings, run_cycle: Callable[[], object]) -> BackgroundScheduler:
    """Return a scheduler, not yet started, that runs cycles at the set hours of Beijing.

    A run that comes late, by no more than ``misfire_grace_seconds``, still takes place, once however
    many were due; a cycle that is still running is never started a second time.

    Parameters
    ----------
    settings : Settings
    run_cycle : callable
        Runs one cycle and records it in the store itself.
    """
    scheduler = BackgroundScheduler(timezone=BEIJING)
    scheduler.add_job(
        run_locked,
        CronTrigger(
            hour=",".join(map(str, settings.schedule_hours)),
            minute=settings.schedule_minute,
            timezone=BEIJING,
        ),
        args=(settings, run_cycle),
        id=JOB_ID,
        coalesce=True,
        max_instances=1,
        misfire_grace_time=settings.misfire_grace_seconds,
    )
    scheduler.add_listener(log_outcome, _EVENTS)
    return scheduler


def log_outcome(event: JobEvent) -> None:
    """Log what became of a scheduled job."""
    if event.code == EVENT_JOB_EXECUTED:
        log.info("job %s done", event.job_id)
    elif event.code == EVENT_JOB_ERROR:
        log.error("job %s failed: %s", event.job_id, event.exception, exc_info=event.exception)
    elif event.code == EVENT_JOB_MISSED:
        log.warning("job %s missed: due %s", event.job_id, event.scheduled_run_time)
    else:
        log.warning("job %s still running: the one now due is left out", event.job_id)
