"""ECMWF's open data (IFS, 0.25 degree), through its own client.

The client provides the addresses and streams of a run's files, and finds messages by the ``.index``
beside each file. Its requests and the download itself go through `HttpClient`:
its own requests set no time-out, don't resume a download of several parts, and end with an AssertionError
when a connection breaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import xarray as xr
from ecmwf.opendata import Client

from hazecast.grids.contract import WEATHER
from hazecast.grids.errors import InputError
from hazecast.services.core.settings import Settings
from hazecast.services.sources.http import HttpClient, Patience
from hazecast.services.sources.weather.grib import merge_ranges, read_wanted, verify_messages
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
        self._client.session = _Session(self._http)

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
            list(pool.map(lambda step: self._step(cycle, step, wanted, scratch), steps))
        dataset = read_wanted(scratch, wanted)
        missing = {
            name: f"no param {_PARAMETERS[name]} in the index"
            for name in wanted.variables
            if name not in dataset and name not in self.lacks
        }
        return with_provenance(dataset, cycle, self.attribution, "ECMWF IFS open data 0.25 degree", missing)

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
        return self._http.exists(self._files(init_time, last, use_index=False)[0])

    def _step(self, cycle: Cycle, step: int, wanted: Wanted, scratch: Path) -> Path:
        with requiring_complete_cycle():
            url, parts = self._files(cycle.init_time, step, use_index=True, variables=wanted.variables)[0]
            ranges = merge_ranges((start, start + length - 1) for start, length in parts)
            path = scratch / f"{step:03d}h.grib2"
            valid_time = cycle.init_time + timedelta(hours=step)
            return self._http.download(
                url, path, ranges=ranges, verify=lambda part: verify_messages(part, len(parts), wanted.box, valid_time)
            )

    def _files(
        self, init_time: datetime, step: int, *, use_index: bool, variables: Sequence[str] = tuple(WEATHER)
    ) -> list[Any]:
        """Return the client's addresses, with `use_index` each with its (first byte, length) parts."""
        request = {
            "date": f"{init_time:%Y%m%d}",
            "time": init_time.hour,
            "stream": "oper",
            "type": "fc",
            "step": step,
            "param": [_PARAMETERS[name] for name in variables],
        }
        try:
            return list(self._client._get_urls(request, use_index=use_index).urls)
        except (KeyError, TypeError, ValueError) as error:
            where = f"{self._url}: index of {init_time:%Y-%m-%dT%HZ}, step {step} h"
            found = f"{type(error).__name__}: {error}"
            raise InputError(where, found, "JSON lines with param, type, step, _offset and _length") from error


def _published_steps(wanted: Wanted) -> list[int]:
    return [step for step in steps_of(wanted) if step % _STEP == 0]


class _Session:
    """The part of a requests session that the client uses, on top of `HttpClient`."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def get(self, url: str, **_: object) -> httpx.Response:
        text = self._http.text(url, expected="an index of JSON lines")
        return httpx.Response(200, text=text, request=httpx.Request("GET", url))
