"""The client against a real server: every answer typed, pages joined, answers cached, reads repeated."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import xarray as xr
from PIL import Image

from hazecast.alerts.messages.cap import parse
from hazecast.grids.contract import LEAD_HOURS
from hazecast.services.client import Client, NoAnswerError, RefusedError, ServerError, UnavailableError
from hazecast.services.web.schemas.forecasts import ReadyOut


@pytest.fixture
def client(address) -> Iterator[Client]:
    with Client(address, attempts=1) as client:
        yield client


def ready(client: Client) -> ReadyOut:
    """Ask for readiness: on a machine full of other work a check may take longer than the second that it has."""
    for _ in range(10):
        with suppress(UnavailableError):
            return client.ready()
        time.sleep(1.0)
    return client.ready()


def test_every_read_is_typed(client, tmp_path) -> None:
    assert {"beijing", "tokyo"} <= {city.id for city in client.cities()}
    inside = client.cities(country="JP", bbox="139,35,140,36")
    assert "tokyo" in {city.id for city in inside}
    assert all(city.country == "JP" and 139 <= city.longitude <= 140 and 35 <= city.latitude <= 36 for city in inside)
    forecast = client.forecast("beijing")
    assert [hour.lead_time for hour in forecast.hours] == list(range(1, LEAD_HOURS + 1)) and forecast.simulated
    runs = list(client.runs(limit=1))
    assert [run.init_time for run in runs] == [forecast.init_time]
    assert client.forecast("beijing", init_time=forecast.init_time) == forecast
    assert client.run(city=["beijing"]).items[0].hours == forecast.hours
    (tmp_path / "run.nc").write_bytes(client.run_netcdf(forecast.init_time))
    with xr.open_dataset(tmp_path / "run.nc", decode_timedelta=True) as run:
        assert run.sizes["lead_time"] == LEAD_HOURS
    hours = list(client.observations("beijing", limit=30))
    assert len(hours) == 72 and hours[-1].time == client.observed_hour(city="beijing").time
    assert client.daily("beijing").days and len(client.map(variables=["pm25"]).times) == LEAD_HOURS
    in_force = client.warnings(simulated=True).features
    history = list(client.warning_history(limit=7))
    paged = client.warnings(simulated=True, limit=7)
    assert paged.features == in_force and paged.next is None
    assert len(in_force) > 7 and {f["id"] for f in in_force} <= {f["id"] for f in history}
    assert parse(client.warning_cap(str(in_force[0]["id"]))).tag.endswith("alert")
    assert Image.open(io.BytesIO(client.picture("haze.png"))).format == "PNG"
    assert client.verification().scores == [] and ready(client).simulated


def test_problems_become_errors_that_name_the_field(client) -> None:
    with pytest.raises(ServerError, match="beijing") as unknown:
        client.forecast("bejing")
    assert unknown.value.status == 404 and unknown.value.refused
    assert isinstance(unknown.value, RefusedError)
    with pytest.raises(ServerError) as wrong:
        client.warnings(level=["blue"])
    assert [error.field for error in wrong.value.errors] == ["level"] and wrong.value.status == 422
    # A name is one part of the path, whatever it holds.
    with pytest.raises(ServerError) as away:
        client.forecast("../cities/beijing")
    assert away.value.status == 404


def test_no_answer_is_one_clear_error() -> None:
    with pytest.raises(ServerError, match="no answer") as error, Client("http://127.0.0.1:9", attempts=1) as client:
        client.cities()
    assert error.value.status is None and not error.value.refused and isinstance(error.value, NoAnswerError)
    with pytest.raises(ServerError, match="address"):
        Client("http://nowhere:port").cities()


def test_an_unchanged_answer_is_not_sent_again(address) -> None:
    seen = []

    class Recording(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer = super().handle_request(request)
            seen.append(answer.status_code)
            return answer

    with Client(address, transport=Recording()) as client:
        assert client.forecast("beijing") == client.forecast("beijing")
    assert seen == [200, 304]


class Flaky(BaseHTTPRequestHandler):
    """Fails as often as `failures` says, then answers."""

    failures: list[int] = []  # noqa: RUF012
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        status = self.failures.pop(0) if self.failures else 200
        body = json.dumps(
            {"status": "ready", "init_time": "2013-01-11T22:00:00Z", "age_hours": 1, "simulated": False, "checks": []}
        )
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.mark.parametrize(("failures", "asked", "status"), [([503, 429], 3, 200), ([503] * 9, 3, 503), ([500], 1, 500)])
def test_reads_that_fail_temporarily_are_repeated(failures, asked, status) -> None:
    Flaky.failures, Flaky.asked = list(failures), 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Flaky)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with Client(f"http://127.0.0.1:{server.server_port}", attempts=3) as client:
            if status == 200:
                assert client.ready().init_time == datetime.fromisoformat("2013-01-11T22:00:00+00:00")
            else:
                with pytest.raises(ServerError) as error:
                    client.ready()
                assert error.value.status == status and isinstance(error.value, UnavailableError)
    finally:
        server.shutdown()
        server.server_close()
    assert Flaky.asked == asked


def hazecast(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "hazecast.services.cli.app", *arguments],
        capture_output=True, text=True, timeout=120, env=os.environ | environment,
    )  # fmt: skip


def test_the_command_prints_the_same_from_a_server_and_from_a_folder(address, simulated_run, tmp_path) -> None:
    folder = ["--data-dir", str(simulated_run.data_dir)]
    for words in (["forecast", "beijing"], ["warnings"]):
        here = hazecast(*words, *folder)
        there = hazecast("--server", address, *words, HAZECAST_DATA_DIR=str(tmp_path / "none"))
        assert here.returncode == there.returncode == 0, there.stderr
        assert here.stdout == there.stdout and here.stdout.strip()
    assert not (tmp_path / "none").exists()
    both = hazecast("--server", address, "forecast", "beijing", *folder)
    assert both.returncode == 2 and both.stderr.startswith("hazecast: --data-dir: ") and not both.stdout
    picture = tmp_path / "haze.png"
    assert hazecast("map", str(picture), "--language", "en", HAZECAST_SERVER=address).returncode == 0
    assert picture.read_bytes() == httpx.get(f"{address}/v1/maps/haze.png?language=en").content
    refused = hazecast("--server", address, "forecast", "bejing")
    assert refused.returncode == 2 and "beijing" in refused.stderr and "Traceback" not in refused.stderr
    assert "No forecast has been scored yet" in hazecast("--server", address, "verify").stdout


def test_the_paths_of_pictures_are_those_of_the_api() -> None:
    from hazecast.services.cli.maps import Kind, _path

    assert _path(Kind.ANIMATION, "beijing", "o3", Path("a.webp")) == "day/o3.webp"
    assert _path(Kind.FAN, "beijing", "pm25", Path("a.png")) == "fan/beijing.png"
    assert _path(Kind.AQI, "beijing", "pm25", Path("a.png")) == "aqi.png"
