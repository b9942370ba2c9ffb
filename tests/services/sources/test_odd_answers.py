"""Answers under status 200 that hold what no publisher documents: what of them is stored, and what is said."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation, load_station_cities
from hazecast.grids.places.cities import load_registry
from hazecast.grids.quality import Reporting
from hazecast.services.sources.errors import ContentError
from hazecast.services.sources.http import HttpClient
from hazecast.services.sources.monitors import airkorea, cnemc, open_meteo, openaq, soramame
from hazecast.services.sources.monitors.interface import Batch, number
from hazecast.services.sources.open_meteo_answers import RUN, run_times
from hazecast.services.sources.weather.open_meteo import read_points
from hazecast.services.store.monitors import Saved
from hazecast.services.work.ingest.doubts import doubts_of_newest, settle_repeats
from hazecast.services.work.ingest.monitors import ingest_live
from tests.support import further_publishers as further
from tests.support import monitor_publishers as publishers
from tests.support.monitor_publishers import HOUR, LAST, NOW, settings_for
from tests.support.source_server import QUICK, json_reply

REGISTRY = load_registry()
RULES = load_station_cities(REGISTRY)
CITY = REGISTRY.city("beijing")
STATION = NetworkStation("openaq", "1", "x", "tokyo")


@pytest.mark.parametrize("text", ["1_0", "#", "ND", "<3", "1,5", "0x1A", "12 ug/m3", True, [12], {}, "1e999", 10**400])
def test_what_is_no_number_is_not_made_one(text) -> None:
    with pytest.raises(InputError, match="found"):
        number(text, "x")


def cnemc_twice() -> Batch:
    row = publishers.cnemc_row("1001A", LAST)
    return cnemc.read_hour([row, row | {"PM2_5": "160"}], RULES)


def soramame_twice() -> Batch:
    line = publishers.soramame_csv(LAST).splitlines()[1].split(",")
    other = [*line[:11], "160", *line[12:]]
    return soramame.read_hour("\n".join([publishers.HEADER, ",".join(line), ",".join(other)]), LAST, RULES, "x")


def airkorea_twice() -> Batch:
    row = further.airkorea_row(*further.KOREAN[0], LAST)
    return airkorea.read_answer(further.airkorea_answer([row, row | {"pm25Value": "160"}]), RULES, "x")


@pytest.mark.parametrize("read", [cnemc_twice, soramame_twice, airkorea_twice])
def test_two_values_for_one_hour_are_both_not_used_and_named(read) -> None:
    batch = read()
    once = len({(r.station, r.time, r.pollutant) for r in batch.readings})
    settle_repeats(batch)
    assert len(batch.readings) == once and batch.counts["repeated_values"] == once
    assert batch.counts["contradicting_values"] == 1
    assert batch.problems[0].endswith(" and 160") and "pm25" in batch.problems[0]
    assert [r.raw for r in batch.readings if r.pollutant == "pm25"] == [None]
    assert all(r.raw is not None for r in batch.readings if r.pollutant != "pm25")


def test_an_hour_given_twice_alike_or_without_a_value_is_no_fault() -> None:
    batch = Batch()
    for raw in (None, 12.0, 12.0):
        batch.add(STATION, LAST, [("pm25", raw, "ug/m3")])
    settle_repeats(batch)
    assert [r.raw for r in batch.readings] == [12.0] and not batch.problems


def hour_of_openaq(**changed: object) -> dict[str, object]:
    edges = {"datetimeFrom": LAST - HOUR, "datetimeTo": LAST}
    period = {name: {"utc": f"{time:%Y-%m-%dT%H:%M:%SZ}"} for name, time in edges.items()}
    return {"value": 0.03, "period": period, "parameter": {"name": "o3", "units": "ppm"}, **changed}


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ({"name": "o3", "units": "µg/m³"}, "parameter.units"),
        ({"name": "no2", "units": "ppm"}, "parameter.name"),
        (None, ""),
    ],
)
def test_openaq_values_are_of_their_sensor(parameter, says) -> None:
    batch, rows = Batch(), [hour_of_openaq(parameter=parameter)]
    if not says:
        openaq.read_hours(rows, STATION, "o3", "ppm", (LAST, LAST), batch)
        assert batch.readings[0].raw == 0.03
        return
    with pytest.raises(InputError, match=says):
        openaq.read_hours(rows, STATION, "o3", "ppm", (LAST, LAST), batch)
    assert not batch.readings


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            {"error": True, "reason": "Hourly API request limit exceeded."},
            "an error: Hourly API request limit exceeded.",
        ),
        ([{"location_id": 1}, {}], "beijing: location_id: found 1; expected 0"),
        ([{}], "locations: found 1; expected 2, one a city"),
        ("sorry", "found 'sorry'; expected an object"),
    ],
)
def test_air_of_open_meteo_that_is_no_answer_for_the_cities_is_refused_by_name(answer, says) -> None:
    with pytest.raises(InputError, match=f"open_meteo: answer: .*{says}"):
        open_meteo.read_answer(answer, [CITY, REGISTRY.city("tianjin")], (LAST, LAST))


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 100_000])
def test_an_answer_nested_without_end_is_refused(source_server, body) -> None:
    source_server.file("/deep", body, "application/json")
    with HttpClient(QUICK) as http, pytest.raises(ContentError, match="deep"):
        http.json(source_server.url + "/deep")


# Of the newest hour: what is sent in place of each value, and what the report then says.
NOTHING = {"None": None, "-": "-", "nan": float("nan"), "1e30": 1e30, "-50": -50, "-999": -999}


@pytest.mark.parametrize("name", NOTHING)
def test_an_hour_of_which_nothing_can_be_used_is_not_done(source_server, tmp_path, monkeypatch, name) -> None:
    monkeypatch.setattr("hazecast.services.work.ingest.monitors.HISTORY_HOURS", 1)
    values = dict.fromkeys(("PM2_5", "PM10", "O3", "NO2", "SO2", "CO"), NOTHING[name])
    publisher = publishers.cnemc(source_server, lambda rows: [row | values for row in rows])
    outcome = ingest_live(settings_for(tmp_path, publisher), NOW, patience=QUICK).outcomes[0]
    assert outcome.status == "partial" and "none of 24 values can be used" in outcome.problems[0]
    assert outcome.new == 24


def test_a_publisher_whose_clock_stands_still_is_named() -> None:
    batch, now_alone = Batch(), SimpleNamespace(name="moenv", kind="measurement", reporting=Reporting())
    batch.add(STATION, LAST - 6 * HOUR, [("pm25", 12.0, "ug/m3")])
    saved = Saved(1, 0, 0, 0, usable=frozenset({(STATION.id, LAST - 6 * HOUR, "pm25")}))
    (said,) = doubts_of_newest(batch, saved, now_alone, NOW)
    assert "the newest hour is 2026-01-14T03:00Z" in said
    assert not list(doubts_of_newest(batch, saved, now_alone, NOW - 4 * HOUR))


def place(**changed: object) -> dict[str, object]:
    first = int(datetime(2026, 1, 14, tzinfo=UTC).timestamp())
    times = [first + 3600 * n for n in range(3)]
    return {
        "latitude": CITY.latitude, "longitude": CITY.longitude,
        "hourly_units": {"time": "unixtime", "temperature_2m": "°C"},
        "hourly": {"time": times, "temperature_2m": [1.0, 2.0, 3.0]} | changed,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"temperature_2m": [1.0, True, 3.0]}, "temperature_2m"),
        ({"temperature_2m": [1.0, float("inf"), 3.0]}, "temperature_2m"),
        ({"temperature_2m": [1.0, "#", 3.0]}, "temperature_2m"),
        ({"temperature_2m": ["1_0", 2.0, 3.0]}, "temperature_2m"),
        ({"temperature_2m": [1.0, 10**400, 3.0]}, "temperature_2m"),
        ({"temperature_2m": [1.0, [2.0], 3.0]}, "temperature_2m"),
        ({"temperature_2m": [None, None, None]}, "no values at all"),
        ({"time": [1768348800 + 1800 + 3600 * n for n in range(3)]}, "hourly.time"),
        ({"time": [10**30 + 3600 * n for n in range(3)]}, "hourly.time"),
        ({"time": [10**12 + 3600 * n for n in range(3)]}, "hourly.time"),
        ({"time": [1768348800] * 3}, "hourly.time"),
        ({"time": ["2026-01-14T00:00", "2026-01-14T01:00", "2026-01-14T02:00"]}, "hourly.time"),
    ],
)
def test_odd_weather_of_open_meteo_is_refused_by_name(changed, says) -> None:
    with pytest.raises(InputError, match=says):
        read_points(place(**changed), [CITY], "x", ("t2m",))


@pytest.mark.parametrize("given", [10**30, -(10**30), 2**40, -1, 1.5, "1768348800", True, None])
def test_a_run_that_is_no_time_is_refused(source_server, given) -> None:
    source_server.route("/data/", lambda seen: json_reply(json.loads(json.dumps({RUN: given}))))
    with HttpClient(QUICK) as http, pytest.raises(InputError, match=RUN):
        run_times(http, source_server.url, "gfs", "")
