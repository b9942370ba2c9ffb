"""Observations of monitoring stations in the store: written without repeating or losing any, and read for a forecast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xarray as xr
from sqlalchemy import Connection, Row, bindparam, insert, select, update

from hazecast.grids.contract import HISTORY_HOURS, POLLUTANTS, check, describe
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import MonitorData, with_measured_air
from hazecast.grids.observations.station_cities import NetworkStation, city_means
from hazecast.grids.places.cities import Registry
from hazecast.grids.places.stations import load_stations
from hazecast.grids.quality import (
    DISTRUSTED,
    DUPLICATE,
    FLAG_ATTRS,
    GOOD,
    IMPOSSIBLE,
    MISSING,
    MODELLED,
    NEGATIVE,
    SENTINELS,
    Reporting,
    count_flags,
    screen,
    solar_hours,
)
from hazecast.grids.times import to_datetime64
from hazecast.grids.units import REFERENCE_STATE
from hazecast.services.sources.monitors.interface import HOUR, MEASURED, Batch, MonitorSource, Reading, SourceKind
from hazecast.services.store.locks import lock_until_commit
from hazecast.services.store.measured_weather import city_values, flagged
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import EarlierValue, MonitorStation, StationObservation
from hazecast.services.store.upsert import upsert

# Flags may still change for this long: a clock or a unit shows itself over days.
_OPEN_HOURS = 168
# Hours before and after that are read with them, so that a stuck run isn't cut at the edge.
_EDGE_HOURS = 72
_KEY = ("station_id", "time", "pollutant")
_KEY_PARAMETERS = tuple(f"of_{name}" for name in _KEY)
_Key = tuple[str, datetime, str]
_Obs = StationObservation


@dataclass(frozen=True)
class Saved:
    """The outcome of storing a batch, as counts of values; `reflagged` are of those stored before.

    `distrusted` are the new or revised ones that are in error together with others: a network that fails as a whole, or
    repeats the day before. `usable` are the stations, times and pollutants of all values of the batch that can be used.
    """

    new: int
    revised: int
    unchanged: int
    reflagged: int
    distrusted: int = 0
    usable: frozenset[_Key] = frozenset()


def save_readings(store: Store, source: MonitorSource, batch: Batch, registry: Registry, now: datetime) -> Saved:
    """Store the readings of a fetch, in one transaction.

    Readings that are there already change nothing. Where the publisher has changed a value, the
    earlier one is kept in its own table. The flags of the week before are computed again, for
    a spike or a clock that is off shows only in later values.

    Parameters
    ----------
    store : Store
        Migrated.
    source : MonitorSource
    batch : Batch
    registry : Registry
        Gives each city's longitude, for the sun.
    now : datetime
        When it was fetched, aware.

    Returns
    -------
    Saved
        Counts of values.
    """
    readings = {(r.station, r.time.astimezone(UTC), r.pollutant): r for r in batch.readings}
    if not readings:
        return Saved(0, 0, 0, 0)
    with store.writing() as connection:
        lock_until_commit(connection, "station observations")
        upsert(connection, MonitorStation, [_station_row(s, source.kind) for s in batch.stations.values()])
        times = [time for _, time, _ in readings]
        present = _present(connection, list(batch.stations), min(times), max(times))
        new = [r for key, r in readings.items() if key not in present]
        revised = [(present[key], r) for key, r in readings.items() if key in present and _differs(present[key], r)]
        _revise(connection, revised, now)
        if new:
            connection.execute(insert(_Obs), [_row(r, 0, now) for r in new])
        # Values that fill a hole also show what later ones are: as if they had come in time.
        period = min(min(times), max(times) - _OPEN_HOURS * HOUR), max(times) + _OPEN_HOURS * HOUR
        changed = _rescreen(connection, source.name, source.reporting, registry, *period)
    fresh = {(r.station, r.time, r.pollutant) for r in new} | {(r.station, r.time, r.pollutant) for _, r in revised}
    unchanged = len(readings) - len(fresh)
    distrusted = sum(changed.get(key) in (DISTRUSTED, DUPLICATE) for key in fresh)
    usable = frozenset(
        key for key, reading in readings.items() if _is_usable(reading, changed.get(key), present.get(key))
    )
    return Saved(len(new), len(revised), unchanged, len(changed.keys() - fresh), distrusted, usable)


def stored_monitors(
    store: Store,
    registry: Registry,
    init_time: datetime,
    *,
    hours: int = HISTORY_HOURS,
    preference: Sequence[str] = (),
) -> MonitorData:
    """Read what has been ingested up to `init_time`, as a collection that a forecast is made from.

    A city's value is the mean of its valid stations of the first source that has any, in the
    order of `preference`; see `hazecast.grids.observations.station_cities.city_means`. Values are those of the newest
    revision.

    Parameters
    ----------
    store : Store
        Migrated.
    registry : Registry
        Stations of cities that it doesn't hold are left out and counted.
    init_time : datetime
        Aware; the last hour.
    hours : int
        How many hours to read.
    preference : sequence of str
        Names of sources, first choice first; others follow in alphabetical order.

    Returns
    -------
    MonitorData
        With the weather that the stations measured beside pollutants, if any.

    Raises
    ------
    InputError
        If nothing is stored for those hours.
    """
    first = init_time - (hours - 1) * HOUR
    with store.engine.connect() as connection:
        rows = _window(connection, first, init_time)
        stations = {s.id: s for s in connection.execute(select(MonitorStation.__table__))}
    known = [row for row in rows if stations[row.station_id].city in registry.cities]
    neighbours = {city.id for city in load_stations().city} - set(registry.cities)
    measured = [row for row in known if row.pollutant in MEASURED]
    known = [row for row in known if row.pollutant in POLLUTANTS]
    if not any(row.pollutant == "pm25" for row in known):
        raise InputError(
            "stored observations",
            f"no PM2.5 from {first:%Y-%m-%dT%H:%MZ} to {init_time:%Y-%m-%dT%H:%MZ}",
            "hours that hazecast ingest --live has stored",
        )
    counts: Counter[str] = Counter()
    beyond = sum(stations[row.station_id].city in neighbours for row in rows)
    left = {"values_of_neighbours": beyond, "values_of_unknown_cities": len(rows) - len(known) - len(measured) - beyond}
    counts.update({kind: number for kind, number in left.items() if number > 0})
    counts["revised_values"] = sum(row.revision > 0 for row in known)
    used = [stations[name] for name in sorted({row.station_id for row in known})]
    order = [*preference, *sorted({s.source for s in used} - set(preference))]
    dataset = _station_dataset(known, used, order, first, hours)
    for name in POLLUTANTS:
        if name in dataset:
            count_flags(counts, dataset[f"{name}_flag"].values)
    source = str(dataset.attrs["source"])
    cities = city_means(dataset, source).assign_attrs(attribution=dataset.attrs["attribution"])
    beside = city_values(measured, stations, cities["time"].values, [str(c) for c in cities["city"].values], preference)
    cities, weather = with_measured_air(cities, beside.air), beside.weather(source)
    # A source that is switched off is not silent, and a weather station says nothing of pollutants.
    reporting = {
        s.city
        for s in stations.values()
        if (not preference or s.source in preference) and s.source_kind != "weather_station"
    }
    silent = sorted((reporting & set(registry.cities)) - {s.city for s in used})
    return MonitorData(cities, dataset, weather, None, dict(counts), source, tuple(silent))


def _station_row(station: NetworkStation, kind: SourceKind) -> dict[str, Any]:
    return {"id": station.id, "source_kind": kind, **asdict(station)}


def _row(reading: Reading, revision: int, now: datetime) -> dict[str, Any]:
    # Pollutants have no usable value until they have been screened.
    value, flag = flagged(reading) if reading.pollutant in MEASURED else (None, MISSING)
    return {
        "station_id": reading.station,
        "time": reading.time,
        "pollutant": reading.pollutant,
        "raw": reading.raw,
        "units": reading.units,
        "value": value,
        "flag": flag,
        "revision": revision,
        "retrieved_at": now,
    }


def _present(connection: Connection, stations: Sequence[str], first: datetime, last: datetime) -> dict[_Key, Row[Any]]:
    wanted = set(stations)
    query = select(_Obs.__table__).where(_Obs.time >= first, _Obs.time <= last)
    found = connection.execute(query)
    return {(row.station_id, row.time, row.pollutant): row for row in found if row.station_id in wanted}


def _is_usable(reading: Reading, flag: int | None, before: Row[Any] | None) -> bool:
    """Return whether a value is one, by its flag if that has changed, else as it was stored before."""
    if reading.pollutant in MEASURED:
        return flagged(reading)[1] not in (MISSING, IMPOSSIBLE)
    if flag is None:
        flag = MISSING if before is None else int(before.flag)
    return flag in (GOOD, NEGATIVE, MODELLED)


def _differs(row: Row[Any], reading: Reading) -> bool:
    if reading.pollutant in MEASURED and row.flag != flagged(reading)[1]:
        return True
    return bool(row.raw != reading.raw or row.units != reading.units)


def _revise(connection: Connection, revised: Sequence[tuple[Row[Any], Reading]], now: datetime) -> None:
    if not revised:
        return
    connection.execute(insert(EarlierValue), [row._asdict() for row, _ in revised])
    upsert(connection, StationObservation, [_row(reading, row.revision + 1, now) for row, reading in revised])


def _window(connection: Connection, first: datetime, last: datetime, source: str | None = None) -> list[Row[Any]]:
    query = select(
        _Obs.station_id, _Obs.time, _Obs.pollutant, _Obs.raw, _Obs.units, _Obs.value, _Obs.flag, _Obs.revision
    ).where(_Obs.time >= first, _Obs.time <= last)
    if source is not None:
        query = query.join(MonitorStation).where(MonitorStation.source == source)
    return list(connection.execute(query))


def _rescreen(
    connection: Connection, source: str, reporting: Reporting, registry: Registry, first: datetime, last: datetime
) -> dict[_Key, int]:
    """Screen a source's hours and store what became of those from `first` to `last`; return the flags that changed."""
    start, end = first - _EDGE_HOURS * HOUR, last + _EDGE_HOURS * HOUR
    rows = [row for row in _window(connection, start, end, source) if row.pollutant in POLLUTANTS]
    if not rows:
        return {}
    cities = {name: city for name, city in connection.execute(select(MonitorStation.id, MonitorStation.city))}
    names = sorted({row.station_id for row in rows})
    hours = int((max(row.time for row in rows) - start) / HOUR) + 1
    raw, at = _arrays(rows, names, start, hours, reporting.sentinels)
    owners = [cities[name] for name in names]
    longitudes = [_longitude(owner, registry) for owner in owners]
    screened = screen(raw, owners, reporting, solar_hour=solar_hours(_axis(start, hours), longitudes))
    changes: dict[_Key, dict[str, Any]] = {}
    for row, (hour, column) in zip(rows, at, strict=True):
        values, flags = screened[row.pollutant]
        value, flag = float(values[hour, column]), int(flags[hour, column])
        usable = value if np.isfinite(value) else None
        if first <= row.time <= last and (flag != row.flag or usable != row.value):
            key = row.station_id, row.time, row.pollutant
            changes[key] = dict(zip(_KEY_PARAMETERS, key, strict=True)) | {"value": usable, "flag": flag}
    if changes:
        where = [getattr(_Obs, name) == bindparam(given) for name, given in zip(_KEY, _KEY_PARAMETERS, strict=True)]
        connection.execute(update(_Obs).where(*where), list(changes.values()))
    return {key: change["flag"] for key, change in changes.items()}


def _longitude(city: str, registry: Registry) -> float:
    if city in registry.cities:
        return registry.cities[city].longitude
    return next((other.longitude for other in load_stations().city if other.id == city), 0.0)


def _axis(first: datetime, hours: int) -> np.ndarray:
    start = to_datetime64(first)
    return np.asarray(start + np.arange(hours) * np.timedelta64(1, "h"))


def _arrays(
    rows: Iterable[Row[Any]], names: Sequence[str], first: datetime, hours: int, sentinels: tuple[float, ...]
) -> tuple[dict[str, np.ndarray], list[tuple[int, int]]]:
    """Put rows on (time, station) by pollutant in ug m-3; return the place of each too."""
    column_of = {name: column for column, name in enumerate(names)}
    raw: dict[str, np.ndarray] = {}
    at = []
    for row in rows:
        place = int((row.time - first) / HOUR), column_of[row.station_id]
        array = raw.setdefault(row.pollutant, np.full((hours, len(names)), np.nan))
        array[place] = Reading(row.station_id, row.time, row.pollutant, row.raw, row.units).ug_m3(sentinels)
        at.append(place)
    return raw, at


def _station_dataset(
    rows: Sequence[Row[Any]], stations: Sequence[Row[Any]], order: Sequence[str], first: datetime, hours: int
) -> xr.Dataset:
    names = [station.id for station in stations]
    raw, at = _arrays(rows, names, first, hours, SENTINELS)
    dataset = xr.Dataset(
        coords={
            "time": _axis(first, hours),
            "station": names,
            "city": ("station", [s.city for s in stations]),
            "siting": ("station", [s.siting for s in stations]),
            "source": ("station", [s.source for s in stations]),
            "source_kind": ("station", [s.source_kind for s in stations]),
            "rank": ("station", [order.index(s.source) for s in stations]),
        },
        attrs={
            "source": _source_text(stations, order),
            "attribution": "; ".join(sorted({s.attribution for s in stations if s.attribution})),
            "gas_reference_state": REFERENCE_STATE,
        },
    )
    values = {name: np.full(array.shape, np.nan, np.float32) for name, array in raw.items()}
    flags = {name: np.full(array.shape, MISSING, np.int8) for name, array in raw.items()}
    for row, place in zip(rows, at, strict=True):
        flags[row.pollutant][place] = row.flag
        if row.value is not None:
            values[row.pollutant][place] = row.value
    dims = ("time", "station")
    for name in POLLUTANTS:
        if name in raw:
            dataset[name] = (dims, values[name])
            dataset[f"{name}_raw"] = (dims, raw[name].astype(np.float32), {"units": POLLUTANTS[name].units})
            dataset[f"{name}_flag"] = (dims, flags[name], FLAG_ATTRS)
    return check(describe(dataset, "observations"), "observations", name="stored observations")


def _source_text(stations: Sequence[Row[Any]], order: Sequence[str]) -> str:
    parts = []
    for source in order:
        own = [s for s in stations if s.source == source]
        if own:
            kind = ", model analysis" if own[0].source_kind == "model_analysis" else ""
            parts.append(f"{source} ({len(own)} {'places' if kind else 'stations'}{kind})")
    return "ingested: " + ", ".join(parts)
