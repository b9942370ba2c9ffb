"""Building a weather archive of years from files, or from a source, with Dask.

The work is cut into months of analyses and single forecast runs, which touch different files
of the archive. Dask's scheduler shares them out: on the threads of this process, or on the
workers of a scheduler that is given by address and sees the same files.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires
from hazecast.grids.times import to_datetime, to_datetime64
from hazecast.grids.weather.archive_layout import hours_of
from hazecast.grids.weather.formats import weather_files
from hazecast.grids.weather.regular_grid import EAST_ASIA, Box
from hazecast.grids.weather.timeline import joined
from hazecast.services.core.cluster import Progress, dask_client
from hazecast.services.core.weather_reading import read_files, span_of_file
from hazecast.services.store.weather_archive import WeatherArchive, Written

log = logging.getLogger(__name__)

# Gives the weather of a period, both ends included: contract "weather_grid" on one grid. It is
# pickled where a scheduler is given by address.
Source = Callable[[datetime, datetime], xr.Dataset]


@dataclass
class BuildReport:
    """What a build did.

    Attributes
    ----------
    hours, runs : Written
        Hours of analyses and forecast runs, new and known.
    missing_hours : int
        Hours of the period for which the archive holds no analysis; 0 if it holds runs alone.
    failed : dict of str to str
        Files or days that could not be used, with the reason. All others were written.
    """

    hours: Written = field(default_factory=Written)
    runs: Written = field(default_factory=Written)
    missing_hours: int = 0
    failed: dict[str, str] = field(default_factory=dict)


class _File(NamedTuple):
    path: Path
    first: np.datetime64
    last: np.datetime64


@dataclass(frozen=True)
class _Part:
    """A month of analyses, or one forecast run: what one task reads and writes."""

    target: Path
    box: Box
    first: np.datetime64
    last: np.datetime64
    files: tuple[_File, ...] = ()
    source: Source | None = None
    forecast: bool = False


def build_weather_archive(
    files_or_source: Path | Sequence[Path] | Source,
    first: datetime,
    last: datetime,
    target: Path,
    *,
    box: Box = EAST_ASIA,
    scheduler_address: str | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Build a weather archive, or continue one; hours and runs that are there stay as they are.

    Parameters
    ----------
    files_or_source : Path, sequence of Path or callable
        Weather files, or a folder of them, as `hazecast.grids.weather.files.read_weather` reads; files
        of several variables, hours and runs may be mixed. Or a function that gives the weather
        from one aware time to another, called for a day at a time.
    first, last : datetime
        Aware, both included: valid times of analyses, init times of forecast runs.
    target : Path
        Folder of the archive.
    box : Box
        The part of the grid that is stored.
    scheduler_address : str, optional
        Of a ``dask.distributed`` scheduler, such as ``tcp://10.0.0.5:8786``; its workers must
        see the files and the target under the same paths. By default threads of this process.
    progress : callable, optional
        Called with the number of parts done and in all.

    Returns
    -------
    BuildReport

    Raises
    ------
    InputError
        If the period is empty, no file is found, or the scheduler doesn't answer.
    """
    if last < first:
        raise InputError("period", f"{first.isoformat()} to {last.isoformat()}", "a first time before the last")
    start, end = (to_datetime64(t) for t in (first, last))
    report = BuildReport()
    if callable(files_or_source):
        parts = [_Part(target, box, *span, source=files_or_source) for span in _months(start, end)]
    else:
        parts = _parts_of_files(files_or_source, start, end, target, box, report.failed)
    with dask_client(scheduler_address) as client, client.as_current():
        # Not pure: the same part again must look at the archive again.
        tasks = client.map(_build, parts, pure=False)
        finished = requires("distributed", "archive").as_completed(tasks, with_results=True)
        for done, (_, result) in enumerate(finished, 1):
            written, forecast, failed = result
            total = report.runs if forecast else report.hours
            total = Written(total.new + written.new, total.known + written.known)
            report.runs, report.hours = (total, report.hours) if forecast else (report.runs, total)
            report.failed |= failed
            if progress is not None:
                progress(done, len(parts))
    for name, reason in sorted(report.failed.items()):
        log.warning("%s: %s", name, reason)
    if any(not part.forecast for part in parts):
        wanted = np.arange(start.astype("datetime64[h]"), end.astype("datetime64[h]") + 1)
        report.missing_hours = int((~np.isin(wanted, WeatherArchive(target).hours())).sum())
    return report


def _parts_of_files(
    files: Path | Sequence[Path],
    start: np.datetime64,
    end: np.datetime64,
    target: Path,
    box: Box,
    failed: dict[str, str],
) -> list[_Part]:
    """Sort files by month and by run; what can't be read goes into `failed`."""
    months: dict[np.datetime64, list[_File]] = defaultdict(list)
    runs: dict[np.datetime64, list[_File]] = defaultdict(list)
    found = [file for one in ([files] if isinstance(files, Path) else files) for file in weather_files(one)]
    for path in sorted(found):
        try:
            init, first, last = span_of_file(path)
        except InputError as error:
            failed[str(path)] = str(error)
            continue
        if init is None:
            for low, high in _months(max(first, start), min(last, end)):
                months[low.astype("datetime64[M]")].append(_File(path, low, high))
        elif start <= init <= end:
            runs[init].append(_File(path, first, last))
    parts = []
    for _, own in sorted(months.items()):
        parts.append(_Part(target, box, min(f.first for f in own), max(f.last for f in own), tuple(own)))
    for init, own in sorted(runs.items()):
        parts.append(_Part(target, box, init, init, tuple(own), forecast=True))
    return parts


def _months(start: np.datetime64, end: np.datetime64) -> Iterable[tuple[np.datetime64, np.datetime64]]:
    """Cut a period by months; both ends of each are included."""
    for month in np.arange(start.astype("datetime64[M]"), end.astype("datetime64[M]") + 1):
        hours = hours_of(np.datetime64(month))
        low, high = max(start, hours[0]), min(end, hours[-1])
        if low <= high:
            yield low, high


def _build(part: _Part) -> tuple[Written, bool, dict[str, str]]:
    """Read and write one part; run by a Dask worker."""
    archive = WeatherArchive(part.target)
    failed: dict[str, str] = {}
    if part.forecast:
        try:
            return archive.append(read_files([file.path for file in part.files], part.box, alone=False)), True, failed
        except InputError as error:
            return Written(), True, {f"run {part.first}": str(error)}
    known, written = archive.hours(), Written()
    for day in np.arange(part.first.astype("datetime64[D]"), part.last.astype("datetime64[D]") + 1):
        hours = day.astype("datetime64[ns]") + np.arange(24).astype("timedelta64[h]")
        hours = hours[(hours >= part.first) & (hours <= part.last)]
        if np.isin(hours, known).all():
            written = Written(written.new, written.known + hours.size)
            continue
        try:
            more = archive.append(_read_day(part, hours[0], hours[-1]))
            written = Written(written.new + more.new, written.known + more.known)
        except InputError as error:
            failed[f"day {day}"] = str(error)
    return written, False, failed


def _read_day(part: _Part, first: np.datetime64, last: np.datetime64) -> xr.Dataset:
    if part.source is not None:
        return part.source(to_datetime(first), to_datetime(last))
    own = [file.path for file in part.files if file.first <= last and file.last >= first]
    # One by one: each GRIB2 analysis is a run of its own.
    return joined([read_files(path, part.box, (first, last), alone=False) for path in own], part.target)
