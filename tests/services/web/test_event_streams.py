"""Event streams from a real server: what happens, as it happens, and where a reader left off."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import fastapi.routing
import httpx
import pytest
import uvicorn

from hazecast.services.accounts.keys import add_key
from hazecast.services.client import Client, RefusedError, WarningEvent
from hazecast.services.web.app import create_app
from tests.support.delivery_world import World
from tests.support.receivers import free_port

POLL = 0.05


@contextmanager
def served(settings):
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings), host="127.0.0.1", port=port, log_level="warning",
                       timeout_graceful_shutdown=1)
    )  # fmt: skip
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("events"), events_poll_seconds=POLL, events_connections=4)
    world.clock.now = datetime.now(UTC).replace(microsecond=0)
    yield world
    world.close()


@pytest.fixture(scope="module")
def url(world):
    with served(world.settings) as address:
        yield address


class Listener:
    """A reader of a stream, in a thread of its own, that keeps what it hears."""

    def __init__(self, url: str, **given) -> None:
        self.events: list[dict] = []
        self.comments: list[str] = []
        self.ready = threading.Event()
        self._stream = httpx.stream("GET", url, timeout=20.0, **given)
        self.answer = self._stream.__enter__()
        assert self.answer.headers["content-type"].startswith("text/event-stream")
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        assert self.ready.wait(10.0)

    def _listen(self) -> None:
        event: dict = {}
        try:
            for line in self.answer.iter_lines():
                if line.startswith(":"):
                    self.comments.append(line)
                    self.ready.set()
                elif line:
                    name, _, value = line.partition(": ")
                    event[name] = json.loads(value) if name == "data" else value
                elif "data" in event:
                    self.events.append(event)
                    event = {}
                else:
                    event = {}
        except (httpx.HTTPError, httpx.StreamError):
            pass

    def wait(self, number: int) -> list[dict]:
        until = time.monotonic() + 10.0
        while len(self.events) < number and time.monotonic() < until:
            time.sleep(0.01)
        return self.events

    def close(self) -> None:
        # The thread is reading: closing alone would wait for what comes next.
        self.answer.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._stream.__exit__(None, None, None)
        self._thread.join(2.0)


@contextmanager
def listening(url: str, **given):
    listener = Listener(url, **given)
    try:
        yield listener
    finally:
        listener.close()


def test_warnings_come_as_they_happen_to_all_who_listen(world, url) -> None:
    world.warn(number="before")
    with listening(f"{url}/v1/events") as one, listening(f"{url}/v1/events") as other:
        assert one.answer.headers["cache-control"] == "no-cache" and "etag" not in one.answer.headers
        warning = world.warn(number="now")
        for listener in (one, other):
            (event,) = listener.wait(1)
            assert event["event"] == "warning" and event["data"]["type"] == "warning.issue"
            assert event["data"]["data"]["id"] == warning.id and event["data"]["data"]["level"] == "orange"
            assert event["data"]["data"]["cap"] == f"/v1/warnings/{warning.id}.cap"
            # What is only a subscriber's, and what is of one, is not for all.
            assert "evidence" not in event["data"]["data"]
    row = world.subscribe(name="private")
    world.subscriptions.test(row, world.clock())
    after = world.warn(number="after")
    with listening(f"{url}/v1/events", headers={"Last-Event-ID": event["id"]}) as again:
        assert [e["data"]["data"]["id"] for e in again.wait(1)] == [after.id]
    with listening(f"{url}/v1/events?after={event['id']}") as again:
        assert [e["data"]["data"]["id"] for e in again.wait(1)] == [after.id]


def test_a_client_of_another_store_is_told_to_start_again(world, url) -> None:
    newest = world.warn(number="newest")
    time.sleep(2 * POLL)  # the newest number may be as old as one poll
    with listening(f"{url}/v1/events", headers={"Last-Event-ID": "99999"}) as listener:
        (reset,) = listener.wait(1)
        assert reset["event"] == "reset" and int(reset["id"]) == world.events()[-1].seq
        following = world.warn(number="following")
        assert listener.wait(2)[1]["data"]["data"]["id"] == following.id != newest.id


def test_the_client_hears_what_the_server_says(world, url) -> None:
    warning = world.warn(number="typed")
    last = world.events()[-1].seq
    with Client(url) as client:
        heard = next(client.events(after=last - 1))
        assert isinstance(heard, WarningEvent) and heard.position == last and heard.event.data.id == warning.id
    _, token = add_key(
        world.store.sessions,
        "kitakyushu",
        label="client",
        lifetime=timedelta(days=1),
        at=datetime.now(UTC),
        by="command",
    )
    row = world.subscribe(account="kitakyushu", channel="stream", target="", cities=["tokyo"])
    own = world.warn("tokyo", number="typed2", rule_set="cma_haze")
    world.dispatcher().prepare()
    with Client(url, key=token) as client:
        message = next(client.subscription_events(row.id))
        assert message.event.subscription == row.id and message.event.data["warning"]["id"] == own.id
    with Client(url) as client, pytest.raises(RefusedError):
        next(client.subscription_events(row.id))


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "1" * 30, "１"])
def test_invalid_event_numbers_are_refused(url, given) -> None:
    answer = httpx.get(f"{url}/v1/events", headers={"Last-Event-ID": given.encode()})
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"


def test_a_process_limits_its_listeners(world, url) -> None:
    taken = [Listener(f"{url}/v1/events") for _ in range(world.settings.events.connections)]
    full = httpx.get(f"{url}/v1/events")
    assert full.status_code == 503 and full.headers["retry-after"] == "30"
    for listener in taken:
        listener.close()
    for _ in range(200):
        if httpx.head(f"{url}/v1/healthz").status_code and _seat_free(url):
            break
        time.sleep(0.05)
    else:
        pytest.fail("a seat that was left stayed taken")


def test_readers_that_come_at_once_exceed_no_limit(world, url) -> None:
    number = 4 * world.settings.events.connections
    begin, answers = threading.Barrier(number), []
    leave = threading.Event()

    def read() -> None:
        begin.wait()
        with httpx.stream("GET", f"{url}/v1/events", timeout=20.0) as answer:
            answers.append(answer.status_code)
            leave.wait(20.0)

    readers = [threading.Thread(target=read) for _ in range(number)]
    for reader in readers:
        reader.start()
    until = time.monotonic() + 20.0
    while len(answers) < number and time.monotonic() < until:
        time.sleep(0.02)
    leave.set()
    for reader in readers:
        reader.join()
    taken = world.settings.events.connections
    assert sorted(answers) == [200] * taken + [503] * (number - taken)


def _seat_free(url: str) -> bool:
    with httpx.stream("GET", f"{url}/v1/events", timeout=5.0) as answer:
        return answer.status_code == 200


def test_a_silent_stream_shows_that_it_lives(world, url, monkeypatch) -> None:
    monkeypatch.setattr(fastapi.routing, "_PING_INTERVAL", 0.1)
    with listening(f"{url}/v1/events") as listener:
        until = time.monotonic() + 10.0
        while len(listener.comments) < 3 and time.monotonic() < until:
            time.sleep(0.02)
        assert ": ping" in listener.comments


def test_a_subscriber_s_own_stream_has_all_it_asked_for(world, url) -> None:
    _, token = add_key(
        world.store.sessions, "kitakyushu", label="console", lifetime=timedelta(days=1), at=datetime.now(UTC),
        by="command",
    )  # fmt: skip
    key = {"Authorization": f"Bearer {token}"}
    row = world.subscribe(account="kitakyushu", channel="stream", target="", cities=["tokyo"], languages=["ja"])
    first = world.warn("tokyo", number="s1", rule_set="cma_haze")
    world.warn("beijing", number="s2")
    world.dispatcher().prepare()
    address = f"{url}/v1/subscriptions/{row.id}/events"
    with listening(address, headers=key) as listener:
        (event,) = listener.wait(1)
        assert event["event"] == "warning.issue" and event["data"]["data"]["warning"]["id"] == first.id
        assert set(event["data"]["data"]["warning"]["properties"]["headline"]) == {"ja"}
        assert event["data"]["id"].startswith("msg_")
        second = world.warn("tokyo", number="s3")
        world.dispatcher().prepare()
        assert listener.wait(2)[1]["data"]["data"]["warning"]["id"] == second.id
    with listening(address, headers=key | {"Last-Event-ID": event["id"]}) as again:
        assert [e["data"]["event"] for e in again.wait(1)] == [second.id]
    assert {delivery.state for delivery in world.deliveries(row)} == {"offered"}
    assert httpx.get(address).status_code == 401
