"""Means of cities over weeks: of the first source that has any, whatever number of rows is read at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import insert

from hazecast.services.store import city_means
from hazecast.services.store.city_means import stored_city_hours
from hazecast.services.store.tables.forecasts import MonitorStation, StationObservation

NOW = datetime(2026, 1, 15, 10, tzinfo=UTC)


def station(source: str, number: int, city: str) -> dict:
    rest = dict.fromkeys(("code", "name", "siting", "source_kind", "licence", "attribution"), "x")
    return rest | {"id": f"{source}:{number}", "source": source, "city": city, "latitude": 1.0, "longitude": 1.0}


def reading(station_id: str, back: int, value: float | None, pollutant: str = "pm25") -> dict:
    time = NOW - timedelta(hours=back)
    rest = {"raw": value, "units": "ug m-3", "flag": 0, "revision": 0, "retrieved_at": NOW}
    return rest | {"station_id": station_id, "time": time, "pollutant": pollutant, "value": value}


@pytest.mark.parametrize("at_once", [1, 3, 20_000])
def test_each_hour_is_the_mean_of_the_first_source_that_has_it(databases, tmp_path, monkeypatch, at_once) -> None:
    monkeypatch.setattr(city_means, "_ROWS_AT_ONCE", at_once)
    store = databases.store(tmp_path)
    with store.writing() as connection:
        known = [
            station("a", 1, "rome"),
            station("b", 1, "rome"),
            station("b", 2, "rome"),
            station("b", 3, "oslo"),
            station("b", 4, "nice"),
        ]
        connection.execute(insert(MonitorStation), known)
        rows = [reading("a:1", 0, 10.0), reading("b:1", 0, 30.0), reading("b:2", 0, 50.0), reading("a:1", 1, None)]
        rows += [
            reading("b:1", 1, 20.0),
            reading("b:2", 2, 60.0, "o3"),
            reading("b:3", 2, 5.0),
            reading("a:1", 9, 99.0),
        ]
        rows.append(reading("b:3", 0, 280.0, "t2m"))
        connection.execute(insert(StationObservation), rows)
    for preference, newest in ((("b",), 40.0), (("a", "b"), 10.0), ((), 10.0)):
        found = stored_city_hours(store, NOW, 4, preference=preference)
        assert list(found["city"].values) == ["oslo", "rome"] and found.sizes["time"] == 4
        np.testing.assert_array_equal(found["pm25"].sel(city="rome"), [np.nan, np.nan, 20.0, newest])
        np.testing.assert_array_equal(found["pm25"].sel(city="oslo"), [np.nan, 5.0, np.nan, np.nan])
        assert float(found["o3"].sel(city="rome")[1]) == 60.0
    store.close()
