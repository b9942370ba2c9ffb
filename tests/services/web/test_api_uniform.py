"""One form for everything public, by the API's own description: times, arguments, lists, units, and the run meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from hazecast.grids.contract import POLLUTANTS
from hazecast.services.store.store import Store
from hazecast.services.web.app import create_app
from hazecast.services.web.documents import operations
from tests.support.readers import save_made_run
from tests.support.settings import make_settings

OLDER, NEWER = np.datetime64("2026-01-14T22", "ns"), np.datetime64("2026-01-15T22", "ns")
FIRST, SECOND = "2026-01-14T22:00:00Z", "2026-01-15T22:00:00Z"
# Of the place that they are about, as CAP and local clocks are.
LOCAL = {"local_time", "local_times", "sent", "effective"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
# Drawn, typeset or written by a subprocess: their arguments are tried, their content in tests of their own.
MADE = ("/v1/maps/", "/v1/bulletins/", "/v1/areas")
STREAMS = ("/v1/events",)
VARIABLES = {*POLLUTANTS, "relative_humidity", "pm25_mean", "pm25_max", "o3_max", "o3_mda8", "visibility_min"}


@pytest.fixture(scope="module")
def client(simulated_run) -> TestClient:
    return TestClient(create_app(simulated_run), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def public(client) -> list[tuple[str, dict[str, Any]]]:
    """The public reads: their addresses, with arguments that they need, and their descriptions."""
    warning = client.get("/v1/warnings").json()["features"][0]["id"]
    run = client.get("/v1/forecasts").json()["items"][0]["init_time"]
    known = {
        "city_id": "beijing", "init_time": run, "warning_id": warning, "kind": "pm25", "name": "not-found",
        "station_id": "cnemc:1001A", "study": client.get("/v1/studies").json()["items"][0]["name"],
    }  # fmt: skip
    found = []
    for path, method, operation in operations(client.app.openapi()):
        # What asks for a key says what happens without its scope.
        if method != "get" or "403" in operation["responses"] or path.startswith("/v1/subscriptions"):
            continue
        address = path.format_map(known | {"form": "webp" if "/maps/" in path else "txt"})
        found.append((address + ("?latitude=39.9&longitude=116.4" if path == "/v1/point" else ""), operation))
    return found


def asked(client: TestClient, address: str, **query: str) -> Any:
    return client.get(address + ("&" if "?" in address else "?") + "&".join(f"{k}={v}" for k, v in query.items()))


def leaves(value: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the names down to each value of an answer, and the value; a list's elements have the list's."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, *names, key)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part, *names)
    else:
        yield names, value


def test_every_public_read_is_found(public) -> None:
    addresses = [address for address, _ in public]
    assert len(addresses) > 30
    assert any("/maps/haze.png" in a for a in addresses) and not any("/drafts" in a or "/jobs" in a for a in addresses)


def test_an_argument_that_a_read_does_not_have_is_refused_by_its_name(client, public) -> None:
    for address, _ in public:
        refused = asked(client, address, unheard_of="1")
        problem = refused.json()
        assert refused.status_code == 422 and problem["type"] == "/v1/problems/invalid-argument", address
        assert [(e["field"], e["in"]) for e in problem["errors"]] == [("unheard_of", "query")], address


def test_times_lists_and_units_have_one_form(client, public) -> None:
    for address, _ in public:
        if address.startswith((*MADE, *STREAMS)):
            continue
        answer = client.get(address)
        kind = answer.headers["content-type"].split(";")[0]
        if not kind.endswith("json"):
            assert not re.search(r"T\d\d:\d\d(:\d\d)?\+00:00", answer.text.partition("cap:alert")[0]), address
            continue
        content = answer.json()
        assert isinstance(content, dict), address
        # The parts of an index have none: they are of the index.
        named = {*content.get("units", {}), *content.get("layers", {}), "parts", "flags"}
        for names, value in leaves(content):
            if isinstance(value, str) and TIME.match(value) and names[-1] not in LOCAL:
                assert value.endswith("Z"), f"{address}: {names} {value}"
            if isinstance(value, float) and VARIABLES & set(names) and kind == "application/json":
                assert named & set(names), f"{address}: {names} without units"
        if "items" in content:
            assert isinstance(content["items"], list) and "next" in content, address
        elif content.get("type") == "FeatureCollection":
            assert "next" in content or address.startswith("/v1/areas"), address


def test_text_and_tables_have_the_same_times(client, public) -> None:
    for address, operation in public:
        if address.startswith((*MADE, *STREAMS)):
            continue
        for media in operation["responses"]["200"].get("content", {}):
            if media in ("text/csv", "application/geo+json", "application/atom+xml"):
                body = client.get(address, headers={"Accept": media}).text
                assert "+00:00" not in body, f"{address} as {media}"


def test_every_product_of_a_forecast_is_that_of_the_run_asked_for(client, public) -> None:
    """A run that is not stored is a 404 that names those that are."""
    stored = client.get("/v1/forecasts").json()["items"][0]["init_time"]
    without = {"/v1/forecasts", "/v1/forecasts/latest", f"/v1/forecasts/{stored}", "/v1/verification"}
    products = [
        address
        for address, operation in public
        if {"forecasts", "maps", "bulletins"} & set(operation["tags"]) or address.startswith("/v1/areas")
    ]
    assert len(products) >= 11
    for address in products:
        if address in without:
            continue
        unknown = asked(client, address, init_time="2001-01-01T00:00:00Z")
        assert unknown.status_code == 404, address
        detail = unknown.json()["detail"]
        assert "2001-01-01T00:00:00Z" in detail and stored in detail, f"{address}: {detail}"
    assert stored in client.get("/v1/forecasts/2001-01-01T00:00:00Z").json()["detail"]


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory) -> Iterator[TestClient]:
    """Two runs: the older is foul, the newer clean."""
    settings = make_settings(data_dir=tmp_path_factory.mktemp("two"))
    store = Store(settings.database_url, files=settings.data_dir)
    store.migrate()
    for init, mean in ((OLDER, 280.0), (NEWER, 20.0)):
        save_made_run(store, settings.data_dir, init, mean)
    store.close()
    yield TestClient(create_app(settings), raise_server_exceptions=False)


def test_an_earlier_run_is_answered_as_it_was(two_runs) -> None:
    for address in ("/v1/map", "/v1/cities/beijing/forecast", "/v1/cities/beijing/daily"):
        assert two_runs.get(address).json()["init_time"] == SECOND
        assert two_runs.get(f"{address}?init_time={FIRST}").json()["init_time"] == FIRST
        assert two_runs.get(f"{address}?init_time=2026-01-15T06:00:00%2B08:00").json()["init_time"] == FIRST
    problem = two_runs.get("/v1/map?init_time=2026-01-15T00:00:00Z").json()
    assert f"{FIRST}, {SECOND}" in problem["detail"]


def test_the_page_and_its_map_show_the_run_asked_for(two_runs) -> None:
    newest, older = (two_runs.get(f"/page/map.json{query}") for query in ("", f"?init_time={FIRST}"))
    assert (newest.json()["init_time"], older.json()["init_time"]) == (SECOND, FIRST)
    clean, foul = (answer.json()["cities"][0]["pm25"][0] for answer in (newest, older))
    assert clean < 100 < foul and older.json()["warnings"] == [] and not older.json()["stale"]
    page = two_runs.get(f"/?lang=en&city=beijing&init_time={FIRST}").text
    assert "You see it as it was issued then" in page and "Out of date" not in page
    assert f"/v1/cities/beijing/forecast?init_time={FIRST[:16]}Z" in page
    assert f'href="/?city=beijing&amp;init_time={FIRST[:16]}Z&amp;lang=en" aria-current="true"' in page
    usual = two_runs.get("/?lang=en&city=beijing").text
    assert "You see it as it was issued then" not in usual and f"init_time={FIRST[:16]}Z" in usual
    # What is not stored is a 404, what is no time or no argument a 422, as elsewhere; people are told in a page.
    for query, status, said in (
        ("init_time=2026-01-15T00:00:00Z", 404, f"{FIRST}, {SECOND}"),
        ("init_time=2026-01-15T00:00:00", 422, "offset"),
        ("initime=2026-01-15T00:00:00Z", 422, "init_time?"),
    ):
        for address in ("/page/map.json", "/page/stations.json"):
            refused = two_runs.get(f"{address}?{query}")
            assert refused.status_code == status and said in refused.json()["detail"], (address, query)
    for text in ("2026-01-15T00:00Z", "yesterday", "<b>"):
        refused = two_runs.get("/", params={"lang": "en", "init_time": text})
        assert refused.status_code == 404 and "is stored here" in refused.text and "<b>" not in refused.text
    for address in ("/page/shapes.json", "/page/places.json"):
        assert two_runs.get(f"{address}?unheard_of=1").status_code == 422


@pytest.mark.slow
@pytest.mark.slowest
def test_maps_areas_and_bulletins_of_an_earlier_run(two_runs) -> None:
    newer = two_runs.get("/v1/areas").json()
    older = two_runs.get(f"/v1/areas?init_time={FIRST}").json()
    assert (newer["init_time"], older["init_time"]) == (SECOND, FIRST)
    assert older["features"] and not newer["features"] and older["features"][0]["properties"]["onset"].endswith("Z")
    pictures = [
        two_runs.get(f"/v1/maps/haze.png{query}").content
        for query in ("", f"?init_time={SECOND}", f"?init_time={FIRST}")
    ]
    assert pictures[0] == pictures[1] != pictures[2]
    late = two_runs.get("/v1/bulletins/latest.txt?city=beijing&language=en")
    early = two_runs.get(f"/v1/bulletins/latest.txt?city=beijing&language=en&init_time={FIRST}")
    assert (
        "20260114T2200Z" in early.headers["content-disposition"]
        and "20260115T2200Z" in late.headers["content-disposition"]
    )
    assert early.text != late.text and "+00:00" not in early.text
    assert two_runs.get(f"/v1/bulletins/latest.csv?city=beijing&init_time={FIRST}").text.count("+00:00") == 0
    assert b"+00:00" not in two_runs.get(f"/v1/bulletins/latest.nc?city=beijing&init_time={FIRST}").content
    assert b"+00:00" not in two_runs.get("/v1/forecasts/latest?format=netcdf").content
