"""Visibility and humidity from the reports of airports: what is read, what is flagged, and what a forecast gets of it."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select

from hazecast.grids.derived import relative_humidity
from hazecast.grids.errors import InputError
from hazecast.grids.observations.metar import UNLIMITED, parse_metar
from hazecast.grids.observations.station_cities import distances_km
from hazecast.grids.places.airports import load_airports
from hazecast.grids.places.cities import load_registry
from hazecast.grids.quality import FOG, GOOD, MISSING, OBSCURED
from hazecast.services.sources.monitors.metar import periods_of, read_reports, stations_of
from hazecast.services.store.monitors import stored_monitors
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import StationObservation
from hazecast.services.work.ingest.monitors import ingest_live
from tests.support import monitor_publishers as publishers
from tests.support.further_publishers import metar, metar_row
from tests.support.monitor_publishers import HOUR, LAST, NOW, settings_for
from tests.support.source_server import QUICK

REGISTRY = load_registry()
STATIONS = stations_of(load_airports(), REGISTRY)
PERIOD = (LAST - 5 * HOUR, LAST)
HUMIDITY = round(float(relative_humidity(275.15, 268.15)), 1)


@pytest.fixture(autouse=True)
def few_hours(monkeypatch) -> None:
    monkeypatch.setattr("hazecast.services.work.ingest.monitors.HISTORY_HOURS", 6)


def read(*rows: object) -> dict[tuple[str, object], tuple[float | None, int]]:
    batch = read_reports(list(rows), STATIONS, PERIOD, "metar")
    assert not batch.problems
    return {(r.pollutant, r.time): (r.raw, r.flag) for r in batch.readings if r.station == "metar:ZBAA.beijing"}


def test_airports_are_near_their_cities() -> None:
    for airport in load_airports():
        for name in airport.cities:
            away = float(distances_km([REGISTRY.city(name)], airport.latitude, airport.longitude)[0])
            assert away <= 45, (airport.icao, name, away)


@pytest.mark.parametrize(
    ("sight", "weather", "metres", "flag"),
    [
        ("3000", "HZ", 3000.0, GOOD),
        ("0400", "FG", 400.0, FOG),
        ("2500", "BR", 2500.0, GOOD),
        ("2500", "-RA BR", 2500.0, OBSCURED),
        ("1200", "SHSN", 1200.0, OBSCURED),
        ("1500", "UP", 1500.0, OBSCURED),
        ("0800", "BLDU", 800.0, OBSCURED),
        ("0600", "RA FG", 600.0, OBSCURED),
        ("4000", "VCSH", 4000.0, GOOD),
        ("9999", "", UNLIMITED, GOOD),
        ("CAVOK", "", UNLIMITED, GOOD),
        ("////", "//", None, GOOD),
        ("2 1/2SM", "HZ", 2.5 * 1609.344, GOOD),
        ("M1/4SM", "FG", 0.25 * 1609.344, FOG),
        ("10SM", "", UNLIMITED, GOOD),
    ],
)
def test_what_a_report_says_of_the_visibility(sight, weather, metres, flag) -> None:
    found = read(metar_row("ZBAA", LAST, sight, weather))
    assert found["vis", LAST] == (metres if metres is None else pytest.approx(metres), flag)
    assert found["rh", LAST] == (HUMIDITY, GOOD)


def test_the_report_nearest_to_the_hour_and_its_correction_count() -> None:
    late = timedelta(minutes=7)
    corrected = metar_row("ZBAA", LAST, "1500", receiptTime=f"{LAST + late:%Y-%m-%dT%H:%M:%S.000Z}")
    special = metar_row("ZBAA", LAST - timedelta(minutes=6), "0500")
    between = metar_row("ZBAA", LAST - timedelta(minutes=30), "0300")
    for rows in (
        [corrected, metar_row("ZBAA", LAST), special, between],
        [special, between, metar_row("ZBAA", LAST), corrected],
    ):
        assert read(*rows)["vis", LAST] == (1500.0, GOOD)
    # Where the routine report is lacking, one some minutes before stands for the hour.
    assert read(special)["vis", LAST] == (500.0, GOOD)
    assert not read(between)


def test_an_airport_may_serve_several_cities_and_a_report_may_lack_its_kind() -> None:
    row = metar_row("RJTT", LAST)
    row["rawOb"] = str(row["rawOb"]).removeprefix("METAR ")
    batch = read_reports([row], STATIONS, PERIOD, "metar")
    assert {(s.id, s.city) for s in batch.stations.values()} == {
        ("metar:RJTT.tokyo", "tokyo"),
        ("metar:RJTT.kawasaki", "kawasaki"),
    }


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"obsTime": "soon"}, "obsTime"),
        ({"obsTime": True}, "obsTime"),
        ({"obsTime": int((LAST - HOUR).timestamp())}, "time of obsTime"),
        ({"rawOb": None}, "rawOb"),
        ({"rawOb": "METAR ZBTJ 140900Z 3000"}, "a report of ZBAA"),
        ({"icaoId": 7}, "icaoId"),
    ],
)
def test_a_report_that_cannot_be_read_costs_only_itself(change, named) -> None:
    rows = [metar_row("ZBAA", LAST) | change, metar_row("ZBAA", LAST - HOUR), metar_row("RJTT", LAST)]
    batch = read_reports(rows, STATIONS, PERIOD, "metar")
    assert named in batch.problems[0] and batch.counts["reports_failed"] == 1
    assert {r.time for r in batch.readings if r.station.startswith("metar:ZBAA")} == {LAST - HOUR}
    with pytest.raises(InputError, match=named):
        read_reports(rows[:1], STATIONS, PERIOD, "metar")


def test_an_answer_as_long_as_answers_may_be_is_not_taken_for_whole() -> None:
    with pytest.raises(InputError, match="fewer than 400"):
        read_reports([metar_row("ZBAA", LAST)] * 400, STATIONS, PERIOD, "metar")


def test_a_long_answer_is_asked_for_in_parts(source_server, tmp_path) -> None:
    publisher = metar(source_server, lambda icao, time: [metar_row(icao, time)] * 17)
    outcome = ingest_live(settings_for(tmp_path, publisher), NOW, patience=QUICK).outcomes[0]
    assert outcome.status == "done" and outcome.new == 6 * 2 * 3
    asked = [seen.query["ids"].split(",") for seen in source_server.asked("/api/data/metar")]
    assert max(map(len, asked)) <= 22 and len(asked) > 2


def test_hours_far_apart_are_asked_for_by_themselves() -> None:
    hours = [LAST - n * HOUR for n in (60, 8, 6, 1, 0)]
    assert periods_of(hours) == [(hours[0], hours[0]), (hours[1], hours[2]), (hours[3], hours[4])]


def test_a_forecast_gets_visibility_without_precipitation_and_no_city_by_it(source_server, tmp_path) -> None:
    weather = {LAST: ("0800", "FG"), LAST - HOUR: ("2000", "-RA"), LAST - 2 * HOUR: ("3000", "HZ")}
    airports = metar(source_server, lambda icao, time: [metar_row(icao, time, *weather.get(time, ("9999", "")))])
    china = publishers.cnemc(source_server)
    settings = settings_for(tmp_path, china, airports)
    report = ingest_live(settings, NOW, patience=QUICK)
    assert [outcome.status for outcome in report.outcomes] == ["done", "done"]
    assert report.outcomes[1].counts["stations_silent"] == sum(map(len, STATIONS.values())) - 3
    store = Store(settings.database_url)
    data = stored_monitors(store, REGISTRY, LAST, preference=settings.ingest.monitor_sources)
    rows = select(StationObservation.raw, StationObservation.flag).where(
        StationObservation.station_id == "metar:ZBAA.beijing", StationObservation.pollutant == "vis"
    )
    with store.engine.connect() as connection:
        stored = {(raw, flag) for raw, flag in connection.execute(rows)}
    store.close()
    assert stored == {(800.0, FOG), (2000.0, OBSCURED), (3000.0, GOOD), (10_000.0, GOOD)}
    beijing = data.observations.sel(city="beijing")
    np.testing.assert_allclose(beijing["visibility"].values[-4:], [10_000, 3000, np.nan, 800])
    np.testing.assert_allclose(beijing["relative_humidity"].values[-4:], HUMIDITY, rtol=1e-5)
    # An airport measures no pollutant: its city is neither observed nor silent, and the model's weather stays the grid's.
    assert "tokyo" not in data.observations["city"].values and "tokyo" not in data.silent
    assert data.weather is None and MISSING not in {flag for _, flag in stored}


def test_precipitation_reported_later_revises_the_hour(source_server, tmp_path) -> None:
    seen = ["3000", "HZ"]
    publisher = metar(source_server, lambda icao, time: [metar_row(icao, time, *seen)])
    settings = settings_for(tmp_path, publisher, monitor_reread_hours=1)
    ingest_live(settings, NOW, patience=QUICK)
    seen[1] = "-SN"
    outcome = ingest_live(settings, NOW, patience=QUICK).outcomes[0]
    assert outcome.revised == 3 and outcome.new == 0  # the newest hour of Haneda's two cities and of Beijing


def test_unknown_precipitation_is_precipitation() -> None:
    report = parse_metar("METAR RJTT 011700Z AUTO 20003KT 3000 UP 02/01 Q1003")
    assert report is not None and report.weather == {"rain"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[airport]]\nicao = 'zbaa'\n", "icao"),
        ("airport = 3\n", "airport"),
        ("[[airport", "TOML"),
        (
            "[[airport]]\nicao='ZBAA'\nname='x'\nlatitude=1\nlongitude=1\ncities=['a']\n"
            "[[airport]]\nicao='ZBAD'\nname='y'\nlatitude=1\nlongitude=1\ncities=['a']\n",
            "cities",
        ),
    ],
)
def test_a_list_of_airports_is_checked(text, named, tmp_path) -> None:
    path = tmp_path / "airports.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=named):
        load_airports(path)
