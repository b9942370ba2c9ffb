"""Open-Meteo's air quality: CAMS global forecasts at the cities, as JSON, without a key.

Interface from the publisher's own description and code; not tried against the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hazecast.grids.composition import REFERENCE_DENSITY, composition_of
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.times import to_datetime64
from hazecast.services.core.settings import Settings
from hazecast.services.sources.composition.interface import ATTRIBUTION, RUN_HOURS, RUN_PERIOD
from hazecast.services.sources.http import HttpClient, Patience
from hazecast.services.sources.open_meteo_answers import (
    RUN,
    SERVED_SINCE,
    column_of,
    hourly_of,
    hours_of,
    keyed,
    places_of,
    refuse_other_hours,
    run_times,
)
from hazecast.services.sources.weather.interface import Cycle, NoCycleError, Wanted, is_late
from hazecast.services.sources.weather.values import refuse_one_value

URL = "https://air-quality-api.open-meteo.com"
MODEL = "cams_global"
TITLE = "CAMS global by Open-Meteo"
# A run was served 10.3 h after its init time on 2026-09-01.
DELAY = timedelta(hours=12)
# The publisher advises to wait 10 to 15 minutes until all of its servers have a run.
_SPREADING = timedelta(minutes=15)
_CITIES_A_CALL = 50
# The model's own cells are of 0.4 degree.
_FARTHEST_DEGREES = 0.4
_MICROGRAMS = ("\u03bcg/m\u00b3", "\u00b5g/m\u00b3")
# The publisher multiplies CAMS's mixing ratios by this density of air, kg m-3 (its CamsDomain.swift); Hazecast's
# ozone is at the reference state.
_PUBLISHERS_DENSITY = 1.223803
_VARIABLES = {"pm25": ("pm2_5", 1.0), "o3": ("ozone", REFERENCE_DENSITY / _PUBLISHERS_DENSITY)}


class OpenMeteoComposition:
    """The current run of CAMS at cities, fifty cities a call.

    Parameters
    ----------
    url : str
        Base URL.
    key : str
        For customers, with a base URL of their own; empty for free, non-commercial use.
    patience : Patience, optional
    """

    name = "open_meteo"
    attribution = f"Air quality data by Open-Meteo.com, CC BY 4.0 (https://open-meteo.com/); {ATTRIBUTION}"
    lacks: frozenset[str] = frozenset()

    def __init__(self, url: str = URL, key: str = "", patience: Patience | None = None) -> None:
        self._url, self._key = url.rstrip("/"), key
        self._http = HttpClient(patience, secrets=(key,))
        self.traffic = self._http.traffic

    @classmethod
    def from_settings(cls, settings: Settings, patience: Patience | None = None) -> OpenMeteoComposition:
        """Make the source from the settings; a `CompositionSourceFactory`.

        Parameters
        ----------
        settings : Settings
        patience : Patience, optional
            Time-outs and retries.

        Returns
        -------
        OpenMeteoComposition
        """
        key = settings.publishers.open_meteo_key.get_secret_value()
        return cls(settings.publishers.open_meteo_air_url, key, patience)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def newest_cycle(self, before: datetime, wanted: Wanted) -> Cycle:
        """Return the run that the publisher serves; older ones can't be requested.

        Parameters
        ----------
        before : datetime
            Aware; no later cycle is considered.
        wanted : Wanted

        Returns
        -------
        Cycle

        Raises
        ------
        NoCycleError
            If the run is later than `before`, or not yet on all of the publisher's servers.
        """
        init_time, available = run_times(self._http, self._url, MODEL, self._key, (RUN, SERVED_SINCE))
        if max(init_time, available + _SPREADING) > before:
            found = f"the run of {init_time:%Y-%m-%dT%HZ}, served since {available:%Y-%m-%dT%H:%MZ}"
            raise NoCycleError(self._url, found, f"one that all servers have by {before:%Y-%m-%dT%H:%MZ}")
        return Cycle(self.name, init_time, is_late(init_time, before, DELAY, RUN_PERIOD))

    def fetch(self, cycle: Cycle, wanted: Wanted, scratch: Path) -> xr.Dataset:
        """Fetch the hours of the run at the cities.

        The answer doesn't name its run. If a newer one was published meanwhile, the Dataset gets its init time, so that a
        forecast is never taken for an earlier one.

        Parameters
        ----------
        cycle : Cycle
        wanted : Wanted
        scratch : Path
            Not used.

        Returns
        -------
        xarray.Dataset
            Contract "composition".

        Raises
        ------
        FetchError, InputError
            If the publisher can't be reached, or its answer isn't what it documents.
        """
        address, parts = f"{self._url}/v1/air-quality", []
        first, last = cycle.init_time, cycle.init_time + timedelta(hours=min(wanted.hours, RUN_HOURS))
        for start in range(0, len(wanted.cities), _CITIES_A_CALL):
            batch = wanted.cities[start : start + _CITIES_A_CALL]
            asked = {
                "latitude": ",".join(f"{city.latitude:.4f}" for city in batch),
                "longitude": ",".join(f"{city.longitude:.4f}" for city in batch),
                "hourly": ",".join(variable for variable, _ in _VARIABLES.values()),
                "domains": MODEL,
                "timezone": "GMT",
                "timeformat": "unixtime",
                "start_hour": f"{first:%Y-%m-%dT%H:%M}",
                "end_hour": f"{last:%Y-%m-%dT%H:%M}",
            }
            parts.append(read_points(self._http.json(address, params=keyed(self._key, asked)), batch, address))
        times = parts[0][0]
        refuse_other_hours(times, first, last, address)
        if any(not np.array_equal(times, other) for other, _ in parts):
            raise InputError(f"{address}: hourly.time", "other hours", "the same hours for all cities")
        newest = replace(cycle, init_time=max(cycle.init_time, run_times(self._http, self._url, MODEL, self._key)[0]))
        # Hours that the answer lacks are missing values.
        asked_for = np.arange(to_datetime64(first), to_datetime64(last) + 1, np.timedelta64(1, "h"))
        values = {}
        for name in _VARIABLES:
            values[name] = np.full((len(asked_for), len(wanted.cities)), np.nan)
            given = np.concatenate([columns[name] for _, columns in parts], axis=1)
            values[name][np.isin(asked_for, times)] = given
            refuse_one_value(given, f"{address}: {name}", "ug m-3")
        ids = [city.id for city in wanted.cities]
        issue = composition_of(values, asked_for, ids, to_datetime64(newest.init_time), TITLE)
        return issue.assign_attrs(attribution=self.attribution, late=int(newest.late))


def read_points(answer: Any, cities: Sequence[City], where: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Convert an answer to concentrations at cities.

    Parameters
    ----------
    answer : object
        Decoded JSON: an object for one city, a list of them for several, in the order of the request.
    cities : sequence of City
    where : str
        Its address, for errors.

    Returns
    -------
    times : datetime64[ns] (time,)
    columns : dict of str to float64 (time, city)
        PM2.5 and, at the reference state, ozone, ug m-3; NaN where a value is null or a variable absent.

    Raises
    ------
    InputError
        If a field is absent, or has another unit, length or place.
    """
    columns: dict[str, list[np.ndarray]] = {name: [] for name in _VARIABLES}
    times = None
    for place, city in zip(places_of(answer, cities, where), cities, strict=True):
        here = f"{where}: {city.id}"
        hourly, units = hourly_of(place, city, here, _FARTHEST_DEGREES)
        own = hours_of(hourly, here)
        times = own if times is None else times
        if not np.array_equal(times, own):
            raise InputError(f"{here} hourly.time", "other hours", "those of the first city")
        for name, (variable, factor) in _VARIABLES.items():
            columns[name].append(factor * column_of(hourly, units, variable, _MICROGRAMS, len(own), here))
    assert times is not None
    return times, {name: np.stack(column, axis=1) for name, column in columns.items()}
