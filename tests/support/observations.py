"""Observations put into a store, as a cycle does with those it has read."""

from __future__ import annotations

import xarray as xr

from hazecast.grids.contract import check
from hazecast.services.store.rows import observation_rows
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import Observation
from hazecast.services.store.upsert import upsert


def store_observations(store: Store, observations: xr.Dataset, simulated: bool) -> int:
    """Store observed hours (contract "observations"), replacing those that are there; return how many rows."""
    rows = observation_rows(check(observations, "observations"), simulated)
    with store.writing() as connection:
        upsert(connection, Observation, rows)
    return len(rows)
