"""Attacks on the API, and what becomes of each. Those sent as raw bytes are in test_attacks_on_server.py, those on webhook targets in test_ssrf.py."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from fastapi import Response
from fastapi.testclient import TestClient

from hazecast.services.accounts.tokens import new_token
from hazecast.services.core.settings import Settings
from hazecast.services.web.app import create_app
from tests.support.accounts import keys_of_every_kind
from tests.support.settings import make_settings

HTTPS = {"public_url": "https://haze.example", "allowed_hosts": ("haze.example",)}
KEYS: dict[str, str] = {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A data folder with a key of every kind, named in `KEYS`."""
    path = tmp_path_factory.mktemp("attacks")
    KEYS.update(keys_of_every_kind(path))
    return path


@pytest.fixture(scope="module")
def client(folder) -> TestClient:
    return TestClient(create_app(make_settings(data_dir=folder, failed_keys=0)), raise_server_exceptions=False)


# -- keys ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("header", "kind", "status", "word"),
    [
        (None, None, 401, "is needed"),
        ("Authorization", "unknown", 401, "not known"),
        ("Authorization", "half another's", 401, "not known"),
        ("Authorization", "expired", 401, "expired"),
        ("Authorization", "revoked", 401, "revoked"),
        ("Authorization", "closed", 401, "disabled"),
        ("Authorization", "narrow", 403, "account:keys"),
        ("X-API-Key", "unknown", 401, "not known"),
        ("X-API-Key", "narrow", 403, "account:keys"),
        ("X-API-Key", "tianjin", 200, ""),
        ("Authorization", "tianjin", 200, ""),
    ],
)
def test_keys(folder, client, header, kind, status, word) -> None:
    text = KEYS.get(kind or "", "")
    headers = {} if header is None else {header: f"Bearer {text}" if header == "Authorization" else text}
    answer = client.get("/v1/account/keys", headers=headers)
    assert answer.status_code == status and word in answer.text
    if status in (401, 403):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer ")
        assert not text or text not in answer.text


def test_every_write_and_every_private_read_wants_a_key(folder, client) -> None:
    document = client.get("/openapi.json").json()
    tried = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            private = path.startswith(
                ("/v1/account", "/v1/drafts", "/v1/subscriptions", "/v1/deliveries", "/v1/study-jobs")
            )
            if method in ("get", "head") and not private:
                continue
            if path.endswith(("/confirm", "/unsubscribe")):
                # For receivers, who have no key: the code that they were sent is used in place of one.
                address = path.replace("{subscription_id}", "sub_none")
                assert client.request(method, address).status_code == 422
                assert method == "get" or client.request(method, f"{address}?code=x").status_code == 404
                continue
            assert operation["security"], f"{method} {path} takes no key"
            address = path.replace("{key_id}", "0" * 12).replace("{", "").replace("}", "")
            assert client.request(method, address).status_code == 401, f"{method} {address}"
            narrow = client.request(method, address, headers={"X-API-Key": KEYS["narrow"]})
            assert narrow.status_code == 403 or path == "/v1/account", f"{method} {address}"
            tried += 1
    assert tried >= 16


def test_other_accounts_keys_are_neither_seen_nor_touched(folder, client) -> None:
    head = {"Authorization": f"Bearer {KEYS['tianjin']}"}
    theirs = KEYS["id of dalian"]
    assert theirs not in client.get("/v1/account/keys", headers=head).text
    # The same answer as for a key that doesn't exist.
    for key_id in (theirs, "0" * 12):
        gone = client.delete(f"/v1/account/keys/{key_id}", headers=head)
        rotated = client.post(f"/v1/account/keys/{key_id}/rotate", headers=head)
        assert (gone.status_code, rotated.status_code) == (404, 404)
        assert gone.json()["detail"].replace(key_id, "") == "key: found ; expected the id of a key of the account"
    assert client.get("/v1/accounts/dalian/keys", headers=head).status_code == 403
    assert client.get("/v1/account", headers={"X-API-Key": KEYS["dalian"]}).status_code == 200


def test_a_bad_key_is_told_of_on_public_routes_too_and_a_foreign_scheme_is_let_be(folder, client) -> None:
    assert client.get("/v1/cities", headers={"X-API-Key": KEYS["expired"]}).status_code == 401
    assert client.get("/v1/cities", headers={"Authorization": "Basic eDp5"}).status_code == 200
    assert client.get("/v1/account", headers={"Authorization": "Basic eDp5"}).status_code == 401


def test_guessing_is_slowed_down_but_shuts_nobody_out(folder) -> None:
    client = TestClient(create_app(make_settings(data_dir=folder, failed_keys=5)))
    good = {"X-API-Key": KEYS["tianjin"]}
    statuses = [client.get("/v1/account", headers={"X-API-Key": new_token()[1]}).status_code for _ in range(8)]
    assert statuses == [401] * 5 + [429] * 3
    late = client.get("/v1/account", headers={"X-API-Key": new_token()[1]})
    assert int(late.headers["retry-after"]) > 0
    assert client.get("/v1/account", headers=good).status_code == 200
    assert client.get("/v1/cities").status_code == 200


# -- rates -----------------------------------------------------------------------------------------------------------
def test_floods_are_answered_429_by_address_and_by_key(folder) -> None:
    client = TestClient(create_app(make_settings(data_dir=folder, rate_anonymous=6, rate_account=3)))
    answers = [client.get("/v1/cities/beijing") for _ in range(8)]
    assert [answer.status_code for answer in answers] == [200] * 6 + [429] * 2
    assert answers[0].headers["ratelimit-policy"] == '"anonymous";q=6;w=60'
    assert answers[0].headers["ratelimit"].startswith('"anonymous";r=5;t=')
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 61
    assert answers[-1].headers["content-type"] == "application/problem+json"
    # Each key counts for itself, and the flood without a key took nothing from them.
    for name in ("tianjin", "dalian"):
        statuses = [client.get("/v1/cities", headers={"X-API-Key": KEYS[name]}).status_code for _ in range(4)]
        assert statuses == [200] * 3 + [429]
    # A claimed address counts for nothing, and what asks for health is always answered.
    assert client.get("/v1/cities", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 429
    assert client.get("/v1/healthz").status_code == 200


# -- names and addresses ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("/v1/cities/..%2F..%2Fetc%2Fpasswd", (404,)),
        ("/v1/cities/beijing'%20OR%20'1'='1", (404,)),
        ("/v1/cities/%00", (400,)),
        ("/v1/cities/beijing?x=%00", (400,)),
        ("/v1/cities/" + "a" * 5_000, (404,)),
        ("/v1/maps/..%2f..%2fhazecast.db", (404,)),
        ("/v1/maps/../hazecast.db", (404,)),
        ("/v1/maps/..%5c..%5chazecast.db.png", (404, 422)),
        ("/v1/maps/fan/..%2f..%2fhazecast.db.png", (404,)),
        ("/v1/maps/fan/beijing%0d%0aSet-Cookie:%20a=b.png", (404,)),
        ("/v1/maps/day/pm25.webp%00.png", (400,)),
        ("/v1/warnings/..%2f..%2fetc%2fpasswd.cap", (404,)),
        ("/v1/warnings/1;DROP%20TABLE%20warning", (404,)),
        ("/v1/warnings?city=beijing'--", (404, 422)),
        ("/v1/warnings?level=%3Cscript%3E", (422,)),
        ("/v1/drafts/..%2f..%2fetc", (404,)),
        ("/v1/drafts/a'%20OR%201=1", (422,)),
        ("/v1/accounts/..%2froot", (404,)),
        ("/v1/accounts/root'--", (422,)),
        ("/v1/accounts/%EF%BC%8E%EF%BC%8E", (422,)),
    ],
)
def test_names_lead_nowhere_else(folder, client, path, statuses) -> None:
    answer = client.get(path, headers={"X-API-Key": KEYS["root"]})
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "root:x:" not in answer.text and "SQLite" not in answer.text and "set-cookie" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_foreign_pages_read_what_is_public_and_no_more_unless_allowed(folder, client, origin) -> None:
    public = client.get("/v1/cities", headers={"Origin": origin})
    assert public.headers["access-control-allow-origin"] == "*"
    for method, header in (("POST", "content-type"), ("DELETE", ""), ("GET", "x-api-key"), ("GET", "authorization")):
        wanted = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": header}
        assert client.options("/v1/account/keys", headers=wanted).status_code == 400
    none = TestClient(create_app(make_settings(data_dir=folder, cors_origins=())))
    assert "access-control-allow-origin" not in none.get("/v1/cities", headers={"Origin": origin}).headers
    ours = TestClient(create_app(make_settings(data_dir=folder, cors_origins=("https://map.example",))))
    assert "access-control-allow-origin" not in ours.get("/v1/cities", headers={"Origin": origin}).headers
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    assert ours.options("/v1/account/keys", headers=preflight).status_code == 400
    allowed = ours.get("/v1/cities", headers={"Origin": "https://map.example"})
    assert allowed.headers["access-control-allow-origin"] == "https://map.example"
    any_page = TestClient(create_app(make_settings(data_dir=folder, cors_origins=("*",))))
    for answer in (allowed, any_page.get("/v1/cities", headers={"Origin": origin})):
        assert "access-control-allow-credentials" not in answer.headers


def test_a_foreign_host_name_is_refused_and_gets_into_no_link(folder) -> None:
    client = TestClient(create_app(make_settings(data_dir=folder, **HTTPS)), base_url="https://haze.example")
    for host in ("evil.example", "haze.example.evil.example", "haze.example@evil.example", ""):
        assert client.get("/v1/warnings/feed.atom", headers={"Host": host}).status_code == 400
    feed = client.get("/v1/warnings/feed.atom", headers={"X-Forwarded-Host": "evil.example"})
    assert "https://haze.example" in feed.text and "evil" not in feed.text


def test_every_answer_has_its_security_headers(folder, monkeypatch) -> None:
    app = create_app(make_settings(data_dir=folder, **HTTPS))
    client = TestClient(app, base_url="https://haze.example", raise_server_exceptions=False)
    monkeypatch.setattr("hazecast.services.store.store.Store.latest_run", lambda *_: 1 / 0)
    for path, status in (
        ("/v1/cities", 200), ("/v1/nothing", 404), ("/v1/account", 401), ("/v1/maps/pm25.png?lead_time=0", 422),
        ("/v1/cities/beijing/forecast", 500), ("/docs", 200), ("/openapi.json", 200), ("/v1/cities/%00", 400),
    ):  # fmt: skip
        answer = client.get(path)
        assert answer.status_code == status
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
    plain = TestClient(create_app(Settings(data_dir=folder))).get("/v1/healthz")
    assert "strict-transport-security" not in plain.headers


def test_a_page_that_may_be_framed_says_by_whom(folder) -> None:
    app = create_app(Settings(data_dir=folder))

    @app.get("/card")
    def card() -> Response:
        return Response("card", headers={"Content-Security-Policy": "default-src 'self'; frame-ancestors *"})

    answer = TestClient(app).get("/card")
    assert answer.headers["content-security-policy"] == "default-src 'self'; frame-ancestors *"
    assert "x-frame-options" not in answer.headers and answer.headers["x-content-type-options"] == "nosniff"


# -- what is logged --------------------------------------------------------------------------------------------------
def test_no_key_gets_into_the_logs(folder, client, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    for name, text in KEYS.items():
        if not name.startswith("id of"):
            client.get("/v1/account/keys", headers={"Authorization": f"Bearer {text}"})
            client.post("/v1/account/keys", json={"label": text, "wrong": text}, headers={"X-API-Key": text})
    made = client.post("/v1/account/keys", json={"label": "y"}, headers={"X-API-Key": KEYS["tianjin"]}).json()["token"]
    assert "made by tianjin" in caplog.text
    for text in (*KEYS.values(), made):
        if text.startswith("hz_"):
            assert text.split("_", 2)[2] not in caplog.text


# -- many mistakes in one request ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "channel": "stream", "cities": [1] * 15_000},
        {"name": "x", "channel": "stream", **{f"unknown{n}": 1 for n in range(3_000)}},
        {"name": "x", "channel": "stream", **dict.fromkeys(("cities", "regions", "levels"), [1] * 200)},
        {"name": "x", "channel": "stream", "y" * 60_000: 1},
        {"name": "x", "channel": "stream", "time_zone": "z" * 60_000},
    ],
)
def test_an_answer_names_few_of_many_mistakes_and_is_short(client, body) -> None:
    answer = client.post("/v1/subscriptions", json=body, headers={"X-API-Key": KEYS["tianjin"]})
    assert answer.status_code == 422 and 1 <= len(answer.json()["errors"]) <= 20 and len(answer.content) < 10_000
    assert ("more" in answer.json()["detail"]) == (len(answer.json()["errors"]) == 20)


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [("/v1/subscriptions", 65_537, 413), ("/v1/subscriptions", 65_000, 422), ("/v1/account/keys", 16_385, 413)],
)
def test_a_route_takes_no_larger_body_than_it_needs(client, path, size, status) -> None:
    content = b'{"label": "' + b"x" * (size - 13) + b'"}'
    answer = client.post(path, content=content, headers={"X-API-Key": KEYS["root"]})
    assert answer.status_code == status


def test_many_parameters_are_refused_before_they_are_looked_at(client) -> None:
    for name in ("city", "region", "variables"):
        answer = client.get("/v1/map?" + "&".join([f"{name}=x"] * 900))
        assert answer.status_code == 422 and len(answer.json()["errors"]) == 1 and "at most" in answer.text


def test_every_list_in_a_request_has_a_greatest_length(client) -> None:
    document = client.get("/openapi.json").json()
    schemas, seen = document["components"]["schemas"], []

    def walk(node: object, where: str) -> None:
        if isinstance(node, list):
            for item in node:
                walk(item, where)
        elif isinstance(node, dict):
            if node.get("type") == "array":
                seen.append(where)
                assert node.get("maxItems"), f"{where}: {node}"
            if "$ref" in node:
                name = node["$ref"].rpartition("/")[2]
                walk(schemas[name], f"{where} {name}")
            for key, value in node.items():
                if key != "example":
                    walk(value, f"{where}.{key}")

    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            walk(operation.get("requestBody", {}), f"{method} {path}")
            walk([p["schema"] for p in operation.get("parameters", [])], f"{method} {path}")
    assert len(seen) > 10
