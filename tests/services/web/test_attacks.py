"""Attacks on the API, and what becomes of each. Those on webhook targets are in test_ssrf.py."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import uvicorn
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient

from hazecast.services.accounts.accounts import add_account, change_account
from hazecast.services.accounts.keys import add_key, revoke_key
from hazecast.services.accounts.tokens import new_token
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from hazecast.services.web.app import create_app
from hazecast.services.web.edge.listening import HastyProtocol, server_options
from tests.support.settings import changed, make_settings

DAY = timedelta(days=1)
HTTPS = {"public_url": "https://haze.example", "allowed_hosts": ("haze.example",)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A data folder with a key of every kind, named in `keys`."""
    path = tmp_path_factory.mktemp("attacks")
    store = Store(Settings(data_dir=path).database_url)
    store.migrate()
    now = datetime.now(UTC)
    made: dict[str, str] = {}
    for account_id, role in {
        "root": "administrator", "tianjin": "subscriber", "dalian": "subscriber", "closed": "subscriber"
    }.items():  # fmt: skip
        add_account(store.sessions, account_id, name=account_id, role=role, at=now)
        given = {"label": "x", "lifetime": 30 * DAY, "at": now, "by": "command"}
        key, made[account_id] = add_key(store.sessions, account_id, **given)
        made[f"id of {account_id}"] = key.id
        if account_id == "dalian":
            _, made["expired"] = add_key(store.sessions, account_id, **(given | {"at": now - 31 * DAY}))
            revoked, made["revoked"] = add_key(store.sessions, account_id, **given)
            revoke_key(store.sessions, revoked.id, at=now, by="command")
            _, made["narrow"] = add_key(store.sessions, account_id, **given, scopes=["account:read"])
    change_account(store.sessions, "closed", at=now, disabled=True)
    made["unknown"] = new_token()[1]
    made["half another's"] = made["dalian"][:16] + made["tianjin"][16:]
    KEYS.update(made)
    store.close()
    return path


KEYS: dict[str, str] = {}


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
            private = path.startswith(("/v1/account", "/v1/drafts", "/v1/subscriptions", "/v1/deliveries"))
            if method in ("get", "head") and not private:
                continue
            if path.endswith(("/confirm", "/unsubscribe")):
                # For receivers, who have no key: the code that they were sent stands in for one.
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
    assert client.get("/v1/account", headers=good).status_code == 200
    statuses = [client.get("/v1/account", headers={"X-API-Key": new_token()[1]}).status_code for _ in range(8)]
    assert statuses == [401] * 5 + [429] * 3
    late = client.get("/v1/account", headers={"X-API-Key": new_token()[1]})
    assert int(late.headers["retry-after"]) > 0
    assert client.get("/v1/account", headers=good).status_code == 200
    assert client.get("/v1/cities").status_code == 200


# -- rates -----------------------------------------------------------------------------------------------------------
def test_floods_are_answered_429_by_address_and_by_key(folder) -> None:
    client = TestClient(create_app(make_settings(data_dir=folder, rate_anonymous=6, rate_key=3)))
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
def test_foreign_pages_read_nothing_unless_allowed(folder, client, origin) -> None:
    assert "access-control-allow-origin" not in client.get("/v1/cities", headers={"Origin": origin}).headers
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
        ("/v1/cities", 200), ("/v1/nothing", 404), ("/v1/account", 401), ("/v1/maps/pm25.png?hour=0", 422),
        ("/v1/cities/beijing/forecast", 500), ("/docs", 200), ("/v1/cities/%00", 400),
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


# -- against a listening server --------------------------------------------------------------------------------------
@contextmanager
def listening(app: FastAPI, settings: Settings, **more: object) -> Iterator[int]:
    """A real server on a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="warning", **{**server_options(settings), **more})  # type: ignore[arg-type]
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield port
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="module")
def server(folder) -> Iterator[int]:
    settings = make_settings(data_dir=folder, max_body_bytes=2_000, failed_keys=0)
    with listening(create_app(settings), settings) as port:
        yield port


@pytest.fixture(scope="module")
def impatient(folder) -> Iterator[int]:
    """A server whose limits on time are so short that only what ought to exceed them is sent to it."""
    settings = make_settings(data_dir=folder, body_seconds=1.0, answer_seconds=0.5, failed_keys=0)
    app = create_app(settings)

    @app.get("/v1/slow")
    def slow() -> str:
        time.sleep(3.0)
        return "late"

    class Hastier(HastyProtocol):
        head_seconds = 0.5

    with listening(app, settings, http=Hastier) as port:
        yield port


def said(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """Return all that the server says to bytes sent as they are."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for part in parts:
            try:
                connection.sendall(part)
            except OSError:
                break
            time.sleep(pause)
        answer = b""
        try:
            while chunk := connection.recv(65_536):
                answer += chunk
        except ConnectionResetError:
            pass
        return answer


def head(method: str, path: str, *lines: str) -> bytes:
    own = ["Host: 127.0.0.1", f"X-API-Key: {KEYS['root']}", "Connection: close", "Content-Type: application/json"]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *own, *lines, "", ""]).encode("latin-1")


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def test_declared_oversize_is_refused_unread(server) -> None:
    answer = said(server, head("POST", "/v1/account/keys", "Content-Length: 2001"))
    assert status_of(answer) == 413 and b"application/problem+json" in answer


@pytest.mark.parametrize("length", ["-1", "1e3", "99999999999999999999999", "5, 6"])
def test_lengths_that_are_none_are_refused(server, length) -> None:
    assert status_of(said(server, head("POST", "/v1/account/keys", f"Content-Length: {length}"), b"{}")) in (400, 413)


def test_streamed_oversize_is_refused_as_it_comes(server) -> None:
    chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
    answer = said(server, head("POST", "/v1/account/keys", "Transfer-Encoding: chunked"), *[chunk] * 4)
    assert status_of(answer) == 413


def test_a_body_of_the_right_size_passes(server) -> None:
    body = b'{"label": "x", "days": 1}'
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    assert status_of(said(server, head("POST", "/v1/account/keys", "Transfer-Encoding: chunked"), chunk)) == 201


def test_a_slow_body_is_given_up(impatient) -> None:
    start = time.monotonic()
    answer = said(impatient, head("POST", "/v1/account/keys", "Content-Length: 100"), *[b" "] * 6, pause=0.4)
    assert status_of(answer) == 408 and time.monotonic() - start < 15


def test_a_slow_head_is_given_up(impatient) -> None:
    assert said(impatient, b"GET /v1/cities HTTP/1.1\r\nHost: 127.0.0.1\r\n", *[b"X-A: b\r\n"] * 6, pause=0.2) == b""
    assert said(impatient) == b""
    # The head of a second request on the same connection too.
    first = head("GET", "/v1/healthz").replace(b"Connection: close\r\n", b"")
    answer = said(impatient, first, *[b"GET /v1/cities HTTP/1.1\r\n"], *[b"X-A: b\r\n"] * 6, pause=0.2)
    assert answer.count(b"HTTP/1.1 200") == 1


def test_a_slow_answer_is_given_up(impatient) -> None:
    answer = said(impatient, head("GET", "/v1/slow"))
    assert status_of(answer) == 503 and b"no answer within" in answer


def test_a_large_head_is_refused(server) -> None:
    assert status_of(said(server, head("GET", "/v1/cities", "X-A: " + "a" * 40_000))) == 431
    assert status_of(said(server, *[head("GET", "/v1/cities", "X-A: " + "a" * 900)[:-2]] * 40)) == 400


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Transfer-Encoding: chunked, identity"],
        ["X-A : b"],
        ["X-A: b\x00c"],
        ["X-A: b\rSet-Cookie: a=b"],
    ],
)
def test_heads_that_two_servers_might_read_differently_are_refused(server, lines) -> None:
    answer = said(server, head("POST", "/v1/account/keys", *lines), b"0\r\n\r\n")
    assert status_of(answer) in (400, 422, 501) and b"set-cookie" not in answer.lower()


@pytest.mark.parametrize("value", ["https://x\r\nSet-Cookie: a=b", "ja\r\n\r\n<script>"])
def test_nothing_sent_becomes_a_header(folder, server, value) -> None:
    answer = said(server, head("GET", f"/v1/warnings/feed.atom?language={quote(value)}"))
    assert status_of(answer) == 422
    headers, _, _ = answer.partition(b"\r\n\r\n")
    assert b"set-cookie" not in headers.lower() and b"<script>" not in headers


def test_the_server_does_not_name_itself_and_believes_no_proxy_but_its_own(folder, server) -> None:
    answer = said(server, head("GET", "/v1/healthz"))
    assert b"\r\nserver:" not in answer.lower()
    trusted = make_settings(data_dir=folder, trusted_proxies=("127.0.0.1",), rate_anonymous=2)
    for settings, expected in (
        (trusted, [200] * 6),
        (changed(trusted, trusted_proxies=()), [200] * 2 + [429] * 4),
    ):
        with listening(create_app(settings), settings) as port:
            asked = [
                f"GET /v1/cities/beijing HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.{i}\r\nConnection: close\r\n\r\n"
                for i in range(6)
            ]
            assert [status_of(said(port, request.encode())) for request in asked] == expected


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
