"""Two workers at one address are one service: limits, kept answers, streams and metrics; and they end when told to."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from hazecast.services.accounts.accounts import add_account
from hazecast.services.accounts.keys import add_key
from hazecast.services.store.store import Store
from tests.support.readers import Server, save_made_run, serving

pytestmark = pytest.mark.slowest

FIRST, HOUR = np.datetime64("2013-01-11T22", "ns"), np.timedelta64(1, "h")
FORECAST = "/v1/cities/beijing/forecast"
STREAMS = 4
LIMIT = 300


class Reader:
    """A connection that is kept, and so one worker's, with a key that has no limit."""

    def __init__(self, server: Server, key: str | None) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.headers = {} if key is None else {"X-API-Key": key}
        self.get("/v1/healthz")
        self.port = self.connection.sock.getsockname()[1]
        self.worker = worker_of(server.port, self.port, server.process.pid)

    def get(self, path: str) -> tuple[int, bytes]:
        self.connection.request("GET", path, headers=self.headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def close(self) -> None:
        self.connection.close()


def children(pid: int) -> list[int]:
    """Return the child processes of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def worker_of(server_port: int, reader_port: int, parent: int) -> int:
    """Return the worker that accepted a connection."""
    # Again: the list of connections is not read in one moment, and one may be missing from it.
    for _ in range(50):
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            ports = [int(fields[number].rpartition(":")[2], 16) for number in (1, 2)]
            if ports == [server_port, reader_port]:
                for pid in children(parent):
                    if f"socket:[{fields[9]}]" in open_files(pid):
                        return pid
        time.sleep(0.02)
    raise AssertionError("no worker has the connection")


def open_files(pid: int) -> set[str]:
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            found.add(os.readlink(link))
    return found


def reader_of_each(server: Server, key: str | None, stack: ExitStack) -> list[Reader]:
    """Return a connection to each of the two workers."""
    found: dict[int, Reader] = {}
    end = time.monotonic() + 60
    while len(found) < 2 and time.monotonic() < end:
        reader = stack.enter_context(closing(Reader(server, key)))
        found.setdefault(reader.worker, reader)
    assert len(found) == 2, "one worker takes all connections"
    return list(found.values())


def key_of(store: Store) -> str:
    now = datetime.now(UTC)
    add_account(store.sessions, "tianjin", name="Tianjin", role="subscriber", at=now)
    return add_key(store.sessions, "tianjin", label="tests", lifetime=timedelta(days=1), at=now, by="tests")[1]


def init_time(body: bytes) -> str:
    return json.loads(body)["init_time"]


class Stream:
    """An event stream, on a connection of its own."""

    def __init__(self, server: Server, key: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        self.connection.request("GET", "/v1/events", headers={"X-API-Key": key})
        self.answer = self.connection.getresponse()

    def next_event(self) -> str:
        while not (line := self.answer.readline()).startswith(b"event:"):
            assert line, "the stream ended"
        return line.partition(b":")[2].strip().decode()

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


def test_two_workers_are_one_service_and_end_when_told_to(databases, tmp_path) -> None:
    store = databases.store(tmp_path)
    save_made_run(store, tmp_path, FIRST, 180.0)
    key = key_of(store)
    environment = {
        "HAZECAST_WORKERS": "2",
        "HAZECAST_DATABASE_URL": databases.url(tmp_path),
        "HAZECAST_RATE_ANONYMOUS": str(LIMIT),
        "HAZECAST_RATE_ACCOUNT": "0",
        "HAZECAST_EVENTS_CONNECTIONS_PER_ADDRESS": str(STREAMS),
        # Without notice a change would be seen after a minute alone.
        "HAZECAST_ANSWERS_CHECK_SECONDS": "60",
    }
    with serving(tmp_path, **environment) as server, ExitStack() as stack:
        # Connections are new for each part: the server closes what is idle for 5 s.
        _kept_answers(store, tmp_path, reader_of_each(server, key, stack))
        _streams(store, tmp_path, server, key)
        _limits(reader_of_each(server, None, stack))
        _metrics(reader_of_each(server, key, stack))
        assert "died" not in server.errors.read_text()
        _killed(server, reader_of_each(server, key, stack))
    assert server.process.returncode == 0, server.errors.read_text()[-2_000:]
    assert "Traceback" not in server.errors.read_text()
    store.close()


def _kept_answers(store: Store, folder: Path, readers: list[Reader]) -> None:
    for reader in readers:
        for _ in range(2):
            assert init_time(reader.get(FORECAST)[1]).startswith("2013-01-11T22")
    save_made_run(store, folder, FIRST + HOUR, 120.0)
    end = time.monotonic() + 10
    for reader in readers:
        while not init_time(reader.get(FORECAST)[1]).startswith("2013-01-11T23"):
            assert time.monotonic() < end, "a worker goes on answering with an earlier run"


def _streams(store: Store, folder: Path, server: Server, key: str) -> None:
    with ExitStack() as stack:
        streams = [stack.enter_context(closing(Stream(server, key))) for _ in range(STREAMS)]
        assert [stream.answer.status for stream in streams] == [200] * STREAMS
        for _ in range(6):
            with closing(Stream(server, key)) as refused:
                assert refused.answer.status == 503
        time.sleep(1.5)
        save_made_run(store, folder, FIRST + 2 * HOUR, 100.0)
        assert [stream.next_event() for stream in streams] == ["forecast"] * STREAMS
    end = time.monotonic() + 10
    while True:
        with closing(Stream(server, key)) as again:
            if again.answer.status == 200:
                return
        assert time.monotonic() < end, "the places of readers that left stay taken"


def _limits(readers: list[Reader]) -> None:
    statuses = [readers[number % 2].get("/v1/cities/beijing")[0] for number in range(LIMIT + 40)]
    passed = statuses.count(200)
    # 2 % may be held by the other worker; where a minute ended meanwhile, somewhat more come through.
    assert 0.97 * LIMIT <= passed <= LIMIT + 40 and statuses.count(429) == len(statuses) - passed
    assert statuses[-1] == 429


def _metrics(readers: list[Reader]) -> None:
    for reader in readers:
        reader.get("/v1/account")
    for reader in readers:
        page = reader.get("/metrics")[1].decode()
        line = next(line for line in page.splitlines() if 'route="/v1/account"' in line and "requests_total" in line)
        assert float(line.rpartition(" ")[2]) == 2.0
        assert page.count("process_resident_memory_bytes{") == 2


def _killed(server: Server, readers: list[Reader]) -> None:
    killed, lives = readers
    os.kill(killed.worker, signal.SIGKILL)
    assert lives.get("/v1/cities/beijing")[0] == 200
    end = time.monotonic() + 120
    while True:
        with ExitStack() as stack:
            try:
                workers = {reader.worker for reader in reader_of_each(server, None, stack)}
                assert killed.worker not in workers and lives.worker in workers
                return
            except (AssertionError, OSError):
                assert time.monotonic() < end, "no worker took the place of the killed one"
                time.sleep(0.5)


def test_workers_whose_parent_was_killed_end_too(tmp_path) -> None:
    store = Store(f"sqlite:///{tmp_path}/hazecast.db")
    store.migrate()
    store.close()
    with serving(tmp_path, HAZECAST_WORKERS="2") as server:
        workers = children(server.process.pid)
        server.process.kill()
        end = time.monotonic() + 60
        while any(_alive(pid) for pid in workers):
            assert time.monotonic() < end, "a worker outlives its parent"
            time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_one_process_ends_with_code_0(databases, tmp_path) -> None:
    store = databases.store(tmp_path)
    save_made_run(store, tmp_path, FIRST, 180.0)
    for _ in range(2):
        with serving(tmp_path, HAZECAST_DATABASE_URL=databases.url(tmp_path)) as server:
            for path in ("/v1/readyz", "/v1/warnings", FORECAST, "/metrics"):
                server.get(path)
        assert server.process.returncode == 0, server.errors.read_text()[-2_000:]
    store.close()
