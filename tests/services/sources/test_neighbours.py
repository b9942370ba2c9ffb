"""AirKorea and Taiwan's network, upwind neighbours: stored and screened, while no forecast is made for them."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import load_station_cities
from hazecast.grids.places.cities import load_registry
from hazecast.services.sources.monitors import airkorea, moenv
from hazecast.services.store.monitors import stored_monitors
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import MonitorStation, StationObservation
from hazecast.services.work.ingest.monitors import build_sources, ingest_live
from tests.support import further_publishers as further
from tests.support import monitor_publishers as publishers
from tests.support.monitor_publishers import HOUR, KEY, LAST, NOW, settings_for, truth
from tests.support.source_server import QUICK

REGISTRY = load_registry()
RULES = load_station_cities(REGISTRY)
NAMES = ("airkorea", "moenv")


@pytest.mark.parametrize("name", NAMES)
def test_a_neighbour_gives_the_truth_in_the_contract(name, source_server, tmp_path) -> None:
    publisher = further.FURTHER[name](source_server)
    source = build_sources(settings_for(tmp_path, publisher), REGISTRY, QUICK)[0]
    batch = source.fetch([LAST - HOUR, LAST])
    source.close()
    assert not batch.problems and batch.counts["hours_not_published"] == 1
    found = {(r.station, r.time, r.pollutant): r.ug_m3(()) for r in batch.readings}
    for code in publisher.codes:
        station = batch.stations[f"{name}:{code}"]
        assert station.city == publisher.city and station.licence and station.attribution
        for pollutant in publisher.names:
            value = found[station.id, LAST, pollutant]
            assert value == pytest.approx(truth(code, LAST, pollutant), rel=1e-3), (code, pollutant)
    assert [batch.stations[f"{name}:{code}"].siting for code in publisher.codes] == ["background", "roadside"]
    assert not any("수원" in name or name.endswith(":33") for name in batch.stations)


def test_neighbours_are_stored_and_leave_the_forecast_as_it_is(source_server, tmp_path) -> None:
    china = publishers.cnemc(source_server)
    settings = settings_for(tmp_path, china, further.airkorea(source_server), further.moenv(source_server))
    report = ingest_live(settings, NOW, patience=QUICK)
    assert [outcome.status for outcome in report.outcomes] == ["done"] * 3 and not report.reasons
    store = Store(settings.database_url)
    with store.engine.connect() as connection:
        query = select(MonitorStation.city, StationObservation.value).join(MonitorStation)
        values = list(connection.execute(query.where(StationObservation.pollutant == "pm25")))
    data = stored_monitors(store, REGISTRY, LAST, preference=settings.ingest.monitor_sources)
    store.close()
    assert {city for city, value in values if value is not None} >= {"seoul", "busan", "taipei", "kinmen", "beijing"}
    assert set(map(str, data.observations["city"].values)) <= set(REGISTRY.cities)
    assert data.counts["values_of_neighbours"] == (3 + 3) * 6 and "values_of_unknown_cities" not in data.counts
    assert not {"seoul", "taipei"} & set(data.silent)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_key_a_neighbour_is_refused_and_its_key_is_never_shown(name, source_server, tmp_path) -> None:
    publisher = further.FURTHER[name](source_server)
    with pytest.raises(InputError, match=f"HAZECAST_{name.upper()}_KEY"):
        build_sources(settings_for(tmp_path, publisher, **{f"{name}_key": SecretStr("")}), REGISTRY, QUICK)
    wrong = "un+known/key=="
    settings = settings_for(tmp_path, publisher, **{f"{name}_key": SecretStr(wrong)})
    outcome = ingest_live(settings, NOW, patience=QUICK).outcomes[0]
    said = " ".join(outcome.problems)
    assert outcome.status == "failed" and ("SERVICE_KEY_IS_NOT_REGISTERED" in said or "401" in said)
    assert wrong not in said and "un%2Bknown" not in said


def test_airkorea_takes_its_key_in_both_forms(source_server) -> None:
    further.airkorea(source_server)
    for key in (KEY, "".join(f"%{ord(letter):02X}" for letter in KEY)):
        with closing(airkorea.AirKorea(RULES, key, source_server.url, QUICK)) as source:
            assert source.fetch([LAST]).readings


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-14 24:00", datetime(2026, 1, 14, 15, tzinfo=UTC)),
        ("2026-12-31 24:00", datetime(2026, 12, 31, 15, tzinfo=UTC)),
        ("2026-01-14 01:00", datetime(2026, 1, 13, 16, tzinfo=UTC)),
        ("2026-01-14 00:00", datetime(2026, 1, 13, 15, tzinfo=UTC)),
    ],
)
def test_korean_hours_run_to_twentyfour_and_are_named_by_their_end(text, time) -> None:
    assert airkorea.read_time(text, "x") == time


@pytest.mark.parametrize(
    "text", ["2026-01-14 25:00", "2026-01-14 09:30", "2026-02-30 09:00", "0001-01-01 00:00", "soon", 7]
)
def test_other_stamps_are_named(text) -> None:
    for read in (airkorea.read_time, moenv.read_time):
        with pytest.raises(InputError, match="dataTime"):
            read(text, "dataTime")


def test_taiwan_writes_its_dates_in_several_ways() -> None:
    for text in ("2026/01/14 17:00:00", "2026-01-14 17:00:00", "2026-01-14 17:00"):
        assert moenv.read_time(text, "x") == LAST


@pytest.mark.parametrize(
    ("change", "pm25"),
    [
        ({"pm25Value": "-"}, None),
        ({"pm25Value": ""}, None),
        ({"pm25Flag": "장비점검"}, None),
        ({"pm25Value": "7"}, 7.0),
    ],
)
def test_airkorea_marks_for_no_value(change, pm25) -> None:
    rows = [further.airkorea_row(*further.KOREAN[0], LAST) | change]
    batch = airkorea.read_answer(further.airkorea_answer(rows), RULES, "x")
    assert [r.raw for r in batch.readings if r.pollutant == "pm25"] == [pm25]


def test_a_station_that_is_silent_has_no_time() -> None:
    rows = [further.airkorea_row(*station, LAST) for station in further.KOREAN[:2]]
    rows[0] |= {"dataTime": None, "pm25Value": "-"}
    batch = airkorea.read_answer(further.airkorea_answer(rows), RULES, "x")
    assert batch.counts["stations_without_time"] == 1 and set(batch.stations) == {"airkorea:서울.강남대로"}


@pytest.mark.parametrize(("mark", "counted"), [("ND", 1), ("-", 0), ("", 0)])
def test_taiwan_marks_for_no_value(mark, counted) -> None:
    batch = moenv.read_answer([moenv_row | {"so2": mark} for moenv_row in [further.moenv_row("12", LAST)]], RULES, "x")
    assert [r.raw for r in batch.readings if r.pollutant == "so2"] == [None]
    assert batch.counts["not_detected"] == counted


def test_half_an_answer_is_not_taken_for_whole() -> None:
    answer = further.airkorea_answer([further.airkorea_row(*further.KOREAN[0], LAST)])
    answer["response"]["body"]["totalCount"] = 40  # type: ignore[index]
    with pytest.raises(InputError, match="totalCount says"):
        airkorea.read_answer(answer, RULES, "x")
    with pytest.raises(InputError, match="total says"):
        moenv.read_answer({"records": [further.moenv_row("12", LAST)], "total": "85"}, RULES, "x")


def test_an_error_of_the_portal_is_named() -> None:
    answer = further.airkorea_answer([], "22", "LIMITED_NUMBER_OF_SERVICE_REQUESTS_EXCEEDS_ERROR")
    with pytest.raises(InputError, match="LIMITED_NUMBER"):
        airkorea.read_answer(answer, RULES, "x")


def test_one_row_costs_only_itself() -> None:
    rows = [further.airkorea_row(*station, LAST) for station in further.KOREAN[:3]]
    batch = airkorea.read_answer(further.airkorea_answer([rows[0] | {"o3Value": "high"}, *rows[1:]]), RULES, "x")
    assert "o3Value" in batch.problems[0] and len(batch.stations) == 2
    records = [further.moenv_row(code, LAST) for code in further.TAIWANESE]
    batch = moenv.read_answer([records[0] | {"o3": "high"}, *records[1:]], RULES, "x")
    assert "o3" in batch.problems[0] and len(batch.stations) == 2
