"""The observed hours of cities that the cycles stored, as a model learns from them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import numpy as np
import xarray as xr
from sqlalchemy import Row, func, select

from hazecast.grids.contract import POLLUTANTS, check, describe
from hazecast.grids.quality.flags import MODELLED
from hazecast.grids.times import to_datetime64
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import Observation

# Rows of a database are large: a year of seventy cities at once would fill memory.
_AT_ONCE = timedelta(days=31)
_HOUR = np.timedelta64(1, "h")


def observed_span(store: Store) -> tuple[datetime, datetime] | None:
    """Return the first and last hour of any city with PM2.5 that isn't simulated, or None."""
    query = select(func.min(Observation.time), func.max(Observation.time)).where(
        Observation.simulated.is_(False), Observation.pm25.is_not(None)
    )
    with store.engine.connect() as connection:
        first, last = connection.execute(query).one()
    return None if first is None else (first, last)


def measured_hours(store: Store, first: datetime, last: datetime) -> tuple[xr.Dataset | None, dict[str, int]]:
    """Read what was measured in the cities; simulated hours and a model's analysis are left out.

    Parameters
    ----------
    store : Store
        Migrated.
    first, last : datetime
        Aware, whole hours, both included.

    Returns
    -------
    observations : xarray.Dataset (time, city) or None
        All pollutants, contract "observations", hourly without gaps; None if nothing was measured.
    counts : dict of str to int
        ``modelled_hours``: hours of a city that were left out since they are a model's.
    """
    start = to_datetime64(first)
    hours = int((to_datetime64(last) - start) / _HOUR) + 1
    values: dict[str, dict[str, np.ndarray]] = {}
    counts: Counter[str] = Counter()
    at = first
    while at <= last:
        for row in _rows(store, at, min(at + _AT_ONCE, last + timedelta(hours=1))):
            if row.pm25_flag == MODELLED or row.o3_flag == MODELLED:
                counts["modelled_hours"] += 1
                continue
            city = values.setdefault(row.city, {name: np.full(hours, np.nan, np.float32) for name in POLLUTANTS})
            hour = int((to_datetime64(row.time) - start) / _HOUR)
            for name in POLLUTANTS:
                value = getattr(row, name)
                if value is not None:
                    city[name][hour] = value
        at += _AT_ONCE
    if not any(np.isfinite(one["pm25"]).any() for one in values.values()):
        return None, dict(counts)
    cities = sorted(values)
    dataset = xr.Dataset(
        {name: (("time", "city"), np.stack([values[city][name] for city in cities], axis=1)) for name in POLLUTANTS},
        coords={"time": start + np.arange(hours) * _HOUR, "city": cities},
        attrs={"source": "the store"},
    )
    return check(describe(dataset, "observations"), "observations", name="stored observations"), dict(counts)


def _rows(store: Store, first: datetime, before: datetime) -> list[Row[tuple[object, ...]]]:
    query = select(Observation.__table__).where(
        Observation.simulated.is_(False), Observation.time >= first, Observation.time < before
    )
    with store.engine.connect() as connection:
        return list(connection.execute(query))
