"""Sources of a chemistry model: what they store, and what they do about faults."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from tempfile import TemporaryDirectory

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
from tests.support.source_server import QUICK, Reply, json_reply
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
    "other hours": (
        lambda p: p["hourly"].update(time=[at + 7200 for at in p["hourly"]["time"]]),
        "found 2026-11-24T02:00:00Z to 2026-11-29T02:00:00Z; expected 2026-11-24T00:00:00Z to 2026-11-29T00:00:00Z",
    ),
    "one value": (
        lambda p: p["hourly"].update(pm2_5=[0.0] * 121),
        f"pm25: found 0 ug m-3 at all {121 * len(CITIES)} places",
    ),
}


@pytest.mark.parametrize("fault", FORMATS)
def test_a_changed_format_is_named_and_nothing_is_stored(source, publisher, store, fault) -> None:
    publisher.change, message = FORMATS[fault]
    report = ingested(source, store)
    assert report.path is None and store.cycles(NOW) == [] and message in report.reasons[0]
    assert report.reasons[0].startswith("composition: open_meteo: ")


def test_hours_that_an_answer_lacks_are_counted(source, publisher, store) -> None:
    def cut(place: dict) -> None:
        place["hourly"] = {name: column[5:100] for name, column in place["hourly"].items()}

    publisher.change = cut
    with xr.open_dataset(ingested(source, store).path) as stored:
        lost = f"{26 * len(CITIES)} of {121 * len(CITIES)} values are missing"
        assert stored.attrs["unexpectedly_absent"] == f"pm25: {lost}; o3: {lost}"
        assert stored.sizes["time"] == 121 and float(stored["pm25"][5, 0]) == pytest.approx(
            pm25_at(5, CITIES[0].latitude, CITIES[0].longitude), rel=1e-3
        )


def test_an_error_under_status_200_is_quoted(source, publisher, store, source_server) -> None:
    said = {"error": True, "reason": "Daily API request limit exceeded."}
    source_server._handlers.insert(0, ("/v1/air-quality", lambda seen: json_reply(said)))
    assert "found an error: Daily API request limit exceeded." in ingested(source, store).reasons[0]


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


@pytest.fixture
def ads(source_server, closed_after):
    return closed_after(AtmosphereDataStore("token", source_server.url + "/api", QUICK))


PROCESSES, JOBS, RESULTS = "/api/retrieve/v1/processes/", "/api/retrieve/v1/jobs/", "/api/retrieve/v1/jobs/1/results"
LICENCE = {"title": "required licences not accepted", "detail": "please accept the licence of the dataset"}
EXPIRED = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
# What is answered where, and what the report says.
ODD_JOBS = {
    "no token": (PROCESSES, json_reply({"title": "Authentication failed"}, 401), "expected an access token that the store knows"),
    "no licence": (
        PROCESSES, json_reply(LICENCE, 403),
        "please accept the licence of the dataset; expected a token of a user who has accepted the licences at "
        "{url}/datasets/cams-global-atmospheric-composition-forecasts?tab=download#manage-licences",
    ),
    "a list for a process": (PROCESSES, json_reply([]), "found an answer of another form (AssertionError)"),
    "a page for a process": (PROCESSES, Reply(b"<html>", content_type="text/html"), "found an answer of another form (JSONDecode"),
    "a list for a job": (JOBS, json_reply([1]), "found an answer of another form (AssertionError)"),
    "a job of no state": (JOBS, json_reply({"jobID": "1"}), "found an answer of another form (KeyError: 'status')"),
    "a job of a new state": (JOBS, json_reply({"status": "paused"}), "Unknown API state 'paused'"),
    "a job that was dismissed": (JOBS, json_reply({"status": "dismissed"}), "API state 'dismissed'"),
    "a job that is gone": (JOBS, json_reply({"title": "job not found", "detail": "job 1"}, 404), "job not found job 1; expected a job"),
    "results of no link": (RESULTS, json_reply({}), "found an answer of another form (KeyError: 'asset')"),
    "results as a list": (RESULTS, json_reply([]), "found an answer of another form (AssertionError)"),
    "a link that has expired": ("/object-store", Reply(EXPIRED, 403, "application/xml"), "found HTTP 403: Request has expired"),
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD_JOBS)
def test_odd_answers_about_jobs_are_named_and_end_nothing_else(ads, store, source_server, odd) -> None:
    where, reply, message = ODD_JOBS[odd]
    jobs = ClimateStore(source_server, "token", ads_content(RUN))
    source_server._handlers.insert(0, (where, lambda seen: reply))
    report = ingested(ads, store)
    assert report.path is None and message.format(url=source_server.url) in report.reasons[0]
    # Another run would meet the same, unless it was the job alone.
    assert (len(report.reasons) == 2) == ("is gone" not in odd) and len(jobs.requests) <= 3


def changed_part(change):
    """What the store answers, with each file changed."""

    def content(request: dict) -> bytes:
        body = BytesIO()
        with TemporaryDirectory() as folder, zipfile.ZipFile(BytesIO(ads_content(RUN)(request))) as whole:
            (name,) = whole.namelist()
            whole.extract(name, folder)
            with xr.open_dataset(f"{folder}/{name}", decode_times=False) as fields:
                change(fields.load()).to_netcdf(f"{folder}/changed.nc")
            with zipfile.ZipFile(body, "w") as archive:
                archive.write(f"{folder}/changed.nc", name)
        return body.getvalue()

    return content


def with_particles(fields: xr.Dataset, factor: float, offset: float) -> xr.Dataset:
    if "pm2p5" not in fields:
        return fields
    return fields.assign(pm2p5=(fields["pm2p5"] * factor + np.float32(offset)).assign_attrs(fields["pm2p5"].attrs))


ODD_PARTS = {
    "cut off": (lambda request: ads_content(RUN)(request)[:-300], "found a zip archive that is cut off"),
    "an empty archive": (lambda request: b"PK\x05\x06" + bytes(18), "0 files of 0 bytes"),
    "GRIB": (lambda request: b"GRIB" + bytes(99), "expected a zip archive or a NetCDF file"),
    "nothing": (lambda request: b"", "expected a zip archive or a NetCDF file"),
    "a page": (lambda request: b"<!doctype html>", "found an HTML page"),
    "another area": (changed_part(lambda f: f.isel(latitude=slice(0, 3))), "grid: found 45 to 55 N"),
    "another unit": (changed_part(lambda f: with_particles(f, 1e9, 0.0)), "pm25: 4840 of 4840 values below 0 or above 2000 ug m-3"),
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD_PARTS)
def test_a_part_that_is_not_what_was_asked_for_is_named(ads, store, source_server, odd) -> None:
    content, message = ODD_PARTS[odd]
    ClimateStore(source_server, "token", content)
    report = ingested(ads, store)
    assert report.path is None and message in report.reasons[0] and "object-store/1.nc" in report.reasons[0]
    assert not list(store.folder.rglob("*.zip"))


def test_a_part_that_comes_damaged_once_costs_no_second_job(ads, store, source_server) -> None:
    jobs = ClimateStore(source_server, "token", ads_content(RUN))
    source_server.fail(path="object-store", flip=0.5)
    assert ingested(ads, store).reasons == () and len(jobs.requests) == 2


def test_particles_of_one_value_are_not_taken(ads, store, source_server) -> None:
    ClimateStore(source_server, "token", changed_part(lambda f: with_particles(f, 0.0, 3e-8)))
    assert f"pm25: found 30 ug m-3 at all {121 * len(CITIES)} places and times" in ingested(ads, store).reasons[0]


def test_a_run_that_came_shorter_than_asked_for_says_so(ads, store, source_server) -> None:
    ClimateStore(source_server, "token", changed_part(lambda f: f.isel(forecast_period=slice(0, 11))))
    with xr.open_dataset(ingested(ads, store).path) as stored:
        n, total = len(CITIES), 121 * len(CITIES)
        assert stored.sizes["time"] == 121
        lost = f"pm25: {110 * n} of {total} values are missing; o3: {90 * n} of {total} values are missing"
        assert stored.attrs["unexpectedly_absent"] == lost


def test_steps_that_a_run_lacks_between_others_are_counted(ads, store, source_server) -> None:
    ClimateStore(
        source_server, "token", changed_part(lambda f: f.isel(forecast_period=[0, *range(2, f.forecast_period.size)]))
    )
    with xr.open_dataset(ingested(ads, store).path) as stored:
        lost = "pm25: 1 of 121 steps are missing between others; o3: 1 of 41 steps are missing between others"
        assert stored.attrs["unexpectedly_absent"] == lost and not np.isnan(stored["pm25"]).any()
