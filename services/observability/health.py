"""Whether the service is healthy: the checks, and what each of them found."""

from __future__ import annotations

import logging
import os
import queue
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, func, select

from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.history import JobHistory, beat_fault
from hazecast.services.store.database import current_revision, head_revision
from hazecast.services.store.run_files import damaged_products
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import Base, CycleRun, ForecastRun, ForecastValue
from hazecast.services.store.withdrawal import future_runs

log = logging.getLogger(__name__)

# For each check, in seconds. The newest forecast of 10,000 places takes tenths of one on a quiet machine, and a busy
# machine is not a broken one.
LIMIT_SECONDS = 3.0
# Room for some weeks of forecasts with their maps, and for SQLite's own file to grow.
LEAST_FREE_BYTES = 1e9
# Damaged files that are named.
_NAMED = 3
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
    """Check the database, its schema and tables, the scheduler, the forecast and its files, the data folder and its disk.

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
    checks.append(_run_check(store, "tables", lambda: _tables(store)))
    checks.append(_run_check(store, "forecast", lambda: _forecast(store, settings, now, found)))
    if found:
        checks.append(_run_check(store, "files", lambda: _files(found[0])))
    checks.append(_run_check(store, "cities", lambda: _cities(store, settings, now)))
    checks.append(_run_check(store, "writing", lambda: _writing(store, settings)))
    checks.append(_run_check(store, "disk", lambda: _disk(settings)))
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


def _tables(store: Store) -> Check:
    """Read the first and the last row of every table, and the newest forecast: a damaged page is an error."""
    with store.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            for order in ([], [column.desc() for column in table.primary_key.columns]):
                connection.execute(select(table).order_by(*order).limit(1)).all()
        newest = select(func.max(ForecastRun.id)).scalar_subquery()
        connection.execute(select(func.sum(ForecastValue.pm25_mean)).where(ForecastValue.run_id == newest)).all()
    return Check("tables", "ok", "can be read")


def _files(run: ForecastRun) -> Check:
    gone = [kind for kind, path in (("forecast", run.netcdf_path), ("map", run.map_path)) if not _has_content(path)]
    if gone:
        return Check("files", "degraded", f"gone or empty of the newest forecast: {', '.join(gone)}")
    damaged = damaged_products(Path(run.netcdf_path))
    if damaged:
        more = f" and {len(damaged) - _NAMED} more" if len(damaged) > _NAMED else ""
        names = ", ".join(damaged[:_NAMED])
        return Check("files", "degraded", f"damaged of the newest forecast, by their digests: {names}{more}")
    return Check("files", "ok", "those of the newest forecast are there")


def _has_content(path: str) -> bool:
    try:
        return Path(path).stat().st_size > 0
    except OSError:
        return False


def _writing(store: Store, settings: Settings) -> Check:
    """Write a file that nobody sees, and ask whether the database takes changes: without one, nobody is held up."""
    try:
        with TemporaryFile(dir=settings.data_dir) as file:
            file.write(b"0" * 4096)
            file.flush()
    except OSError as error:
        log.error("%s: can't be written: %s", settings.data_dir, error)
        return Check("writing", "degraded", f"the data folder can't be written: {error.strerror}")
    if store.engine.dialect.name == "sqlite":
        path = str(store.engine.url.database)
        refused = not (os.access(path, os.W_OK) and os.access(os.path.dirname(path) or ".", os.W_OK))
    else:
        with store.engine.connect() as connection:
            refused = connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "on"
    if refused:
        return Check("writing", "degraded", "the database can only be read: no forecast can be stored")
    return Check("writing", "ok", "the data folder and the database can be written")


def _cities(store: Store, settings: Settings, now: datetime) -> Check:
    registry = city_registry(settings)
    standing = [one for simulated in (False, True) for one in store.warnings_in_force(now, simulated)]
    unknown = sorted({one.city for one in standing if not registry.knows(one.city)})
    if unknown:
        return Check("cities", "degraded", f"with warnings in force, and no file names them: {', '.join(unknown)}")
    return Check("cities", "ok", "those of the warnings in force are known")


def _disk(settings: Settings) -> Check:
    free = shutil.disk_usage(settings.data_dir).free
    status: Status = "degraded" if free < LEAST_FREE_BYTES else "ok"
    return Check("disk", status, f"{free / 1e9:.1f} GB free")


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
    if failed := _failed_since(store, run):
        return Check(
            "forecast", "degraded", f"{age:.1f} h old; cycle {failed.id} has failed since: hazecast jobs history cycle"
        )
    if run.degraded:
        return Check("forecast", "degraded", f"{age:.1f} h old; something it needs was missing")
    return Check("forecast", "ok", f"{age:.1f} h old")


def _failed_since(store: Store, run: ForecastRun) -> CycleRun | None:
    """Return the newest cycle that has ended, if it failed and was not of an earlier init time."""
    query = select(CycleRun).where(CycleRun.status != "running").order_by(CycleRun.id.desc()).limit(1)
    with store.sessions() as session:
        last = session.scalar(query)
    if last is None or last.status != "failed" or last.id < run.cycle_id:
        return None
    return last if last.init_time is None or last.init_time >= run.init_time else None
