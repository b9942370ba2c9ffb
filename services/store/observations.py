"""Observations of cities as they were stored with the runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import xarray as xr
from sqlalchemy import DateTime, select, type_coerce

from hazecast.grids.contract import POLLUTANTS
from hazecast.grids.errors import InputError
from hazecast.services.store.rows import observation_dataset
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import Observation


def observed_hours(
    store: Store, first: datetime, last: datetime, simulated: bool, city: str | Sequence[str] | None = None
) -> xr.Dataset:
    """Return what was observed in one city, in some or in all.

    Made for a city's year and for an hour's map; see docs/archive.md for what they take.

    Parameters
    ----------
    store : Store
    first, last : datetime
        Aware, both included.
    simulated : bool
    city : str or sequence of str, optional
        An id, or several; by default all cities.

    Returns
    -------
    xarray.Dataset (time, city)
        Contract "observations" over the hours and cities that are stored, NaN where one
        is not; float32.

    Raises
    ------
    InputError
        If no hour is stored.
    """
    names = list(POLLUTANTS)
    # Read as stored, without a zone: a year's hours one by one would cost more than the query.
    columns = [type_coerce(Observation.time, DateTime()), *(getattr(Observation, n) for n in ("source", *names))]
    query = select(*columns).where(
        Observation.time >= first, Observation.time <= last, Observation.simulated == simulated
    )
    one = city if isinstance(city, str) else None
    if one is not None:
        query = query.where(Observation.city == one)
    else:
        query = query.add_columns(Observation.city)
        query = query if city is None else query.where(Observation.city.in_(city))
    with store.engine.connect() as connection:
        rows = connection.execute(query).all()
    if not rows:
        where = one or ("any city" if city is None else f"any of {len(city)} cities")
        raise InputError(
            "store", "no observation", f"hours of {where} from {first:%Y-%m-%dT%H:%MZ} to {last:%Y-%m-%dT%H:%MZ}"
        )
    return observation_dataset(rows, names, one)


def newest_observations(store: Store, city: str, simulated: bool, until: datetime, hours: int) -> Sequence[Observation]:
    """Return a city's newest observed hours, oldest first.

    Parameters
    ----------
    store : Store
    city : str
        An id.
    simulated : bool
    until : datetime
        The last hour, aware.
    hours : int
        How many hours back.

    Returns
    -------
    sequence of Observation
    """
    query = select(Observation).where(
        Observation.city == city,
        Observation.simulated == simulated,
        Observation.time > until - timedelta(hours=hours),
        Observation.time <= until,
    )
    with store.sessions() as session:
        return session.scalars(query.order_by(Observation.time)).all()
