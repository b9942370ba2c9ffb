"""A watched folder: tables that are delivered into it are taken once they are whole, and moved with a report.

Beside the tables lie ``stations.csv`` and mapping files, as `hazecast.grids.observations.tables` reads them. A table that gave
values goes to ``done``, one that gave none to ``failed``, each with ``<name>.report.json``. Killed in between, a table is
taken again: values that are stored already change nothing.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import load_station_cities
from hazecast.grids.observations.tables.findings import Findings
from hazecast.grids.observations.tables.folder import read_tables, stations_of
from hazecast.grids.observations.tables.sheets import is_table
from hazecast.grids.observations.tables.stations import STATIONS_FILE, Stations
from hazecast.grids.places.cities import Registry
from hazecast.grids.times import format_time
from hazecast.services.core.clock import Clock
from hazecast.services.core.files import atomic_write
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings
from hazecast.services.sources.monitors.folder import CsvFolder, batch_of
from hazecast.services.store.monitors import Saved, save_readings
from hazecast.services.store.store import Store
from hazecast.services.work.ingest.doubts import leave_out_future

log = logging.getLogger(__name__)

DONE, FAILED = "done", "failed"
# A file that nobody has written to for so long is whole.
_SETTLED = timedelta(seconds=60)


@dataclass(frozen=True)
class Taken:
    """What became of one table.

    Attributes
    ----------
    name : str
    outcome : str
        `DONE` or `FAILED`.
    saved : Saved
    findings : Findings
    """

    name: str
    outcome: str
    saved: Saved
    findings: Findings

    @property
    def problems(self) -> list[str]:
        """What was left out or assumed."""
        return [*map(str, self.findings.faults), *self.findings.doubts]


def take_delivered(settings: Settings, clock: Clock) -> list[Taken]:
    """Take the tables that lie whole in the watched folder, the oldest first.

    Parameters
    ----------
    settings : Settings
        Name the folder.
    clock : callable
        Gives the time, aware.

    Returns
    -------
    list of Taken

    Raises
    ------
    InputError
        If no folder is set, or its stations can't be read: nothing is then moved.
    """
    folder = settings.ingest.watch_dir
    if folder is None:
        raise InputError("HAZECAST_WATCH_DIR", "not set", "the folder into which tables are delivered")
    whole = _whole(folder, clock())
    if not whole:
        return []
    registry = city_registry(settings)
    stations = stations_of(folder, registry, Findings())
    source = CsvFolder(folder, registry, load_station_cities(registry))
    store = Store(settings.database_url, clock, settings.data_dir)
    try:
        store.migrate()
        found = []
        for path in whole:
            before = path.stat()
            taken = _take(path, folder, stations, store, source, registry)
            # One that was written to meanwhile is taken again when it is whole.
            if (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns):
                _move(path, folder, taken, clock())
                found.append(taken)
        return found
    finally:
        store.close()


def _whole(folder: Path, now: datetime) -> list[Path]:
    """Return the tables that nobody is writing: a name that begins with a dot, or ends in another, is not whole yet."""
    if not folder.is_dir():
        raise InputError("HAZECAST_WATCH_DIR", folder, "a folder")
    settled = (now - _SETTLED).timestamp()
    files = [p for p in folder.iterdir() if p.is_file() and is_table(p) and p.name != STATIONS_FILE]
    ages = {path: path.stat().st_mtime for path in files}
    return sorted((path for path in files if ages[path] <= settled), key=lambda path: (ages[path], path.name))


def _take(path: Path, folder: Path, stations: Stations, store: Store, source: CsvFolder, registry: Registry) -> Taken:
    findings = Findings()
    try:
        batch = batch_of(read_tables([path], folder, stations, findings))
    except InputError:
        # The findings name it.
        return Taken(path.name, FAILED, Saved(0, 0, 0, 0), findings)
    now = store.clock()
    leave_out_future(batch, source, now)
    findings.doubts += [
        problem for problem in batch.problems if problem not in {*map(str, findings.faults), *findings.doubts}
    ]
    if not batch.readings:
        return Taken(path.name, FAILED, Saved(0, 0, 0, 0), findings)
    return Taken(path.name, DONE, save_readings(store, source, batch, registry, now), findings)


def _move(path: Path, folder: Path, taken: Taken, now: datetime) -> None:
    target = folder / taken.outcome
    target.mkdir(exist_ok=True)
    name = path.name
    if (target / name).exists():
        name = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{name}"
    report = {
        "file": taken.name,
        "outcome": taken.outcome,
        "taken_at": format_time(now),
        "new": taken.saved.new,
        "revised": taken.saved.revised,
        "unchanged": taken.saved.unchanged,
        "counts": {kind: number for kind, number in sorted(taken.findings.counts.items()) if number},
        "problems": taken.problems,
        "understood": taken.findings.notes,
    }
    with atomic_write(target / f"{name}.report.json") as part:
        part.write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
    os.replace(path, target / name)
    log.info("%s: %s, %d new, %d problems", path.name, taken.outcome, taken.saved.new, len(taken.problems))
