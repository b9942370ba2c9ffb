"""The fault table of the weather sources: every fault for every source, and what the run does.

Each source is played by a local server. Behind it in the order of preference stands a second
source that is well, so that "the next one serves" can be seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
import xarray as xr

from hazecast.grids.places.cities import load_registry
from hazecast.services.sources.http import Patience
from hazecast.services.sources.weather.ecmwf import EcmwfOpenData
from hazecast.services.sources.weather.gfs import Gfs
from hazecast.services.sources.weather.interface import Wanted, WeatherSource
from hazecast.services.sources.weather.open_meteo import OpenMeteo
from hazecast.services.store.weather_cycles import WeatherStore
from hazecast.services.work.ingest.weather import ingest_newest
from tests.support.source_server import IMPATIENT, QUICK, SourceServer, serving
from tests.support.weather_publishers import OpenMeteoServer, ecmwf_path, gfs_path, publish_ecmwf, publish_gfs

NEWEST = datetime(2026, 11, 24, 0, tzinfo=UTC)
EARLIER = NEWEST - timedelta(hours=6)
NOW = datetime(2026, 11, 24, 9, 20, tzinfo=UTC)
WANTED = Wanted(tuple(load_registry().cities.values())[:4], hours=12)


@dataclass
class Scene:
    """A source and its publisher's server, with the newest cycle and the one before in place."""

    server: SourceServer
    source: WeatherSource
    data: str
    index: str
    withdraw: Callable[[str], None]
    change: Callable[[], str]


def gfs_scene(server: SourceServer, patience: Patience = QUICK) -> Scene:
    for cycle in (EARLIER, NEWEST):
        publish_gfs(server, cycle, 12)

    def withdraw(what: str) -> None:
        for step in (12,) if what == "last step" else (6,):
            server.remove(gfs_path(NEWEST, step))
            server.remove(gfs_path(NEWEST, step) + ".idx")

    def change() -> str:
        path = gfs_path(NEWEST, 6) + ".idx"
        server.file(path, server._files[path][0].replace(b"d=2026112400", b"date=2026-11-24T00"))
        return "f006.idx: found"

    return Scene(server, Gfs(server.url, patience), "f006$", "f006.idx$", withdraw, change)


def ecmwf_scene(server: SourceServer, patience: Patience = QUICK) -> Scene:
    for cycle in (EARLIER, NEWEST):
        publish_ecmwf(server, cycle, 12)

    def withdraw(what: str) -> None:
        for step in (12,) if what == "last step" else (6,):
            server.remove(ecmwf_path(NEWEST, step) + ".grib2")
            server.remove(ecmwf_path(NEWEST, step) + ".index")

    def change() -> str:
        path = ecmwf_path(NEWEST, 6) + ".index"
        server.file(path, server._files[path][0].replace(b"_offset", b"offset"))
        return "-6h-oper-fc.index: line 1: _offset: found absent; expected JSON lines"

    return Scene(
        server, EcmwfOpenData(server.url, patience), "-6h-oper-fc.grib2$", "-6h-oper-fc.index$", withdraw, change
    )


def open_meteo_scene(server: SourceServer, patience: Patience = QUICK) -> Scene:
    publisher = OpenMeteoServer(server, NEWEST)

    def withdraw(what: str) -> None:
        publisher.run = NEWEST - timedelta(hours=12)

    def change() -> str:
        publisher.change = lambda place: place["hourly_units"].update(surface_pressure="inHg")
        return "hourly_units.surface_pressure: found inHg; expected hPa"

    source = OpenMeteo(server.url, server.url, patience=patience)
    return Scene(server, source, "/v1/forecast", "meta.json", withdraw, change)


SCENES = {"gfs": gfs_scene, "ecmwf": ecmwf_scene, "open_meteo": open_meteo_scene}


@pytest.fixture(params=SCENES)
def scene(request, source_server):
    made = SCENES[request.param](source_server, IMPATIENT if "time-out" in request.node.name else QUICK)
    yield made
    made.source.close()


@pytest.fixture
def second():
    """A source that is well: Open-Meteo under another name, so that it can stand behind itself."""
    with serving() as server:
        OpenMeteoServer(server, NEWEST)
        source = OpenMeteo(server.url, server.url, patience=QUICK)
        source.name = "second"
        yield source
        source.close()


@pytest.fixture
def store(tmp_path):
    return WeatherStore(tmp_path / "weather")


def stored(store: WeatherStore) -> list[tuple[str, datetime]]:
    return [(source, init_time) for init_time, source, _ in store.cycles(NOW)]


PASSING = {
    "time-out": {"hang": 0.6},
    "429 with Retry-After": {"status": 429, "retry_after": "0"},
    "429": {"status": 429},
    "503 twice": {"status": 503, "times": 2},
    "partial": {"keep": 0.5},
    "corrupt": {"flip": 0.0},
}


# An index has no check of its own beyond its form: damage to it is a changed format.
@pytest.mark.parametrize(
    ("fault", "where"), [(f, w) for f in PASSING for w in ("data", "index") if (f, w) != ("corrupt", "index")]
)
def test_a_passing_fault_is_waited_out(scene, second, store, fault, where) -> None:
    scene.server.fail(path=getattr(scene, where), **PASSING[fault])
    report = ingest_newest([scene.source, second], WANTED, store, NOW)
    assert stored(store) == [(scene.source.name, NEWEST)] and report.reasons == ()
    assert scene.source.traffic.retries >= 1
    with xr.open_dataset(report.path) as weather:
        assert weather.attrs["late"] == 0


LASTING = {
    "time-out": ({"hang": 0.6}, "ReadTimeout"),
    "429 for an hour": ({"status": 429, "retry_after": "3600"}, "HTTP 429, to be asked again in 3600 s"),
    "503": ({"status": 503}, "HTTP 503"),
    "partial": ({"keep": 0.0}, "RemoteProtocolError"),
    "HTML page": ({"body": b"<!doctype html><html>Sorry</html>"}, ""),
}


@pytest.mark.parametrize("fault", LASTING)
def test_a_lasting_fault_is_named_and_the_next_source_serves(scene, second, store, fault) -> None:
    keys, message = LASTING[fault]
    scene.server.fail(path=scene.index if fault == "HTML page" else scene.data, times=99, **keys)
    report = ingest_newest([scene.source, second], WANTED, store, NOW)
    assert stored(store) == [("second", NEWEST)]
    # Of a source that answers, older cycles are tried before the next source.
    assert len(report.reasons) == 1 or fault in ("503", "HTML page")
    assert all(reason.startswith(f"weather: {scene.source.name}: ") for reason in report.reasons)
    assert (message or "HTML page") in report.reasons[0] and scene.server.url in report.reasons[0]
    assert [a.outcome for a in report.attempts] == ["failed", "fetched"]


def test_lasting_corruption_is_named_and_nothing_of_it_stays(scene, second, store) -> None:
    scene.server.fail(path=scene.data, times=999, flip=0.0)
    report = ingest_newest([scene.source, second], WANTED, store, NOW)
    assert stored(store) == [("second", NEWEST)] and report.reasons
    assert all(reason.startswith(f"weather: {scene.source.name}: ") for reason in report.reasons)
    assert not list(store.folder.rglob("*.part"))


def test_a_source_that_is_down_is_passed_over(scene, second, store) -> None:
    scene.server.stop()
    report = ingest_newest([scene.source, second], WANTED, store, NOW)
    assert stored(store) == [("second", NEWEST)]
    assert "ConnectError" in report.reasons[0]


def test_a_late_cycle_is_replaced_by_the_one_before_and_flagged(scene, second, store) -> None:
    scene.withdraw("last step")
    report = ingest_newest([scene.source, second], WANTED, store, NOW)
    (name, init_time), *others = stored(store)
    assert name == scene.source.name and init_time < NEWEST and not others
    assert report.reasons == (f"weather: {name} is late, the newest cycle is of {init_time:%Y-%m-%dT%HZ}",)
    with xr.open_dataset(report.path) as weather:
        assert weather.attrs["late"] == 1


# Open-Meteo answers with whole runs only.
@pytest.mark.parametrize("scene", ["gfs", "ecmwf"], indirect=True)
def test_a_cycle_with_a_hole_is_replaced_by_the_one_before(scene, second, store) -> None:
    scene.withdraw("a step in the middle")
    report = ingest_newest([scene.source, second], WANTED, store, NOW)
    assert stored(store) == [(scene.source.name, EARLIER)]
    assert "every step of a complete cycle" in report.reasons[0] and "is late" in report.reasons[1]


@pytest.mark.parametrize("name", ["gfs", "ecmwf"])
def test_messages_of_another_step_under_the_name_of_this_are_not_taken(name, source_server, store) -> None:
    scene = SCENES[name](source_server)
    data, index = ((gfs_path, ".idx"), (ecmwf_path, ".index"))[name == "ecmwf"]
    grib = "" if name == "gfs" else ".grib2"
    for end in (grib, index):
        later = source_server._files[data(NEWEST, 9) + end][0]
        told = later.replace(b":9 hour", b":6 hour").replace(b'"step": "9"', b'"step": "6"')
        assert (told == later) == (end == grib)
        source_server.file(data(NEWEST, 6) + end, told)
    report = ingest_newest([scene.source], WANTED, store, NOW)
    assert stored(store) == [(scene.source.name, EARLIER)]
    found = "valid time: found 2026-11-24T09:00:00Z; expected 2026-11-24T06:00:00Z, as asked for"
    assert found in report.reasons[0]
    scene.source.close()


def test_a_changed_format_names_the_field_and_the_rest_goes_on(scene, second, store) -> None:
    message = scene.change()
    report = ingest_newest([scene.source, second], WANTED, store, NOW)
    # Only the newest cycle is written so; Open-Meteo keeps no other.
    older = [("second", NEWEST)] if scene.source.name == "open_meteo" else [(scene.source.name, EARLIER)]
    assert stored(store) == older
    assert message in report.reasons[0]


def test_all_down_keeps_what_is_stored(scene, second, store) -> None:
    ingest_newest([scene.source, second], WANTED, store, NOW)
    before = stored(store)
    scene.server.stop()
    report = ingest_newest([scene.source], WANTED, store, NOW)
    assert report.path is None and report.reasons[-1] == f"weather: none of {scene.source.name} had a new cycle"
    assert stored(store) == before


def test_the_same_cycle_twice_downloads_nothing_again(scene, second, store) -> None:
    first = ingest_newest([scene.source, second], WANTED, store, NOW)
    content, asked = first.path.read_bytes(), len(scene.server.asked(scene.data))
    again = ingest_newest([scene.source, second], WANTED, store, NOW)
    assert again.attempts[0].outcome == "already stored" and again.path == first.path
    assert len(scene.server.asked(scene.data)) == asked and first.path.read_bytes() == content
    assert not list(store.folder.rglob("*.parts"))


@pytest.mark.parametrize("name", ["gfs", "ecmwf"])
def test_a_fetch_that_broke_off_goes_on_with_what_it_has(name, source_server, store) -> None:
    scene = SCENES[name](source_server)
    scene.server.fail(path=scene.data, keep=0.5, times=99)
    assert ingest_newest([scene.source], WANTED, store, NOW).path is None
    scene.server.faults.clear()
    had = {p.name: p.stat().st_size for p in store.folder.rglob("*.grib2")}
    assert 1 <= len(had) < 5
    scene.server.requests.clear()
    assert ingest_newest([scene.source], WANTED, store, NOW).path is not None
    fetched = {seen.path for seen in scene.server.requests if seen.method == "GET" and "range" in seen.headers}
    assert len(fetched) == 5 - len(had)
    scene.source.close()


@pytest.mark.parametrize("name", ["gfs", "ecmwf"])
def test_what_an_ingest_left_that_wanted_less_is_fetched_again(name, source_server, store) -> None:
    scene = SCENES[name](source_server)
    scene.server.fail(path=scene.data, keep=0.0, times=99)
    assert ingest_newest([scene.source], replace(WANTED, variables=("t2m", "d2m")), store, NOW).path is None
    had = {p.name for p in store.folder.rglob("*.grib2")}
    scene.server.faults.clear()
    report = ingest_newest([scene.source], WANTED, store, NOW)
    assert len(had) >= 1
    with xr.open_dataset(report.path) as weather:
        assert not weather["u10"].isnull().any() and not weather["t2m"].isnull().any()
    scene.source.close()


def test_a_field_that_went_missing_is_marked_absent_and_said(source_server, store) -> None:
    scene = gfs_scene(source_server)
    for step in range(0, 13, 3):
        path = gfs_path(NEWEST, step) + ".idx"
        source_server.file(path, source_server._files[path][0].replace(b"HPBL", b"PBLH"))
    report = ingest_newest([scene.source], WANTED, store, NOW)
    with xr.open_dataset(report.path) as weather:
        assert weather.attrs["absent_variables"] == "blh" and "blh" not in weather
        assert weather.attrs["unexpectedly_absent"] == "blh: no HPBL:surface in the index of step 0 h"
    known = store.known(NOW, WANTED.cities, ("gfs",))
    assert "weather: gfs lacks blh: no HPBL:surface in the index of step 0 h" in known.reasons


def test_an_answer_of_the_api_is_quoted(source_server, store, closed_after) -> None:
    OpenMeteoServer(source_server, NEWEST, key="right")
    source = closed_after(OpenMeteo(source_server.url, source_server.url, key="wrong", patience=QUICK))
    report = ingest_newest([source], WANTED, store, NOW)
    assert "The supplied API key is invalid." in report.reasons[0] and "wrong" not in json.dumps(report.reasons)
    source.close()
