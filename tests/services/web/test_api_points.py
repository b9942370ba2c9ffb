"""Points, stations, selections and tables: what a reader asks of a forecast that is not one city in JSON."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pytest
from fastapi.testclient import TestClient

from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import MonitorStation, StationObservation
from hazecast.services.web.app import create_app
from hazecast.services.work.stored_forecast import NETCDF, link_product, write_netcdf
from tests.support.forecasts import INIT, forecast_of, observations_of
from tests.support.pages import pages
from tests.support.settings import make_settings

CITIES = ("beijing", "tianjin", "tokyo")
INIT_TIME = datetime.fromtimestamp(INIT.astype("datetime64[s]").astype(int), UTC)
NOW = INIT_TIME + timedelta(hours=1)
# Near Beijing's centre, half-way to Tianjin, and in the middle of the Pacific.
CENTRE, BETWEEN, NOWHERE = (
    "latitude=39.91&longitude=116.41",
    "latitude=39.5&longitude=116.8",
    "latitude=20&longitude=170",
)


@pytest.fixture(scope="module")
def api(tmp_path_factory) -> TestClient:
    folder = tmp_path_factory.mktemp("points")
    settings = make_settings(data_dir=folder)
    store = Store(settings.database_url, lambda: NOW, folder)
    store.migrate()
    forecast = forecast_of(100.0, cities=CITIES)
    # Tianjin has four times as much.
    for name in ("pm25", "o3", "pm25_mean", "o3_mean"):
        forecast[name].loc[{"city": "tianjin"}] *= 4.0
    forecast = forecast.assign(relative_humidity=(("lead_time", "city"), np.full((120, 3), 50.0)))
    file = folder / "run.nc"
    write_netcdf(forecast, file)
    link_product(file, NETCDF)
    store.save_run(
        forecast, observations_of(np.full(24, 50.0), INIT, CITIES), [],
        netcdf_path=file, map_path=file, cycle_id=store.begin_cycle(None, False),
    )  # fmt: skip
    with store.sessions.begin() as session:
        for number, city in enumerate(("beijing", "beijing", "tokyo")):
            session.add(station(f"net:{number}", city))
        session.flush()
        for hour in range(5):
            session.add(reading("net:0", hour, "pm25", 40.04 + hour, 0))
            session.add(reading("net:0", hour, "o3", None, 3))
    store.close()
    return TestClient(create_app(settings, clock=lambda: NOW))


def station(name: str, city: str) -> MonitorStation:
    return MonitorStation(
        id=name, source="net", source_kind="official", code=name[4:], name=f"站{name}", city=city,
        latitude=39.123456, longitude=116.654321, siting="urban", licence="CC-BY-4.0", attribution="The network",
    )  # fmt: skip


def reading(name: str, hour: int, pollutant: str, value: float | None, flag: int) -> StationObservation:
    return StationObservation(
        station_id=name, time=INIT_TIME - timedelta(hours=hour), pollutant=pollutant, raw=value, units="ug m-3",
        value=value, flag=flag, revision=0, retrieved_at=INIT_TIME,
    )  # fmt: skip


def medians(answer) -> set[float]:
    return {hour["pm25"]["q50"] for hour in answer.json()["hours"]}


def test_a_point_in_a_city_has_its_own_values(api) -> None:
    found = api.get(f"/v1/point?{CENTRE}")
    body = found.json()
    assert (body["method"], body["city"], body["uncertainty"]) == ("city", "beijing", 0.0) and body["distance"] < 2.0
    assert body["hours"] == api.get("/v1/cities/beijing/forecast").json()["hours"]
    assert api.get(f"/v1/point?{CENTRE}&method=field").json()["method"] == "field"


def test_a_point_between_cities_has_the_fields_values_and_how_little_is_known(api) -> None:
    found = api.get(f"/v1/point?{BETWEEN}&timezone=Asia/Tokyo&to=2013-02-01T10:00:00Z")
    body = found.json()
    assert body["method"] == "field" and 0.0 < body["uncertainty"] <= 0.8 and 20 < body["distance"] < 80
    assert all(100.0 < value < 400.0 for value in medians(found)) and len(body["hours"]) == 12
    quantiles = body["hours"][0]["pm25"]
    assert quantiles["q10"] < quantiles["q25"] < quantiles["q50"] < quantiles["q75"] < quantiles["q90"]
    assert body["hours"][0]["local_time"].endswith("+09:00") and body["hours"][0]["time"].endswith("Z")
    assert body["hours"][0]["relative_humidity"] == 50.0
    rows = list(csv.DictReader(io.StringIO(api.get(f"/v1/point?{BETWEEN}&format=csv").text)))
    assert len(rows) == 120 and rows[0]["method"] == "field" and float(rows[0]["latitude"]) == 39.5


def test_where_nothing_is_known_is_said(api) -> None:
    refused = api.get(f"/v1/point?{NOWHERE}")
    assert refused.status_code == 404 and "tokyo" in refused.json()["detail"]
    assert api.get(f"/v1/point?{NOWHERE}&method=city").json()["city"] == "tokyo"
    assert api.get("/v1/point?latitude=91&longitude=0").status_code == 422


def test_variables_zone_and_run_are_chosen_on_every_product(api) -> None:
    run = "init_time=2013-01-31T22:00:00Z"
    for path in ("/v1/cities/beijing/forecast", "/v1/cities/beijing/daily", "/v1/map", f"/v1/point?{CENTRE}"):
        mark = "&" if "?" in path else "?"
        assert api.get(f"{path}{mark}{run}").status_code == 200
        gone = api.get(f"{path}{mark}init_time=2001-01-01T00:00:00Z")
        assert gone.status_code == 404 and "2001-01-01T00:00:00Z" in gone.json()["detail"]
        wrong = api.get(f"{path}{mark}timezone=Mars/Olympus").json()
        assert wrong["status"] == 422 and wrong["errors"][0]["field"] == "timezone"
    part = api.get("/v1/forecasts/latest?city=tokyo&variables=o3&timezone=UTC").json()
    (hour, *_) = part["items"][0]["hours"]
    assert set(hour) == {"lead_time", "time", "local_time", "o3"} and part["units"] == {"o3": "ug m-3"}
    header = api.get("/v1/cities/beijing/forecast?variables=o3&format=csv").text.splitlines()[0]
    assert "o3_q50" in header and "pm25" not in header and "humidity" not in header
    assert len(api.get("/v1/map?timezone=Asia/Tokyo&variables=pm25").json()["local_times"]) == 120


def test_days_by_another_clock_and_as_a_table(api) -> None:
    own = api.get("/v1/cities/beijing/daily").json()
    other = api.get("/v1/cities/beijing/daily?timezone=America/New_York&variables=pm25_mean").json()
    assert (own["time_zone"], other["time_zone"]) == ("Asia/Shanghai", "America/New_York")
    # The run begins at 06:00 of 1 February in Beijing, on 31 January in New York.
    assert (own["days"][0]["date"], other["days"][0]["date"]) == ("2013-02-01", "2013-01-31")
    assert set(other["days"][0]) == {"date", "observed_hours", "pm25_mean"}
    # Those of what was asked for, and of the air now.
    measured = {name for name in other["current"] if name in ("pm25", "pm10", "o3", "no2", "so2", "co")}
    assert set(other["units"]) == {"pm25_mean", *measured} and set(other["units"].values()) == {"ug m-3"}
    rows = list(csv.DictReader(io.StringIO(api.get("/v1/cities/beijing/daily?format=csv").text)))
    assert [row["date"] for row in rows] == [day["date"] for day in own["days"]]
    assert float(rows[1]["pm25_mean_q50"]) == own["days"][1]["pm25_mean"]["q50"]


def test_parquet_holds_what_csv_does_with_types(api, tmp_path) -> None:
    file = tmp_path / "table.parquet"
    answer = api.get("/v1/cities/beijing/forecast", headers={"Accept": "application/vnd.apache.parquet"})
    assert answer.headers["content-disposition"].endswith('.parquet"')
    file.write_bytes(answer.content)
    with duckdb.connect() as connection:
        types = dict(
            connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM '{file}')").fetchall()
        )
        rows = connection.execute(f"SELECT lead_time, pm25_q50, epoch(time) FROM '{file}' ORDER BY 1").fetchall()
    assert (
        types["time"] == "TIMESTAMP WITH TIME ZONE" and types["simulated"] == "BOOLEAN" and types["city"] == "VARCHAR"
    )
    assert len(rows) == 120 and rows[0] == (1, 100.0, (INIT_TIME + timedelta(hours=1)).timestamp())


def test_stations_and_what_each_observed(api) -> None:
    assert [one["id"] for one in pages(api, "/v1/stations?limit=2")] == ["net:0", "net:1", "net:2"]
    (tokyo,) = api.get("/v1/stations?city=tokyo").json()["items"]
    assert (tokyo["latitude"], tokyo["longitude"], tokyo["licence"]) == (39.1235, 116.6543, "CC-BY-4.0")
    hours = list(pages(api, "/v1/stations/net:0/observations?limit=2"))
    assert [hour["pm25"] for hour in hours] == [44.0, 43.0, 42.0, 41.0, 40.0]
    assert (
        hours[0]["o3"] is None
        and hours[0]["flags"] == {"pm25": 0, "o3": 3}
        and hours[-1]["time"] == "2013-01-31T22:00:00Z"
    )
    some = api.get("/v1/stations/net:0/observations?from=2013-01-31T21:00:00Z&format=csv").text.splitlines()
    assert len(some) == 3 and some[0].startswith("station,time,pm25,pm25_flag")
    assert api.get("/v1/stations/net:9/observations").status_code == 404
