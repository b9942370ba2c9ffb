"""Readers of monitoring collections, from their files into the contract.

Known are a bureau's own tables (`hazecast.grids.observations.tables`), recognised by ``stations.csv`` or ``mapping.toml``
beside them, the CSV layouts of `hazecast.grids.observations.layouts`, recognised by their columns, and
``observations.nc`` (with an optional ``city_weather.nc``) in the contract itself.

What a layout's stamps mean is said by its reader.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from hazecast.grids.contract import MEASURED_AIR, MEASURED_WEATHER, POLLUTANTS, check, describe
from hazecast.grids.errors import InputError
from hazecast.grids.observations.hourly_tables import Place, joined
from hazecast.grids.observations.layouts import Layout, read_layout
from hazecast.grids.observations.station_cities import city_means
from hazecast.grids.observations.tables.findings import Fault
from hazecast.grids.observations.tables.folder import by_station, holds_tables, read_folder
from hazecast.grids.places.cities import Registry, load_registry
from hazecast.grids.places.stations import ROADSIDE, load_stations
from hazecast.grids.quality import FLAG_ATTRS, MEASURED_ZERO, Reporting, count_flags, screen, solar_hours

log = logging.getLogger(__name__)

# A wrong year would need an axis of millions of hours.
_LONGEST = pd.Timedelta(days=40 * 365)

OBSERVATIONS_FILE, CITY_WEATHER_FILE = "observations.nc", "city_weather.nc"


@dataclass(frozen=True)
class MonitorData:
    """The contents of a collection.

    Attributes
    ----------
    observations : xarray.Dataset (time, city)
        Contract "observations", with ``<name>_flag`` and the number of valid stations,
        ``<name>_stations``.
    stations : xarray.Dataset (time, station) or None
        The same by station, with ``<name>_raw`` as published and coordinate ``city``.
    weather : xarray.Dataset (time, city) or None
        Contract "city_weather", the mean over a city's stations.
    station_weather : xarray.Dataset (time, city) or None
        The same by station: here ``city`` holds station names.
    counts : dict of str to int
        Faults found, by kind.
    source : str
    silent : tuple of str
        Ids of cities that have stations and no value here.
    faults : tuple of Fault
        Cells, rows and files that were left out, the first of each kind.
    doubts : tuple of str
        What the collection doesn't state and was assumed, or is not used for that.
    """

    observations: xr.Dataset
    stations: xr.Dataset | None
    weather: xr.Dataset | None
    station_weather: xr.Dataset | None
    counts: dict[str, int]
    source: str
    silent: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    doubts: tuple[str, ...] = ()


def read_observations(directory: Path, registry: Registry | None) -> MonitorData:
    """Read the collection in a folder.

    Parameters
    ----------
    directory : Path
        Folder of a bureau's tables, of ``*.csv`` or ``*.csv.gz`` files of one collection, or of ``observations.nc``.
    registry : Registry or None
        The cities that a collection may name; None for any.

    Returns
    -------
    MonitorData

    Raises
    ------
    InputError
        If the folder holds no known collection, or a file is broken: names the file, the
        column and what was expected.

    Examples
    --------
    >>> import csv
    >>> from tempfile import TemporaryDirectory
    >>> names = ["year", "month", "day", "hour", "PM_US Post", "DEWP", "HUMI", "PRES", "TEMP", "cbwd", "Iws"]
    >>> names.append("precipitation")
    >>> hours = [
    ...     [2013, 1, 12, 8, 250, -10, 80, 1025, -7, "NE", 1.8, 0],
    ...     [2013, 1, 12, 9, 270, -10, 80, 1025, -7, "NE", 3.6, 0],
    ... ]
    >>> with TemporaryDirectory() as folder:
    ...     with open(f"{folder}/beijing.csv", "w", newline="") as file:
    ...         csv.writer(file).writerows([names, *hours])
    ...     data = read_observations(Path(folder), load_registry())
    >>> data.observations["pm25"].sel(city="beijing").values.tolist()
    [250.0, 270.0]
    >>> str(data.observations["time"].values[0])
    '2013-01-12T01:00:00.000000000'
    """
    if not directory.is_dir():
        raise InputError("observations", directory, "a folder")
    if (directory / OBSERVATIONS_FILE).exists():
        return _read_contract(directory, registry)
    if holds_tables(directory):
        return _read_tables(directory, registry or load_registry())
    files = sorted([*directory.glob("*.csv"), *directory.glob("*.csv.gz")])
    if not files:
        raise InputError(
            str(directory),
            "no CSV or observations.nc",
            "a monitoring collection, or a bureau's tables beside stations.csv",
        )
    counts: Counter[str] = Counter()
    places: list[Place] = []
    layouts: dict[str, Layout] = {}
    for path in files:
        layout, found = read_layout(path, counts)
        layouts[layout.name] = layout
        places += found
    if len({layout.reporting for layout in layouts.values()}) > 1:
        raise InputError(str(directory), sorted(layouts), "networks that report alike; give each its own folder")
    reporting = next(iter(layouts.values())).reporting
    return _assemble(joined(places, counts), registry, counts, directory, reporting)


def _read_tables(directory: Path, registry: Registry) -> MonitorData:
    data = read_folder(directory, registry)
    places = []
    for code, hours in by_station(data).items():
        station = data.stations[code]
        weather = hours[[name for name in MEASURED_WEATHER if name in hours]]
        air = hours[[name for name in (*POLLUTANTS, *MEASURED_AIR) if name in hours]]
        places.append(
            Place(code, str(station.city), air, None if weather.empty else weather, station.siting, station.longitude)
        )
    if not places:
        named = "; ".join(map(str, data.findings.faults[:3]))
        raise InputError(
            str(directory), f"no value ({named})" if named else "no value", "at least one hour of a station"
        )
    # What was read and taken is no fault.
    counts = Counter({n: c for n, c in data.findings.counts.items() if not n.endswith(("_read", "_taken"))})
    found = _assemble(places, registry, counts, directory, MEASURED_ZERO)
    faults, doubts = tuple(data.findings.faults), tuple(data.findings.doubts)
    return replace(found, observations=_with_air(found.observations, places), faults=faults, doubts=doubts)


def _with_air(observations: xr.Dataset, places: list[Place]) -> xr.Dataset:
    times = pd.DatetimeIndex(observations["time"].values)
    arrays: dict[str, np.ndarray] = {}
    for name in MEASURED_AIR:
        if not any(name in place.table for place in places):
            continue
        arrays[name] = np.full((len(times), observations.sizes["city"]), np.nan, np.float32)
        for column, city in enumerate(observations["city"].values):
            own = [_air(place, name) for place in places if place.city == city and name in place.table]
            if own:
                arrays[name][:, column] = pd.concat(own).groupby(level=0).mean().reindex(times)
    return with_measured_air(observations, arrays)


def with_measured_air(observations: xr.Dataset, arrays: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Add the humidity and visibility that a city's stations measured.

    Parameters
    ----------
    observations : xarray.Dataset (time, city)
        Contract "observations".
    arrays : mapping of str to float (time, city)
        By the contract's name; visibility without hours of rain or snow, in which it is not haze that is seen.

    Returns
    -------
    xarray.Dataset (time, city)
    """
    added = observations.assign({name: (("time", "city"), values) for name, values in arrays.items()})
    return check(describe(added, "observations"), "observations", name=str(observations.attrs["source"]))


def _air(place: Place, name: str) -> pd.Series:
    values = place.table[name]
    if name == "visibility" and place.weather is not None and "tp" in place.weather:
        values = values.mask(place.weather["tp"] > 0.0)
    return values


def _assemble(
    places: list[Place], registry: Registry | None, counts: Counter[str], directory: Path, reporting: Reporting
) -> MonitorData:
    if registry is not None:
        for place in places:
            registry.city(place.city)
    if not any(name in place.table for place in places for name in POLLUTANTS):
        columns = sorted({str(name) for place in places for name in place.table})
        raise InputError(
            f"{directory}: columns", ", ".join(columns) or "weather alone", f"any of {', '.join(POLLUTANTS)}"
        )
    first = min(place.table.index[0] for place in places)
    last = max(place.table.index[-1] for place in places)
    if last - first > _LONGEST:
        raise InputError(
            f"{directory}: hours", f"{first} to {last} UTC", f"a collection within {_LONGEST.days // 365} years"
        )
    times = pd.date_range(first, last, freq="h")
    for city in sorted({place.city for place in places}):
        own = next(p for p in places if p.city == city).table.index
        counts["missing_hours"] += len(times) - len(own)
    source = f"{directory.name} ({len(places)} stations)"
    stations = _station_dataset(places, times, counts, source, registry or load_registry(), reporting)
    station_weather = _weather_dataset([(p.station, [p]) for p in places], times, source)
    cities = sorted({place.city for place in places})
    weather = _weather_dataset([(c, [p for p in places if p.city == c]) for c in cities], times, source)
    for name, number in sorted(counts.items()):
        if number:
            log.info("%s: %s: %d", directory.name, name, number)
    return MonitorData(city_means(stations, source), stations, weather, station_weather, dict(counts), source)


def _station_dataset(
    places: list[Place],
    times: pd.DatetimeIndex,
    counts: Counter[str],
    source: str,
    registry: Registry,
    reporting: Reporting,
) -> xr.Dataset:
    names = [name for name in POLLUTANTS if any(name in p.table for p in places)]
    dataset = xr.Dataset(
        coords={
            "time": times.to_numpy("datetime64[ns]"),
            "station": [p.station for p in places],
            "city": ("station", [p.city for p in places]),
        },
        attrs={"source": source},
    )
    raw: dict[str, np.ndarray] = {}
    for name in names:
        raw[name] = np.full((len(times), len(places)), np.nan, np.float32)
        for column, place in enumerate(places):
            if name in place.table:
                # A damaged number beyond the type's range becomes infinite, which is missing.
                with np.errstate(over="ignore"):
                    raw[name][:, column] = place.table[name].reindex(times)
    dims = ("time", "station")
    cities = [p.city for p in places]
    known = load_stations()
    siting = [p.siting or (ROADSIDE if known.is_roadside(p.station) else "") for p in places]
    dataset = dataset.assign_coords(siting=("station", siting))
    longitudes = [
        known.position(p.station, p.city, registry)[1] if p.longitude is None else p.longitude for p in places
    ]
    sun = solar_hours(dataset["time"].values, longitudes)
    # Beside a street ozone follows the traffic's NO, not the sun: its clock can't be tested by the hour of its peak.
    sun[:, np.array(siting) == ROADSIDE] = np.nan
    for name, (values, flags) in screen(raw, cities, reporting, solar_hour=sun).items():
        count_flags(counts, flags)
        dataset[name] = (dims, values)
        dataset[f"{name}_raw"] = (dims, raw[name], {"units": POLLUTANTS[name].units})
        dataset[f"{name}_flag"] = (dims, flags, FLAG_ATTRS)
    return check(describe(dataset, "observations"), "observations", name=source)


def _weather_dataset(groups: list[tuple[str, list[Place]]], times: pd.DatetimeIndex, source: str) -> xr.Dataset | None:
    tables = [(name, [m.weather for m in members if m.weather is not None]) for name, members in groups]
    names = {str(column): None for _, own in tables for table in own for column in table.columns}
    if not names:
        return None
    arrays = {name: np.full((len(times), len(groups)), np.nan, np.float32) for name in names}
    for column, (_, own) in enumerate(tables):
        if not own:
            continue
        total = own[0] if len(own) == 1 else pd.concat(own).groupby(level=0).mean()
        total = total.reindex(times)
        for name in total.columns:
            arrays[name][:, column] = total[name]
    dataset = xr.Dataset(
        {name: (("time", "city"), array) for name, array in arrays.items()},
        coords={"time": times.to_numpy("datetime64[ns]"), "city": [name for name, _ in groups]},
        attrs={"source": f"weather stations of {source}"},
    )
    return check(describe(dataset, "city_weather"), "city_weather", name=source)


def _read_contract(directory: Path, registry: Registry | None) -> MonitorData:
    observations = _open(directory / OBSERVATIONS_FILE)
    check(observations, "observations", name=str(directory / OBSERVATIONS_FILE))
    if registry is not None:
        for city in observations["city"].values:
            registry.city(str(city))
    weather = None
    if (directory / CITY_WEATHER_FILE).exists():
        weather = _open(directory / CITY_WEATHER_FILE)
        check(weather, "city_weather", name=str(directory / CITY_WEATHER_FILE))
    counts: Counter[str] = Counter()
    raw = {name: observations[name].values for name in POLLUTANTS if name in observations}
    for name, (values, flags) in screen(raw, [str(city) for city in observations["city"].values]).items():
        count_flags(counts, flags)
        observations[name] = (observations[name].dims, values, observations[name].attrs)
        observations[f"{name}_flag"] = (observations[name].dims, flags, FLAG_ATTRS)
    return MonitorData(observations, None, weather, None, dict(counts), str(observations.attrs["source"]))


def _open(path: Path) -> xr.Dataset:
    try:
        with xr.open_dataset(path, engine="netcdf4") as dataset:
            return dataset.load()
    except Exception as error:
        # On a damaged file the libraries raise nearly any exception.
        raise InputError(str(path), error, "a whole NetCDF file") from error
