"""An outage of a week leaves no hole: observations and weather filled from local servers that speak the publishers' protocols."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr
from sqlalchemy import func, select

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import load_station_cities
from hazecast.grids.places.cities import Registry, load_registry
from hazecast.grids.times import format_time
from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.jobs import all_jobs
from hazecast.services.sources.weather.gfs import Gfs
from hazecast.services.sources.weather.interface import Cycle, Wanted, with_provenance
from hazecast.services.sources.weather.open_meteo import OpenMeteo
from hazecast.services.store.monitors import save_readings
from hazecast.services.store.station_hours import stations_by_hour
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import EarlierValue, StationObservation
from hazecast.services.store.weather_cycles import WeatherStore
from hazecast.services.work.ingest import backfill as module
from hazecast.services.work.ingest.backfill import BackfillBusyError, backfill, fill_holes
from hazecast.services.work.ingest.fill import fill_cycles
from hazecast.services.work.ingest.holes import AskedInVain, hours_of, missing_cycles, missing_hours
from hazecast.services.work.ingest.monitors import build_sources, ingest_live
from tests.support import monitor_publishers as publishers
from tests.support.command_line import run_command
from tests.support.monitor_publishers import HOUR, LAST, NOW, settings_for, truth
from tests.support.settings import make_settings
from tests.support.source_server import QUICK, Fault
from tests.support.weather_publishers import OpenMeteoServer, gfs_path
from tests.support.weather_samples import hourly_weather

WEEK = 168
DAY = 24 * HOUR
# The last ingest before the outage.
BEFORE = NOW - (WEEK + 24) * HOUR
CYCLE = datetime(2026, 1, 14, tzinfo=UTC)
KNOWN = load_registry()
# A few cities: what is tested is hours, not places.
RULES = load_station_cities(KNOWN)
FEW = Registry(
    cities={name: KNOWN.city(name) for name in ("beijing", "shanghai", "shenyang", "tokyo")}, regions=KNOWN.regions
)


@pytest.fixture(autouse=True)
def a_day_of_few_cities(monkeypatch) -> None:
    monkeypatch.setattr("hazecast.services.work.ingest.monitors.HISTORY_HOURS", 26)
    monkeypatch.setattr(module, "city_registry", lambda settings: FEW)
    monkeypatch.setattr("hazecast.services.work.ingest.monitors.city_registry", lambda settings: FEW)
    for name in (module.__name__, "hazecast.services.work.ingest.monitors"):
        monkeypatch.setattr(f"{name}.load_station_cities", lambda registry: RULES)


def published(name, server) -> publishers.Publisher:
    longer = {"soramame": {"hours": 240}, "airnow": {"hours": 240}}.get(name, {})
    return publishers.PUBLISHERS[name](server, **longer)


def after_an_outage(settings: Settings) -> None:
    """Ingest before the outage and after it."""
    for now in (BEFORE, NOW):
        assert not ingest_live(settings, now, patience=QUICK).failed


def rows(settings: Settings) -> dict[tuple, tuple]:
    store = Store(settings.database_url, files=settings.data_dir)
    try:
        with store.engine.connect() as connection:
            found = connection.execute(select(StationObservation.__table__))
            return {(r.station_id, r.time, r.pollutant): (r.raw, r.value, r.flag, r.revision) for r in found}
    finally:
        store.close()


def holes(settings: Settings, source: str, first: datetime = BEFORE, last: datetime = LAST) -> list[datetime]:
    store = Store(settings.database_url, files=settings.data_dir)
    try:
        return missing_hours(store, source, first, last)
    finally:
        store.close()


@pytest.mark.parametrize(
    # Soramame has a file an hour.
    "name",
    ["openaq", "airnow", "open_meteo", pytest.param("soramame", marks=[pytest.mark.slow, pytest.mark.slowest])],
)
def test_the_job_fills_an_outage_of_a_week(name, source_server, tmp_path) -> None:
    publisher = published(name, source_server)
    settings = settings_for(tmp_path / "data", publisher)
    after_an_outage(settings)
    assert len(holes(settings, name)) == WEEK + 24 - 26
    report = fill_holes(settings, lambda: NOW, QUICK)
    assert report.status == "done" and not report.problems, report
    assert holes(settings, name) == [] and report.filled[0].filled == WEEK + 24 - 26
    stored = rows(settings)
    wanted = hours_of(BEFORE, LAST)
    for code in (c for c in publisher.codes if c in ("13101010", "100", "Beijing", "beijing")):
        for time in wanted:
            raw, _, _, revision = stored[f"{name}:{code}", time, "pm25"]
            if raw != -999:
                assert (raw, revision) == (pytest.approx(truth(code, time, "pm25"), rel=1e-3), 0)
    # Nothing is missing any more, and nothing is asked for.
    asked = len(source_server.requests)
    assert fill_holes(settings, lambda: NOW, QUICK).filled == () and len(source_server.requests) == asked


def test_what_fills_a_hole_is_judged_as_if_it_had_come_in_time(source_server, tmp_path) -> None:
    publisher = published("openaq", source_server)
    settings, whole = settings_for(tmp_path / "data", publisher), settings_for(tmp_path / "whole", publisher)
    # Two values that only their neighbours show to be none.
    wrong = {LAST - 60 * HOUR, LAST - 24 * HOUR}
    plain = publishers.truth
    publishers.truth = lambda code, time, name: 900.0 if time in wrong else plain(code, time, name)
    try:
        after_an_outage(settings)
        assert fill_holes(settings, lambda: NOW, QUICK).status == "done"
        stored = rows(settings)
        first = min(time for _, time, _ in stored)
        assert backfill(whole, first, LAST, clock=lambda: NOW, patience=QUICK, kind="observations").left == 0
    finally:
        publishers.truth = plain
    assert rows(whole) == stored
    assert {time for (_, time, _), (raw, value, _, _) in stored.items() if raw == 900.0 and value is None} == wrong


def test_a_backfill_that_was_cut_goes_on_and_repeated_changes_nothing(source_server, tmp_path) -> None:
    settings = settings_for(tmp_path, published("soramame", source_server))
    first, yesterday = LAST - 60 * HOUR, (LAST - 24 * HOUR).astimezone(publishers.JAPAN)
    source_server.faults.append(Fault(f"/noudoAll/{yesterday:%Y/%m/%d}/", times=10_000, status=503))
    given = {"kind": "observations", "clock": lambda: NOW, "patience": QUICK}
    cut = backfill(settings, first, LAST, **given)
    assert cut.status == "degraded" and "503" in cut.problems[0] and 0 < cut.left < 60
    source_server.faults.clear()
    before = rows(settings)
    rest = backfill(settings, first, LAST, "soramame", **given)
    assert rest.status == "done" and rest.filled[0].missing == rest.filled[0].filled == cut.left
    after = rows(settings)
    assert {key: after[key][0] for key in before} == {key: raw for key, (raw, *_) in before.items()}
    again = backfill(settings, first, LAST, "soramame", again=True, **given).filled[0]
    assert (again.new, again.revised, again.missing) == (0, 0, 0) and again.unchanged > 0


def test_a_publisher_that_keeps_a_day_says_what_it_cannot_give(source_server, tmp_path) -> None:
    settings = settings_for(tmp_path, publishers.cnemc(source_server))
    asked = backfill(settings, LAST - 48 * HOUR, LAST, kind="observations", clock=lambda: NOW, patience=QUICK)
    assert asked.status == "degraded" and "which the publisher keeps nothing of" in asked.problems[0]
    assert (asked.filled[0].filled, asked.left) == (24, 25) and holes(settings, "cnemc", LAST - 23 * HOUR) == []
    lost = backfill(settings, LAST - 48 * HOUR, LAST - 40 * HOUR, kind="observations", clock=lambda: NOW)
    assert (lost.status, lost.left) == ("degraded", 9)
    # The job asks for what there is, and that is no fault.
    assert fill_holes(settings, lambda: NOW + HOUR, QUICK).filled == ()


def test_a_publisher_that_is_down_stops_its_own_part_alone(source_server, tmp_path) -> None:
    settings = settings_for(tmp_path, published("openaq", source_server), published("airnow", source_server))
    after_an_outage(settings)
    source_server.faults.append(Fault("/v3/", times=10_000, status=500))
    report = fill_holes(settings, lambda: NOW, QUICK)
    assert [one.status for one in report.filled] == ["failed", "done"] and report.status == "degraded"
    assert holes(settings, "airnow") == [] and holes(settings, "openaq") != []
    # Whoever did not answer is asked again at once.
    source_server.faults.clear()
    assert fill_holes(settings, lambda: NOW + HOUR, QUICK).status == "done" and holes(settings, "openaq") == []


def test_what_a_publisher_never_had_is_asked_for_ever_more_rarely(source_server, tmp_path) -> None:
    publisher = published("openaq", source_server)
    settings = settings_for(tmp_path, publisher)
    after_an_outage(settings)
    empty = json.dumps({"meta": {}, "results": []}).encode()
    source_server.faults.append(Fault("/v3/sensors/", times=10_000, body=empty, content_type="application/json"))
    asked = []
    for hours in (0, 1, 2, 3, 5, 11):
        report = fill_holes(settings, lambda h=hours: NOW + h * HOUR, QUICK)
        assert not report.problems
        asked.append(sum(one.missing for one in report.filled) >= 166)
    assert asked == [True, False, True, False, False, True]


def test_an_hour_of_few_stations_is_a_hole(source_server, tmp_path) -> None:
    settings = settings_for(tmp_path, publishers.cnemc(source_server))
    ingest_live(settings, NOW, patience=QUICK)
    assert holes(settings, "cnemc", LAST - 20 * HOUR) == []
    store = Store(settings.database_url, files=settings.data_dir)
    try:
        with store.writing() as connection:
            some = StationObservation.station_id.in_(["cnemc:1001A", "cnemc:1003A", "cnemc:1006A"])
            connection.execute(
                StationObservation.__table__.delete().where(some, StationObservation.time == LAST - HOUR)
            )
        assert stations_by_hour(store, "cnemc", LAST - HOUR, LAST) == {LAST - HOUR: 1, LAST: 4}
        assert missing_hours(store, "cnemc", LAST - 20 * HOUR, LAST) == [LAST - HOUR]
        # The earlier value of what a publisher changes is kept, as of a live ingest.
        source = build_sources(settings, FEW, QUICK)[0]
        batch = source.fetch([LAST])
        batch.readings = [reading._replace(raw=1.0) for reading in batch.readings[:1]]
        assert save_readings(store, source, batch, FEW, NOW).revised == 1
        source.close()
        with store.engine.connect() as connection:
            assert connection.scalar(select(func.count()).select_from(EarlierValue)) == 1
    finally:
        store.close()


def test_cycles_of_gfs_that_are_still_kept(source_server, tmp_path, monkeypatch) -> None:
    store, wanted = WeatherStore(tmp_path), Wanted(tuple(FEW.cities.values()), hours=6)
    for hours in (0, 12):
        source_server.file(gfs_path(CYCLE + hours * HOUR, 6) + ".idx", b"1:0:d=")

    def fetch(self, cycle, wanted, scratch):
        (scratch / "f000.grib2").write_bytes(b"GRIB")
        times = np.datetime64(f"{cycle.init_time:%Y-%m-%dT%H}", "ns") + np.arange(7) * np.timedelta64(1, "h")
        grid = hourly_weather("2014-02-01", 7, names=("t2m",)).assign_coords(time=times)
        return with_provenance(grid, cycle, "a test", "a test")

    monkeypatch.setattr(Gfs, "fetch", fetch)
    source = Gfs(source_server.url, QUICK)
    missing = missing_cycles(store, CYCLE, CYCLE + 12 * HOUR)
    assert missing == [CYCLE, CYCLE + 6 * HOUR, CYCLE + 12 * HOUR]
    report = fill_cycles([source], wanted, store, missing, lambda: NOW, small_before=CYCLE + HOUR)
    assert (report.filled, report.left, report.status) == (2, 1, "partial") and not report.problems
    assert "nothing of 2026-01-14T06Z" in report.notes[0] and report.counts["not_kept_by_gfs"] == 1
    assert missing_cycles(store, CYCLE, CYCLE + 12 * HOUR) == [CYCLE + 6 * HOUR]
    # What was downloaded is cleared, and of old cycles the cities alone are kept.
    assert not list(tmp_path.rglob("*.backfill"))
    dims = {}
    for hours in (0, 12):
        with xr.open_dataset(store.path(Cycle("gfs", CYCLE + hours * HOUR))) as stored:
            assert stored.attrs["retrieved_at"] == format_time(NOW)
            dims[hours] = set(stored.dims)
    assert dims == {0: {"time", "city"}, 12: {"time", "latitude", "longitude"}}
    source.close()


def test_the_command_fills_observations_and_weather(source_server, tmp_path, monkeypatch) -> None:
    OpenMeteoServer(source_server, CYCLE)
    now = CYCLE + 9 * HOUR
    monkeypatch.setattr("hazecast.services.core.clock.utc_now", lambda: now)
    monkeypatch.setattr(module.backfill, "__kwdefaults__", module.backfill.__kwdefaults__ | {"clock": lambda: now})
    published("open_meteo", source_server)
    given = {
        "MONITOR_SOURCES": "open_meteo", "WEATHER_SOURCES": "open_meteo", "DATA_DIR": str(tmp_path),
        **dict.fromkeys(("OPEN_METEO_URL", "OPEN_METEO_RUNS_URL", "OPEN_METEO_AIR_URL"), source_server.url),
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(f"HAZECAST_{name}", value)
    words = ("ingest", "backfill", "--from", "2026-01-13T00:00:00", "--to", "2026-01-14T00:00:00", "--json")
    report = json.loads(run_command(*words))
    assert report["status"] == "done" and [(one["kind"], one["filled"]) for one in report["sources"]] == [
        ("observations", 25),
        ("weather", 5),
    ]
    runs = {seen.query["run"] for seen in source_server.asked("/v1/forecast")}
    assert "2026-01-13T06:00" in runs and len(runs) == 5
    cycles = dict(WeatherStore(tmp_path / "weather").issued(CYCLE - DAY, CYCLE, tuple(FEW.cities.values()), ()))
    assert len(cycles) == 5 and np.isfinite(cycles[CYCLE - DAY]["t2m"]).all()
    assert cycles[CYCLE - DAY].attrs["init_time"] == "2026-01-13T00:00:00Z"


def test_the_job_fills_the_cycles_of_an_outage_a_few_a_run(source_server, tmp_path) -> None:
    OpenMeteoServer(source_server, CYCLE)
    urls = dict.fromkeys(("open_meteo_url", "open_meteo_runs_url", "open_meteo_air_url"), source_server.url)
    settings = make_settings(data_dir=tmp_path, weather_sources=["open_meteo"], **urls)
    cycles, now = WeatherStore(settings.weather_dir), CYCLE + 9 * HOUR
    # Before anything was ingested nothing is a hole.
    assert fill_holes(settings, lambda: now, QUICK).filled == ()
    source = OpenMeteo(source_server.url, patience=QUICK, runs_url=source_server.url)
    wanted = Wanted(tuple(FEW.cities.values()), hours=6)
    assert fill_cycles([source], wanted, cycles, [CYCLE - 2 * DAY], lambda: now).status == "done"
    source.close()
    runs = [fill_holes(settings, lambda: now, QUICK) for _ in range(3)]
    assert [[one.filled for one in run.filled] for run in runs] == [[4], [3], []]
    assert missing_cycles(cycles, CYCLE - 2 * DAY, CYCLE - 6 * HOUR) == []


def test_what_cannot_be_asked_for(source_server, tmp_path) -> None:
    settings = settings_for(tmp_path, publishers.open_meteo(source_server))
    for source, kind, text in [
        ("nothing", None, "expected one of .*airnow"),
        ("gfs", "observations", "a source of observations"),
    ]:
        with pytest.raises(InputError, match=text):
            backfill(settings, BEFORE, LAST, source, kind, clock=lambda: NOW)
    with pytest.raises(InputError, match="a period of the past"):
        backfill(settings, NOW + HOUR, NOW + DAY, clock=lambda: NOW)
    weather = backfill(settings, NOW - 40 * DAY, NOW - 39 * DAY, "gfs", clock=lambda: NOW).filled[0]
    assert weather.missing == 0 and "HAZECAST_WEATHER_KEEP_DAYS is 10" in weather.problems[0]
    kept = settings_for(tmp_path / "kept", publishers.open_meteo(source_server), keep_observation_days=60)
    old = backfill(kept, NOW - 61 * DAY, NOW - 61 * DAY + HOUR, kind="observations", clock=lambda: NOW).filled[0]
    assert old.filled == 1 and "HAZECAST_KEEP_OBSERVATION_DAYS is 60" in old.problems[0]
    with module.file_locked(settings.data_dir / module.LOCK_FILE), pytest.raises(BackfillBusyError):
        fill_holes(settings, lambda: NOW)


def test_a_run_of_open_meteo_that_is_refused_is_not_kept(source_server, tmp_path) -> None:
    OpenMeteoServer(source_server, CYCLE)
    source = OpenMeteo(source_server.url, patience=QUICK, runs_url=source_server.url)
    source_server.faults.append(Fault("/v1/forecast", status=400))
    wanted = Wanted(tuple(FEW.cities.values()), hours=6)
    report = fill_cycles([source], wanted, WeatherStore(tmp_path), [CYCLE], lambda: NOW)
    assert report.left == 1 and not report.problems and report.asked == [CYCLE]
    source.close()


def test_the_job_is_there_with_live_sources_unless_switched_off(tmp_path) -> None:
    for days, wanted in ((30, True), (0, False)):
        settings = make_settings(data_dir=tmp_path, weather="live", backfill_days=days)
        assert ("backfill" in {job.name for job in all_jobs(settings)}) == wanted
    assert "backfill" not in {job.name for job in all_jobs(make_settings(data_dir=tmp_path))}


def test_a_damaged_note_of_what_was_asked_for_asks_again(tmp_path) -> None:
    path = tmp_path / "asked.json"
    first = AskedInVain(path)
    first.note("gfs", [CYCLE], NOW)
    first.save(CYCLE)
    assert AskedInVain(path).due("gfs", [CYCLE], NOW + HOUR) == []
    assert AskedInVain(path).due("gfs", [CYCLE], NOW + timedelta(days=9)) == [CYCLE]
    path.write_text('{"gfs": {"x": 1}}')
    assert AskedInVain(path).due("gfs", [CYCLE], NOW) == [CYCLE]
