"""Two servers that answer the same bytes, Hazecast's API and a bare Starlette app."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import numpy as np
import psutil
import xarray as xr

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.grids.places.cities import Registry, load_registry
from hazecast.services.core import places
from hazecast.services.core.settings import Settings
from hazecast.services.store.observations import observed_hours
from hazecast.services.store.store import Store
from tests.support.settings import make_settings

PATHS = ("/v1/cities/beijing/forecast", "/v1/warnings")


@dataclass(frozen=True)
class Round:
    """One round under load."""

    rate: float
    p99: float
    server_seconds: float
    client_share: float


def enlarge(settings: Settings, times: int) -> None:
    """Store the newest run again as of a second later, with `times` as many cities and warnings."""
    store = Store(settings.database_url)
    run = store.latest_run()
    assert run is not None
    with xr.open_dataset(run.netcdf_path, decode_timedelta=True) as file:
        forecast = file.load()
    ids = [str(name) for name in forecast["city"].values]
    named = [name if copy == 0 else f"{name}_{copy}" for copy in range(times) for name in ids]
    forecast = xr.concat([forecast] * times, "city", data_vars="minimal").assign_coords(city=np.array(named, object))
    # The warnings are to be in force now: an init time ahead of the clock would keep them back.
    later = run.init_time + timedelta(seconds=1)
    forecast = forecast.assign_coords(init_time=np.datetime64(later.replace(tzinfo=None), "ns"))
    forecast["init_time"].encoding = {}
    standing = store.warnings_in_force(run.init_time, run.simulated)
    warnings = [_copy(w, copy, later.isoformat()) for copy in range(times) for w in standing]
    observations = observed_hours(store, run.init_time - timedelta(hours=1), run.init_time, run.simulated)
    store.save_run(
        forecast, observations, warnings, netcdf_path=Path(f"{run.netcdf_path}.many"), map_path=Path(run.map_path),
        cycle_id=store.begin_cycle(later, run.simulated),
    )  # fmt: skip
    forecast.to_netcdf(f"{run.netcdf_path}.many")
    store.close()


def _copy(warning: HazeWarning, copy: int, issued: str) -> HazeWarning:
    city = warning.city if copy == 0 else f"{warning.city}_{copy}"
    changes = {"id": f"many.{warning.rule_set}.{city}", "city": city, "kind": "issue", "references": ()}
    times = {"issued": issued, "run_init_time": issued, "level_since": None}
    return HazeWarning.model_validate(warning.model_dump(mode="json") | changes | times)


def many_cities(times: int) -> Registry:
    """Return the shipped registry with `times` as many cities."""
    shipped = load_registry()
    copies = {
        # Two cities are never at one place.
        name: city.model_copy(update={"id": name, "longitude": round(city.longitude + 0.01 * copy, 4)})
        for copy in range(times)
        for city in shipped.cities.values()
        for name in [city.id if copy == 0 else f"{city.id}_{copy}"]
    }
    return Registry(cities=copies, regions=shipped.regions)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(kind: str, *arguments: str) -> Iterator[tuple[int, psutil.Process]]:
    """Run a server in a process of its own: ``hazecast DATA_DIR TIMES`` or ``bare FOLDER``."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.api_peers", kind, str(port), *arguments])
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the server {kind} did not start") from None
                time.sleep(0.1)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def load(server: tuple[int, psutil.Process], path: str, seconds: float, connections: int = 16) -> Round:
    """Put a server under load from another process, and return the measurements."""
    port, process = server
    before = sum(process.cpu_times()[:2])
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.http_load",
        str(port),
        path,
        str(seconds),
        str(connections),
    ]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    spent = sum(process.cpu_times()[:2]) - before
    return Round(found["requests"] / found["seconds"], found["p99"], spent / found["requests"], found["share"])


def _serve(port: int, app: object) -> None:
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)  # type: ignore[arg-type]


def _bare(folder: Path) -> object:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    routes = []
    for file in sorted(folder.glob("*.json")):
        known = json.loads(file.read_text())
        body, headers = file.with_suffix(".body").read_bytes(), known["headers"]

        async def answer(_: Request, body: bytes = body, headers: dict[str, str] = headers) -> Response:
            return Response(body, headers=headers)

        routes.append(Route(known["path"], answer))
    return Starlette(routes=routes)


if __name__ == "__main__":
    kind, port, *rest = sys.argv[1:]
    if kind == "bare":
        _serve(int(port), _bare(Path(rest[0])))
    else:
        from hazecast.services.web.app import create_app

        # The counting of requests is part of what is measured; being turned away is not.
        settings = make_settings(data_dir=Path(rest[0]), rate_anonymous=10**9)
        registry = many_cities(int(rest[1]))
        # A folder of so many cities would have to be written first.
        with patch.object(places, "city_registry", lambda _: registry):
            _serve(int(port), create_app(settings))
