"""The map's and the days' answers equal the products of the stored forecast."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from fastapi.testclient import TestClient

from hazecast.forecast.daily import daily_outlook
from hazecast.forecast.days import forecast_days
from hazecast.forecast.exceedance import daily_exceedance
from hazecast.forecast.indices import nowcast_pm, us_sub_index
from hazecast.forecast.layers import hourly_layers
from hazecast.grids.contract import LEAD_HOURS
from hazecast.grids.places.cities import load_registry
from hazecast.services.core.settings import Settings
from hazecast.services.store.observations import observed_hours
from hazecast.services.store.store import Store
from hazecast.services.web.app import create_app
from hazecast.services.work.stored_forecast import load_forecast


@pytest.fixture(scope="module")
def settings(simulated_run) -> Settings:
    return simulated_run


@pytest.fixture(scope="module")
def client(settings) -> TestClient:
    return TestClient(create_app(settings), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def forecast(settings):
    store = Store(settings.database_url)
    run = store.latest_run()
    store.close()
    assert run is not None
    return load_forecast(run.netcdf_path)


def test_map_holds_all_cities_and_hours(client, forecast) -> None:
    answer = client.get("/v1/map").json()
    hours = hourly_layers(forecast)
    assert len(answer["times"]) == LEAD_HOURS
    assert {city["id"] for city in answer["items"]} == set(map(str, forecast["city"].values))
    for city in answer["items"]:
        for name, values in city["values"].items():
            expected = hours[name].sel(city=city["id"]).values
            got = np.array([np.nan if v is None else v for v in values], float)
            np.testing.assert_allclose(got, expected, atol=5.01 if name == "visibility" else 0.51)
    assert set(answer["layers"]) == {"pm25", "o3", "aqi", "visibility", "haze_grade"}
    assert len(answer["layers"]["pm25"]["bounds"]) == len(answer["layers"]["pm25"]["colours"])


def test_map_is_narrowed_by_layer_and_place(client) -> None:
    registry = load_registry()
    answer = client.get("/v1/map?variables=pm25&bbox=110,35,125,42&country=CN").json()
    assert set(answer["layers"]) == {"pm25"} and answer["items"]
    for city in answer["items"]:
        assert set(city["values"]) == {"pm25"}
        assert 110 <= city["longitude"] <= 125 and 35 <= city["latitude"] <= 42
    region = registry.cities["beijing"].region
    own = client.get(f"/v1/map?region={region}").json()["items"]
    assert {city["id"] for city in own} == set(registry.regions[region].cities)
    assert client.get("/v1/map?city=tokyo&country=CN").json()["items"] == []


def test_every_wrong_argument_is_listed(client) -> None:
    problem = client.get("/v1/map?variables=pm25&variables=rain&country=us").json()
    assert {(e["field"], e["in"]) for e in problem["errors"]} == {("variables.1", "query"), ("country", "query")}
    assert all(e["reason"] for e in problem["errors"])
    for query, field in (
        ("bbox=9,1", "bbox"),
        ("bbox=125,35,110,42", "bbox"),
        ("region=nowhere", "region"),
        ("country=US", "country"),
    ):
        problem = client.get(f"/v1/map?{query}").json()
        assert problem["status"] == 422 and problem["errors"][0]["field"] == field


def test_days_are_the_citys_own_and_those_of_the_bulletin(client, settings, forecast) -> None:
    registry, store = load_registry(), Store(settings.database_url)
    run = store.latest_run()
    observed = observed_hours(store, run.init_time - timedelta(hours=23), run.init_time, run.simulated)
    store.close()
    days = daily_outlook(forecast, observed, registry)
    for city in ("beijing", "tokyo"):
        answer = client.get(f"/v1/cities/{city}/daily").json()
        assert answer["time_zone"] == registry.cities[city].time_zone
        # Between midnight in Tokyo and midnight in Beijing the days of all places are one more than those of Tokyo.
        own = forecast_days(forecast.sel(city=[city]), registry)
        assert [day["date"] for day in answer["days"]] == own.astype("datetime64[D]").astype(str).tolist()
        assert sum(day["index"] is not None for day in answer["days"]) >= 4
        for day in answer["days"]:
            here = days.sel(city=city, date=day["date"])
            means = [np.nan if v is None else v for v in day["pm25_mean"].values()]
            assert means == pytest.approx(here["pm25_mean"].values, abs=0.06, nan_ok=True)
            # Null where too few hours of the day are known, as on the first day of a run late in the evening.
            seen = np.nan if day["visibility_min"] is None else day["visibility_min"]
            assert seen == pytest.approx(float(here["visibility_min"]), abs=5.1, nan_ok=True)
            if day["index"]:
                assert (day["index"]["value"] is not None) == (city == "beijing")
    assert client.get("/v1/cities/bejing/daily").status_code == 404


def test_days_have_the_us_index_and_the_probability_of_exceeding_the_country_s_standards(
    client, settings, forecast
) -> None:
    registry, store = load_registry(), Store(settings.database_url)
    run = store.latest_run()
    observed = observed_hours(store, run.init_time - timedelta(hours=23), run.init_time, run.simulated)
    store.close()
    likely = daily_exceedance(forecast, observed, registry)
    for city, limit in (("beijing", 60.0), ("tokyo", 35.0)):
        days = client.get(f"/v1/cities/{city}/daily").json()["days"]
        known = [day for day in days if day["us_aqi"] is not None]
        assert len(known) >= 4 and all(day["us_aqi"]["standard"] == "US-EPA-2024" for day in known)
        for day in days:
            here = likely.sel(city=city, date=day["date"])
            assert day["exceedance"]["pm25_limit"] == limit
            for name in ("pm25", "o3"):
                given, expected = day["exceedance"][name], float(here[f"{name}_exceedance"])
                assert (np.nan if given is None else given) == pytest.approx(expected, abs=0.006, nan_ok=True)


def test_the_observed_hour_and_day_are_rated(client, settings) -> None:
    store = Store(settings.database_url)
    run = store.latest_run()
    observed = observed_hours(store, run.init_time - timedelta(hours=11), run.init_time, run.simulated, "beijing")
    store.close()
    answer = client.get("/v1/cities/beijing/daily").json()
    current, report = answer["current"], answer["report"]
    assert current["time"] == answer["init_time"]
    assert current["pm25"] == pytest.approx(float(nowcast_pm(observed["pm25"].values[:, 0])), abs=0.06)
    assert current["us_aqi"]["value"] == max(
        int(us_sub_index(name, current[name])) for name in ("pm25", "pm10") if current[name] is not None
    )
    assert report["date"] < answer["days"][0]["date"]
    assert report["aqi"]["value"] == max(report["parts"].values())
    assert {"pm25", "pm10", "o3_8h"} <= set(report["parts"])
    tokyo = client.get("/v1/cities/tokyo/daily").json()
    assert tokyo["report"] is None and tokyo["current"]["us_aqi"]["standard"] == "US-EPA-2024"
