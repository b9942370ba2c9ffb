"""Model inputs: observations and weather as known at init time, on the hours a model reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from hazecast.grids.contract import HISTORY_HOURS, LEAD_HOURS, check
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import MonitorData
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.places.stations import load_stations
from hazecast.models.interface import Float
from hazecast.models.series import OBSERVED, WEATHER_NAMES, HourlySeries, Windows, WindowSet

HOUR = np.timedelta64(1, "h")
# PM2.5 of a city that has no observations yet, ug m-3, by country. Japan: the partner prefectures had 11 to 20 in 2011
# to 2016, falling (NIES, daily means); China: mean of the US posts in Beijing, Shanghai and Shenyang, 2019 and 2020.
_USUAL_PM25 = {"JP": 13.0, "CN": 38.0}


def utc_offset(time_zone: str, time: np.datetime64) -> float:
    """Return how far the local time of a time zone is ahead of UTC.

    Parameters
    ----------
    time_zone : str
        IANA name.
    time : datetime64
        UTC.

    Returns
    -------
    float
        Hours, negative west of Greenwich.

    Examples
    --------
    >>> utc_offset("Asia/Tokyo", np.datetime64("2013-01-12T00"))
    9.0
    """
    offset = pd.Timestamp(time, tz="UTC").tz_convert(time_zone).utcoffset()
    assert offset is not None
    return offset.total_seconds() / 3600


def stacked(
    dataset: xr.Dataset | None, names: Sequence[str], dim: str, places: Sequence[str], times: np.ndarray
) -> Float:
    """Put variables on exact `times` and `places`.

    Parameters
    ----------
    dataset : xarray.Dataset (time, `dim`) or None
    names : sequence of str
    dim : str
        ``city`` or ``station``.
    places : sequence of str
    times : datetime64[ns] (t,)

    Returns
    -------
    float32 (place, time, name)
        NaN where a variable, place or hour is absent.
    """
    result = np.full((len(places), len(times), len(names)), np.nan, np.float32)
    if dataset is None:
        return result
    on_axis = dataset.reindex({"time": times, dim: list(places)})
    for column, name in enumerate(names):
        if name in on_axis:
            result[..., column] = on_axis[name].transpose(dim, "time").values
    return result


def windows_at(
    observations: xr.Dataset,
    weather: xr.Dataset | None,
    cities: Sequence[City],
    init_time: np.datetime64,
    *,
    future_weather: xr.Dataset | None = None,
    weather_observed: bool = False,
    longer: xr.Dataset | None = None,
    guidance: Float | None = None,
) -> Windows:
    """Assemble the inputs of one forecast, one window a city.

    Parameters
    ----------
    observations : xarray.Dataset
        Contract "observations" on ``city``; hours after `init_time` are not read.
    weather : xarray.Dataset or None
        Contract "city_weather"; hours after `init_time` are not read.
    cities : sequence of City
    init_time : datetime64
        UTC, a whole hour.
    future_weather : xarray.Dataset or None
        Contract "city_weather" for the hours after `init_time`: a forecast issued before
        it, or observed weather in place of one.
    weather_observed : bool
        Whether `future_weather` was observed, not forecast.
    longer : xarray.Dataset, optional
        Observations that reach further back where `observations` holds the last days alone: from them a place's level
        is computed.
    guidance : float32 (city, lead, 2), optional
        Forecast of a chemistry model, ug m-3; see `hazecast.forecast.composition.composition_ahead`.

    Returns
    -------
    Windows

    Raises
    ------
    InputError
        If a Dataset breaks the contract, or `init_time` isn't a whole hour.
    """
    check(observations, "observations", name="observations")
    for name, dataset in (("weather", weather), ("future weather", future_weather)):
        if dataset is not None:
            check(dataset, "city_weather", name=name)
    now = init_time.astype("datetime64[ns]")
    if now != now.astype("datetime64[h]"):
        raise InputError("init_time", init_time, "a whole hour")
    ids = [city.id for city in cities]
    earliest = min(
        [now - HISTORY_HOURS * HOUR, *(d["time"].values[0] for d in (observations, longer) if d is not None)]
    )
    times = np.arange(earliest, now + (LEAD_HOURS + 1) * HOUR, HOUR)
    known = len(times) - LEAD_HOURS
    seen = stacked(observations, OBSERVED, "city", ids, times)
    if longer is not None:
        seen = np.where(np.isfinite(seen), seen, stacked(longer, OBSERVED, "city", ids, times))
    seen[:, known:] = np.nan
    air = stacked(weather, WEATHER_NAMES, "city", ids, times)
    air[:, known:] = stacked(future_weather, WEATHER_NAMES, "city", ids, times[known:])
    series = HourlySeries(
        observations=seen,
        weather=air,
        times=times,
        utc_offset=np.array([utc_offset(city.time_zone, now) for city in cities], np.float32),
        places=np.array(ids),
        latitude=np.array([city.latitude for city in cities], np.float32),
        longitude=np.array([city.longitude for city in cities], np.float32),
        area=np.arange(len(ids)),
        area_observations=seen,
        area_weather=air,
        prior=usual_levels(cities),
        issued_at=known - 1,
    )
    index = np.stack([np.zeros(len(ids)), np.arange(len(ids)), np.full(len(ids), known - 1)], axis=1).astype(np.int64)
    windows = WindowSet((series,), index).batch(np.arange(len(ids)), future_weather=True)
    return dataclasses.replace(
        windows,
        weather_error=np.full(len(ids), 0.0 if weather_observed else 1.0, np.float32),
        guidance=windows.guidance if guidance is None else guidance,
        target=None,
    )


def usual_levels(cities: Sequence[City]) -> Float:
    """Return the long-term mean concentrations that a city begins with, (city, 6), ug m-3; NaN where none is known."""
    return np.array(
        [[_USUAL_PM25.get(city.country, np.nan) if name == "pm25" else np.nan for name in OBSERVED] for city in cities],
        np.float32,
    )


def series_of(data: MonitorData, registry: Registry, *, stations: bool = True, cities: bool = True) -> HourlySeries:
    """Turn a collection into hourly series for training and backtests.

    Parameters
    ----------
    data : MonitorData
    registry : Registry
        Gives each place's time zone and position; for what isn't in it, `hazecast.grids.places.stations` does.
    stations, cities : bool
        Whether to take single stations, and city means. A city's only station is taken as the city.

    Returns
    -------
    HourlySeries
        float32 (place, hour, variable) and where each place is.

    Raises
    ------
    InputError
        If nothing is left to take.
    """
    times = data.observations["time"].values
    parts: list[tuple[list[str], Float, Float, list[str]]] = []
    if stations and data.stations is not None:
        owner = {
            str(s): str(c) for s, c in zip(data.stations["station"].values, data.stations["city"].values, strict=True)
        }
        # The only station of a city is the city itself.
        names = [name for name, city in owner.items() if not cities or list(owner.values()).count(city) > 1]
        parts.append((
            names,
            stacked(data.stations, OBSERVED, "station", names, times),
            stacked(data.station_weather, WEATHER_NAMES, "city", names, times),
            [owner[name] for name in names],
        ))  # fmt: skip
    names = [str(c) for c in data.observations["city"].values]
    means = stacked(data.observations, OBSERVED, "city", names, times)
    mean_weather = stacked(data.weather, WEATHER_NAMES, "city", names, times)
    if cities or not parts:
        parts.append((names, means, mean_weather, names))
    owners = [city for part in parts for city in part[3]]
    if not owners:
        raise InputError(data.source, "no places", "stations or cities with observations")
    places = [name for part in parts for name in part[0]]
    known = load_stations()
    position = [known.position(place, city, registry) for place, city in zip(places, owners, strict=True)]
    zones = [known.time_zone(city, registry) for city in owners]
    return HourlySeries(
        observations=np.concatenate([part[1] for part in parts]),
        weather=np.concatenate([part[2] for part in parts]),
        times=times,
        utc_offset=np.array([utc_offset(zone, times[0]) for zone in zones], np.float32),
        places=np.array(places),
        latitude=np.array([latitude for latitude, _ in position], np.float32),
        longitude=np.array([longitude for _, longitude in position], np.float32),
        area=np.array([names.index(city) for city in owners], np.int64),
        area_observations=means,
        area_weather=mean_weather,
    )
