"""Datasets as rows of the store's tables, and rows as Datasets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hazecast.grids.contract import CAMS_SUFFIX, FORECAST_POLLUTANTS, POLLUTANTS, check, describe
from hazecast.grids.times import to_datetime
from hazecast.services.store.tables.forecasts import ForecastRun

# Rows of so many cities are made and stored at once: some 25,000.
_CITIES_AT_ONCE = 200
_QUANTILE_COLUMNS = ("q10", "q25", "q50", "q75", "q90")


def forecast_digest(forecast: xr.Dataset) -> str:
    """Return a digest of a forecast's values: the same for the same forecast."""
    values = b"".join(np.ascontiguousarray(forecast[name].values).tobytes() for name in FORECAST_POLLUTANTS)
    return hashlib.sha256(values).hexdigest()[:16]


def run_row(forecast: xr.Dataset, netcdf_path: Path, map_path: Path, cycle_id: int, at: datetime) -> ForecastRun:
    """Return the row of a run.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast".
    netcdf_path, map_path : Path
        Files of the run.
    cycle_id : int
    at : datetime
        When it is stored, aware.

    Returns
    -------
    ForecastRun
    """
    return ForecastRun(
        cycle_id=cycle_id,
        init_time=to_datetime(forecast["init_time"].values),
        simulated=bool(forecast.attrs["simulated"]),
        degraded=bool(forecast.attrs["degraded"]),
        model_id=str(forecast.attrs["model_id"]),
        weather_source=str(forecast.attrs["weather_source"]),
        humidity_source=str(forecast.attrs.get("humidity_source", "")),
        observations_until=datetime.fromisoformat(str(forecast.attrs["observations_until"])),
        netcdf_path=str(netcdf_path),
        map_path=str(map_path),
        created_at=at,
    )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def value_rows(forecast: xr.Dataset, run_id: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a forecast's values, some cities at a time.

    Parameters
    ----------
    forecast : xarray.Dataset (lead_time, city, quantile)
        Contract "forecast".
    run_id : int

    Yields
    ------
    list of dict
        Columns of `ForecastValue`; None where a value is missing.
    """
    for start in range(0, forecast.sizes["city"], _CITIES_AT_ONCE):
        yield _value_rows(forecast.isel(city=slice(start, start + _CITIES_AT_ONCE)), run_id)


def _value_rows(forecast: xr.Dataset, run_id: int) -> list[dict[str, Any]]:
    hours = (forecast["lead_time"].values / np.timedelta64(1, "h")).astype(int)
    columns: dict[str, Any] = {"relative_humidity": forecast["relative_humidity"].values}
    for name in FORECAST_POLLUTANTS:
        columns[f"{name}_mean"] = forecast[f"{name}_mean"].values
        for number, column in enumerate(_QUANTILE_COLUMNS):
            columns[f"{name}_{column}"] = forecast[name].values[:, :, number]
        if f"{name}{CAMS_SUFFIX}" in forecast:
            columns[f"{name}{CAMS_SUFFIX}"] = forecast[f"{name}{CAMS_SUFFIX}"].values
    return [
        {"run_id": run_id, "city": str(city), "lead_time": int(hour)}
        | {name: _number(values[i, j]) for name, values in columns.items()}
        for i, hour in enumerate(hours)
        for j, city in enumerate(forecast["city"].values)
    ]


def in_parts(observations: xr.Dataset) -> Iterator[xr.Dataset]:
    """Yield observations some cities at a time."""
    for start in range(0, observations.sizes["city"], _CITIES_AT_ONCE):
        yield observations.isel(city=slice(start, start + _CITIES_AT_ONCE))


def observation_rows(observations: xr.Dataset, simulated: bool) -> list[dict[str, Any]]:
    """Return the rows of the observed hours of cities.

    Parameters
    ----------
    observations : xarray.Dataset (time, city)
        Contract "observations".
    simulated : bool

    Returns
    -------
    list of dict
        Columns of `Observation`; None where a value is missing.
    """
    times = [to_datetime(time) for time in observations["time"].values]
    cities = [str(city) for city in observations["city"].values]
    columns: dict[str, list[Any]] = {
        "time": [time for time in times for _ in cities],
        "city": cities * len(times),
        "simulated": [simulated] * (len(times) * len(cities)),
        "source": [str(observations.attrs["source"])] * (len(times) * len(cities)),
    }
    for name in (*POLLUTANTS, "pm25_flag", "o3_flag", "pm25_stations"):
        if name in observations:
            values = observations[name].transpose("time", "city").values.ravel()
            cells = values.astype(object)
            cells[~np.isfinite(values)] = None
            columns[name] = cells.tolist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def observation_dataset(rows: Sequence[Any], names: list[str], city: str | None) -> xr.Dataset:
    """Return stored observations as a Dataset.

    Parameters
    ----------
    rows : sequence of Row
        ``time`` (naive, UTC), ``source``, the pollutants of `names` and, where `city` is None, ``city``.
    names : list of str
        Pollutants.
    city : str or None
        The city that all rows are of.

    Returns
    -------
    xarray.Dataset (time, city)
        Contract "observations"; pollutants without any value are left out; float32.
    """
    stamps, sources, *values = zip(*rows, strict=True)
    times, at_time = np.unique(np.array(stamps, "datetime64[us]"), return_inverse=True)
    places, at_place = np.array([city]), np.zeros(len(rows), int)
    if city is None:
        places, at_place = np.unique(np.array(values.pop()), return_inverse=True)
    dataset = xr.Dataset(
        coords={"time": times.astype("datetime64[ns]"), "city": places.astype(object)},
        attrs={"source": "; ".join(sorted(set(sources)))},
    )
    for name, column in zip(names, values, strict=True):
        array = np.full((times.size, places.size), np.nan, np.float32)
        array[at_time, at_place] = np.array(column, np.float32)
        if np.isfinite(array).any():
            dataset[name] = (("time", "city"), array)
    if not dataset.data_vars:
        dataset["pm25"] = (("time", "city"), np.full((times.size, places.size), np.nan, np.float32))
    return check(describe(dataset, "observations"), "observations", name="stored observations")
