"""Studies of what the service stores of the air: trajectories through its weather archive, reported visibility."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hazecast.forecast.studies.visibility.hours import paired_hours
from hazecast.grids.contract import describe
from hazecast.grids.errors import InputError
from hazecast.services.research.studies.served import answer
from hazecast.services.research.studies.stored import StoredObservations
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import MonitorStation, StationObservation
from hazecast.services.store.weather_archive import WeatherArchive
from tests.support.command_line import run_command
from tests.support.observations import store_observations
from tests.support.settings import make_settings

FIRST = np.datetime64("2026-01-01T00", "ns")
HOURS = FIRST + np.arange(240) * np.timedelta64(1, "h")
START, END = datetime(2026, 1, 1, 1, tzinfo=UTC), datetime(2026, 1, 10, 23, tzinfo=UTC)
ASKED = {"city": "beijing", "from": "2026-01-05T00:00:00Z", "to": "2026-01-10T00:00:00Z", "hours": 24}


def wind() -> xr.Dataset:
    """Wind that turns in the days, over a coarse grid around Beijing."""
    latitude, longitude = np.arange(20.0, 61.0, 4.0), np.arange(90.0, 141.0, 5.0)
    turn = 2 * np.pi * np.arange(len(HOURS)) / 96
    shape = (len(HOURS), len(latitude), len(longitude))
    parts = {
        name: (("time", "latitude", "longitude"), np.broadcast_to(one[:, None, None], shape).astype(np.float32))
        for name, one in (("u10", 4 * np.cos(turn)), ("v10", 4 * np.sin(turn)))
    }
    grid = xr.Dataset(parts, {"time": HOURS, "latitude": latitude, "longitude": longitude}, {"source": "made up"})
    return describe(grid, "weather_grid")


@pytest.fixture
def settings(tmp_path):
    made = make_settings(data_dir=tmp_path / "data")
    store = Store(made.database_url)
    store.migrate()
    pm25 = 60 + 30 * np.sin(np.arange(1, len(HOURS)) / 9.0)
    observed = xr.Dataset(
        {"pm25": (("time", "city"), pm25[:, None].astype("f4"))}, {"time": HOURS[1:], "city": ["beijing"]}
    )
    store_observations(store, describe(observed, "observations").assign_attrs(source="made up"), simulated=False)
    store.close()
    return made


@pytest.mark.slowest
def test_trajectories_through_the_stored_archive_are_those_through_its_file(settings, tmp_path) -> None:
    grid = wind()
    WeatherArchive(settings.archive_dir).append(grid)
    grid.to_netcdf(tmp_path / "wind.nc")
    samples = "time,pm25\n" + "".join(f"{t}Z,{20 + k % 7}\n" for k, t in enumerate(HOURS.astype("datetime64[m]")))
    (tmp_path / "samples.csv").write_text(samples)
    found = answer(settings, "trajectories", json.dumps(ASKED | {"samples": samples}).encode(), False).result
    words = [word for name, value in ASKED.items() for word in (f"--{name}", value)]
    run_command(
        "study", "trajectories", *words, "--weather", tmp_path / "wind.nc", "--samples", tmp_path / "samples.csv", "--out", tmp_path / "out"
    )  # fmt: skip
    printed = pd.read_csv(tmp_path / "out" / "trajectories.csv")
    there = found.tables["trajectories"]
    assert len(printed) == len(there) > 100
    np.testing.assert_allclose(printed["latitude"], there["latitude"], atol=1e-9)
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["threshold"] == found.summary["threshold"]


def test_source_regions_are_of_stored_hours(settings) -> None:
    WeatherArchive(settings.archive_dir).append(wind())
    period = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-11T00:00:00Z"}
    asked = answer(settings, "trajectories", json.dumps(ASKED | {"observations": period}).encode(), False)
    assert asked.asked["weather"] == "stored archive" and asked.result.summary["unit"] == "ug m-3"
    assert {"pscf", "cwt"} <= set(asked.result.figures) and len(asked.result.tables["source_regions"])


@pytest.mark.parametrize(
    ("change", "where", "found"),
    [
        (
            {"from": "2025-01-05T00:00:00Z", "to": "2025-01-06T00:00:00Z"},
            "weather",
            "none stored: its hours are 2026-01-01",
        ),
        ({"from": "2026-01-05T00:00:00"}, "from", "2026-01-05T00:00:00"),
        ({"hours": 700}, "weather", "trajectories stay inside it"),
        ({"hours": 721}, "hours", "721"),
        ({"from": "1677-01-01T00:00:00Z"}, "from", "1677-01-01T00:00:00Z"),
        (
            {"from": "1900-01-01T00:00:00Z", "to": "2199-01-01T00:00:00Z", "every": 1},
            "from, to, every",
            "2620993 arrivals",
        ),
    ],
)
def test_what_the_archive_lacks_is_named(settings, change, where, found) -> None:
    WeatherArchive(settings.archive_dir).append(wind())
    with pytest.raises(InputError) as refused:
        answer(settings, "trajectories", json.dumps(ASKED | change).encode(), False)
    assert refused.value.where == where and found in str(refused.value.found)
    assert str(settings.data_dir) not in str(refused.value)


def test_reported_visibility_is_paired_with_stored_pm25(settings) -> None:
    store = Store(settings.database_url)
    values = {"t2m": 270.0, "d2m": 265.0, "vis": 4_000.0}
    station = {name: "" for name in ("source_kind", "name", "siting", "licence", "attribution")}
    with store.writing() as connection:
        connection.execute(
            MonitorStation.__table__.insert(), station | {"id": "m:1", "source": "m", "code": "1", "city": "beijing"}
        )
        rows = [
            {
                "station_id": "m:1", "time": START + timedelta(hours=hour), "pollutant": name, "raw": value, "units": "",
                "value": None if name == "vis" and hour < 24 else value, "flag": 0, "revision": 0, "retrieved_at": END,
            }
            for name, value in values.items()
            for hour in range(100)
        ]  # fmt: skip
        connection.execute(StationObservation.__table__.insert(), rows)
    store.close()
    stored = StoredObservations(settings, START, END, False)
    pm25, reports, source = stored.visibility("beijing")
    hours = paired_hours(pm25, reports, 116.4)
    # A day's visibility was obscured by rain, of later hours there is none.
    assert set(hours.observed) == {4_000.0} and 70 <= len(hours.times) <= 76
    assert source == "reports of m; PM2.5 as stored"
    with pytest.raises(InputError, match=r"no visibility, t2m, d2m measured in beijing"):
        StoredObservations(settings, START + timedelta(days=6), END, False).visibility("beijing")
