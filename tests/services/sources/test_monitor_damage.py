"""Damaged answers of every publisher: read, or refused with an InputError that names the fault."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation, load_station_cities
from hazecast.grids.places.airports import load_airports
from hazecast.grids.places.cities import load_registry
from hazecast.services.sources.monitors import airkorea, airnow, cnemc, metar, moenv, open_meteo, openaq, soramame
from hazecast.services.sources.monitors.interface import Batch
from tests.support import further_publishers as further
from tests.support import monitor_publishers as publishers
from tests.support.monitor_publishers import HOUR, LAST
from tests.support.source_server import Seen, serving

REGISTRY = load_registry()
RULES = load_station_cities(REGISTRY)
CITIES = list(REGISTRY.cities.values())[:2]
AIRPORTS = metar.stations_of(load_airports(), REGISTRY)
PERIOD = (LAST - 3 * HOUR, LAST)
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(), st.text(max_size=8), st.just([]), st.just({})
)


def answers() -> dict[str, Any]:
    """Return a whole answer of each publisher that speaks JSON."""
    with serving() as server:
        publishers.open_meteo(server)
        publishers.openaq(server)
        places = {axis: ",".join(f"{getattr(c, axis):.4f}" for c in CITIES) for axis in ("latitude", "longitude")}
        hours = {"start_hour": f"{PERIOD[0]:%Y-%m-%dT%H:%M}", "end_hour": f"{LAST:%Y-%m-%dT%H:%M}"}
        edges = {"datetime_from": PERIOD[0].isoformat(), "datetime_to": LAST.isoformat(), "page": "1", "limit": "1000"}
        key = {"x-api-key": publishers.KEY}
        return {
            "cnemc": [publishers.cnemc_row(code, LAST) for code in publishers.CNEMC_STATIONS],
            "open_meteo": json.loads(server.answer(Seen("GET", "/v1/air-quality", places | hours, {})).body),
            "locations": json.loads(server.answer(Seen("GET", "/v3/locations", edges, key)).body)["results"],
            "metar": [further.metar_row(code, LAST) for code in further.AIRPORTS],
            "airkorea": further.airkorea_answer([further.airkorea_row(*station, LAST) for station in further.KOREAN]),
            "moenv": {"total": "4", "records": [further.moenv_row(code, LAST) for code in further.TAIWANESE]},
            "hours": json.loads(server.answer(Seen("GET", "/v3/sensors/1001/hours", edges, key)).body)["results"],
        }


WHOLE = answers()


def read_locations(rows: Any) -> None:
    for row in rows:
        openaq.read_station(row, "tokyo")
        openaq.read_sensors(row, ("pm25", "o3"))


def read_hours(rows: Any) -> None:
    openaq.read_hours(rows, NetworkStation("openaq", "1", "x", "tokyo"), "pm25", "ppb", PERIOD, Batch())


JSON_READERS: dict[str, Callable[[Any], object]] = {
    "cnemc": lambda rows: cnemc.read_hour(rows, RULES),
    "open_meteo": lambda answer: open_meteo.read_answer(answer, CITIES, PERIOD),
    "locations": read_locations,
    "hours": read_hours,
    "metar": lambda rows: metar.read_reports(rows, AIRPORTS, PERIOD, "x"),
    "airkorea": lambda answer: airkorea.read_answer(answer, RULES, "x"),
    "moenv": lambda answer: moenv.read_answer(answer, RULES, "x"),
}


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every value within a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at] * bool(at) + [path for key, part in inside for path in paths(part, (*at, key))]


@pytest.mark.parametrize("name", sorted(JSON_READERS))
@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_damaged_json(name, data) -> None:
    answer = copy.deepcopy(WHOLE[name])
    for path in data.draw(st.lists(st.sampled_from(paths(answer)), min_size=1, max_size=3)):
        try:
            parent = answer
            for key in path[:-1]:
                parent = parent[key]
            if data.draw(st.booleans()):
                parent[path[-1]] = data.draw(JUNK)
            else:
                del parent[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # the way there is gone already
    try:
        JSON_READERS[name](answer)
    except InputError as error:
        assert error.where and error.expected


CSV_READERS: dict[str, tuple[str, Callable[[str], Batch]]] = {
    "soramame": (publishers.soramame_csv(LAST), lambda text: soramame.read_hour(text, LAST, RULES, "x")),
    "airnow": (
        publishers.airnow_csv("Beijing", False, 5).decode(),
        lambda text: airnow.read_file(text, RULES, REGISTRY, "x"),
    ),
    "stateair": (
        publishers.airnow_csv("Beijing", True, 5).decode(),
        lambda text: airnow.read_file(text, RULES, REGISTRY, "x"),
    ),
}


@pytest.mark.parametrize("name", sorted(CSV_READERS))
@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_damaged_csv(name, data) -> None:
    text, read = CSV_READERS[name]
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 40)))
        put = data.draw(
            st.one_of(st.text(max_size=6), st.sampled_from([",", "\n", '"', "\x00", "1e999", "-", text[:60]]))
        )
        text = text[:start] + put + text[end:]
    try:
        read(text)
    except InputError as error:
        assert error.where and error.expected
