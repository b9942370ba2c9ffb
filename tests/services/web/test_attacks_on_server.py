"""Attacks on a listening server, sent as raw bytes: what is too large, too slow, or read in two ways."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from hazecast.services.core.settings import Settings
from hazecast.services.web.app import create_app
from hazecast.services.web.edge.listening import TimedProtocol, server_options
from tests.support.accounts import keys_of_every_kind
from tests.support.settings import changed, make_settings

KEYS: dict[str, str] = {}
# Set once an answer that nobody reads is no longer made.
UNREAD = threading.Event()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A data folder with a key of every kind, named in `KEYS`."""
    path = tmp_path_factory.mktemp("attacks")
    KEYS.update(keys_of_every_kind(path))
    return path


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

    @app.get("/v1/much")
    async def much() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            UNREAD.clear()
            try:
                while True:
                    yield bytes(100_000)
                    await asyncio.sleep(0)
            finally:
                UNREAD.set()

        return StreamingResponse(parts(), media_type="text/event-stream")

    class ShortTimeout(TimedProtocol):
        head_seconds = 0.5
        read_seconds = 0.5

    with listening(app, settings, http=ShortTimeout) as port:
        yield port


def answer_to(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """Return all that the server answers to bytes sent as they are."""
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
    answer = answer_to(server, head("POST", "/v1/account/keys", "Content-Length: 2001"))
    assert status_of(answer) == 413 and b"application/problem+json" in answer


@pytest.mark.parametrize("length", ["-1", "1e3", "99999999999999999999999", "5, 6"])
def test_invalid_lengths_are_refused(server, length) -> None:
    assert status_of(answer_to(server, head("POST", "/v1/account/keys", f"Content-Length: {length}"), b"{}")) in (
        400,
        413,
    )


def test_streamed_oversize_is_refused_as_it_comes(server) -> None:
    chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
    answer = answer_to(server, head("POST", "/v1/account/keys", "Transfer-Encoding: chunked"), *[chunk] * 4)
    assert status_of(answer) == 413


def test_a_body_of_the_right_size_passes(server) -> None:
    body = b'{"label": "x", "days": 1}'
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    assert status_of(answer_to(server, head("POST", "/v1/account/keys", "Transfer-Encoding: chunked"), chunk)) == 201


def test_a_slow_body_is_given_up(impatient) -> None:
    start = time.monotonic()
    answer = answer_to(impatient, head("POST", "/v1/account/keys", "Content-Length: 100"), *[b" "] * 6, pause=0.4)
    assert status_of(answer) == 408 and time.monotonic() - start < 15


def test_a_slow_head_is_given_up(impatient) -> None:
    assert (
        answer_to(impatient, b"GET /v1/cities HTTP/1.1\r\nHost: 127.0.0.1\r\n", *[b"X-A: b\r\n"] * 6, pause=0.2) == b""
    )
    assert answer_to(impatient) == b""
    # The head of a second request on the same connection too.
    first = head("GET", "/v1/healthz").replace(b"Connection: close\r\n", b"")
    answer = answer_to(impatient, first, *[b"GET /v1/cities HTTP/1.1\r\n"], *[b"X-A: b\r\n"] * 6, pause=0.2)
    assert answer.count(b"HTTP/1.1 200") == 1


def test_a_slow_answer_is_given_up(impatient) -> None:
    answer = answer_to(impatient, head("GET", "/v1/slow"))
    assert status_of(answer) == 503 and b"no answer within" in answer


def test_a_reader_that_does_not_read_is_closed(impatient) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", impatient))
        client.sendall(head("GET", "/v1/much"))
        assert client.recv(12) == b"HTTP/1.1 200"
        assert UNREAD.wait(30)
        # Closed, not ended: what the system held still comes, and no last chunk.
        client.settimeout(30)
        rest = [part for part in iter(lambda: client.recv(1 << 20), b"")]
        assert sum(map(len, rest)) < 50_000_000 and not rest[-1].endswith(b"\r\n0\r\n\r\n")
    assert status_of(answer_to(impatient, head("GET", "/v1/healthz"))) == 200


def test_a_large_head_is_refused(server) -> None:
    assert status_of(answer_to(server, head("GET", "/v1/cities", "X-A: " + "a" * 40_000))) == 431
    assert status_of(answer_to(server, *[head("GET", "/v1/cities", "X-A: " + "a" * 900)[:-2]] * 40)) == 400


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Content-Length: 6"],
        ["Transfer-Encoding: chunked, identity"],
        ["X-A : b"],
        ["X-A: b\x00c"],
        ["X-A: b\rSet-Cookie: a=b"],
    ],
)
def test_heads_that_two_servers_might_read_differently_are_refused(server, lines) -> None:
    answer = answer_to(server, head("POST", "/v1/account/keys", *lines), b"0\r\n\r\n")
    assert status_of(answer) in (400, 422, 501) and b"set-cookie" not in answer.lower()


@pytest.mark.parametrize("order", [0, 1])
def test_a_length_together_with_chunks_is_refused_and_nothing_after_it_is_read(server, order) -> None:
    body = b'{"label": "x", "days": 1}'
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    lines = [f"Content-Length: {len(chunks)}", "Transfer-Encoding: chunked"][:: 1 - 2 * order]
    own = f"Host: 127.0.0.1\r\nX-API-Key: {KEYS['root']}\r\nContent-Type: application/json\r\n" + "\r\n".join(lines)
    request = f"POST /v1/account/keys HTTP/1.1\r\n{own}\r\n\r\n".encode() + chunks
    answer = answer_to(server, request + b"GET /v1/healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    # The body alone is right: it is for the two lengths that it is refused, and the connection is closed.
    assert status_of(answer) == 400 and b"connection: close" in answer.lower()
    assert answer.count(b"HTTP/1.1 ") == 1 and b"alive" not in answer


def test_of_requests_in_one_go_each_has_its_own_key(server) -> None:
    """Requests may follow each other unasked (pipelining): answers come in order, and no right passes to the next."""
    with_key = head("GET", "/v1/account").replace(b"Connection: close\r\n", b"")
    without = b"GET /v1/account HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    answer = answer_to(server, with_key + without + b"\r\n" + with_key + without + b"Connection: close\r\n\r\n")
    statuses = [int(part.split(b" ", 1)[0]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 401, 200, 401]


def test_only_the_last_hop_s_word_counts_of_a_chain(folder) -> None:
    """What a client writes into X-Forwarded-For stands left of what the trusted proxy adds."""
    settings = make_settings(data_dir=folder, trusted_proxies=("127.0.0.1",), rate_anonymous=2)
    with listening(create_app(settings), settings) as port:
        asked = [
            f"GET /v1/cities HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.{i}, 198.51.100.7\r\n"
            "Connection: close\r\n\r\n"
            for i in range(4)
        ]
        assert [status_of(answer_to(port, one.encode())) for one in asked] == [200, 200, 429, 429]


@pytest.mark.parametrize("value", ["https://x\r\nSet-Cookie: a=b", "ja\r\n\r\n<script>"])
def test_nothing_sent_becomes_a_header(folder, server, value) -> None:
    answer = answer_to(server, head("GET", f"/v1/warnings/feed.atom?language={quote(value)}"))
    assert status_of(answer) == 422
    headers, _, _ = answer.partition(b"\r\n\r\n")
    assert b"set-cookie" not in headers.lower() and b"<script>" not in headers


def test_the_server_does_not_name_itself_and_believes_no_proxy_but_its_own(folder, server) -> None:
    answer = answer_to(server, head("GET", "/v1/healthz"))
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
            assert [status_of(answer_to(port, request.encode())) for request in asked] == expected
