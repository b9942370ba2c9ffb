"""Forecasts of a chemistry model at cities: the Dataset of the contract, and CAMS files of the Atmosphere Data Store.

Ozone is brought to the reference state of `hazecast.grids.units`, at which monitoring networks report gases: CAMS gives
the mass of ozone in a kilogram of air, and a kilogram of dry air has the volume that the state fixes, whatever the
height of the place.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hazecast.grids.contract import FORECAST_POLLUTANTS, POLLUTANTS, check, describe
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.weather.formats import unpacked
from hazecast.grids.weather.timeline import interpolated

# Dry air at 298.15 K and 1013.25 hPa, kg m-3: p M / (R T), M = 28.9647 g mol-1 and R = 8.314462618 J mol-1 K-1
# (US Standard Atmosphere 1976; CODATA 2018).
REFERENCE_DENSITY = 101_325.0 * 0.0289647 / (8.314462618 * 298.15)
# Contract name: the name in ECMWF's files, the units there and the factor to ug m-3.
_CAMS = {
    "pm25": ("pm2p5", ("kg m**-3", "kg m-3"), 1e9),
    "o3": ("go3", ("kg kg**-1", "kg kg-1"), 1e9 * REFERENCE_DENSITY),
}
# The lowest of the model's 137 levels, about 10 m above the ground.
LOWEST_LEVEL = 137
_HOUR = np.timedelta64(1, "h")
_Values = NDArray[np.floating]


def composition_of(
    values: Mapping[str, _Values],
    times: NDArray[np.datetime64],
    cities: Sequence[str],
    init_time: np.datetime64,
    source: str,
) -> xr.Dataset:
    """Return a chemistry model's forecast as a Dataset; what is missing or impossible is NaN and counted.

    Parameters
    ----------
    values : mapping of str to float (time, city)
        Of `hazecast.grids.contract.FORECAST_POLLUTANTS`, ug m-3. One that is absent, or has no value, is left out.
    times : datetime64 (time,)
        UTC, every hour.
    cities : sequence of str
        Ids.
    init_time : datetime64
        Of the run, UTC.
    source : str
        Its title.

    Returns
    -------
    xarray.Dataset (time, city)
        Contract "composition", float32, with the attribute ``unexpectedly_absent``: what is missing, in words.

    Raises
    ------
    InputError
        If nothing is left.

    Examples
    --------
    >>> hours = np.datetime64("2026-11-24T00", "ns") + np.arange(2) * np.timedelta64(1, "h")
    >>> made = composition_of({"pm25": np.array([[35.0], [-9.0]])}, hours, ["beijing"], hours[0], "example")
    >>> made["pm25"].values.ravel().tolist(), made.attrs["unexpectedly_absent"]
    ([35.0, nan], 'pm25: 1 of 2 values below 0 or above 2000 ug m-3; o3: no values')
    """
    dataset = xr.Dataset(coords={"time": times.astype("datetime64[ns]"), "city": list(cities)})
    absent = []
    for name in FORECAST_POLLUTANTS:
        array = np.asarray(values.get(name, np.full((len(times), len(cities)), np.nan)), np.float32)
        low, high = POLLUTANTS[name].low, POLLUTANTS[name].high
        impossible = (array < low) | (array > high)
        nulls = int(np.isnan(array).sum())
        if impossible.any():
            absent.append(
                f"{name}: {int(impossible.sum())} of {array.size} values below {low:g} or above {high:g} ug m-3"
            )
        array = np.where(impossible, np.float32(np.nan), array)
        if not np.isfinite(array).any():
            absent.append(f"{name}: no values")
            continue
        if nulls:
            absent.append(f"{name}: {nulls} of {array.size} values are missing")
        dataset[name] = (("time", "city"), array)
    if not dataset.data_vars:
        raise InputError(f"{source}: values", "; ".join(absent), f"any of {', '.join(FORECAST_POLLUTANTS)}")
    issued = np.datetime_as_string(init_time, unit="s") + "Z"
    dataset = dataset.assign_attrs(source=source, init_time=issued, unexpectedly_absent="; ".join(absent))
    return check(describe(dataset, "composition"), "composition", name=source)


def read_cams(paths: Sequence[Path], cities: Sequence[City], source: str, hours: int | None = None) -> xr.Dataset:
    """Read a run of CAMS's global forecasts at cities, as the Atmosphere Data Store delivers it.

    Grids are sampled bilinearly; ozone, which comes every 3 h, is interpolated linearly between the steps.

    Parameters
    ----------
    paths : sequence of Path
        NetCDF files (forecast_period, forecast_reference_time, latitude, longitude), with a level where there is one,
        or zip archives of them. Together they hold ``pm2p5`` (kg m-3), ``go3`` (kg kg-1, of the lowest level) or both.
    cities : sequence of City
    source : str
        Its title.
    hours : int, optional
        How far the run reaches; hours that the files lack are missing values. By default as far as the files.

    Returns
    -------
    xarray.Dataset (time, city)
        Contract "composition", every hour.

    Raises
    ------
    InputError
        If a file can't be read, has another layout, unit or level, holds several runs or another one than the others,
        or doesn't contain a city.
    """
    parts: dict[str, xr.DataArray] = {}
    runs: set[np.datetime64] = set()
    for path in paths:
        with _files_of(path) as files:
            for file in files:
                found, run = _read(file, cities)
                parts |= found
                runs.add(run)
    if len(runs) != 1:
        raise InputError(f"{source}: forecast_reference_time", sorted(map(str, runs)), "one run")
    (run,) = runs
    if not parts:
        raise InputError(f"{source}: variables", "none", f"any of {', '.join(name for name, *_ in _CAMS.values())}")
    last = max(part["time"].values[-1] for part in parts.values()) if hours is None else run + hours * _HOUR
    times = np.arange(run, last + _HOUR, _HOUR)
    values = {name: interpolated(part["time"].values, part.values, times) for name, part in parts.items()}
    composition = composition_of(values, times, [city.id for city in cities], run, source)
    said = [composition.attrs["unexpectedly_absent"], *(_holes(name, part) for name, part in parts.items())]
    return composition.assign_attrs(unexpectedly_absent="; ".join(filter(None, said)))


def _holes(name: str, part: xr.DataArray) -> str:
    """Return how many steps a forecast lacks between others, in words; over short gaps they are interpolated."""
    steps = np.diff(part["time"].values) / _HOUR
    lost = int((steps / steps.min() - 1).sum()) if steps.size else 0
    return f"{name}: {lost} of {lost + steps.size + 1} steps are missing between others" if lost else ""


@contextmanager
def _files_of(path: Path) -> Iterator[list[Path]]:
    if not zipfile.is_zipfile(path):
        yield [path]
        return
    with unpacked(path) as folder:
        files = sorted(folder.glob("*.nc"))
        if not files:
            raise InputError(str(path), "no .nc file", "NetCDF files in the archive")
        yield files


def _read(path: Path, cities: Sequence[City]) -> tuple[dict[str, xr.DataArray], np.datetime64]:
    """Return the variables (time, city) of one file, ug m-3, and the run that they are of."""
    try:
        with xr.open_dataset(path, engine="netcdf4", decode_timedelta=False) as opened:
            raw = opened.load()
    except Exception as error:
        # On a damaged file the libraries raise nearly any exception.
        raise InputError(str(path), error, "a whole NetCDF file") from error
    times, run = _times(raw, path)
    found = {}
    for name, (own, units, factor) in _CAMS.items():
        if own not in raw:
            continue
        if raw[own].attrs.get("units") not in units:
            raise InputError(f"{path}: {own} units", raw[own].attrs.get("units"), f"one of {', '.join(units)}")
        array = _at_cities(_one_level(raw[own], path), cities, path) * factor
        array = array.rename(forecast_period="time").assign_coords(time=times).transpose("time", "city")
        found[name] = array.astype(np.float32)
    return found, run


def _times(raw: xr.Dataset, path: Path) -> tuple[NDArray[np.datetime64], np.datetime64]:
    for dim in ("forecast_period", "forecast_reference_time", "latitude", "longitude"):
        if dim not in raw.dims or dim not in raw.coords:
            raise InputError(f"{path}: dimensions", tuple(raw.dims), "those of a forecast of the Atmosphere Data Store")
    runs, periods = raw["forecast_reference_time"].values, raw["forecast_period"]
    if runs.size != 1 or not np.issubdtype(runs.dtype, np.datetime64):
        raise InputError(f"{path}: forecast_reference_time", runs, "one time")
    if periods.attrs.get("units") not in ("hours", "hour", "h"):
        raise InputError(f"{path}: forecast_period units", periods.attrs.get("units"), "hours")
    hours = periods.values.astype(float)
    if not (hours == np.round(hours)).all() or not (np.diff(hours) > 0).all():
        raise InputError(f"{path}: forecast_period", hours, "whole hours, increasing")
    run = runs.astype("datetime64[ns]")[0]
    return run + hours.astype(np.int64) * _HOUR, run


def _one_level(array: xr.DataArray, path: Path) -> xr.DataArray:
    """Drop the dimensions of the run and the level, which must be the lowest one."""
    for dim in set(array.dims) - {"forecast_period", "latitude", "longitude"}:
        if array.sizes[dim] != 1:
            raise InputError(f"{path}: {array.name} {dim}", f"{array.sizes[dim]} of them", "one")
        if "level" in str(dim) and dim in array.coords and int(array[dim].values[0]) != LOWEST_LEVEL:
            raise InputError(f"{path}: {array.name} {dim}", array[dim].values[0], str(LOWEST_LEVEL))
        array = array.squeeze(dim, drop=True)
    return array.drop_vars([c for c in array.coords if c not in array.dims])


def _at_cities(array: xr.DataArray, cities: Sequence[City], path: Path) -> xr.DataArray:
    longitude = (array["longitude"] + 180.0) % 360.0 - 180.0
    array = array.assign_coords(longitude=longitude).sortby("longitude").sortby("latitude")
    lat, lon = array["latitude"].values, array["longitude"].values
    for city in cities:
        if not (lat[0] <= city.latitude <= lat[-1] and lon[0] <= city.longitude <= lon[-1]):
            found = f"{lat[0]:g} to {lat[-1]:g} N, {lon[0]:g} to {lon[-1]:g} E"
            raise InputError(f"{path}: grid", found, f"one that holds {city.id}")
    ids = [city.id for city in cities]
    points = {
        axis: xr.DataArray([getattr(city, axis) for city in cities], dims="city", coords={"city": ids})
        for axis in ("latitude", "longitude")
    }
    return array.astype(np.float64).interp(points, method="linear").drop_vars(["latitude", "longitude"])
