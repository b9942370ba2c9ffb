"""The client's event streams: typed, gone on with after a break, ended by a refusal; both clients alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import anyio
import httpx
import pytest

from hazecast.services.client import (
    AsyncClient,
    Client,
    ForecastEvent,
    NoAnswerError,
    RefusedError,
    ResetEvent,
    UnavailableError,
    WarningEvent,
)
from hazecast.services.client.events import Listening

FORECAST = {
    "id": "forecast.20130111T2200Z", "type": "forecast.new", "timestamp": "2013-01-11T22:10:00Z", "simulated": False,
    "data": {
        "init_time": "2013-01-11T22:00:00Z", "model_id": "m", "degraded": False, "simulated": False,
        "weather_source": "GFS", "observations_until": "2013-01-11T22:00:00Z", "digest": "d",
    },
}  # fmt: skip
WARNING = {
    "id": "w.r2", "type": "warning.issue", "timestamp": "2013-01-11T22:10:00Z", "simulated": False,
    "data": {
        "id": "w", "rule_set": "cma_haze", "city": "beijing", "level": "red", "kind": "issue",
        "issued": "2013-01-11T22:10:00Z", "onset": "2013-01-12T00:00:00Z", "expires": "2013-01-13T00:00:00Z",
        "references": [], "url": "/v1/warnings/w", "cap": "/v1/warnings/w.cap", "page": "/warnings/w", "withdrawn": False,
        "revision": 2,
    },
}  # fmt: skip
OWN = {
    "id": "msg_1", "type": "warning.issue", "timestamp": "2013-01-11T22:10:00Z", "event": "w", "subscription": "sub_1",
    "simulated": False, "data": {"warning": {}},
}  # fmt: skip


def sse(number: int, name: str, content: dict[str, Any]) -> bytes:
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(content, ensure_ascii=False)}\n\n".encode()


class Streams:
    """Answers a request with one part of a stream after another; what follows a broken one is lost."""

    def __init__(self, *parts: bytes | int | Exception) -> None:
        self.parts = list(parts)
        self.asked: list[tuple[str, str | None]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.url.path, request.headers.get("last-event-id")))
        part = self.parts.pop(0)
        if isinstance(part, Exception):
            raise part
        if isinstance(part, int):
            return httpx.Response(part, headers={"Retry-After": "0"})
        return httpx.Response(200, content=b": listening\nretry: 1\n\n" + part)


def sync_events(streams: Streams, count: int, **more: Any) -> list[Any]:
    with Client("http://haze.example", transport=httpx.MockTransport(streams), attempts=3) as client:
        return list(islice(client.events(**more), count))


def async_events(streams: Streams, count: int, **more: Any) -> list[Any]:
    async def read() -> list[Any]:
        found = []
        async with AsyncClient("http://haze.example", transport=httpx.MockTransport(streams), attempts=3) as client:
            events = client.events(**more)
            async for event in events:
                found.append(event)
                if len(found) == count:
                    break
            await events.aclose()  # type: ignore[attr-defined]
        return found

    return anyio.run(read)


@pytest.mark.parametrize("read", [sync_events, async_events])
def test_events_are_typed_and_go_on_where_a_connection_ended(read: Callable[..., list[Any]]) -> None:
    # The second connection breaks off within event 8, which comes again; a type of the future is passed over.
    broken = sse(8, "warning", WARNING)[:-1]
    streams = Streams(
        sse(7, "forecast", FORECAST), broken, sse(8, "warning", WARNING) + sse(9, "tide", {}) + sse(9, "reset", {})
    )
    first, second, third = read(streams, 3, after=6)
    assert isinstance(first, ForecastEvent) and first.position == 7
    assert first.event.data.init_time.isoformat() == "2013-01-11T22:00:00+00:00"
    assert isinstance(second, WarningEvent) and (second.position, second.event.data.level) == (8, "red")
    assert third == ResetEvent(9)
    assert streams.asked == [("/v1/events", "6"), ("/v1/events", "7"), ("/v1/events", "7")]


@pytest.mark.parametrize("read", [sync_events, async_events])
def test_nothing_is_missed_where_a_connection_ends_before_the_first_event(read: Callable[..., list[Any]]) -> None:
    streams = Streams(b": listening\nid: 41\n\n", sse(42, "forecast", FORECAST))
    assert [event.position for event in read(streams, 1)] == [42]
    assert [number for _, number in streams.asked] == [None, "41"]


@pytest.mark.parametrize("read", [sync_events, async_events])
def test_a_stream_survives_what_passes_and_ends_with_what_does_not(read: Callable[..., list[Any]]) -> None:
    streams = Streams(503, 503, sse(7, "forecast", FORECAST), 503, 401)
    with pytest.raises(RefusedError) as refused:
        read(streams, 2)
    assert refused.value.status == 401 and [number for _, number in streams.asked] == [None, None, None, "7", "7"]
    with pytest.raises(UnavailableError):
        read(Streams(503, 503, 503), 1)


def test_without_a_server_the_error_comes_after_some_attempts(monkeypatch) -> None:
    monkeypatch.setattr("hazecast.services.client.waiting.time.sleep", lambda _: None)
    streams = Streams(*[httpx.ConnectError("nobody")] * 3)
    with pytest.raises(NoAnswerError):
        sync_events(streams, 1)
    assert len(streams.asked) == 3


def test_the_messages_of_a_subscription_come_with_its_key() -> None:
    streams = Streams(sse(1, "warning.issue", OWN))
    with Client("http://haze.example", transport=httpx.MockTransport(streams)) as client:
        one = next(client.subscription_events("sub/1"))
    assert (one.position, one.event.id, one.event.subscription) == (1, "msg_1", "sub_1")

    async def read() -> int:
        again = Streams(sse(2, "warning.issue", OWN))
        async with AsyncClient("http://haze.example", transport=httpx.MockTransport(again)) as client:
            return (await anext(client.subscription_events("sub_1", after=1))).position

    assert anyio.run(read) == 2 and streams.asked == [("/v1/subscriptions/sub/1/events", None)]


def cuts(stream: bytes) -> Iterator[list[bytes]]:
    yield [stream]
    yield [stream[n : n + 1] for n in range(len(stream))]
    for at in range(len(stream)):
        yield [stream[:at], stream[at:]]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_stream_means_the_same_wherever_its_bytes_are_cut(end: bytes) -> None:
    # A line separator of Unicode within the data is no end of a line.
    stream = b"\n".join(
        [
            b": comment",
            b"id: 3",
            b"event: warning",
            "data: 霾\u2028b".encode(),
            b"data:c",
            b"",
            b"data: d",
            b"",
            b"data: lost",
        ]
    ).replace(b"\n", end)
    for parts in cuts(stream):
        listening = Listening("/v1/events", None, 1)
        found = [event for part in parts for event in listening.feed(part)]
        assert [(e.name, e.data, e.position) for e in found] == [
            ("warning", "霾\u2028b\nc", 3), ("message", "d", 3),
        ], parts  # fmt: skip
