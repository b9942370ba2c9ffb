"""``python -m tests.tools.stops``: `hazecast serve`, told to end (SIGTERM) in any state, ends by itself with code 0.

States: while it starts, idle, among readers, with open event streams, with drawings under way, while a run is stored, and told
twice; as one process and as two workers. While it starts it may also be ended by the signal, before it has taken it over; so it may
by the second, once all is closed.
A process, a worker or a subprocess that crashes leaves a core in the folder, which is a finding too.
"""

from __future__ import annotations

import argparse
import http.client
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path

import numpy as np

from tests.support.databases import KINDS, Databases
from tests.support.forks import Forks
from tests.support.readers import PATHS, Server, save_made_run, serving, start_server
from tests.tools.kills import all_databases

FIRST = np.datetime64("2013-01-11T22", "ns")
READS = tuple(path for path in PATHS if "maps" not in path and "bulletins" not in path)
DRAWINGS = tuple(f"/v1/maps/{kind}.png?lead_time={hour}" for kind in ("pm25", "o3", "aqi") for hour in range(1, 25))
STARTING, TWICE = "starting", "told twice"
# Event streams are cut off after 10 s, a drawing under way is not waited for; but Uvicorn's supervisor first waits for a sign of
# life of each worker that still starts, a minute at most.
_END_SECONDS = 150.0


def asking(server: Server, paths: tuple[str, ...], stop: threading.Event) -> None:
    """Ask for one path after the other until the server is gone."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        while not stop.is_set():
            try:
                server.get(random.choice(paths), connection)
            except (OSError, http.client.HTTPException):
                return


@contextmanager
def readers(server: Server, paths: tuple[str, ...], count: int) -> Iterator[None]:
    """Have readers for the time of the context."""
    stop = threading.Event()
    threads = [threading.Thread(target=asking, args=(server, paths, stop)) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def streams(server: Server, count: int) -> Iterator[None]:
    """Hold event streams open for the time of the context."""
    with ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)))
            connection.request("GET", "/v1/events")
            assert connection.getresponse().status == 200
        yield


@contextmanager
def writing(databases: Databases, folder: Path) -> Iterator[None]:
    """Store one run after the other for the time of the context."""
    stop = threading.Event()

    def write() -> None:
        store = databases.store(folder)
        with closing(store):
            for number in range(1, 1000):
                if stop.is_set():
                    return
                save_made_run(store, folder, FIRST + np.timedelta64(number, "h"), 100.0)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def idle(server: Server) -> Iterator[None]:
    """Have been asked something, and then nothing."""
    for path in ("/v1/readyz", "/v1/warnings", "/metrics"):
        server.get(path)
    yield


STATES: dict[str, Callable[..., object]] = {
    "idle": lambda server, databases, folder: idle(server),
    TWICE: lambda server, databases, folder: idle(server),
    "readers": lambda server, databases, folder: readers(server, READS, 6),
    "streams": lambda server, databases, folder: streams(server, 4),
    "drawings": lambda server, databases, folder: readers(server, DRAWINGS, 6),
    "writing": lambda server, databases, folder: writing(databases, folder),
}


def end(server: Server, twice: bool = False) -> int | None:
    """Tell a server to end; return its exit code, None if it went on."""
    server.process.send_signal(signal.SIGTERM)
    if twice:
        time.sleep(random.uniform(0.0, 0.5))
        server.process.send_signal(signal.SIGTERM)
    try:
        return server.process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    finally:
        server.process.kill()
        server.process.wait()


def stop_in(
    state: str, databases: Databases, folder: Path, workers: int, start_seconds: float, forks: Forks | None = None
) -> str:
    """Start a server, bring it into a state, and tell it to end.

    Parameters
    ----------
    state : str
        A key of `STATES`, or `STARTING`.
    databases : Databases
    folder : Path
        With a run in it.
    workers : int
    start_seconds : float
        How long a start takes.
    forks : Forks, optional
        Forks the server; by default it is a new process of Python.

    Returns
    -------
    str
        What is wrong; empty if nothing is.
    """
    given = {"HAZECAST_DATABASE_URL": databases.url(folder), "PYTHONFAULTHANDLER": "1"}
    options = ("--workers", str(workers))
    if state == STARTING:
        server, allowed = start_server(folder, *options, forks=forks, **given), {0, -signal.SIGTERM}
        time.sleep(random.uniform(0.0, 1.2 * start_seconds))
        code = end(server)
    else:
        # A second signal that comes when all is closed, and only the interpreter still ends, ends it at once.
        allowed = {0, -signal.SIGTERM} if state == TWICE else {0}
        with serving(folder, *options, forks=forks, **given) as server, ExitStack() as stack:
            stack.enter_context(STATES[state](server, databases, folder))
            time.sleep(random.uniform(0.0, 1.0))
            code = end(server, state == TWICE)
    log = server.errors.read_text()
    if state == TWICE and "Finished server process" not in log:
        return f"exit code {code}, and it did not end in order:\n{log[-3000:]}"
    cores = [path.name for path in folder.glob("core*")]
    for name in cores:
        (folder / name).unlink()
    if code in allowed and not cores and "Fatal Python error" not in log:
        return ""
    return f"exit code {code}, cores {cores}:\n{log[-3000:]}"


def started(databases: Databases, folder: Path, forks: Forks | None = None) -> float:
    """Store a run and start a server on it; return how long the start took."""
    folder.mkdir()
    with closing(databases.store(folder)) as store:
        save_made_run(store, folder, FIRST, 180.0)
    began = time.monotonic()
    with serving(folder, forks=forks, HAZECAST_DATABASE_URL=databases.url(folder)):
        return time.monotonic() - began


def main() -> int:
    """Run, print, and return 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.stops", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8, help="of each state, with one process and with two workers")
    parser.add_argument("--database", choices=KINDS, action="append", help="may be repeated; by default both")
    parser.add_argument("--state", choices=[STARTING, *STATES], action="append", help="may be repeated; by default all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, action="append", help="may be repeated; by default 1 and 2")
    parser.add_argument("--forked", action="store_true", help="fork servers from one process, which is quicker")
    given = parser.parse_args()
    random.seed(given.seed)
    # So that the servers are stopped and the folders are gone when this is stopped from outside.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Cores, where the system writes them into a process's folder.
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    findings, done = 0, Counter[str]()
    with (
        tempfile.TemporaryDirectory(prefix="hazecast-stops-") as base,
        all_databases(given.database or [*KINDS]) as all_,
        closing(Forks()) if given.forked else nullcontext() as forks,
    ):
        for databases in all_:
            folder = Path(base) / databases.kind
            start_seconds = started(databases, folder, forks)
            for number in range(given.rounds):
                for workers in given.workers or (1, 2):
                    for state in given.state or [STARTING, *STATES]:
                        bad = stop_in(state, databases, folder, workers, start_seconds, forks)
                        done[databases.kind] += 1
                        if bad:
                            findings += 1
                            print(f"\n{databases.kind}, {workers} workers, {state}, round {number}: {bad}", flush=True)
                        print(
                            f"\r{databases.kind}: {done[databases.kind]} stops, {findings} findings", end="", flush=True
                        )
            print()
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
