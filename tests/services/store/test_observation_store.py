"""Observations in the store: bulk upsert, a city's year, an hour's map."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr
from sqlalchemy import inspect, text

from hazecast.grids.contract import describe
from hazecast.grids.errors import InputError
from hazecast.services.store.observations import observed_hours
from tests.support.observations import store_observations

START = datetime(2014, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(databases, tmp_path):
    store = databases.store(tmp_path)
    yield store
    store.close()


def observations(hours: int, cities: tuple[str, ...] = ("beijing", "tokyo"), offset: float = 0.0) -> xr.Dataset:
    times = np.datetime64("2014-01-01", "ns") + np.arange(hours).astype("timedelta64[h]")
    values = (np.arange(hours)[:, None] + 100 * np.arange(len(cities)) + offset).astype(np.float32)
    values[1, 0] = np.nan
    dims = ("time", "city")
    dataset = xr.Dataset(
        {"pm25": (dims, values), "o3": (dims, values + 1), "pm25_flag": (dims, np.zeros(values.shape, np.int8))},
        coords={"time": times, "city": np.array(cities, object)},
        attrs={"source": "test"},
    )
    return describe(dataset, "observations")


def last(hours: int) -> datetime:
    return START + timedelta(hours=hours - 1)


def test_what_is_stored_is_read_back_by_city_and_by_hour(store) -> None:
    data = observations(48)
    assert store_observations(store, data, False) == 96
    xr.testing.assert_identical(observed_hours(store, START, last(48), False), data.drop_vars("pm25_flag"))
    year = observed_hours(store, START, last(30), False, city="tokyo")
    xr.testing.assert_identical(year, data.drop_vars("pm25_flag").isel(time=slice(30)).sel(city=["tokyo"]))
    hour = observed_hours(store, last(5), last(5), False)
    np.testing.assert_array_equal(hour["pm25"], data["pm25"][4:5])


def test_the_same_hour_again_changes_nothing_and_a_revision_replaces_it(store) -> None:
    data = observations(24)
    store_observations(store, data, False)
    store_observations(store, data, False)
    xr.testing.assert_identical(observed_hours(store, START, last(24), False), data.drop_vars("pm25_flag"))
    revised = observations(24, offset=0.5).isel(time=slice(20, 24))
    store_observations(store, revised, False)
    read = observed_hours(store, START, last(24), False)
    np.testing.assert_array_equal(read["pm25"][20:], revised["pm25"])
    np.testing.assert_array_equal(read["pm25"][:20], data["pm25"][:20])


def test_simulated_and_real_hours_stay_apart(store) -> None:
    store_observations(store, observations(3), True)
    with pytest.raises(InputError, match="no observation; expected hours of any city"):
        observed_hours(store, START, last(3), False)
    assert observed_hours(store, START, last(3), True).sizes["time"] == 3


def test_an_hour_is_found_by_its_index(store) -> None:
    store_observations(store, observations(3), False)
    sqlite = store.engine.dialect.name == "sqlite"
    query = "SELECT pm25 FROM observation WHERE time = '2014-01-01' AND NOT simulated"
    with store.engine.connect() as connection:
        if not sqlite:
            # A table of a few rows is read whole, whatever indices it has.
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = connection.execute(text(f"EXPLAIN {'QUERY PLAN' if sqlite else ''} {query}")).all()
    # A month of a parted table has the index under a name of its own.
    assert ("ix_observation_time" if sqlite else "Index Scan using observation_rest_time_idx") in str(plan)
    store.migrate("base")
    assert "observation" not in inspect(store.engine).get_table_names()
