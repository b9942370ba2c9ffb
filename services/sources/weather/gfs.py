"""NOAA's GFS at 0.25 degree from its cloud bucket: only the messages needed, found by the index.

Herbie reads the same bucket, but lacks what a service needs: its addresses are fixed in the code, it sets
no time-out on HEAD and index, retries nothing, and doesn't resume an interrupted subset. So the path
and the index are handled here.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.weather.files import read_weather
from hazecast.grids.weather.regular_grid import Box
from hazecast.services.core.settings import Settings
from hazecast.services.sources.http import HttpClient, Patience
from hazecast.services.sources.weather.grib import merge_ranges, verify_messages
from hazecast.services.sources.weather.interface import (
    Cycle,
    Wanted,
    newest_complete,
    requiring_complete_cycle,
    steps_of,
    with_provenance,
)

URL = "https://noaa-gfs-bdp-pds.s3.amazonaws.com"
# Hours from the init time until the last step of a few days is published; from experience, not documented.
DELAY = timedelta(hours=5)
_HOURLY_UNTIL = 120
_INSTANT, _MEAN, _TOTAL = "fcst", "ave fcst", "acc fcst"
# Contract name -> variable, level and kind in the index.
_RECORDS = {
    "t2m": ("TMP", "2 m above ground", _INSTANT),
    "d2m": ("DPT", "2 m above ground", _INSTANT),
    "u10": ("UGRD", "10 m above ground", _INSTANT),
    "v10": ("VGRD", "10 m above ground", _INSTANT),
    "sp": ("PRES", "surface", _INSTANT),
    "blh": ("HPBL", "surface", _INSTANT),
    "tcc": ("TCDC", "entire atmosphere", _INSTANT),
    "tp": ("APCP", "surface", _TOTAL),
    "ssrd": ("DSWRF", "surface", _MEAN),
}
_LINE = re.compile(
    r"(?P<number>[\d.]+):(?P<start>\d+):d=(?P<init>\d{10}):(?P<name>[^:]+):(?P<level>[^:]+):(?P<step>[^:]*)"
)
_SPAN = re.compile(r"(\d+)-(\d+) (hour|day) (ave|acc) fcst")


@dataclass(frozen=True)
class Record:
    """One line of an index: a message, or several fields that share one."""

    start: int
    end: int | None
    name: str
    level: str
    step: str


class Gfs:
    """GFS from a bucket with NOAA's paths (AWS, Google Cloud, Azure or a mirror)."""

    name = "gfs"
    attribution = "NOAA/NCEP Global Forecast System, public domain"
    lacks: frozenset[str] = frozenset()

    def __init__(self, url: str = URL, patience: Patience | None = None, workers: int = 4) -> None:
        self._url, self._workers = url.rstrip("/"), workers
        self._http = HttpClient(patience)
        self.traffic = self._http.traffic

    @classmethod
    def from_settings(cls, settings: Settings, patience: Patience | None = None) -> Gfs:
        """Make the source from the settings; a `WeatherSourceFactory`.

        Parameters
        ----------
        settings : Settings
        patience : Patience, optional
            Time-outs and retries.

        Returns
        -------
        Gfs
        """
        return cls(settings.publishers.gfs_url, patience)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def address(self, init_time: datetime, step: int) -> str:
        """Return the address of the GRIB2 file of a step.

        Parameters
        ----------
        init_time : datetime
            UTC.
        step : int
            Hours after the init time.

        Returns
        -------
        str
        """
        return f"{self._url}/gfs.{init_time:%Y%m%d/%H}/atmos/gfs.t{init_time:%H}z.pgrb2.0p25.f{step:03d}"

    def newest_cycle(self, before: datetime, wanted: Wanted) -> Cycle:
        """Return the newest cycle whose last step has an index.

        Parameters
        ----------
        before : datetime
            Aware; no later cycle is considered.
        wanted : Wanted

        Returns
        -------
        Cycle
        """
        last = _published_steps(wanted)[-1]
        return newest_complete(
            self.name, self._url, before, last, DELAY, lambda init: self._http.exists(self.address(init, last) + ".idx")
        )

    def fetch(self, cycle: Cycle, wanted: Wanted, scratch: Path) -> xr.Dataset:
        """Fetch a cycle over the box; the messages of each step are one file in `scratch`.

        Parameters
        ----------
        cycle : Cycle
        wanted : Wanted
        scratch : Path
            Folder for the parts of the download.

        Returns
        -------
        xarray.Dataset
            Contract "weather_grid".
        """
        steps = _published_steps(wanted)
        with ThreadPoolExecutor(self._workers) as pool:
            fetched = list(pool.map(lambda step: self._step(cycle, step, wanted.box, scratch), steps))
        dataset = read_weather(scratch, box=wanted.box)
        missing: dict[str, str] = {}
        for step, (_, absent) in zip(steps, fetched, strict=True):
            for name in absent:
                missing.setdefault(name, f"no {':'.join(_RECORDS[name][:2])} in the index of step {step} h")
        return with_provenance(dataset, cycle, self.attribution, "NOAA GFS 0.25 degree", missing)

    def _step(self, cycle: Cycle, step: int, box: Box, scratch: Path) -> tuple[Path, list[str]]:
        url = self.address(cycle.init_time, step)
        with requiring_complete_cycle():
            text = self._http.text(url + ".idx", expected="a GRIB2 index", encoding="ascii")
            records = parse_index(text, cycle.init_time, url + ".idx")
            chosen = choose(records, step)
            if not chosen:
                raise InputError(f"{url}.idx", "no field of the contract", f"any of {sorted(_RECORDS)}")
            ranges = merge_ranges((record.start, record.end) for record in chosen.values())
            path = scratch / f"f{step:03d}.grib2"
            count = len({record.start for record in chosen.values()})
            self._http.download(url, path, ranges=ranges, verify=lambda part: verify_messages(part, count, box))
        return path, [name for name in _RECORDS if name not in chosen and not (step == 0 and _is_span(name))]


def _published_steps(wanted: Wanted) -> list[int]:
    """Return the steps to fetch that are published: hourly up to 120 h, every 3 h after."""
    return [step for step in steps_of(wanted) if step <= _HOURLY_UNTIL or step % 3 == 0]


def parse_index(text: str, init_time: datetime, where: str) -> list[Record]:
    """Read a GRIB2 index in the format of wgrib2.

    Parameters
    ----------
    text : str
        Lines ``number:first byte:d=YYYYMMDDHH:variable:level:step:``.
    init_time : datetime
        The run that it must belong to.
    where : str
        Its address, for errors.

    Returns
    -------
    list of Record
        In the order of the file.

    Raises
    ------
    InputError
        If a line has another form, another run, or first bytes that don't ascend.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.match(line)
        if match is None:
            raise InputError(
                f"{where}: line {number}", repr(line[:80]), "number:byte:d=YYYYMMDDHH:variable:level:step:"
            )
        if match["init"] != f"{init_time:%Y%m%d%H}":
            raise InputError(f"{where}: line {number}, d", match["init"], f"{init_time:%Y%m%d%H}")
        found.append(match)
    starts = [int(match["start"]) for match in found]
    if not starts or starts != sorted(starts):
        raise InputError(f"{where}: first bytes", "none" if not starts else "not ascending", "bytes in ascending order")
    # Fields of one message (1.1 and 1.2) share its first byte.
    unique = sorted(set(starts))
    ends = {start: following - 1 for start, following in pairwise(unique)}
    return [
        Record(start, ends.get(start), match["name"], match["level"], match["step"])
        for start, match in zip(starts, found, strict=True)
    ]


def choose(records: list[Record], step: int) -> dict[str, Record]:
    """Choose the message of each contract variable; of several spans with the same end, the shortest.

    Parameters
    ----------
    records : list of Record
        The index of one step.
    step : int
        Hours after the init time.

    Returns
    -------
    dict of str to Record
        By contract name, without variables that the index lacks.
    """
    chosen: dict[str, Record] = {}
    for name, (variable, level, kind) in _RECORDS.items():
        own = [r for r in records if (r.name, r.level) == (variable, level)]
        if kind == _INSTANT:
            wanted = "anl" if step == 0 else f"{step} hour fcst"
            own = [r for r in own if r.step == wanted]
        else:
            own = sorted(
                (r for r in own if _start_of(r, kind, step) is not None), key=lambda r: _start_of(r, kind, step) or 0
            )
        if own:
            chosen[name] = own[-1]
    return chosen


def _start_of(record: Record, kind: str, step: int) -> int | None:
    """Return the first hour of an average or a total that ends at `step`; None for anything else."""
    match = _SPAN.fullmatch(record.step)
    if match is None or not record.step.endswith(kind):
        return None
    hours = 24 if match[3] == "day" else 1
    return int(match[1]) * hours if int(match[2]) * hours == step else None


def _is_span(name: str) -> bool:
    return _RECORDS[name][2] != _INSTANT
