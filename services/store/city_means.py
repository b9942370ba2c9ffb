"""Hourly means of cities over weeks, from the observations of their stations; read row by row, kept as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from sqlalchemy import DateTime, Row, func, select, type_coerce

from hazecast.grids.contract import POLLUTANTS, describe
from hazecast.grids.times import to_datetime64
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import MonitorStation, StationObservation

# Rows of the database in memory at once.
_ROWS_AT_ONCE = 20_000
_HOUR = np.timedelta64(1, "h")


def stored_city_hours(store: Store, init_time: datetime, hours: int, *, preference: Sequence[str] = ()) -> xr.Dataset:
    """Read hourly means of the cities over a longer time, from what quality control lets be used.

    A city's value is the mean over its stations of the first source that has any, as in `hazecast.services.store.monitors.stored_monitors`; unlike
    there, urban and background stations count the same. The database computes the means.

    Parameters
    ----------
    store : Store
        Migrated.
    init_time : datetime
        Aware; the last hour.
    hours : int
        How many hours to read.
    preference : sequence of str
        Names of sources, first choice first; others follow in alphabetical order.

    Returns
    -------
    xarray.Dataset (time, city)
        Contract "observations".
    """
    first = init_time - (hours - 1) * timedelta(hours=1)
    # Read as stored, without a zone: hours one by one would cost more than the query.
    time = type_coerce(StationObservation.time, DateTime())
    query = (
        select(
            MonitorStation.city,
            MonitorStation.source,
            time,
            StationObservation.pollutant,
            func.avg(StationObservation.value),
        )
        .join(MonitorStation)
        .where(
            StationObservation.time >= first,
            StationObservation.time <= init_time,
            StationObservation.value.is_not(None),
            StationObservation.pollutant.in_(list(POLLUTANTS)),
        )
        .group_by(MonitorStation.city, MonitorStation.source, StationObservation.time, StationObservation.pollutant)
    )
    with store.engine.connect() as connection:
        pairs = connection.execute(select(MonitorStation.city, MonitorStation.source).distinct())
        stations = [(city, source) for city, source in pairs]
        means = _CityMeans(stations, preference, to_datetime64(first), hours)
        # A month of ten thousand cities is forty million rows.
        for rows in connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(query).partitions():
            means.add(rows)
    seen: npt.NDArray[np.bool_] = np.asarray(np.isfinite(means.values).any(axis=(0, 2)))
    dataset = xr.Dataset(
        {name: (("time", "city"), means.values[:, seen, number]) for number, name in enumerate(POLLUTANTS)},
        coords={
            "time": to_datetime64(first) + np.arange(hours) * _HOUR,
            "city": [city for city, any_ in zip(means.cities, seen, strict=True) if any_],
        },
        attrs={"source": "stored hourly means"},
    )
    return describe(dataset, "observations")


class _CityMeans:
    """Hourly means of cities, (hour, city, pollutant), of the first of the sources that has any."""

    def __init__(
        self, stations: Sequence[tuple[str, str]], preference: Sequence[str], first: np.datetime64, hours: int
    ) -> None:
        rank = {source: number for number, source in enumerate(preference)}
        order = sorted({source for _, source in stations}, key=lambda source: (rank.get(source, len(rank)), source))
        self.cities = sorted({city for city, _ in stations})
        self._rank = {source: number for number, source in enumerate(order)}
        self._column = {city: number for number, city in enumerate(self.cities)}
        self._pollutant = {name: number for number, name in enumerate(POLLUTANTS)}
        self._first = first
        self.values = np.full((hours, len(self.cities), len(POLLUTANTS)), np.nan, np.float32)
        self._best = np.full(self.values.shape, len(order), np.int16)

    def add(self, rows: Sequence[Row[Any]]) -> None:
        """Take rows of city, source, time, pollutant and mean."""
        cities, sources, times, pollutants, means = zip(*rows, strict=True)
        rank = np.array([self._rank[source] for source in sources])
        cell = (
            ((np.array(times, "datetime64[s]") - self._first) / _HOUR).astype(np.int64),
            np.array([self._column[city] for city in cities]),
            np.array([self._pollutant[name] for name in pollutants]),
        )
        # The best comes last: of several in one cell it stays.
        order = np.argsort(-rank, kind="stable")
        order = order[rank[order] < self._best[tuple(axis[order] for axis in cell)]]
        at = tuple(axis[order] for axis in cell)
        self.values[at] = np.array(means, np.float32)[order]
        self._best[at] = rank[order]
