"""Each monitoring source against a server that speaks its publisher's protocol, and every fault of each."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest
from sqlalchemy import func, select

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import load_station_cities
from hazecast.grids.places.cities import load_registry
from hazecast.grids.quality import MODELLED, SENTINEL
from hazecast.services.core.settings import Settings
from hazecast.services.sources.errors import FetchError
from hazecast.services.sources.monitors.airnow import read_file
from hazecast.services.sources.monitors.cnemc import read_hour as read_cnemc
from hazecast.services.sources.monitors.cnemc import read_rows
from hazecast.services.sources.monitors.interface import Batch, number, try_each
from hazecast.services.sources.monitors.openaq import OpenAQ
from hazecast.services.sources.monitors.soramame import hour_path
from hazecast.services.sources.monitors.soramame import read_hour as read_soramame
from hazecast.services.sources.refusals import rate_limit_wait, wait_asked
from hazecast.services.store.monitors import stored_monitors
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import EarlierValue, MonitorStation, StationObservation
from hazecast.services.work.ingest.monitors import build_sources, ingest_live
from tests.support import monitor_publishers as publishers
from tests.support.further_publishers import FURTHER
from tests.support.monitor_publishers import HOUR, LAST, NOW, PUBLISHERS, settings_for, truth
from tests.support.source_server import QUICK, serving

REGISTRY = load_registry()
RULES = load_station_cities(REGISTRY)
HOURS = [LAST - n * HOUR for n in reversed(range(5))]
KINDS = sorted(PUBLISHERS)
# Those of other quantities and places too, each with tests of its own for what it reads.
ALL = PUBLISHERS | FURTHER


@pytest.fixture(autouse=True)
def a_day_of_history(monkeypatch) -> None:
    """Three days of all cities would only make the tests slow."""
    monkeypatch.setattr("hazecast.services.work.ingest.monitors.HISTORY_HOURS", 26)


def fetched(publisher: publishers.Publisher, tmp_path, hours=HOURS) -> Batch:
    source = build_sources(settings_for(tmp_path, publisher), REGISTRY, QUICK)[0]
    try:
        return source.fetch(hours)
    finally:
        source.close()


@pytest.mark.parametrize("name", KINDS)
def test_a_source_gives_the_truth_in_the_contract(name, source_server, tmp_path) -> None:
    publisher = PUBLISHERS[name](source_server)
    batch = fetched(publisher, tmp_path)
    assert not batch.problems
    ids = {f"{name}:{code}" for code in publisher.codes}
    mine = {(r.station, r.time, r.pollutant): r.ug_m3(()) for r in batch.readings if r.station in ids}
    assert set(mine) == {(s, t, p) for s in ids for t in HOURS for p in publisher.names}
    for (station, time, pollutant), value in mine.items():
        assert value == pytest.approx(truth(station.split(":")[1], time, pollutant), rel=1e-3), (station, pollutant)
    station = batch.stations[f"{name}:{publisher.codes[0]}"]
    assert station.city == publisher.city and station.licence and station.attribution
    assert all(s.city in REGISTRY.cities for s in batch.stations.values())


@pytest.mark.parametrize("name", [*KINDS, "csv"])
def test_ingested_twice_changes_nothing(name, source_server, tmp_path) -> None:
    if name == "csv":
        folder = publishers.write_csv_folder(tmp_path / "export")
        settings = settings_for(tmp_path / "data", monitor_sources=["csv"], monitor_dir=folder)
    else:
        settings = settings_for(tmp_path / "data", PUBLISHERS[name](source_server))
    first = ingest_live(settings, NOW, patience=QUICK).outcomes[0]
    before = dump(settings)
    second = ingest_live(settings, NOW + timedelta(minutes=20), patience=QUICK).outcomes[0]
    assert first.status == second.status == "done" and first.newest == LAST
    assert first.new > 0 and (second.new, second.revised, second.reflagged) == (0, 0, 0) and second.unchanged > 0
    assert dump(settings) == before


def dump(settings) -> list[list[tuple]]:
    store = Store(settings.database_url)
    with store.engine.connect() as connection:
        tables = (MonitorStation, StationObservation, EarlierValue)
        rows = [sorted(map(tuple, connection.execute(select(t.__table__))), key=str) for t in tables]
    store.close()
    return rows


def observations(settings, at=LAST):
    store = Store(settings.database_url)
    data = stored_monitors(store, REGISTRY, at, preference=settings.ingest.monitor_sources)
    store.close()
    return data


# What goes wrong upstream, for every source: the fault that the server is told to make, and what
# the ingest then reports.
FAULTS = {
    "time-out, then well": ({"hang": 0.4}, "done"),
    "429, then well": ({"status": 429, "retry_after": "0"}, "done"),
    "503 twice, then well": ({"status": 503, "times": 2}, "done"),
    "cut short, then whole": ({"keep": 0.5}, "done"),
    "time-outs": ({"hang": 0.4, "times": 99}, "bad"),
    "429 for good": ({"status": 429, "times": 99}, "bad"),
    "503 for good": ({"status": 503, "times": 99}, "bad"),
    "always cut short": ({"keep": 0.5, "times": 99}, "bad"),
    "refused": ({"status": 403, "times": 99}, "bad"),
    "an HTML page under 200": ({"body": publishers.HTML, "times": 99}, "bad"),
    "another format": ({"body": "corrupt", "content_type": "application/json", "times": 99}, "bad"),
    "nothing under 200": ({"body": b"", "content_type": "text/plain", "times": 99}, "bad"),
}


@pytest.fixture(scope="module")
def stores_of_six(tmp_path_factory) -> dict[str, Path]:
    """A store for every source, in which it has the hours up to six o'clock."""
    folders = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hazecast.services.work.ingest.monitors.HISTORY_HOURS", 6)
        for name in ALL:
            folders[name] = tmp_path_factory.mktemp(name)
            with serving() as server:
                publisher = ALL[name](server)
                publisher.newest[0] = LAST - 3 * HOUR
                report = ingest_live(settings_for(folders[name], publisher), NOW - 3 * HOUR, patience=QUICK)
                assert report.outcomes[0].status == "done"
    return folders


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", sorted(ALL))
def test_fault_table(name, fault, stores_of_six, source_server, tmp_path, monkeypatch) -> None:
    """Whatever fails, earlier values stay, the failure is reported, and another source is still ingested."""
    monkeypatch.setattr("hazecast.services.work.ingest.monitors.HISTORY_HOURS", 6)
    publisher = ALL[name](source_server)
    export = publishers.write_csv_folder(tmp_path / "export", hours=4)
    shutil.copytree(stores_of_six[name], tmp_path / "data")
    settings = settings_for(
        tmp_path / "data", publisher, monitor_sources=[name, "csv"], monitor_dir=export, monitor_reread_hours=2
    )
    before = dump(settings)
    made, expected = FAULTS[fault]
    body = {"body": publisher.corrupt} if made.get("body") == "corrupt" else {}
    source_server.fail(path=publisher.path, **{**made, **body})
    report = ingest_live(settings, NOW, patience=replace(QUICK, attempts=3, read_seconds=0.2))
    failing, other = report.outcomes
    assert other.status == "done" and other.newest == LAST
    if expected == "done":
        assert failing.status == "done" and failing.newest == LAST and not report.reasons
        return
    assert failing.status in ("failed", "partial") and failing.problems
    assert any(name in reason for reason in report.reasons)
    assert set(before[1]) <= set(dump(settings)[1]), "a value that had been stored is gone"
    if fault == "another format":
        named = ("PM2_5", "PM25", "period", "Duration", "pm2_5", "rawOb", "pm25Value", "pm2.5")
        assert any(field in " ".join(failing.problems) for field in named)


@pytest.mark.parametrize("name", sorted(ALL))
def test_after_a_failure_the_next_ingest_fetches_what_is_missing(
    name, stores_of_six, source_server, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("hazecast.services.work.ingest.monitors.HISTORY_HOURS", 6)
    publisher = ALL[name](source_server)
    shutil.copytree(stores_of_six[name], tmp_path / "data")
    settings = settings_for(tmp_path / "data", publisher, monitor_reread_hours=1)
    source_server.fail(status=503, times=99)
    assert ingest_live(settings, NOW, patience=replace(QUICK, attempts=1)).failed
    source_server.faults.clear()
    outcome = ingest_live(settings, NOW, patience=QUICK).outcomes[0]
    assert outcome.status == "done" and outcome.newest == LAST
    hours = {row[1] for row in dump(settings)[1]}
    # Neighbours' interfaces publish the newest hour alone.
    missed = {LAST - HOUR, LAST - 2 * HOUR} if name in ("airkorea", "moenv") else set()
    assert {LAST - n * HOUR for n in range(4 if missed else 9)} - missed <= hours


def test_a_source_that_is_down_leaves_the_city_to_the_next(tmp_path) -> None:
    with serving() as china, serving() as model:
        measured, modelled = publishers.cnemc(china), publishers.open_meteo(model)
        settings = settings_for(tmp_path, measured, modelled, observations_dir="live")
        china.stop()
        report = ingest_live(settings, NOW, patience=QUICK)
        assert [outcome.status for outcome in report.outcomes] == ["failed", "done"] and not report.failed
    data = observations(settings)
    assert (data.observations["pm25_flag"].sel(city="beijing").values[-1:] == MODELLED).all()
    expected = truth("beijing", LAST, "pm25")
    assert float(data.observations["pm25"].sel(city="beijing").values[-1]) == pytest.approx(expected, rel=1e-5)


def test_a_model_never_mixes_with_measurements(tmp_path) -> None:
    with serving() as china, serving() as model:
        measured, modelled = publishers.cnemc(china), publishers.open_meteo(model)
        settings = settings_for(tmp_path, modelled, measured)
        ingest_live(settings, NOW, patience=QUICK)
    data = observations(settings).observations
    beijing = data["pm25"].sel(city="beijing").values
    mean = np.mean([truth(code, LAST, "pm25") for code in measured.codes])
    assert beijing[-1] == pytest.approx(mean, rel=1e-5)
    # CNEMC serves a day: the hours before stay empty rather than being filled from the model.
    assert np.isfinite(beijing).sum() == 25 and data["pm25_stations"].sel(city="beijing").values[-1] == 3
    assert (data["pm25_flag"].sel(city="tokyo").values[-26:] == MODELLED).all()


def test_revised_values_replace_the_earlier_ones_which_stay_visible(source_server, tmp_path) -> None:
    settings = settings_for(tmp_path, publishers.cnemc(source_server))
    ingest_live(settings, NOW, patience=QUICK)
    revised = publishers.cnemc_row("1001A", LAST) | {"PM2_5": "61"}
    with serving() as later:
        publishers.cnemc(later, lambda rows: [revised, *rows[1:]])
        settings = settings_for(tmp_path, publishers.cnemc(later, lambda rows: [revised, *rows[1:]]))
        outcome = ingest_live(settings, NOW + timedelta(minutes=30), patience=QUICK).outcomes[0]
    assert outcome.revised == 1 and outcome.new == 0
    data = observations(settings)
    assert data.counts["revised_values"] == 1
    assert float(data.stations["pm25_raw"].sel(station="cnemc:1001A").values[-1]) == 61
    (earlier,) = dump(settings)[2]
    assert earlier[0] == "cnemc:1001A" and earlier[3] == 0 and earlier[4] == truth("1001A", LAST, "pm25")


def test_only_missing_and_the_newest_hours_are_asked_for(source_server, tmp_path) -> None:
    publisher = publishers.soramame(source_server)
    settings = settings_for(tmp_path, publisher, monitor_reread_hours=2)
    source_server.fail(path=hour_path(LAST - 20 * HOUR), status=500, times=99)
    first = ingest_live(settings, NOW, patience=QUICK).outcomes[0]
    assert first.status == "partial" and first.counts["hours_failed"] == 1 and "1 of 26 hours" in first.problems[0]
    source_server.requests.clear()
    source_server.faults.clear()
    assert ingest_live(settings, NOW, patience=QUICK).outcomes[0].status == "done"
    asked = {seen.path for seen in source_server.asked("/noudoAll/2026")}
    assert asked == {hour_path(LAST - n * HOUR) for n in (0, 1, 20)}


def test_cnemc_list_of_several_hours_is_quarantined(source_server, tmp_path) -> None:
    def mix(rows):
        return [publishers.cnemc_row(str(rows[0]["StationCode"]), LAST - HOUR), *rows[1:]]

    batch = fetched(publishers.cnemc(source_server, mix), tmp_path, [LAST])
    assert batch.counts["quarantined"] == 1 and "2 hours in one list" in batch.problems[0]
    assert {r.time for r in batch.readings} == {LAST} and "cnemc:1001A" not in batch.stations


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"TimePoint": "2026-01-14"}, r"TimePoint: found 2026-01-14.*Date"),
        ({"TimePointStr": "2026年01月14日 09时"}, r"TimePoint: found .*expected .* as in TimePointStr"),
        ({"CO": "many"}, r"station 1001A: CO: found many"),
        ({"Area": None}, None),
    ],
)
def test_cnemc_fields_are_checked(change, message) -> None:
    rows = [publishers.cnemc_row("1001A", LAST) | change]
    if message is None:
        assert read_cnemc(rows, RULES).counts["stations_elsewhere"] == 1
    else:
        with pytest.raises(InputError, match=message):
            read_cnemc(rows, RULES)


def test_cnemc_epoch_stamps_suffice_and_the_word_for_city_may_be_lacking() -> None:
    row = publishers.cnemc_row("1001A", LAST)
    del row["TimePointStr"]
    (read,) = {r.time for r in read_cnemc([row | {"Area": "北京"}], RULES).readings}
    assert read == LAST


def test_cnemc_xml_as_published(shared_data) -> None:
    answer = gzip.decompress((shared_data / "published/cnemc/201907181104_data.xml.gz").read_bytes())
    batch = read_cnemc(read_rows(answer), RULES)
    values = {r.pollutant: r.raw for r in batch.readings if r.station == "cnemc:1001A"}
    assert values["pm25"] == 101 and values["o3"] == 114 and values["co"] == 1.2
    assert {r.time for r in batch.readings} == {datetime(2019, 7, 18, 4, tzinfo=UTC)}
    cities = {s.city for s in batch.stations.values()}
    assert {"beijing", "shanghai", "xiamen"} <= cities
    with pytest.raises(ValueError, match=r"."):
        read_rows(b"")
    with pytest.raises(ValueError, match=r"."):
        read_rows(b"<a><AQIDataPublishLive>")


def test_cnemc_one_odd_station_does_not_stop_the_others() -> None:
    rows = [publishers.cnemc_row(code, LAST) for code in publishers.CNEMC_STATIONS]
    rows[1]["O3"] = "?"
    rows[2]["PM2_5"] = "—"
    del rows[3]["SO2"]
    batch = read_cnemc(rows, RULES)
    assert batch.counts["stations_failed"] == 2 and "1003A: O3: found ?" in batch.problems[0]
    gap = [r.raw for r in batch.readings if r.station == "cnemc:1006A" and r.pollutant == "pm25"]
    assert gap == [None]


def test_soramame_hours_run_from_one_to_twentyfour() -> None:
    midnight = datetime(2026, 9, 25, 15, tzinfo=UTC)  # 00:00 of the 26th in Japan
    assert hour_path(midnight).endswith("/2026/09/25/24.csv")
    assert hour_path(midnight + HOUR).endswith("/2026/09/26/01.csv")


def test_soramame_ox_is_ozone_at_25_degrees_and_roadside_stays_out_of_the_mean(source_server, tmp_path) -> None:
    line = publishers.soramame_csv(LAST).splitlines()[1].split(",")
    line[6] = "0.120"
    text = "\n".join([publishers.HEADER, ",".join(line)])
    (ozone,) = [r for r in read_soramame(text, LAST, RULES, "x").readings if r.pollutant == "o3"]
    assert ozone.ug_m3(()) == pytest.approx(235.4, abs=0.1)
    settings = settings_for(tmp_path, publishers.soramame(source_server))
    ingest_live(settings, NOW, patience=QUICK)
    data = observations(settings)
    assert data.stations.attrs["gas_reference_state"] == "298.15 K, 1013.25 hPa"
    assert "soramame:13113520" in data.stations["station"]
    assert data.observations["pm25_stations"].sel(city="tokyo").values[-1] == 2


def test_soramame_as_published_and_with_columns_moved(shared_data) -> None:
    text = (shared_data / "published/soramame/noudoAll_2026-06-19T09_extract.csv").read_text("utf-8-sig")
    hour = datetime(2026, 6, 19, 0, tzinfo=UTC)
    batch = read_soramame(text, hour, RULES, "file")
    values = {r.pollutant: r.raw for r in batch.readings if r.station == "soramame:13101010"}
    assert values["pm25"] == 8 and values["o3"] == 0.020 and values["co"] is None
    rows = [line.split(",") for line in text.splitlines() if line]
    moved = "\n".join(",".join([*row[::-1], "new"]) for row in rows)
    assert read_soramame(moved, hour, RULES, "file").readings == batch.readings
    with pytest.raises(InputError, match=r"file: header: .*PM2\.5, once each"):
        read_soramame(text.replace("PM2.5", "PM25"), hour, RULES, "file")


def test_openaq_follows_the_pages_and_keeps_its_key_to_itself(
    source_server, tmp_path, monkeypatch, closed_after
) -> None:
    monkeypatch.setattr("hazecast.services.sources.monitors.openaq._PAGE", 2)
    publisher = publishers.openaq(source_server, page_size=2)
    batch = fetched(publisher, tmp_path)
    assert len(source_server.asked("/v3/locations")) == 3
    assert batch.counts["not_a_reference_monitor"] == 1 and batch.counts["stations_elsewhere"] == 1
    assert batch.stations["openaq:100"].licence == "CC BY 4.0"
    assert batch.stations["openaq:100"].attribution == "Ministry; Japan Soramame; OpenAQ"
    with pytest.raises(FetchError) as refused:
        closed_after(OpenAQ(REGISTRY, RULES, "wrong-key", source_server.url, patience=QUICK)).fetch(HOURS)
    assert refused.value.status == 401 and "wrong-key" not in str(refused.value)
    with pytest.raises(InputError, match="HAZECAST_OPENAQ_KEY"):
        OpenAQ(REGISTRY, RULES, "")


def test_openaq_waits_before_its_limit_is_used_up(source_server, closed_after) -> None:
    publishers.openaq(source_server)
    source_server.requests.extend([None] * 56)  # type: ignore[list-item]
    waited: list[float] = []
    source = closed_after(
        OpenAQ(REGISTRY, RULES, publishers.KEY, source_server.url, patience=QUICK, sleep=waited.append)
    )
    source.fetch(HOURS)
    assert waited == [8.0]  # the reset in 7 s, and a second


def test_a_limit_that_is_used_up_is_waited_for_as_long_as_the_server_says() -> None:
    def answer(**headers: str) -> httpx.Response:
        return httpx.Response(429, headers={name.replace("_", "-"): value for name, value in headers.items()})

    assert wait_asked(answer(x_ratelimit_reset="43")) == 43.0
    assert wait_asked(answer(x_ratelimit_reset="43", retry_after="7")) == 7.0
    assert wait_asked(answer(x_ratelimit_reset=f"{datetime.now(UTC).timestamp() + 30:.0f}")) == pytest.approx(
        30.0, abs=2.0
    )
    assert wait_asked(answer()) is None
    assert rate_limit_wait(answer(x_ratelimit_remaining="3", x_ratelimit_reset="43")) == 0.0


@pytest.mark.parametrize("old_layout", [True, False])
def test_airnow_in_both_layouts_gives_the_end_of_the_hour(old_layout, source_server, tmp_path) -> None:
    publisher = publishers.airnow(source_server, old_layout=old_layout)
    batch = fetched(publisher, tmp_path, [LAST - n * HOUR for n in reversed(range(40))])
    beijing = {r.time: r.raw for r in batch.readings if r.station == "airnow:Beijing"}
    assert beijing[LAST] == truth("Beijing", LAST, "pm25") and beijing[LAST - 20 * HOUR] == -999
    assert batch.counts["files_not_published"] == 1  # Guangzhou
    text = publishers.airnow_csv("Beijing", old_layout).decode()
    with pytest.raises(InputError, match="Site: found Atlantis"):
        read_file(text.replace("Beijing,PM2.5", "Atlantis,PM2.5"), RULES, REGISTRY, "x")


def test_sentinels_are_flagged_and_kept(source_server, tmp_path) -> None:
    settings = settings_for(tmp_path, publishers.airnow(source_server))
    ingest_live(settings, NOW, patience=QUICK)
    stations = observations(settings).stations.sel(station="airnow:Beijing")
    at = np.datetime64((LAST - 20 * HOUR).replace(tzinfo=None), "ns")
    assert int(stations["pm25_flag"].sel(time=at)) == SENTINEL and float(stations["pm25_raw"].sel(time=at)) == -999
    assert np.isnan(stations["pm25"].sel(time=at))


def test_tables_of_a_folder_go_on_past_a_broken_one(tmp_path) -> None:
    folder = publishers.write_csv_folder(tmp_path / "export", hours=4)
    stamp = (LAST - 10 * HOUR).astimezone(publishers.JAPAN)
    (folder / "broken.csv").write_text(
        f"station,time,pm25\na,{stamp:%Y-%m-%d %H:%M},n.v.\nz,{stamp:%Y-%m-%d %H:%M},5\n"
    )
    (folder / "damaged.csv.gz").write_bytes(b"\x1f\x8b\x08damaged")
    settings = settings_for(tmp_path / "data", monitor_sources=["csv"], monitor_dir=folder)
    outcome = ingest_live(settings, NOW, patience=QUICK).outcomes[0]
    said = "\n".join(outcome.problems)
    assert outcome.status == "partial" and outcome.counts["cells_not_numbers"] == 1
    assert "broken.csv: line 2, pm25: found n.v." in said and "broken.csv: line 3, station: found z" in said
    assert "damaged.csv.gz" in said and "broken.csv: the stamps state no time zone: Asia/Tokyo" in said
    data = observations(settings).observations
    assert data["pm25"].sel(city="kitakyushu").values[-1] == pytest.approx(truth("a", LAST, "pm25"))
    with pytest.raises(InputError, match="HAZECAST_MONITOR_DIR"):
        ingest_live(settings_for(tmp_path, monitor_sources=["csv"]), NOW)


@pytest.mark.parametrize("text", ["—", "-", "", " NA ", None, "nan"])
def test_marks_for_no_value(text) -> None:
    assert number(text, "x") is None


@pytest.mark.parametrize("text", ["x", "inf", True, [1], "1,5"])
def test_what_is_no_number_is_named(text) -> None:
    with pytest.raises(InputError, match="field"):
        number(text, "field")


def test_a_dead_publisher_is_not_asked_for_every_hour() -> None:
    asked = []

    def fail(hour: int) -> None:
        asked.append(hour)
        raise FetchError("http://x", "ConnectError", "an answer", transient=True)

    with pytest.raises(FetchError):
        try_each(list(range(72)), fail, Batch(), "hours")
    assert len(asked) == 2


def test_settings_name_sources_once_and_only_known_ones(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("HAZECAST_MONITOR_SOURCES", "cnemc, soramame")
    assert Settings(data_dir=tmp_path).ingest.monitor_sources == ("cnemc", "soramame")
    for wrong in ("cnemc,cnemc", "waqi", ""):
        with pytest.raises(ValueError, match="monitor_sources"):
            settings_for(tmp_path, monitor_sources=wrong)


def test_nothing_ahead_of_now_is_stored(source_server, tmp_path) -> None:
    settings = settings_for(tmp_path, publishers.open_meteo(source_server))
    ingest_live(settings, NOW, patience=QUICK)
    store = Store(settings.database_url)
    with store.engine.connect() as connection:
        assert connection.execute(select(func.max(StationObservation.time))).scalar_one() == LAST
    store.close()
    query = source_server.asked("/v1/air-quality")[0].query
    assert query["end_hour"] == "2026-01-14T09:00" and query["domains"] == "cams_global"
    assert "apikey" not in query
