"""Whether the service is healthy: the checks, and what each of them found."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Literal
from weakref import WeakKeyDictionary

from sqlalchemy import Engine

from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.history import JobHistory, beat_fault
from hazecast.services.store.database import current_revision, head_revision
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.store.withdrawal import future_runs

log = logging.getLogger(__name__)

# For each check, in seconds.
LIMIT_SECONDS = 1.0
# The checks of each database that have not answered in time.
_HANGING: WeakKeyDictionary[Engine, dict[str, threading.Thread]] = WeakKeyDictionary()
Status = Literal["ok", "degraded", "failed"]


@dataclass(frozen=True)
class Check:
    """One check: ``degraded`` needs attention, ``failed`` means that no reader should be sent here."""

    name: str
    status: Status
    detail: str


@dataclass(frozen=True)
class Health:
    """All checks, and the newest forecast if the store could be asked for it."""

    checks: tuple[Check, ...]
    run: ForecastRun | None = None

    @property
    def status(self) -> Literal["ready", "degraded", "unready"]:
        """The worst of all checks."""
        found = {check.status for check in self.checks}
        return "unready" if "failed" in found else "degraded" if "degraded" in found else "ready"

    @property
    def faults(self) -> str:
        """What is wrong, in words."""
        return "; ".join(f"{check.name}: {check.detail}" for check in self.checks if check.status != "ok")


def examine(store: Store, settings: Settings, now: datetime) -> Health:
    """Check the database, its schema, the scheduler and the forecast.

    Without the database, or on another schema, nothing further is checked.

    Parameters
    ----------
    store : Store
    settings : Settings
    now : datetime
        Aware.

    Returns
    -------
    Health
    """
    checks: list[Check] = []
    for name, check in (("database", _database), ("schema", _schema)):
        checks.append(_run_check(store, name, partial(check, store)))
        if checks[-1].status == "failed":
            return Health(tuple(checks))
    found: list[ForecastRun] = []
    checks.append(_run_check(store, "scheduler", lambda: _scheduler(store, now)))
    checks.append(_run_check(store, "forecast", lambda: _forecast(store, settings, now, found)))
    return Health(tuple(checks), found[0] if found else None)


def _run_check(store: Store, name: str, check: Callable[[], Check]) -> Check:
    """Run a check in a thread of its own; one that takes longer than `LIMIT_SECONDS` has failed.

    What hangs, such as a disk or a database, is not asked again until that thread has ended.
    """
    hanging, done = _HANGING.setdefault(store.engine, {}), queue.SimpleQueue[Check]()
    if name in hanging and hanging[name].is_alive():
        return Check(name, "failed", "an earlier check still waits for its answer")

    def run() -> None:
        try:
            done.put(check())
        except Exception as error:
            done.put(_fault(name, error))

    # A daemon: the process must be able to end while it hangs.
    thread = threading.Thread(target=run, name=f"check-{name}", daemon=True)
    thread.start()
    try:
        return done.get(timeout=LIMIT_SECONDS)
    except queue.Empty:
        hanging[name] = thread
        log.error("check %s has not answered within %g s", name, LIMIT_SECONDS)
        return Check(name, "failed", f"no answer within {LIMIT_SECONDS:g} s")


def _fault(name: str, error: Exception) -> Check:
    # Anyone may ask, and an error may name hosts and files: those are for the log.
    log.error("check %s failed: %s", name, error)
    return Check(name, "failed", f"{type(error).__name__}; the log says more")


def _database(store: Store) -> Check:
    # A query without a table would not even open SQLite's file.
    current_revision(store.engine)
    return Check("database", "ok", "answers")


def _schema(store: Store) -> Check:
    current, wanted = current_revision(store.engine), _newest_schema()
    if current != wanted:
        return Check("schema", "failed", f"{current}, not {wanted}: migrate the store")
    return Check("schema", "ok", str(current))


@cache
def _newest_schema() -> str:
    return head_revision()


def _scheduler(store: Store, now: datetime) -> Check:
    beat = JobHistory(store.engine.connect).last_beat()
    fault = beat_fault(beat, now)
    if beat is None or fault is not None:
        return Check("scheduler", "degraded", str(fault))
    return Check("scheduler", "ok", f"last sign of life {max((now - beat.beat_at).total_seconds(), 0):.0f} s ago")


def _forecast(store: Store, settings: Settings, now: datetime, found: list[ForecastRun]) -> Check:
    """Check the newest run, and add it to `found`."""
    run, future = store.latest_run(), future_runs(store)
    if run is not None:
        found.append(run)
    ahead = ", ".join(f"run {one.id} of {one.init_time:%Y-%m-%dT%H:%MZ}" for one in future[:3])
    if run is None:
        return Check("forecast", "failed", f"only of the future: {ahead}" if ahead else "no forecast is stored")
    age = (now - run.init_time) / timedelta(hours=1)
    if age > settings.answers.stale_after_hours:
        limit = f"more than {settings.answers.stale_after_hours:g} h"
        return Check("forecast", "failed", f"the newest forecast is {age:.1f} h old, {limit}")
    if ahead:
        words = f"{len(future)} stamped in the future ({ahead}): hazecast runs withdraw takes them back"
        return Check("forecast", "degraded", f"{age:.1f} h old; {words}")
    if run.degraded:
        return Check("forecast", "degraded", f"{age:.1f} h old; something it needs was missing")
    return Check("forecast", "ok", f"{age:.1f} h old")
