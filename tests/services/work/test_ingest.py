"""Ingested weather: what is stored, what a forecast may see of it, and the command."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from hazecast.grids.contract import HISTORY_HOURS, LEAD_HOURS, WEATHER, check, describe
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.services.cli.app import app
from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.tasks import scheduled_cycle
from hazecast.services.sources.weather.gfs import DELAY
from hazecast.services.sources.weather.interface import HORIZON_HOURS, Cycle
from hazecast.services.store.weather_cycles import WeatherStore
from hazecast.services.work.cycle import run_cycle
from hazecast.services.work.ingest.ingest import ingest_live
from hazecast.services.work.sample import write_sample
from tests.support.monitor_publishers import open_meteo as open_meteo_air
from tests.support.settings import make_settings
from tests.support.weather_publishers import ClimateStore, OpenMeteoServer, era5_month, publish_gfs, truth
from tests.support.weather_samples import write_era5

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
CYCLE = NOW.replace(hour=0)
CITIES = tuple(load_registry().cities.values())[:3]


def cycle_at_cities(init_time: datetime, value: float, *, back: int = 0, late: bool = False) -> xr.Dataset:
    """A stored cycle whose every temperature is `value` K."""
    start = np.datetime64(init_time.replace(tzinfo=None), "ns")
    hours = np.arange(-back, HORIZON_HOURS + 1)
    dims = ("time", "city")
    return describe(
        xr.Dataset(
            {"t2m": (dims, np.full((len(hours), len(CITIES)), value, np.float32))},
            coords={"time": start + hours.astype("timedelta64[h]"), "city": [c.id for c in CITIES]},
            attrs={"source": "test", "init_time": f"{init_time:%Y-%m-%dT%H:%M:%SZ}", "late": int(late)},
        ),
        "city_weather",
    )


@pytest.fixture
def store(tmp_path):
    return WeatherStore(tmp_path / "weather")


def test_a_forecast_never_sees_weather_issued_after_it(store) -> None:
    for hours, value in ((0, 270.0), (6, 280.0), (12, 290.0)):
        store.save("gfs", cycle_at_cities(CYCLE + timedelta(hours=hours), value))
    assert store.known(CYCLE - timedelta(seconds=1), CITIES, ("gfs",)) is None
    for at, expected in ((0, 270.0), (5, 270.0), (6, 280.0), (11, 280.0), (12, 290.0)):
        known = store.known(CYCLE + timedelta(hours=at), CITIES, ("gfs",))
        assert float(known.future["t2m"].max()) == expected
        assert float(known.past["t2m"].max()) == expected and known.source.endswith(known.future.attrs["init_time"])


def test_each_past_hour_is_of_the_newest_cycle_that_holds_it(store) -> None:
    for hours, value in ((-12, 268.0), (-6, 269.0), (0, 270.0)):
        store.save("gfs", cycle_at_cities(CYCLE + timedelta(hours=hours), value))
    past = store.known(CYCLE + timedelta(hours=2), CITIES, ("gfs",)).past["t2m"].isel(city=0)
    by_hour = {
        int((t - past["time"].values[-1]) / np.timedelta64(1, "h")): float(past.sel(time=t))
        for t in past["time"].values
    }
    assert by_hour[-14] == by_hour[-9] == 268.0 and by_hour[-8] == by_hour[-3] == 269.0
    assert by_hour[-2] == by_hour[0] == 270.0
    store.save("open_meteo", cycle_at_cities(CYCLE - timedelta(hours=18), 260.0, back=HISTORY_HOURS))
    past = store.known(CYCLE + timedelta(hours=2), CITIES, ("gfs",)).past
    assert past.sizes["time"] == HISTORY_HOURS and np.isfinite(past["t2m"]).all()


def test_of_equally_new_cycles_the_preferred_source_serves(store) -> None:
    store.save("gfs", cycle_at_cities(CYCLE, 270.0))
    store.save("open_meteo", cycle_at_cities(CYCLE, 280.0))
    for preference, expected in ((("gfs", "open_meteo"), 270.0), (("open_meteo", "gfs"), 280.0)):
        assert float(store.known(NOW, CITIES, preference).future["t2m"][0, 0]) == expected


def test_what_is_amiss_is_said(store) -> None:
    store.save("gfs", cycle_at_cities(CYCLE, 270.0))
    assert store.known(NOW, CITIES, ()).reasons == ()
    store.note(NOW, ["weather: ecmwf: down"])
    assert store.known(NOW, CITIES, ()).reasons == ("weather: ecmwf: down",)
    old = store.known(CYCLE + timedelta(hours=20), CITIES, ())
    assert old.reasons == ("weather: the newest cycle, gfs of 2026-11-24T00Z, is 20 h old",)
    store.save("gfs", cycle_at_cities(CYCLE, 270.0, late=True))
    assert "gfs is late" in store.known(CYCLE + timedelta(hours=20), CITIES, ()).reasons[0]


def test_old_cycles_are_removed_and_damaged_ones_named(store) -> None:
    for hours in (-48, 0):
        store.save("gfs", cycle_at_cities(CYCLE + timedelta(hours=hours), 270.0))
    store.scratch(Cycle("gfs", CYCLE - timedelta(hours=48))).joinpath("f000.grib2").write_bytes(b"x")
    assert store.prune(CYCLE - timedelta(hours=24)) == 2
    assert [init for init, *_ in store.cycles(NOW)] == [CYCLE]
    path = store.path(Cycle("gfs", CYCLE))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"20261124T0000Z.nc.*ingest again"):
        store.known(NOW, CITIES, ())


@pytest.fixture
def live(source_server, tmp_path, monkeypatch):
    """Settings of a machine whose default sources are local servers, with observations of its own."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    # The newest cycle that is due at this hour, whatever hour the test runs at.
    due = now - DELAY
    newest = due.replace(hour=due.hour - due.hour % 6)
    publish_gfs(source_server, newest, HORIZON_HOURS)
    publisher = OpenMeteoServer(source_server, newest)
    open_meteo_air(source_server)
    write_sample(tmp_path / "observations", load_registry(), now)
    for name, value in {
        "DATA_DIR": str(tmp_path / "data"),
        "OBSERVATIONS_DIR": str(tmp_path / "observations"),
        "WEATHER": "live",
        "GFS_URL": source_server.url,
        "OPEN_METEO_URL": source_server.url,
        "OPEN_METEO_AIR_URL": source_server.url,
        "HTTP_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(f"HAZECAST_{name}", value)
    publisher.newest, publisher.now = newest, now
    return publisher


def test_the_command_ingests_and_the_cycle_runs_on_it(live, source_server) -> None:
    result = CliRunner().invoke(app, ["ingest", "--live", "--json"])
    report = json.loads(result.stdout)
    assert result.exit_code == 0 and report["status"] == "done", result.stdout
    (observed,) = report["observations"]
    assert observed["source"] == "open_meteo" and observed["new"] > 0 and observed["newest"]
    (attempt,) = report["weather"]["attempts"]
    assert attempt["source"] == "gfs" and attempt["bytes"] > 0
    with xr.open_dataset(report["weather"]["path"]) as grid:
        check(grid.load(), "weather_grid")
        assert float(grid["latitude"].min()) >= 15.0 and float(grid["longitude"].max()) <= 150.0
    settings = Settings()
    done = run_cycle(settings, cities=("beijing", "shanghai"))
    assert done.weather_source == f"NOAA GFS 5 degree, forecast of {live.newest:%Y-%m-%dT%H:%M:%SZ}"
    assert done.humidity_source == "forecast weather" and done.status == "done", done.reasons
    before = len(source_server.asked(r"\.f\d\d\d$"))
    again = CliRunner().invoke(app, ["ingest", "--live"])
    assert again.exit_code == 0 and "gfs: already stored" in again.stdout
    assert "observations open_meteo: done" in again.stdout and "values: 0 new" in again.stdout
    assert len(source_server.asked(r"\.f\d\d\d$")) == before


def test_with_the_first_source_down_the_second_serves_and_the_report_says_so(live, source_server) -> None:
    source_server.fail(path="/gfs", status=503, times=99)
    report = scheduled_cycle(Settings())
    assert report.status == "degraded" and report.weather_source.startswith("Open-Meteo, ecmwf_ifs, forecast of")
    assert any("weather: gfs: " in reason and "HTTP 503" in reason for reason in report.reasons)
    result = CliRunner().invoke(app, ["ingest", "--live"])
    assert result.exit_code == 3 and "degraded: weather: gfs" in result.stdout


def test_with_all_sources_down_the_last_cycle_serves_and_the_report_says_so(live, source_server) -> None:
    ingest_live(make_settings(weather_sources=("open_meteo",)), live.now)
    store = WeatherStore(Settings().weather_dir)
    ((_, source, path),) = store.cycles(live.now)
    with xr.open_dataset(path) as stored:
        old = stored.load()
    old["time"] = old["time"] - np.timedelta64(24, "h")
    store.save(source, old.assign_attrs(init_time=f"{live.newest - timedelta(hours=24):%Y-%m-%dT%H:%M:%SZ}"))
    path.unlink()
    source_server.stop()
    result = CliRunner().invoke(app, ["ingest", "--live"])
    assert result.exit_code == 1 and "none of gfs, open_meteo had a new cycle" in result.stdout
    report = run_cycle(Settings(), cities=("beijing",))
    assert report.status == "degraded"
    assert any("h old" in reason for reason in report.reasons)
    assert any("weather: gfs: " in reason and "ConnectError" in reason for reason in report.reasons)


def test_a_replay_in_the_past_sees_no_later_weather(live) -> None:
    ingest_live(make_settings(weather_sources=("open_meteo",)))
    report = run_cycle(Settings(), init_time=live.newest - timedelta(hours=1), cities=("beijing",))
    assert report.status == "degraded" and report.weather_source == "none: nothing was ingested"


def test_open_meteo_alone_needs_no_grid(live) -> None:
    report = ingest_live(make_settings(weather_sources=("open_meteo",)))
    assert report.status == "done"
    with xr.open_dataset(report.weather.path) as weather:
        check(weather.load(), "city_weather")
        city = load_registry().city("beijing")
        expected = truth("blh", LEAD_HOURS, city.latitude, city.longitude)
        time = np.datetime64(live.newest.replace(tzinfo=None), "ns") + np.timedelta64(LEAD_HOURS, "h")
        assert float(weather["blh"].sel(city="beijing", time=time)) == pytest.approx(expected, rel=1e-4)
        # The model in service reads neither cloud cover nor radiation.
        assert {name for name in WEATHER if name in weather} == set(WEATHER) - {"tcc", "ssrd"}


def test_settings_are_checked(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("HAZECAST_WEATHER_SOURCES", "gfs,accuweather")
    with pytest.raises(ValueError, match="weather_sources"):
        Settings()
    with pytest.raises(InputError, match="HAZECAST_WEATHER_FOLDER"):
        ingest_live(make_settings(weather_sources=("folder",), data_dir=tmp_path))
    assert "s3cret" not in repr(make_settings(weather_sources=("gfs",), open_meteo_key="s3cret"))


def test_the_command_builds_an_archive_from_files_and_goes_on_with_it(tmp_path) -> None:
    (tmp_path / "era5").mkdir()
    write_era5(tmp_path / "era5" / "20140220.nc", new_layout=True)
    asked = ["ingest", "--from", "2014-02-20T00:00:00", "--to", "2014-02-20T03:00:00"]
    given = ["--weather-files", str(tmp_path / "era5"), "--data-dir", str(tmp_path / "data")]
    first = CliRunner().invoke(app, asked + given)
    assert first.exit_code == 0 and "hours 4 new, 0 known" in first.stdout, first.stdout
    again = CliRunner().invoke(app, asked + given)
    assert again.exit_code == 0 and "hours 0 new, 4 known" in again.stdout
    longer = CliRunner().invoke(app, [*asked[:-1], "2014-02-20T05:00:00", *given])
    assert longer.exit_code == 3 and "degraded: 2 hours of the period are missing" in longer.stdout


def test_without_files_the_months_of_era5_are_fetched(source_server, tmp_path, monkeypatch) -> None:
    store = ClimateStore(source_server, "token", era5_month)
    asked = ["ingest", "--from", "2014-02-20T00:00:00", "--to", "2014-02-20T03:00:00", "--data-dir", str(tmp_path)]
    without_key = CliRunner().invoke(app, asked)
    assert isinstance(without_key.exception, InputError) and "HAZECAST_ERA5_KEY" in str(without_key.exception)
    monkeypatch.setenv("HAZECAST_ERA5_URL", source_server.url + "/api")
    monkeypatch.setenv("HAZECAST_ERA5_KEY", "token")
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0 and "hours 4 new" in result.stdout, result.stdout
    assert [request["month"] for request in store.requests] == [["02"], ["02"]]


@pytest.mark.parametrize("given", [[], ["--live", "--from", "2014-02-20"], ["--to", "2014-02-20"]])
def test_what_to_ingest_must_be_said(given, tmp_path) -> None:
    result = CliRunner().invoke(app, ["ingest", *given, "--data-dir", str(tmp_path)])
    assert isinstance(result.exception, InputError)
