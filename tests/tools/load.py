"""Readers of everything, for half an hour, on two workers: ``python -m tests.tools.load --minutes 30 --workers 2``.

Page, API, downloads and event streams, with a cycle in the middle. Shows errors, times by kind of request and the memory
of each process; fails on any error, a 99th percentile above 250 ms, an answer of ``/v1/healthz`` that takes 50 ms or more,
an event that a stream did not get, or memory that grows, over all and after the cycle. With ``--busy`` times are shown and not judged: others use the machine.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np

from hazecast.services.core.clock import utc_now
from tests.support.databases import KINDS, Databases, postgres_server
from tests.support.readers import Server, resident_bytes, serving

# Kind of request, its share of all, and its addresses.
MIX: dict[str, tuple[int, tuple[str, ...]]] = {
    "page": (30, ("/", "/?lang=en", "/page/map.json", "/embed/beijing.png")),
    "api": (
        45,
        (
            "/v1/cities", "/v1/cities/beijing/forecast", "/v1/cities/tianjin/daily", "/v1/warnings", "/v1/areas",
            "/v1/map", "/v1/warnings/feed.atom", "/v1/cities/beijing/observations",
        ),
    ),
    "products": (15, ("/v1/maps/haze.png", "/v1/maps/haze.png?language=en", "/v1/bulletins/latest.html")),
    "downloads": (10, ("/v1/forecasts/latest?format=csv", "/v1/forecasts/latest?format=netcdf", "/v1/forecasts/latest")),
}  # fmt: skip
P99_SECONDS, HEALTH_SECONDS = 0.25, 0.05
# Growth of a process from the second quarter of the time to the last: caches fill in the first. What the cycle in the middle
# adds is in it. After that, from the third quarter to the last, it does not grow.
GROWTH_SHARE, GROWTH_BYTES = 0.1, 20e6
LATER_SHARE, LATER_BYTES = 0.02, 5e6
# In less time than this the third quarter ends before the cycle's readers have come: it is shown and not judged.
LATER_SECONDS = 600.0
READERS, STREAMS = 16, 20


@dataclass
class Seen:
    """What the readers saw: seconds by kind of request, faults, events by stream, memory by process and time."""

    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    faults: list[str] = field(default_factory=list)
    events: list[int] = field(default_factory=lambda: [0] * STREAMS)
    memory: dict[int, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))


class Load:
    """The readers of a server, each a thread of its own.

    Parameters
    ----------
    server : Server
    seconds : float
        For how long they read.
    rate : float
        Requests a second, of all together.
    """

    def __init__(self, server: Server, seconds: float, rate: float) -> None:
        self._server, self._rate = server, rate
        self.seen, self.seconds = Seen(), seconds
        self._begin = time.monotonic()
        self._end = self._begin + seconds

    def run(self, in_the_middle: Callable[[], None]) -> Seen:
        """Let all read; do something when half of the time is over."""

        def interrupt() -> None:
            try:
                in_the_middle()
            except Exception as error:
                self.seen.faults.append(f"the cycle: {error}")

        middle = threading.Timer(self.seconds / 2, interrupt)
        work: list[Callable[[], None]] = [self._health, self._watch]
        work += [lambda number=number: self._read(number) for number in range(READERS)]
        work += [lambda number=number: self._listen(number) for number in range(STREAMS)]
        threads = [middle, *(threading.Thread(target=one) for one in work)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.seen

    def _left(self) -> float:
        return self._end - time.monotonic()

    def _connect(self) -> closing[http.client.HTTPConnection]:
        return closing(http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=60))

    def _ask(self, connection: http.client.HTTPConnection, kind: str, path: str) -> None:
        start = time.perf_counter()
        kept = connection.sock is not None
        try:
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # A server may close a connection that is idle at any time: a client asks once more, on a new one (RFC 9112, 9.3.1).
                if not kept:
                    raise
                connection.close()
                connection.request("GET", path)
                answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200 or not body:
                self.seen.faults.append(f"{path}: {answer.status} {body[:200]!r}")
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self.seen.faults.append(f"{path}: {type(error).__name__}: {error}")
        self.seen.times[kind].append(time.perf_counter() - start)

    def _read(self, number: int) -> None:
        pick = random.Random(number)
        shares = [share for share, _ in MIX.values()]
        with self._connect() as connection:
            while self._left() > 0:
                wait = pick.expovariate(self._rate / READERS)
                if wait > 4:
                    # The server closes what is idle for 5 s.
                    connection.close()
                time.sleep(min(wait, max(self._left(), 0)))
                (kind,) = pick.choices(list(MIX), shares)
                self._ask(connection, kind, pick.choice(MIX[kind][1]))

    def _health(self) -> None:
        while self._left() > 0:
            with self._connect() as connection:
                self._ask(connection, "healthz", "/v1/healthz")
            time.sleep(0.1)

    def _listen(self, number: int) -> None:
        """Read a stream, and come back where it ended, as a browser does."""
        last = ""
        while self._left() > 0:
            try:
                with self._connect() as connection:
                    connection.request("GET", "/v1/events", headers={"Last-Event-ID": last} if last else {})
                    answer = connection.getresponse()
                    if answer.status != 200:
                        raise OSError(f"{answer.status} {answer.read()[:200]!r}")
                    # A line comes every 15 s at least.
                    while self._left() > 0 and (line := answer.readline()):
                        name, _, value = line.decode().strip().partition(": ")
                        last = value if name == "id" else last
                        self.seen.events[number] += name == "event"
            except (OSError, http.client.HTTPException) as error:
                self.seen.faults.append(f"stream {number}: {type(error).__name__}: {error}")
                time.sleep(1)

    def _watch(self) -> None:
        while self._left() > 0:
            for pid in family(self._server.process.pid):
                size = resident_bytes(pid)
                if size:
                    self.seen.memory[pid].append((time.monotonic() - self._begin, size))
            time.sleep(min(5.0, max(self._left(), 0)))


def family(pid: int) -> list[int]:
    """Return a process and all below it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in family(int(child)))]


def growth(series: list[tuple[float, float]], seconds: float, since: int) -> float | None:
    """Return the bytes by which a process grew from a quarter (1 to 3) to the last; None if it did not live so long."""
    quarters = [[size for at, size in series if part <= 4 * at / seconds < part + 1] for part in range(4)]
    earlier = quarters[since - 1]
    return float(np.median(quarters[3]) - np.median(earlier)) if earlier and quarters[3] else None


def faults_of(seen: Seen, seconds: float, busy: bool) -> list[str]:
    """Show what was seen, and return what is wrong with it."""
    found = []
    for what, count in Counter(fault.partition(":")[0] for fault in seen.faults).most_common():
        found.append(f"{count} errors of {what}, such as {next(one for one in seen.faults if one.startswith(what))}")
    for kind, times in sorted(seen.times.items()):
        half, high, longest = (float(np.percentile(times, share)) for share in (50, 99, 100))
        print(f"{kind:>10}: {len(times):6d} requests, p50 {half:.3f} s, p99 {high:.3f} s, longest {longest:.3f} s")
        if kind == "healthz" and longest >= HEALTH_SECONDS and not busy:
            found.append(f"healthz took {longest:.3f} s")
        elif kind != "healthz" and high > P99_SECONDS and not busy:
            found.append(f"{kind}: p99 {high:.3f} s")
    print(f"   streams: {STREAMS}, events of each {min(seen.events)} to {max(seen.events)}")
    if min(seen.events) < 1:
        found.append("a stream did not get the event of the cycle")
    for pid, series in seen.memory.items():
        sizes = [size / 1e6 for _, size in series]
        print(
            f"   process {pid}: {sizes[0]:.0f} MB at first, {max(sizes):.0f} at most, {sizes[-1]:.0f} at last; ", end=""
        )
        more, later = growth(series, seconds, 2), growth(series, seconds, 3)
        if more is None or later is None:
            print("not there long enough to judge")
            continue
        print(f"{more / 1e6:+.1f} MB since the second quarter, {later / 1e6:+.1f} since the third")
        if more > GROWTH_BYTES + GROWTH_SHARE * sizes[0] * 1e6:
            found.append(f"process {pid} grew by {more / 1e6:.0f} MB")
        if seconds >= LATER_SECONDS and later > LATER_BYTES + LATER_SHARE * sizes[0] * 1e6:
            found.append(
                f"process {pid} grew by {later / 1e6:.0f} MB after the cycle, from the third quarter to the last"
            )
    return found


def logged(errors: Path) -> list[str]:
    """Return the last lines of a server's log that say what went wrong, with what follows them."""
    lines = errors.read_text(errors="replace").splitlines()
    told = [n for n, line in enumerate(lines) if " ERROR " in line or "Traceback" in line]
    return lines[told[-1] :][-40:] if told else []


def cycle(folder: Path, url: str, *words: str) -> None:
    """Make a forecast by a command."""
    command = [sys.executable, "-m", "hazecast.services.cli.app", *words, "--data-dir", str(folder)]
    environment = os.environ | {"HAZECAST_DATABASE_URL": url, "OMP_NUM_THREADS": "1"}
    start = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    # 3: degraded, as without weather.
    if done.returncode not in (0, 3):
        raise RuntimeError(f"the cycle failed: {done.stdout[-500:]}{done.stderr[-2_000:]}")
    print(f"a cycle took {time.monotonic() - start:.1f} s", flush=True)


def warm_up(server: Server) -> None:
    """Ask for everything once, on several connections: each worker draws and keeps it."""
    for _ in range(4):
        for _, paths in MIX.values():
            for path in paths:
                server.get(path)


def main() -> int:
    """Run the load, show it, and return 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second, of all readers together")
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument(
        "--no-products", action="store_true", help="the cycle makes no bulletins and maps ahead, which takes minutes"
    )
    parser.add_argument("--busy", action="store_true", help="show times, but don't judge them")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgres_server()) if given.database == "postgresql" else None
        url = Databases(server).url(folder)
        # Hours earlier than the one in the middle, which is then news.
        cycle(folder, url, "run", "--init-time", f"{utc_now() - timedelta(hours=6):%Y-%m-%dT%H:00Z}")
        environment = {"HAZECAST_WORKERS": str(given.workers), "HAZECAST_DATABASE_URL": url}
        running = stack.enter_context(serving(folder, **environment, HAZECAST_ANSWER_SECONDS="60"))
        warm_up(running)
        words = f"{given.minutes:g} min on {given.workers} workers, {given.database}"
        print(f"load {os.getloadavg()[0]:.1f} before; {words}", flush=True)
        load = Load(running, 60 * given.minutes, given.rate)
        again = ("run",) if given.no_products else ("jobs", "run", "cycle")
        faults = faults_of(load.run(lambda: cycle(folder, url, *again)), load.seconds, given.busy)
        if running.process.poll() is not None:
            faults.append(f"the service ended with {running.process.returncode}")
        if faults:
            faults += logged(running.errors)
    print(*(faults or ["nothing wrong"]), sep="\n")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
