"""ECMWF's open data (IFS, 0.25 degree), through its own client.

The client provides the addresses and streams of a run's files. Their indices and the messages are fetched through
`HttpClient`: the client's own requests set no time-out, don't resume a download of several parts, and end with an
AssertionError when a connection breaks; one line of an index that it can't read ends its reading.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import xarray as xr
from ecmwf.opendata import Client

from hazecast.grids.errors import InputError
from hazecast.grids.weather.timeline import RATES
from hazecast.services.core.settings import Settings
from hazecast.services.sources.http import HttpClient, Patience
from hazecast.services.sources.weather.grib import (
    Expected,
    drop_if_lacking,
    merge_ranges,
    read_wanted,
    titled,
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

URL = "https://data.ecmwf.int/forecasts"
DELAY = timedelta(hours=9)
# ECMWF's short names of the contract's variables. The boundary layer's height isn't among the
# documented fields of the open data; it is requested in case it is published.
_PARAMETERS = {
    "t2m": "2t",
    "d2m": "2d",
    "u10": "10u",
    "v10": "10v",
    "sp": "sp",
    "blh": "blh",
    "tcc": "tcc",
    "tp": "tp",
    "ssrd": "ssrd",
}
_STEP = 3
_FORM = "JSON lines with param, type, step, _offset and _length"

log = logging.getLogger(__name__)

# First byte and length of a message.
Part = tuple[int, int]


class EcmwfOpenData:
    """ECMWF's open data from its own server or a mirror with the same paths."""

    name = "ecmwf"
    attribution = (
        "Copyright (c) ECMWF, www.ecmwf.int, CC BY 4.0, ECMWF does not accept any liability; "
        "modified: cut to the cities' region, accumulations turned to rates"
    )
    lacks: frozenset[str] = frozenset({"blh"})

    def __init__(self, url: str = URL, patience: Patience | None = None, workers: int = 4) -> None:
        self._url, self._workers = url.rstrip("/"), workers
        self._http = HttpClient(patience)
        self.traffic = self._http.traffic
        self._client = Client(source=self._url, model="ifs", resol="0p25", maximum_retries=1)

    @classmethod
    def from_settings(cls, settings: Settings, patience: Patience | None = None) -> EcmwfOpenData:
        """Make the source from the settings; a `WeatherSourceFactory`.

        Parameters
        ----------
        settings : Settings
        patience : Patience, optional
            Time-outs and retries.

        Returns
        -------
        EcmwfOpenData
        """
        return cls(settings.publishers.ecmwf_url, patience)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def newest_cycle(self, before: datetime, wanted: Wanted) -> Cycle:
        """Return the newest cycle that reaches the last step to fetch; 06 and 18 UTC end earlier.

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
        with ThreadPoolExecutor(self._workers) as pool:
            fetched = list(pool.map(lambda step: self._step(cycle, step, wanted, scratch), steps))
        dataset = read_wanted(scratch, wanted)
        missing: dict[str, str] = {}
        for step, absent in zip(steps, fetched, strict=True):
            for name in absent:
                missing.setdefault(name, f"no param {_PARAMETERS[name]} in the index of step {step} h")
        return with_provenance(dataset, cycle, self.attribution, titled("ECMWF IFS open data", dataset), missing)

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

    def _is_complete(self, init_time: datetime, last: int) -> bool:
        return self._http.exists(self._address(init_time, last))

    def _step(self, cycle: Cycle, step: int, wanted: Wanted, scratch: Path) -> list[str]:
        """Fetch the messages of a step; return the variables that its index lacks."""
        with requiring_complete_cycle():
            url = self._address(cycle.init_time, step)
            parts = self._parts(url, cycle.init_time, step, wanted.variables)
            ranges = merge_ranges((start, start + length - 1) for start, length in parts.values())
            names = tuple(name for name in parts if name not in _without(step))
            expected = Expected(cycle.init_time, step, wanted.box, names, len(set(parts.values())))
            path = scratch / f"{step:03d}h.grib2"
            drop_if_lacking(path, names)
            self._http.download(url, path, ranges=ranges, verify=lambda part: verify_messages(part, expected))
        return self._lacking(parts, step, wanted.variables)

    def _lacking(self, parts: Container[str], step: int, variables: Sequence[str]) -> list[str]:
        return [name for name in variables if name not in parts and name not in self.lacks | _without(step)]

    def _address(self, init_time: datetime, step: int) -> str:
        """Return the address of a step's file, by the client."""
        request = {"date": f"{init_time:%Y%m%d}", "time": init_time.hour, "stream": "oper", "type": "fc", "step": step}
        return str(self._client._get_urls(request, use_index=False).urls[0])

    def _parts(self, url: str, init_time: datetime, step: int, variables: Sequence[str]) -> dict[str, Part]:
        """Return the messages to fetch; an index that lacks some is asked for once more, since it may have been cut."""
        address = url.removesuffix(".grib2") + ".index"
        chosen: dict[str, Part] = {}
        for _ in range(2):
            text = self._http.text(address, expected="an index of JSON lines", encoding="latin-1")
            chosen = max(chosen, parse_index(text, init_time, step, variables, address), key=len)
            if not self._lacking(chosen, step, variables):
                break
        if not chosen:
            raise InputError(address, "no field of the contract", f"any of {', '.join(_PARAMETERS.values())}")
        return chosen


def _without(step: int) -> set[str]:
    """Return what has no value at a step: totals at the start, where they may be published as 0."""
    return set() if step else set(RATES)


def _published_steps(wanted: Wanted) -> list[int]:
    return [step for step in steps_of(wanted) if step % _STEP == 0]


def parse_index(text: str, init_time: datetime, step: int, variables: Sequence[str], where: str) -> dict[str, Part]:
    """Find the messages of contract variables in an index of ECMWF's open data.

    Parameters
    ----------
    text : str
        A JSON object a line, with ``param``, ``type``, ``levtype``, ``step``, ``date``, ``_offset`` and ``_length``.
    init_time : datetime
        The run that it must belong to.
    step : int
        Hours after the init time.
    variables : sequence of str
        Those that are wanted, by contract name.
    where : str
        Its address, for errors.

    Returns
    -------
    dict of str to (int, int)
        First byte and length by contract name, without variables that the index lacks.

    Raises
    ------
    InputError
        If no line can be read, or one names another run, or two name messages for the same. A line of another form
        costs only the message that it describes.
    """
    found: dict[str, Part] = {}
    names = {_PARAMETERS[name]: name for name in variables}
    faults, readable = [], 0
    for number, line in enumerate(text.splitlines(), 1):
        try:
            entry = _entry(line, f"{where}: line {number}") if line.strip() else None
        except InputError as error:
            faults.append(error)
            continue
        if entry is None:
            continue
        readable += 1
        if str(entry.get("date", f"{init_time:%Y%m%d}")) != f"{init_time:%Y%m%d}":
            raise InputError(f"{where}: date", entry["date"], f"{init_time:%Y%m%d}")
        kind = (entry["type"], str(entry["step"]), entry.get("levtype", "sfc"))
        name = names.get(entry["param"])
        if name is None or kind != ("fc", str(step), "sfc"):
            continue
        part = (entry["_offset"], entry["_length"])
        if found.setdefault(name, part) != part:
            raise InputError(f"{where}: {entry['param']}", f"bytes at {found[name][0]} and {part[0]}", "one message")
    if faults:
        log.warning("%d lines of an index can't be read, the first: %s", len(faults), faults[0])
    if not readable:
        raise faults[0] if faults else InputError(where, repr(text[:80]), _FORM)
    return found


def _entry(line: str, where: str) -> dict[str, Any]:
    """Return a line of an index, whose fields have the types that are relied on."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(where, error, _FORM) from error
    if not isinstance(entry, dict):
        raise InputError(where, repr(line[:80]), _FORM)
    for key in ("param", "type", "step", "_offset", "_length"):
        value = entry.get(key)
        fits = type(value) is int and value >= (key == "_length") if key[0] == "_" else isinstance(value, str | int)
        if not fits:
            raise InputError(f"{where}: {key}", repr(value) if key in entry else "absent", _FORM)
    return entry
