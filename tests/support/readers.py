"""A server in a process of its own, and many readers who ask it for everything at once."""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hazecast.grids.times import to_datetime
from hazecast.services.store.store import Store
from hazecast.services.work.stored_forecast import write_netcdf
from tests.support.forecasts import forecast_of, observations_of
from tests.support.forks import Forked, Forks

# Every route that draws, typesets, computes from a forecast or gives a file.
PATHS = (
    "/v1/maps/haze.png", "/v1/maps/haze.png?language=en&size=phone", "/v1/maps/pm25.png?lead_time=3", "/v1/maps/o3.png",
    "/v1/maps/aqi.png?language=ja", "/v1/maps/day/pm25.webp?lead_time=7", "/v1/maps/fan/beijing.png", "/v1/areas", "/v1/map",
    "/v1/forecasts/latest?format=netcdf", "/v1/forecasts/latest?format=netcdf&city=beijing",
    "/v1/cities/beijing/forecast?format=netcdf", "/v1/cities/beijing/observations?format=netcdf",
    "/v1/cities/beijing/daily", "/v1/forecasts/latest?format=csv", "/v1/forecasts/latest?format=geojson",
    "/v1/bulletins/latest.pdf?city=beijing&language=en", "/v1/bulletins/latest.html?city=beijing",
    "/v1/bulletins/latest.nc?city=beijing", "/v1/bulletins/latest.csv?city=beijing",
    "/v1/bulletins/latest.txt?city=tianjin&language=ja", "/embed/beijing.png?lang=en", "/page/map.json",
)  # fmt: skip


def save_made_run(store: Store, folder: Path, init: np.datetime64, mean: float) -> None:
    """Store a run of three cities, one median in all hours, with its NetCDF file and what was observed before."""
    cities = ("beijing", "tianjin", "shijiazhuang")
    forecast = forecast_of(mean, init=init, cities=cities)
    forecast = forecast.assign(relative_humidity=(("lead_time", "city"), np.full((120, 3), 85.0)))
    observations = observations_of(np.full(72, 90.0), init, cities)
    cycle = store.begin_cycle(to_datetime(init), False)
    file = folder / "forecasts" / f"cycle{cycle}.nc"
    write_netcdf(forecast, file)
    store.save_run(
        forecast, observations, [], netcdf_path=file, map_path=folder / "maps" / f"cycle{cycle}.png", cycle_id=cycle
    )
    store.finish_cycle(cycle, "done")


@dataclass
class Server:
    """A running server: its process, its port, and the file that it writes errors to."""

    process: subprocess.Popen[bytes] | Forked
    port: int
    errors: Path

    def get(self, path: str, connection: http.client.HTTPConnection | None = None) -> tuple[int, bytes, str]:
        """Return status, body and Retry-After of an address."""
        used = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            used.request("GET", path)
            answer = used.getresponse()
            return answer.status, answer.read(), answer.headers.get("retry-after", "")
        finally:
            if connection is None:
                used.close()

    def mapped(self) -> str:
        """Return the files that the process has in its memory; empty where the system doesn't say."""
        maps = Path(f"/proc/{self.process.pid}/maps")
        return maps.read_text() if maps.exists() else ""


def resident_bytes(pid: int) -> float:
    """Return the memory of a process; 0 where it has ended."""
    try:
        return float(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0.0


def start_server(folder: Path, *options: str, forks: Forks | None = None, **environment: str) -> Server:
    """Start ``hazecast serve`` without jobs on a data folder; it doesn't answer yet.

    Parameters
    ----------
    folder : Path
        Its log is there too, ``server.log``, and a core where it dies.
    *options : str
        Of the command.
    forks : Forks, optional
        Forks it; by default it is a new process of Python.
    **environment : str
        Variables.

    Returns
    -------
    Server
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["serve", "--no-scheduler", "--port", str(port), "--data-dir", str(folder), *options]
    errors = folder / "server.log"
    variables = {"OMP_NUM_THREADS": "1", "HAZECAST_RATE_ANONYMOUS": "0", "HAZECAST_ANSWER_SECONDS": "300"}
    # It works in another folder.
    path = [os.path.abspath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    given = os.environ | variables | ({"PYTHONPATH": os.pathsep.join(path)} if path else {}) | environment
    if forks is not None:
        return Server(forks.start(arguments, given, folder, errors), port, errors)
    command = [sys.executable, "-m", "hazecast.services.cli.app", *arguments]
    with errors.open("wb") as log:
        return Server(subprocess.Popen(command, cwd=folder, env=given, stderr=log), port, errors)


@contextmanager
def serving(folder: Path, *options: str, forks: Forks | None = None, **environment: str) -> Iterator[Server]:
    """Run ``hazecast serve`` without jobs on a data folder, once it answers; see `start_server`."""
    server = start_server(folder, *options, forks=forks, **environment)
    process = server.process
    try:
        end = time.monotonic() + 120
        while True:
            try:
                assert server.get("/v1/healthz")[0] == 200
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < end, server.errors.read_text()
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()


@dataclass
class Readings:
    """What many readers got: bodies by path and digest, what was neither 200 nor 503, and the times of health."""

    bodies: dict[str, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))
    faults: list[str] = field(default_factory=list)
    health: list[float] = field(default_factory=list)


class Readers:
    """Threads that each read half of the paths, in an order of their own; one more asks for health all the time.

    Parameters
    ----------
    server : Server
    count : int
    paths : sequence of str
    """

    def __init__(self, server: Server, count: int = 32, paths: Sequence[str] = PATHS) -> None:
        self._server, self._count, self._paths = server, count, paths
        self._guard = threading.Lock()

    def read(self) -> Readings:
        """Let every thread read its paths once."""
        found, done = Readings(), threading.Event()
        threads = [threading.Thread(target=self._reader, args=(n, found)) for n in range(self._count)]
        health = threading.Thread(target=self._health, args=(found, done))
        for thread in (health, *threads):
            thread.start()
        for thread in threads:
            thread.join()
        done.set()
        health.join()
        return found

    def _reader(self, number: int, found: Readings) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=300)) as connection:
            for path in random.Random(number).sample(self._paths, len(self._paths) // 2):
                try:
                    status, body, again = self._server.get(path, connection)
                    while status == 503 and again:
                        time.sleep(0.3)
                        status, body, again = self._server.get(path, connection)
                except (OSError, http.client.HTTPException) as error:
                    status, body = 0, f"{type(error).__name__}: {error}".encode()
                with self._guard:
                    if status == 200:
                        found.bodies[path][hashlib.sha256(body).hexdigest()] = body
                    else:
                        found.faults.append(f"{path}: {status} {body[:300]!r}")

    def _health(self, found: Readings, done: threading.Event) -> None:
        while not done.wait(0.02):
            start = time.perf_counter()
            try:
                assert self._server.get("/v1/healthz")[0] == 200
            except (OSError, http.client.HTTPException, AssertionError) as error:
                found.faults.append(f"health: {type(error).__name__}: {error}")
                return
            found.health.append(time.perf_counter() - start)
