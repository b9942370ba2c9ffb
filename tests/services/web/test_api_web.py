"""What holds for every answer: representations, pages, validators, compression, HEAD, and answers cached in memory."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
import xarray as xr
from fastapi import Request
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient
from sqlalchemy import delete, event

from hazecast.grids.contract import LEAD_HOURS, check
from hazecast.services.core.settings import Settings
from hazecast.services.core.work_pool import PoolFullError
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.web.answers import AnswerCache, cache_answer
from hazecast.services.web.app import create_app
from hazecast.services.web.documents import examples, operations
from hazecast.services.web.pages import from_cursor, to_cursor
from hazecast.services.web.problems import InvalidArgument
from tests.support.settings import changed, make_settings
from tests.tools.api_examples import make

FORECAST = "/v1/cities/beijing/forecast"


@pytest.fixture(scope="module")
def client(simulated_run) -> TestClient:
    return TestClient(create_app(simulated_run), raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        (FORECAST, "*/*", "application/json"),
        (FORECAST, "text/csv", "text/csv"),
        (FORECAST, "application/x-netcdf;q=0.9, application/json;q=0.2", "application/x-netcdf"),
        (FORECAST, "application/json;q=0, */*;q=0.1", "text/csv"),
        (FORECAST, "text/html,application/xml;q=0.9,*/*;q=0.8", "application/json"),
        ("/v1/warnings", "application/json", "application/geo+json"),
        ("/v1/warnings", "text/csv, application/json;q=0.5", "text/csv"),
        ("/v1/cities", "application/geo+json", "application/geo+json"),
        (f"{FORECAST}?format=csv", "application/json", "text/csv"),
    ],
)
def test_representation_follows_accept_and_format(client, path, accept, kind) -> None:
    answer = client.get(path, headers={"Accept": accept})
    assert answer.status_code == 200 and answer.headers["content-type"].startswith(kind)
    assert "Accept" in answer.headers["vary"].split(", ")


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "nonsense"])
def test_what_is_not_acceptable_is_a_406_that_lists_what_is(client, accept) -> None:
    answer = client.get(FORECAST, headers={"Accept": accept})
    assert answer.status_code == 406 and answer.headers["content-type"] == "application/problem+json"
    assert "application/x-netcdf" in answer.json()["detail"]
    assert client.get(f"{FORECAST}?format=geojson").status_code == 406


def test_all_representations_hold_the_same_values(client, tmp_path) -> None:
    whole = client.get("/v1/forecasts/latest?city=beijing&city=tokyo").json()
    table = list(
        csv.DictReader(io.StringIO(client.get("/v1/forecasts/latest?format=csv&city=beijing&city=tokyo").text))
    )
    points = client.get("/v1/forecasts/latest?format=geojson&city=beijing&city=tokyo").json()
    file = tmp_path / "part.nc"
    file.write_bytes(client.get("/v1/forecasts/latest?format=netcdf&city=beijing&city=tokyo").content)
    with xr.open_dataset(file, decode_timedelta=True) as dataset:
        check(dataset, "forecast")
        assert [c["city"] for c in whole["items"]] == ["beijing", "tokyo"] == sorted(dataset["city"].values)
        for number, city in enumerate(whole["items"]):
            medians = [hour["pm25"]["q50"] for hour in city["hours"]]
            assert len(medians) == LEAD_HOURS
            assert [float(r["pm25_q50"]) for r in table if r["city"] == city["city"]] == medians
            assert points["features"][number]["properties"]["pm25_q50"] == medians
            assert dataset["pm25"].sel(city=city["city"], quantile=0.5).values == pytest.approx(medians, abs=0.051)
    assert client.get(FORECAST).json()["hours"] == whole["items"][0]["hours"]


def test_hours_are_chosen_by_time(client) -> None:
    init = datetime.fromisoformat(client.get("/v1/forecasts").json()["items"][0]["init_time"])
    start, end = (init + timedelta(hours=h, minutes=m) for h, m in ((3, 30), (6, 0)))
    query = {"from": start.isoformat(), "to": end.isoformat(), "init_time": init.isoformat()}
    assert [hour["lead_time"] for hour in client.get(FORECAST, params=query).json()["hours"]] == [4, 5, 6]
    assert client.get(f"/v1/forecasts/{init.isoformat()}").status_code == 200
    assert client.get("/v1/forecasts/2001-01-01T00:00:00Z").status_code == 404
    late = (init + timedelta(days=30)).isoformat()
    assert client.get(FORECAST, params={"from": late}).status_code == 404
    turned = client.get(FORECAST, params={"from": end.isoformat(), "to": start.isoformat()}).json()
    assert turned["status"] == 422 and turned["errors"][0]["field"] == "from"


def test_pages_of_observations_join_to_the_whole(client) -> None:
    whole = client.get("/v1/cities/beijing/observations").json()["items"]
    assert len(whole) == 72
    joined, address = [], "/v1/cities/beijing/observations?limit=30"
    while address:
        answer = client.get(address)
        joined += answer.json()["items"]
        address = answer.links.get("next", {}).get("url")
        assert bool(address) == (answer.json()["next"] is not None)
    assert joined == whole


@pytest.mark.parametrize("state", ["in_force", "all"])
def test_pages_of_warnings_join_to_the_whole(client, state) -> None:
    whole = [f["id"] for f in client.get(f"/v1/warnings?state={state}&limit=500").json()["features"]]
    joined, address = [], f"/v1/warnings?state={state}&limit=7"
    while address:
        answer = client.get(address)
        joined += [feature["id"] for feature in answer.json()["features"]]
        address = answer.links.get("next", {}).get("url")
        assert bool(address) == (answer.json()["next"] is not None)
    assert joined == whole and len(set(whole)) == len(whole) > 7
    # By default the shipped cities' are one page.
    assert client.get("/v1/warnings", params={"state": state}).json()["next"] is None


def test_all_pages_of_warnings_in_force_are_of_the_time_of_the_first(copied) -> None:
    now = datetime.now(UTC)
    client = TestClient(create_app(copied, clock=lambda: now))
    asked = {"limit": 7, "format": "csv"}
    whole = list(csv.DictReader(io.StringIO(client.get("/v1/warnings?limit=500&format=csv").text)))
    first = client.get("/v1/warnings", params=asked)
    # Meanwhile all of them end.
    now = max(datetime.fromisoformat(row["expires"]) for row in whole)
    assert client.get("/v1/warnings").json()["features"] == []
    rows, answer = list(csv.DictReader(io.StringIO(first.text))), first
    while address := answer.links.get("next", {}).get("url"):
        answer = client.get(address)
        rows += csv.DictReader(io.StringIO(answer.text))
    assert rows == whole and [row["rule_set"] for row in rows] == sorted(row["rule_set"] for row in rows)
    history = client.get("/v1/warnings?state=all&limit=1").json()["next"]
    refused = client.get("/v1/warnings", params={"cursor": history}).json()
    assert refused["status"] == 422 and refused["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize("cursor", ["x", "e30", to_cursor("a"), to_cursor(1), "é", to_cursor("2026-01-01", "b", "c")])
def test_a_cursor_that_was_never_given_is_refused(client, cursor) -> None:
    problem = client.get("/v1/cities/beijing/observations", params={"cursor": cursor}).json()
    assert problem["status"] == 422 and problem["errors"][0]["field"] == "cursor"


def test_cursors_come_back_as_they_went() -> None:
    time = datetime(2013, 1, 12, tzinfo=UTC)
    assert from_cursor(to_cursor(time, "id"), datetime, str) == (time, "id")
    with pytest.raises(InvalidArgument):
        from_cursor(to_cursor("id"), datetime)


def test_head_is_get_without_the_body(client) -> None:
    for path in (FORECAST, "/v1/maps/haze.png", "/v1/healthz", "/v1/nothing"):
        read, head = client.get(path), client.head(path)
        assert head.content == b"" and head.status_code == read.status_code
        own = ("x-request-id", "ratelimit")
        assert [h for h in head.headers.items() if h[0] not in own] == [
            h for h in read.headers.items() if h[0] not in own
        ]


def test_text_is_compressed_and_pictures_are_not(client) -> None:
    plain = client.get(FORECAST, headers={"Accept-Encoding": "identity"})
    with client.stream("GET", FORECAST, headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
    assert gzip.decompress(raw) == plain.content and len(raw) == int(packed.headers["content-length"]) < len(
        plain.content
    )
    assert "content-encoding" not in plain.headers and packed.headers["content-encoding"] == "gzip"
    # The bytes differ, so the strong tags must.
    assert packed.headers["etag"] != plain.headers["etag"]
    assert "Accept-Encoding" in plain.headers["vary"] and "Accept-Encoding" in packed.headers["vary"]
    refused = client.get(FORECAST, headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert "content-encoding" not in refused.headers
    for path in ("/v1/maps/haze.png", f"{FORECAST}?format=netcdf"):
        assert "content-encoding" not in client.get(path, headers={"Accept-Encoding": "gzip"}).headers


def test_validators(client) -> None:
    first = client.get(FORECAST)
    same = {"If-None-Match": f'"other", W/{first.headers["etag"]}'}
    unchanged = client.get(FORECAST, headers=same)
    assert unchanged.status_code == 304 and unchanged.content == b""
    assert unchanged.headers["etag"] == first.headers["etag"] and "content-length" not in unchanged.headers
    assert client.head(FORECAST, headers=same).status_code == 304
    modified = first.headers["last-modified"]
    assert client.get(FORECAST, headers={"If-Modified-Since": modified}).status_code == 304
    assert client.get(FORECAST, headers={"If-Modified-Since": "Sat, 12 Jan 2013 00:00:00 GMT"}).status_code == 200
    assert client.get(FORECAST, headers={"If-Modified-Since": "yesterday"}).status_code == 200
    # A tag goes before a time (RFC 9110, 13.2.2).
    both = {"If-None-Match": '"other"', "If-Modified-Since": modified}
    assert client.get(FORECAST, headers=both).status_code == 200


def test_who_may_store_an_answer(client) -> None:
    with_key = {"Cookie": "session=1"}
    assert client.get("/v1/healthz").headers["cache-control"] == "no-store"
    assert client.get("/v1/nothing").headers["cache-control"] == "no-store"
    assert client.get("/v1/observations").headers["cache-control"].startswith("public")
    assert client.get("/v1/observations", headers=with_key).headers["cache-control"] == "private, no-cache"
    # It is the same for everyone.
    assert client.get(FORECAST, headers=with_key).headers["cache-control"].startswith("public")


def count_reads(store_url: str):
    """Return a list that grows with every statement on a database."""
    seen: list[str] = []

    def note(conn, cursor, statement, parameters, context, many) -> None:
        if str(conn.engine.url) == store_url:
            seen.append(statement)

    return seen, note


@pytest.fixture
def copied(simulated_run, tmp_path) -> Settings:
    """Settings with a copy of the simulated run that a test may change; nothing is looked up within a minute."""
    import shutil

    shutil.copytree(simulated_run.data_dir, tmp_path / "copy")
    return make_settings(data_dir=tmp_path / "copy", answers_check_seconds=60.0)


def test_cached_answers_end_when_the_store_changes(copied) -> None:
    from sqlalchemy.engine import Engine

    client = TestClient(create_app(copied))
    first = client.get(FORECAST)
    seen, note = count_reads(copied.database_url)
    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert client.get(FORECAST).content == first.content and seen == []
        assert client.get("/v1/warnings").json()["features"]
        before = len(seen)
        client.get("/v1/warnings")
        assert len(seen) == before
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    # What this process commits is seen immediately.
    store = Store(copied.database_url)
    with store.sessions.begin() as session:
        session.execute(delete(ForecastRun))
    store.close()
    assert client.get(FORECAST).status_code == 404


def test_warnings_in_force_end_by_the_clock(copied) -> None:
    now = datetime.now(UTC)
    client = TestClient(create_app(copied, clock=lambda: now))
    standing = client.get("/v1/warnings").json()["features"]
    first_end = min(datetime.fromisoformat(f["properties"]["expires"]) for f in standing)
    now = first_end - timedelta(seconds=1)
    seen, note = count_reads(copied.database_url)
    from sqlalchemy.engine import Engine

    event.listen(Engine, "before_cursor_execute", note)
    try:
        client.get("/v1/warnings")
        assert seen == []
        now = first_end
        client.get("/v1/warnings")
        assert seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_memory_of_cached_answers_is_bounded() -> None:
    asked = []

    async def app(scope, receive, send) -> None:
        asked.append(scope["path"])
        cache_answer(Request(scope))
        await PlainTextResponse("x" * 1_000)(scope, receive, send)

    answers = AnswerCache(
        app, find_version=lambda: 1, find_token=lambda: 0, max_age=60, check_seconds=60.0, memory=5_000, under="/v1/"
    )
    client = TestClient(answers, headers={"Accept-Encoding": "identity"})
    for number in [*range(8), 7, 0]:
        assert len(client.get(f"/v1/{number}").content) == 1_000
    # The newest five stay: 7 was in memory, 0 had made room.
    assert asked == [f"/v1/{number}" for number in [*range(8), 0]]


def test_warnings_are_chosen_by_place_level_and_time(client) -> None:
    everything = client.get("/v1/warnings").json()["features"]
    properties = [feature["properties"] for feature in everything]
    chosen = client.get("/v1/warnings?bbox=110,35,120,42&level=red&level=orange&rule_set=cma_haze").json()["features"]
    expected = [
        p["id"]
        for p in properties
        if 110 <= p["position"][0] <= 120
        and 35 <= p["position"][1] <= 42
        and p["level"] in ("red", "orange")
        and p["rule_set"] == "cma_haze"
    ]
    assert expected and [feature["id"] for feature in chosen] == expected
    end = max(datetime.fromisoformat(p["expires"]) for p in properties)
    late = client.get("/v1/warnings", params={"from": (end + timedelta(seconds=1)).isoformat()}).json()["features"]
    assert late == []
    history = client.get("/v1/warnings", params={"state": "all", "limit": 500, "from": end.isoformat()}).json()
    assert {f["id"] for f in history["features"]} == {
        p["id"] for p in properties if datetime.fromisoformat(p["expires"]) == end
    }
    table = list(csv.DictReader(io.StringIO(client.get("/v1/warnings?format=csv").text)))
    assert [row["id"] for row in table] == [p["id"] for p in properties]


def test_problem_types_can_be_looked_up(client) -> None:
    problem = client.get("/v1/warnings?level=blue").json()
    told = client.get(problem["type"]).json()
    assert told["status"] == problem["status"] == 422 and told["advice"]
    assert client.get("/v1/problems/none").status_code == 404


def test_operation_ids_are_distinct_and_every_answer_in_text_has_a_real_example(client) -> None:
    document = client.get("/openapi.json").json()
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    live = make(client)
    assert set(live) <= set(ids) and "warnings_warnings" in live
    for name, answers in live.items():
        assert set(examples()[name]) == set(answers), name
        for media, answer in answers.items():
            if isinstance(answer, dict):
                assert set(examples()[name][media]) == set(answer), name
    for path, _, operation in operations(document):
        assert operation["description"] and operation["tags"], path
        for media in live.get(operation["operationId"], {}):
            content = operation["responses"]["200"]["content"][media]
            jsonschema.validate(content["example"], content.get("schema", {}) | {"components": document["components"]})


def test_what_is_drawn_is_stored_checked_and_counted_by_its_processor_time(copied, monkeypatch, caplog) -> None:
    # An earlier test of the same run may have had it drawn.
    for kept in copied.data_dir.glob("forecasts/*.products/haze-*"):
        kept.unlink()
    app = create_app(changed(copied, answer_seconds=300.0, rate_anonymous=600))
    client = TestClient(app)

    def left(path: str) -> int:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        return int(answer.headers["ratelimit"].partition("r=")[2].partition(";")[0])

    start = left("/v1/cities")
    drawn = left("/v1/maps/haze.png")
    assert start - drawn > 1 and drawn - left("/v1/maps/haze.png") == 1
    (stored,) = copied.data_dir.glob("forecasts/*.products/haze-zh-desktop-*.png")
    picture = stored.read_bytes()
    stored.write_bytes(picture[:-1] + b"!")
    other = TestClient(create_app(changed(copied, answer_seconds=300.0))).get("/v1/maps/haze.png")
    assert other.content == picture and "is damaged" in caplog.text and stored.read_bytes() == picture

    def full(*_: object, **__: object) -> None:
        raise PoolFullError(7)

    monkeypatch.setattr(app.state.service.pool, "submit", full)
    refused = client.get("/v1/maps/o3.png?lead_time=11")
    assert refused.status_code == 503 and refused.headers["retry-after"] == "7"
    assert client.get("/v1/maps/haze.png").status_code == 200
