"""Sources of a chemistry model: what they store, and what they do about faults."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.composition import REFERENCE_DENSITY
from hazecast.grids.contract import check
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.grids.times import format_time
from hazecast.services.sources.composition.ads import AtmosphereDataStore
from hazecast.services.sources.composition.open_meteo import OpenMeteoComposition
from hazecast.services.sources.weather.interface import Wanted
from hazecast.services.store.composition_cycles import CompositionStore
from hazecast.services.work.ingest.weather import WeatherReport, ingest_newest
from tests.support.composition_publishers import CamsServer, ads_content, ozone_at, pm25_at
from tests.support.settings import make_settings
from tests.support.source_server import QUICK
from tests.support.weather_publishers import ClimateStore

RUN = datetime(2026, 11, 24, 0, tzinfo=UTC)
NOW = RUN + timedelta(hours=11)
CITIES = tuple(load_registry().cities.values())
WANTED = Wanted(CITIES)


@pytest.fixture
def store(tmp_path):
    return CompositionStore(tmp_path / "composition")


@pytest.fixture
def publisher(source_server):
    return CamsServer(source_server, RUN)


@pytest.fixture
def source(publisher, source_server, closed_after):
    return closed_after(OpenMeteoComposition(source_server.url, patience=QUICK))


def ingested(source, store, now: datetime = NOW) -> WeatherReport:
    return ingest_newest([source], WANTED, store, now, "composition", lambda: now)


def check_against_truth(dataset: xr.Dataset) -> None:
    check(dataset, "composition")
    assert dataset.sizes == {"time": 121, "city": len(CITIES)} and dataset.attrs["init_time"] == "2026-11-24T00:00:00Z"
    hours = np.array([0, 7, 120])[:, None]
    at = hours, np.array([city.latitude for city in CITIES]), np.array([city.longitude for city in CITIES])
    np.testing.assert_allclose(dataset["pm25"].values[hours.ravel()], pm25_at(*at), rtol=1e-3)
    ozone = ozone_at(*at) * 1e9 * REFERENCE_DENSITY
    np.testing.assert_allclose(dataset["o3"].values[hours.ravel()], ozone, rtol=1e-3)


def test_open_meteo_from_the_answer_to_the_store(source, store, source_server) -> None:
    report = ingested(source, store)
    assert report.reasons == () and report.attempts[0].outcome == "fetched"
    with xr.open_dataset(report.path) as stored:
        check_against_truth(stored.load())
        assert stored.attrs["retrieved_at"] == format_time(NOW) and "Copernicus" in stored.attrs["attribution"]
        assert stored.attrs["unexpectedly_absent"] == "" and stored.attrs["late"] == 0
    calls = -(-len(CITIES) // 50)
    assert len(source_server.asked("air-quality")) == calls and source.traffic.requests == calls + 2
    assert ingested(source, store, NOW + timedelta(hours=1)).attempts[0].outcome == "already stored"
    assert len(source_server.asked("air-quality")) == calls


def test_a_run_that_is_not_on_all_servers_yet_is_waited_for(source, publisher, store) -> None:
    publisher.served_since = NOW - timedelta(minutes=14)
    report = ingested(source, store)
    assert report.path is None and "found the run of 2026-11-24T00Z, served since" in report.reasons[0]
    assert ingested(source, store, NOW + timedelta(minutes=1)).path is not None


def test_a_run_published_meanwhile_gives_the_issue_its_time(source, publisher, store) -> None:
    publisher.change = lambda place: setattr(publisher, "run", RUN + timedelta(hours=12))
    report = ingested(source, store, NOW + timedelta(hours=12))
    assert report.path.name == "20261124T1200Z.nc"


def test_nulls_and_impossible_values_are_counted(source, publisher, store) -> None:
    def change(place: dict) -> None:
        place["hourly"]["pm2_5"][3] = None
        place["hourly"]["ozone"][5] = -40.0

    publisher.change = change
    with xr.open_dataset(ingested(source, store).path) as stored:
        total, n = stored["pm25"].size, len(CITIES)
        assert stored["pm25"][3].isnull().all() and stored["o3"][5].isnull().all()
        assert int(stored["pm25"].isnull().sum()) == int(stored["o3"].isnull().sum()) == n
        expected = f"pm25: {n} of {total} values are missing; o3: {n} of {total} values below 0 or above 1500 ug m-3"
        assert stored.attrs["unexpectedly_absent"] == expected


def test_a_variable_that_is_missing_is_said_and_the_other_is_stored(source, publisher, store) -> None:
    publisher.change = lambda place: (place["hourly"].pop("ozone"), place["hourly_units"].pop("ozone"))
    with xr.open_dataset(ingested(source, store).path) as stored:
        assert set(stored.data_vars) == {"pm25"} and stored.attrs["unexpectedly_absent"] == "o3: no values"


FORMATS = {
    "wrong unit": (lambda p: p["hourly_units"].update(pm2_5="kg/m³"), "hourly_units.pm2_5: found kg/m³"),
    "another place": (lambda p: p.update(latitude=-33.0), "latitude: found -33.0; expected within 0.4 degrees"),
    "too few values": (lambda p: p["hourly"]["ozone"].pop(), "hourly.ozone"),
    "no values": (lambda p: p.update(hourly={"time": p["hourly"]["time"]}), "pm25: no values; o3: no values"),
    "no hours": (lambda p: p.pop("hourly"), "hourly: found absent"),
}


@pytest.mark.parametrize("fault", FORMATS)
def test_a_changed_format_is_named_and_nothing_is_stored(source, publisher, store, fault) -> None:
    publisher.change, message = FORMATS[fault]
    report = ingested(source, store)
    assert report.path is None and store.cycles(NOW) == [] and message in report.reasons[0]
    assert report.reasons[0].startswith("composition: open_meteo: ")


def test_refusals_are_waited_out_and_bad_json_is_named(source, store, source_server) -> None:
    source_server.fail(path="air-quality", status=429, retry_after="0")
    source_server.fail(path="meta.json", status=503)
    assert ingested(source, store).path is not None and source.traffic.retries == 2
    source_server.fail(path="meta.json", body=b"{'not': json", content_type="application/json", times=99)
    assert "expected JSON" in ingested(source, store, NOW + timedelta(hours=12)).reasons[0]
    source_server.stop()
    assert "ConnectError" in ingested(source, store, NOW + timedelta(hours=12)).reasons[0]


def test_the_atmosphere_data_store_from_two_jobs_to_the_store(source_server, store, closed_after) -> None:
    jobs = ClimateStore(source_server, "token", ads_content(RUN))
    source = closed_after(AtmosphereDataStore("token", source_server.url + "/api", QUICK))
    report = ingested(source, store)
    with xr.open_dataset(report.path) as stored:
        check_against_truth(stored.load())
    particles, ozone = jobs.requests
    assert particles["leadtime_hour"] == [str(h) for h in range(121)] and "model_level" not in particles
    assert ozone["leadtime_hour"] == [str(h) for h in range(0, 121, 3)] and ozone["model_level"] == ["137"]
    assert ozone["date"] == ["2026-11-24/2026-11-24"] and ozone["time"] == ["00:00"]
    assert ingested(source, store, NOW + timedelta(hours=9)).attempts[0].outcome == "already stored"
    assert not list(store.folder.rglob("*.parts")) and len(jobs.requests) == 2


def test_a_job_that_stays_queued_is_given_up(source_server, store, closed_after) -> None:
    ClimateStore(source_server, "token", ads_content(RUN)).outcome = "accepted"
    waits = replace(QUICK, job_seconds=0.05)
    source = closed_after(AtmosphereDataStore("token", source_server.url + "/api", waits))
    report = ingested(source, store)
    assert report.path is None and "not ended after 0.05 s, the longest that a job is waited for" in report.reasons[0]


def test_faults_of_the_atmosphere_data_store_are_named(source_server, store, closed_after, tmp_path) -> None:
    jobs = ClimateStore(source_server, "token", ads_content(RUN - timedelta(hours=12)))
    source = closed_after(AtmosphereDataStore("token", source_server.url + "/api", QUICK))
    other = "forecast_reference_time: found 2026-11-23T12:00:00Z; expected 2026-11-24T00:00:00Z"
    assert other in ingested(source, store).reasons[0] and not list(store.folder.rglob("*.parts"))
    jobs.content = lambda request: b"GRIB"
    assert "a zip archive or a NetCDF file" in ingested(source, store).reasons[0]
    jobs.outcome = "failed"
    report = ingested(source, store)
    # The run before, which the first of these ingests stored in its place, stays in use.
    assert "cost limits exceeded" in report.reasons[0] and report.path.name == "20261123T1200Z.nc"
    with pytest.raises(InputError, match="HAZECAST_ADS_KEY"):
        AtmosphereDataStore.from_settings(make_settings(data_dir=tmp_path))
