"""NOAA's GFS at 0.25 degree from its cloud bucket: only the messages needed, found by the index.

Herbie reads the same bucket, but lacks what a service needs: its addresses are fixed in the code, it sets
no time-out on HEAD and index, retries nothing, and doesn't resume an interrupted subset. So the path
and the index are handled here.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.weather.regular_grid import Box
from hazecast.services.core.input_settings import GFS_PATHS
from hazecast.services.core.settings import Settings
from hazecast.services.sources.http import HttpClient, Patience
from hazecast.services.sources.weather.grib import (
    HEAD_BYTES,
    Expected,
    drop_if_lacking,
    merge_ranges,
    message_length,
    read_wanted,
    titled,
    variables_in,
    verify_messages,
)
from hazecast.services.sources.weather.interface import (
    Cycle,
    Wanted,
    newest_complete,
    not_kept,
    requiring_complete_cycle,
    steps_of,
    with_provenance,
)

log = logging.getLogger(__name__)

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
_FORM = "number:byte:d=YYYYMMDDHH:variable:level:step:"
_SPAN = re.compile(r"(\d+)-(\d+) (hour|day) (ave|acc) fcst")


@dataclass(frozen=True)
class Record:
    """One line of an index: a message, or several fields that share one.

    `end` is its last byte: None where it is the end of the file, or where the next line can't be read (`ends_unknown`).
    """

    start: int
    end: int | None
    name: str
    level: str
    step: str
    ends_unknown: bool = False


class Gfs:
    """GFS from a bucket with NOAA's paths (AWS, Google Cloud, Azure or a mirror).

    Parameters
    ----------
    url : str
    patience : Patience, optional
    workers : int
        Steps that are fetched at once.
    paths : sequence of str
        Where a step's file is below `url`, by ``init_time`` and ``step``; the first whose files exist is used.
    filter_url : str, optional
        NOMADS' filter, which cuts the files to the box; `url` still says which cycle is complete.
    """

    name = "gfs"
    attribution = "NOAA/NCEP Global Forecast System, public domain"
    lacks: frozenset[str] = frozenset()

    def __init__(
        self,
        url: str = URL,
        patience: Patience | None = None,
        workers: int = 4,
        *,
        paths: Sequence[str] = GFS_PATHS,
        filter_url: str | None = None,
    ) -> None:
        self._url, self._workers, self._paths, self._filter = url.rstrip("/"), workers, tuple(paths), filter_url
        self._path_of: dict[datetime, str] = {}
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
        asked = settings.publishers
        return cls(asked.gfs_url, patience, paths=asked.gfs_paths, filter_url=asked.gfs_filter_url)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def address(self, init_time: datetime, step: int) -> str:
        """Return the address of the GRIB2 file of a step, in the layout that was found for its cycle, else the first.

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
        return f"{self._url}/{self._path(init_time, step)}"

    def _path(self, init_time: datetime, step: int) -> str:
        return self._path_of.get(init_time, self._paths[0]).format(init_time=init_time, step=step)

    def _is_complete(self, init_time: datetime, last: int) -> bool:
        """Return whether a cycle's last step has an index in one of the layouts, which is remembered."""
        for path in self._paths:
            if self._http.exists(f"{self._url}/{path.format(init_time=init_time, step=last)}.idx"):
                self._path_of[init_time] = path
                return True
        return False

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
            self.name, self._url, before, last, DELAY, lambda init_time: self._is_complete(init_time, last)
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
            Contract "weather_grid", or "city_weather" where no grid is wanted.
        """
        steps = _published_steps(wanted)
        if cycle.init_time not in self._path_of:
            self._is_complete(cycle.init_time, steps[-1])
        step_of = self._filtered if self._filter else self._step
        with ThreadPoolExecutor(self._workers) as pool:
            fetched = list(pool.map(lambda step: step_of(cycle, step, wanted, scratch), steps))
        dataset = read_wanted(scratch, wanted)
        missing: dict[str, str] = {}
        source = "filtered file" if self._filter else "index"
        for step, absent in zip(steps, fetched, strict=True):
            for name in absent:
                missing.setdefault(name, f"no {':'.join(_RECORDS[name][:2])} in the {source} of step {step} h")
        return with_provenance(dataset, cycle, self.attribution, titled("NOAA GFS", dataset), missing)

    def fetch_past(self, cycle: Cycle, wanted: Wanted, scratch: Path) -> xr.Dataset:
        """Fetch an earlier cycle that is still kept; as `fetch`.

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

        Raises
        ------
        NoCycleError
            If its last step is not there.
        """
        if not self._is_complete(cycle.init_time, _published_steps(wanted)[-1]):
            raise not_kept(self._url, cycle)
        return self.fetch(cycle, wanted, scratch)

    def _step(self, cycle: Cycle, step: int, wanted: Wanted, scratch: Path) -> list[str]:
        """Fetch the messages of a step; return the variables that its index lacks."""
        url = self.address(cycle.init_time, step)
        with requiring_complete_cycle():
            chosen = self._chosen(url, cycle.init_time, step, wanted.variables)
            if not chosen:
                raise InputError(f"{url}.idx", "no field of the contract", f"any of {sorted(wanted.variables)}")
            ranges = merge_ranges((r.start, self._end(url, r, scratch)) for r in chosen.values())
            path = scratch / f"f{step:03d}.grib2"
            count = len({record.start for record in chosen.values()})
            spans = {n: step - (_start_of(r, _RECORDS[n][2], step) or 0) for n, r in chosen.items() if _is_span(n)}
            expected = Expected(cycle.init_time, step, wanted.box, tuple(chosen), count, spans)
            drop_if_lacking(path, chosen)
            self._http.download(url, path, ranges=ranges, verify=lambda part: verify_messages(part, expected))
        return _lacking(chosen, step, wanted.variables)

    def _chosen(self, url: str, init_time: datetime, step: int, variables: Sequence[str]) -> dict[str, Record]:
        """Return the messages to fetch; an index that lacks some is asked for once more, since it may have been cut."""
        chosen: dict[str, Record] = {}
        for _ in range(2):
            text = self._http.text(url + ".idx", expected="a GRIB2 index", encoding="latin-1")
            found = choose(parse_index(text, init_time, url + ".idx"), step, variables)
            chosen = max(chosen, found, key=len)
            if not _lacking(chosen, step, variables):
                break
        return chosen

    def _end(self, url: str, record: Record, scratch: Path) -> int | None:
        """Return a message's last byte, by its own head where the index doesn't say."""
        if not record.ends_unknown:
            return record.end
        head = scratch / f"{record.start}.head"
        self._http.download(url, head, ranges=[(record.start, record.start + HEAD_BYTES - 1)])
        try:
            return record.start + message_length(head.read_bytes(), f"{url}: byte {record.start}") - 1
        finally:
            head.unlink()

    def _filtered(self, cycle: Cycle, step: int, wanted: Wanted, scratch: Path) -> list[str]:
        """Fetch a step cut to the box. The filter gives every variable at every level named, so some that nobody reads."""
        folder, _, file = self._path(cycle.init_time, step).rpartition("/")
        query = {"dir": f"/{folder}", "file": file, "subregion": "", **_filter_box(wanted.box)}
        for variable, level, _ in (_RECORDS[name] for name in wanted.variables):
            query |= {f"var_{variable}": "on", f"lev_{level.replace(' ', '_')}": "on"}
        with requiring_complete_cycle():
            path = scratch / f"f{step:03d}.grib2"
            url = str(httpx.URL(str(self._filter), params=query))
            expected = Expected(cycle.init_time, step, wanted.box)
            self._http.download(url, path, verify=lambda part: verify_messages(part, expected))
        return _lacking(variables_in(path), step, wanted.variables)


def _filter_box(box: Box) -> dict[str, str]:
    edges = {"toplat": box.north, "bottomlat": box.south, "leftlon": box.west, "rightlon": box.east}
    return {name: f"{edge:g}" for name, edge in edges.items()}


def _lacking(chosen: Container[str], step: int, variables: Sequence[str]) -> list[str]:
    return [name for name in variables if name not in chosen and not (step == 0 and _is_span(name))]


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
        If no line can be read, or one names another run, or the first bytes don't ascend. A line of another form costs
        only the message that it describes; that before it has no known end.
    """
    found: list[re.Match[str]] = []
    unknown_ends: set[int] = set()
    others: list[str] = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            others.append(line[:80])
            unknown_ends.update(int(last["start"]) for last in found[-1:])
            continue
        if match["init"] != f"{init_time:%Y%m%d%H}":
            raise InputError(f"{where}: d", match["init"], f"{init_time:%Y%m%d%H}")
        found.append(match)
    if others:
        log.warning("%s: %d lines of another form, the first %r; expected %s", where, len(others), others[0], _FORM)
    starts = [int(match["start"]) for match in found]
    if not starts:
        raise InputError(where, repr(text[:80]), f"lines {_FORM}")
    if starts != sorted(starts):
        raise InputError(f"{where}: first bytes", "not ascending", "bytes in ascending order")
    # Fields of one message (1.1 and 1.2) share its first byte.
    unique = sorted(set(starts))
    ends = {start: following - 1 for start, following in pairwise(unique)}
    return [
        Record(
            start, None if start in unknown_ends else ends.get(start), match["name"], match["level"], match["step"],
            start in unknown_ends,
        )
        for start, match in zip(starts, found, strict=True)
    ]  # fmt: skip


def choose(records: list[Record], step: int, variables: Sequence[str] = tuple(_RECORDS)) -> dict[str, Record]:
    """Choose the message of each contract variable; of several spans with the same end, the shortest.

    Parameters
    ----------
    records : list of Record
        The index of one step.
    step : int
        Hours after the init time.
    variables : sequence of str
        Those that are wanted, by contract name.

    Returns
    -------
    dict of str to Record
        By contract name, without variables that the index lacks.
    """
    chosen: dict[str, Record] = {}
    for name in variables:
        variable, level, kind = _RECORDS[name]
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
