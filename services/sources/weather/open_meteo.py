"""Open-Meteo: weather at points as JSON, forecast and archive, without a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hazecast.grids.contract import HISTORY_HOURS, WEATHER, check, describe, within_limits
from hazecast.grids.derived import dew_point
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.weather.wind import wind_of
from hazecast.services.core.settings import Settings
from hazecast.services.sources.errors import FetchError
from hazecast.services.sources.http import HttpClient, Patience
from hazecast.services.sources.open_meteo_answers import (
    column_of,
    hourly_of,
    hours_of,
    keyed,
    places_of,
    refuse_other_hours,
    run_times,
)
from hazecast.services.sources.weather.interface import Cycle, NoCycleError, Wanted, is_late, with_provenance
from hazecast.services.sources.weather.values import refuse_impossible

URL = "https://api.open-meteo.com"
# Runs as issued, of IFS since March 2024 (https://open-meteo.com/en/docs/single-runs-api).
RUNS_URL = "https://single-runs-api.open-meteo.com"
ARCHIVE_URL = "https://archive-api.open-meteo.com"
# The name of the model in requests and in its metadata: IFS at 9 km, hourly, with the
# boundary layer's height.
MODEL = "ecmwf_ifs"
ARCHIVE_MODEL = "era5"
DELAY = timedelta(hours=9)
_CITIES_A_CALL = 50
_FARTHEST_DEGREES = 0.5
_UNITS = {
    "temperature_2m": "°C",
    "dew_point_2m": "°C",
    "relative_humidity_2m": "%",
    "wind_speed_10m": "m/s",
    "wind_direction_10m": "°",
    "surface_pressure": "hPa",
    "boundary_layer_height": "m",
    "precipitation": "mm",
    "cloud_cover": "%",
    "shortwave_radiation": "W/m²",
}
# Contract name -> name in the interface, factor and offset. Precipitation is the sum and radiation the
# mean of the hour before the time stamp, as in the contract.
_PLAIN = {
    "t2m": ("temperature_2m", 1.0, 273.15),
    "d2m": ("dew_point_2m", 1.0, 273.15),
    "sp": ("surface_pressure", 100.0, 0.0),
    "blh": ("boundary_layer_height", 1.0, 0.0),
    "tp": ("precipitation", 1.0, 0.0),
    "tcc": ("cloud_cover", 0.01, 0.0),
    "ssrd": ("shortwave_radiation", 1.0, 0.0),
}


class OpenMeteo:
    """Open-Meteo's forecast and archive at cities.

    Parameters
    ----------
    url, archive_url : str
        Base URLs of the two interfaces.
    key : str
        For customers, with a base URL of their own; empty for free, non-commercial use.
    model : str
        A model that the publisher offers under the same name in requests and metadata.
    patience : Patience, optional
    runs_url : str
        Base URL of the interface of earlier runs.
    """

    name = "open_meteo"
    attribution = "Weather data by Open-Meteo.com, CC BY 4.0 (https://open-meteo.com/)"
    lacks: frozenset[str] = frozenset()

    def __init__(
        self,
        url: str = URL,
        archive_url: str = ARCHIVE_URL,
        key: str = "",
        model: str = MODEL,
        patience: Patience | None = None,
        *,
        runs_url: str = RUNS_URL,
    ) -> None:
        self._runs_url = runs_url.rstrip("/")
        self._url, self._archive_url = url.rstrip("/"), archive_url.rstrip("/")
        self._key, self._model = key, model
        self._http = HttpClient(patience, secrets=(key,))
        self.traffic = self._http.traffic

    @classmethod
    def from_settings(cls, settings: Settings, patience: Patience | None = None) -> OpenMeteo:
        """Make the source from the settings; a `WeatherSourceFactory`.

        Parameters
        ----------
        settings : Settings
        patience : Patience, optional
            Time-outs and retries.

        Returns
        -------
        OpenMeteo
        """
        key = settings.publishers.open_meteo_key.get_secret_value()
        return cls(
            settings.publishers.open_meteo_url,
            settings.publishers.open_meteo_archive_url,
            key,
            settings.publishers.open_meteo_model,
            patience,
            runs_url=settings.publishers.open_meteo_runs_url,
        )

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
            If the run is later than `before`.
        """
        init_time = self._run()
        if init_time > before:
            raise NoCycleError(self._url, f"the run of {init_time:%Y-%m-%dT%HZ}", f"one by {before:%Y-%m-%dT%H:%MZ}")
        return Cycle(self.name, init_time, is_late(init_time, before, DELAY))

    def fetch(self, cycle: Cycle, wanted: Wanted, scratch: Path) -> xr.Dataset:
        """Fetch the run at the cities, with the past days that a forecast needs as input.

        The answer doesn't name its run. If a newer run was published meanwhile, the Dataset gets its
        init time, so that weather is never assigned an init time earlier than its own.

        Parameters
        ----------
        cycle : Cycle
        wanted : Wanted
        scratch : Path
            Not used.

        Returns
        -------
        xarray.Dataset
            Contract "city_weather".
        """
        first = cycle.init_time - timedelta(hours=HISTORY_HOURS)
        last, options = cycle.init_time + timedelta(hours=wanted.hours), {"models": self._model}
        dataset, missing = self._hours(self._url, wanted, first, last, options)
        newest = replace(cycle, init_time=max(cycle.init_time, self._run()))
        return with_provenance(dataset, newest, self.attribution, f"Open-Meteo, {self._model}", missing)

    def fetch_past(self, cycle: Cycle, wanted: Wanted, scratch: Path) -> xr.Dataset:
        """Fetch an earlier run at the cities as it was issued; it holds nothing before its init time.

        Parameters
        ----------
        cycle : Cycle
        wanted : Wanted
        scratch : Path
            Not used.

        Returns
        -------
        xarray.Dataset
            Contract "city_weather".

        Raises
        ------
        NoCycleError
            If the publisher refuses the run.
        """
        first, last = cycle.init_time, cycle.init_time + timedelta(hours=wanted.hours)
        options = {"models": self._model, "run": f"{first:%Y-%m-%dT%H:%M}"}
        try:
            dataset, missing = self._hours(self._runs_url, wanted, first, last, options)
        except FetchError as error:
            if error.status not in (400, 404):
                raise
            raise NoCycleError(error.url, error.found, "a run that is still kept", status=error.status) from error
        return with_provenance(dataset, cycle, self.attribution, f"Open-Meteo, {self._model}", missing)

    def archive(self, cities: Sequence[City], first: date, last: date) -> xr.Dataset:
        """Fetch reanalysis (ERA5) at cities; it ends about 5 days ago.

        Parameters
        ----------
        cities : sequence of City
        first, last : date
            UTC days, both included.

        Returns
        -------
        xarray.Dataset
            Contract "city_weather", an analysis without ``init_time``.
        """
        period = {"models": ARCHIVE_MODEL, "start_date": f"{first:%Y-%m-%d}", "end_date": f"{last:%Y-%m-%d}"}
        address = f"{self._archive_url}/v1/archive"
        dataset, _ = self._points(address, cities, period)
        start, end = (datetime.combine(day, time(), UTC) for day in (first, last))
        refuse_other_hours(dataset["time"].values, start, end + timedelta(hours=23), address)
        dataset = dataset.assign({n: within_limits(dataset[n], n, address) for n in WEATHER if n in dataset})
        refuse_impossible(dataset, address, each_time=False)
        absent = " ".join(name for name in WEATHER if name not in dataset)
        return dataset.assign_attrs(
            source="ERA5 at points by Open-Meteo", attribution=self.attribution, absent_variables=absent
        )

    def _run(self) -> datetime:
        return run_times(self._http, self._url, self._model, self._key)[0]

    def _hours(
        self, url: str, wanted: Wanted, first: datetime, last: datetime, options: Mapping[str, str]
    ) -> tuple[xr.Dataset, dict[str, str]]:
        """Fetch the hours of a run that were asked for."""
        address = f"{url}/v1/forecast"
        period = {name: f"{at:%Y-%m-%dT%H:%M}" for name, at in (("start_hour", first), ("end_hour", last))}
        dataset, missing = self._points(address, wanted.cities, {**options, **period}, wanted.variables)
        refuse_other_hours(dataset["time"].values, first, last, address)
        return dataset, missing

    def _points(
        self,
        url: str,
        cities: Sequence[City],
        options: Mapping[str, str],
        variables: Sequence[str] = tuple(WEATHER),
    ) -> tuple[xr.Dataset, dict[str, str]]:
        parts, missing = [], {}
        for start in range(0, len(cities), _CITIES_A_CALL):
            batch = cities[start : start + _CITIES_A_CALL]
            places = {
                "latitude": ",".join(f"{city.latitude:.4f}" for city in batch),
                "longitude": ",".join(f"{city.longitude:.4f}" for city in batch),
            }
            fixed = {
                "hourly": ",".join(_fields(variables)),
                "timezone": "GMT",
                "timeformat": "unixtime",
                "wind_speed_unit": "ms",
            }
            answer = self._http.json(url, params=keyed(self._key, {**places, **fixed, **options}))
            part, absent = read_points(answer, batch, url, variables)
            parts.append(part)
            missing.update(absent)
        try:
            joined = xr.concat(parts, dim="city", join="exact", combine_attrs="override")
        except ValueError as error:
            raise InputError(f"{url}: hourly.time", error, "the same hours for all cities") from error
        return check(describe(joined, "city_weather"), "city_weather", name=url), missing


def _fields(variables: Sequence[str]) -> list[str]:
    """Return the names in the interface that contract variables are made of, in its order."""
    names = {_PLAIN[name][0] for name in variables if name in _PLAIN}
    if "d2m" in variables:
        # Where the dew point is missing it is derived.
        names |= {"temperature_2m", "relative_humidity_2m"}
    if "u10" in variables or "v10" in variables:
        names |= {"wind_speed_10m", "wind_direction_10m"}
    return [name for name in _UNITS if name in names]


def read_points(
    answer: Any, cities: Sequence[City], where: str, variables: Sequence[str] = tuple(WEATHER)
) -> tuple[xr.Dataset, dict[str, str]]:
    """Convert an answer to weather at cities.

    Parameters
    ----------
    answer : object
        Decoded JSON: an object for one city, a list of them for several, in the order of the request.
    cities : sequence of City
    where : str
        Its address, for errors.
    variables : sequence of str
        Contract variables that were asked for.

    Returns
    -------
    dataset : xarray.Dataset
        Contract "city_weather". Where the dew point is missing it is derived from temperature
        and relative humidity, and named in attribute ``derived_variables``.
    missing : dict of str to str
        Contract variables that are missing, each with what was found.

    Raises
    ------
    InputError
        If a field is absent, or has another unit, length or place.
    """
    places = places_of(answer, cities, where)
    times = None
    columns: dict[str, list[np.ndarray]] = {name: [] for name in _fields(variables)}
    for place, city in zip(places, cities, strict=True):
        here = f"{where}: {city.id}"
        hourly, units = hourly_of(place, city, here, _FARTHEST_DEGREES)
        own = hours_of(hourly, here)
        if times is None:
            times = own
        elif not np.array_equal(times, own):
            raise InputError(f"{here} hourly.time", "other hours", "those of the first city")
        for name, column in columns.items():
            column.append(column_of(hourly, units, name, (_UNITS[name],), len(own), here))
    assert times is not None
    values = {name: np.stack(column, axis=1) for name, column in columns.items()}
    return _contract(values, times, cities, variables)


def _contract(
    values: Mapping[str, np.ndarray], times: np.ndarray, cities: Sequence[City], variables: Sequence[str]
) -> tuple[xr.Dataset, dict[str, str]]:
    result: dict[str, np.ndarray] = {
        name: values[own] * factor + offset for name, (own, factor, offset) in _PLAIN.items() if own in values
    }
    if "wind_speed_10m" in values:
        names = ("wind_speed_10m", "wind_direction_10m")
        speed, origin = (values[name] for name in names)
        result["u10"], result["v10"] = wind_of(speed, origin, *(f"Open-Meteo: hourly.{name}" for name in names))
    from_humidity = False
    if "relative_humidity_2m" in values:
        stated = result["d2m"]
        result["d2m"] = np.where(np.isnan(stated), dew_point(result["t2m"], values["relative_humidity_2m"]), stated)
        from_humidity = bool((np.isnan(stated) & ~np.isnan(result["d2m"])).any())
    wanted = [name for name in WEATHER if name in variables]
    known = {name: array for name in wanted if not np.isnan(array := result[name]).all()}
    missing = {name: "no values" for name in wanted if name not in known}
    if not known:
        raise InputError("Open-Meteo: hourly", "no values at all", f"any of {sorted(values)}")
    dataset = xr.Dataset(
        {name: (("time", "city"), array.astype(np.float32)) for name, array in known.items()},
        coords={"time": times, "city": [city.id for city in cities]},
        attrs={"source": "Open-Meteo", "derived_variables": "d2m" if from_humidity else ""},
    )
    return check(describe(dataset, "city_weather"), "city_weather", name="Open-Meteo"), missing
