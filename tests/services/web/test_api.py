"""The API's contract, on a store that a simulated cycle filled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from shapely import Point
from shapely.geometry import shape

from hazecast.grids.contract import LEAD_HOURS
from hazecast.services.core.settings import Settings
from hazecast.services.web.app import create_app
from hazecast.services.work.cycle import run_cycle


@pytest.fixture(scope="module")
def settings(databases, tmp_path_factory) -> Settings:
    settings = databases.settings(tmp_path_factory.mktemp("api"))
    run_cycle(settings)
    return settings


@pytest.fixture(scope="module")
def client(settings) -> Iterator[TestClient]:
    app = create_app(settings)
    yield TestClient(app, raise_server_exceptions=False)
    app.state.service.store.close()


def test_cities_have_names_in_three_languages(client) -> None:
    cities = {city["id"]: city for city in client.get("/v1/cities").json()["items"]}
    assert len(cities) >= 28
    assert (cities["shenyang"]["name_zh"], cities["shenyang"]["name_ja"]) == ("沈阳", "瀋陽")
    assert cities["shanghai"]["partners"] == ["kitakyushu"]
    assert client.get("/v1/cities/shanghai").json() == cities["shanghai"]


def test_forecast_has_all_lead_times_with_ordered_quantiles_and_local_time(client) -> None:
    forecast = client.get("/v1/cities/kitakyushu/forecast").json()
    assert forecast["simulated"] is True and forecast["units"] == {
        "pm25": "ug m-3",
        "o3": "ug m-3",
        "relative_humidity": "%",
    }
    assert [hour["lead_time"] for hour in forecast["hours"]] == list(range(1, LEAD_HOURS + 1))
    for hour in forecast["hours"]:
        for pollutant in ("pm25", "o3"):
            values = [hour[pollutant][q] for q in ("q10", "q25", "q50", "q75", "q90")]
            assert values == sorted(values) and values[0] >= 0
        assert hour["local_time"].endswith("+09:00")
        assert datetime.fromisoformat(hour["local_time"]) == datetime.fromisoformat(hour["time"])


def test_warnings_are_geojson_and_can_be_chosen(client) -> None:
    answer = client.get("/v1/warnings")
    assert answer.headers["content-type"].startswith("application/geo+json")
    collection = answer.json()
    assert collection["type"] == "FeatureCollection" and collection["simulated"] is True
    assert collection["features"]
    for feature in collection["features"]:
        longitude, latitude = feature["properties"]["position"]
        assert 95 < longitude < 150 and 15 < latitude < 55
        assert shape(feature["geometry"]).contains(Point(longitude, latitude))
        assert feature["properties"]["simulated"] is True and feature["properties"]["evidence"]
    levels = {f["properties"]["level"] for f in client.get("/v1/warnings?level=red").json()["features"]}
    assert levels <= {"red"}
    first = collection["features"][0]["properties"]
    assert client.get(f"/v1/warnings/{first['id']}").json()["properties"] == first
    own = client.get(f"/v1/warnings?city={first['city']}").json()["features"]
    assert {f["properties"]["city"] for f in own} == {first["city"]}
    assert len({f["properties"]["rule_set"] for f in own}) == len(own)  # one in force for a rule set and city
    later = (datetime.now(UTC) + timedelta(days=14)).isoformat()
    assert client.get("/v1/warnings", params={"at": later}).json()["features"] == []


def test_map_is_a_png(client) -> None:
    answer = client.get("/v1/maps/haze.png")
    assert answer.headers["content-type"] == "image/png" and answer.content.startswith(b"\x89PNG")


@pytest.mark.parametrize("path", ["/v1/cities", "/v1/cities/beijing/forecast", "/v1/warnings", "/v1/maps/haze.png"])
def test_public_reads_can_be_cached(client, path) -> None:
    first = client.get(path)
    assert first.headers["cache-control"].startswith("public")
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304 and again.content == b"" and again.headers["etag"] == first.headers["etag"]
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/v1/cities/bejing", 404, "beijing"),
        ("/v1/cities/bejing/forecast", 404, "beijing"),
        ("/v1/warnings/nothing", 404, "nothing"),
        ("/v1/warnings?level=blue", 422, "level"),
        ("/v1/warnings?city=bejing", 422, "beijing"),
        ("/v1/warnings?at=2013-01-12T00:00", 422, "timezone"),
        ("/v1/cycles?limit=0", 422, "limit"),
        ("/v1/nothing", 404, "/v1/nothing is no address of this service"),
        ("/v1/cities/", 404, "/v1/cities is one"),
        ("/v1/cities/beijing/forecast?from=2013-01-12T00:00:00+08:00", 422, "%2B"),
    ],
)
def test_errors_are_problem_details(client, path, status, word) -> None:
    answer = client.get(path)
    assert answer.status_code == status and answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status and {"type", "title", "detail"} <= set(problem)
    assert word in str(problem)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/cities", "GET, HEAD, OPTIONS"),
        ("/v1/observations", "GET, HEAD, POST, OPTIONS"),
        ("/v1/studies/wind", "GET, HEAD, POST, OPTIONS"),
        ("/v1/subscriptions/1", "GET, HEAD, PATCH, DELETE, OPTIONS"),
        ("/", "GET, HEAD, OPTIONS"),
        ("/warnings.rss", "GET, HEAD, OPTIONS"),
    ],
)
def test_another_method_is_told_all_that_an_address_has(client, path, allowed) -> None:
    refused = client.put(path)
    assert refused.status_code == 405 and refused.headers["allow"] == allowed
    assert refused.json()["detail"] == f"found PUT; expected {allowed}"
    assert refused.headers["cache-control"] == "no-store"
    asked = client.options(path)
    assert asked.status_code == 204 and asked.headers["allow"] == allowed and asked.content == b""
    assert client.options("/v1/nothing").status_code == client.options("/nothing").status_code == 404
    assert "HEAD" not in allowed or client.head(path).status_code in (200, 401, 404)


def test_what_is_wrong_with_a_body_or_an_endless_word_is_said_shortly(client) -> None:
    broken = client.post("/v1/subscriptions", content="{", headers={"Content-Type": "application/json"}).json()
    (error,) = broken["errors"]
    assert error["field"] == "" and error["in"] == "body" and error["reason"].startswith("not JSON at character 1")
    endless = client.get(f"/v1/cities/{'a' * 20_000}")
    assert endless.status_code == 404 and len(endless.content) < 2000 and "expected a known city id" in endless.text


def test_unexpected_errors_reveal_no_internals(settings, monkeypatch, closed_after) -> None:
    app = create_app(settings)
    closed_after(app.state.service.store)
    monkeypatch.setattr("hazecast.services.store.store.Store.latest_run", lambda *_: 1 / 0)
    answer = TestClient(app, raise_server_exceptions=False).get("/v1/maps/haze.png")
    assert answer.status_code == 500 and "division" not in answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_health_and_readiness(client, tmp_path) -> None:
    assert client.get("/v1/healthz").json() == {"status": "alive"}
    ready = client.get("/v1/readyz").json()
    assert ready["status"] == "degraded" and ready["checks"][2]["detail"] == "none has run on this store"
    empty = TestClient(create_app(Settings(data_dir=tmp_path / "empty")))
    assert empty.get("/v1/healthz").status_code == 200
    assert empty.get("/v1/readyz").status_code == 503
    assert empty.get("/v1/cities/beijing/forecast").status_code == 404
    assert empty.get("/v1/warnings").json()["features"] == []


def test_stale_forecast_is_not_ready(tmp_path) -> None:
    settings = Settings(data_dir=tmp_path)
    run_cycle(settings, init_time=datetime(2026, 1, 15, 22, tzinfo=UTC))
    answer = TestClient(create_app(settings)).get("/v1/readyz")
    assert answer.status_code == 503 and "h old" in answer.json()["detail"]


def test_cycles_show_their_outcome(client) -> None:
    newest = client.get("/v1/cycles").json()["items"][0]
    assert newest["status"] == "done" and newest["finished_at"] >= newest["started_at"]


def test_openapi_describes_every_operation_and_problem(client) -> None:
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) >= {"/v1/cities", "/v1/warnings", "/v1/maps/haze.png", "/v1/readyz"}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            for status, answer in operation["responses"].items():
                if status >= "400":
                    assert answer["content"]["application/problem+json"]["example"]["status"] == int(status), path


def test_store_files_stay_in_the_data_folder(settings) -> None:
    found = {path.name for path in Path(settings.data_dir).iterdir()}
    assert found >= {"forecasts", "maps"}
    assert ("hazecast.db" in found) == settings.database_url.startswith("sqlite")


def test_an_argument_that_is_not_known_is_named(client) -> None:
    answer = client.get("/v1/forecasts/latest?citty=beijing")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "citty", "in": "query", "reason": "found an argument that is not known here; expected city?"}
    ]
    assert client.get("/v1/healthz?x=1").json()["detail"].startswith("x: found")
