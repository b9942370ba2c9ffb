"""Two `hazecast serve` on one SQLite file: both answer, one leads, and the other takes over when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hazecast.services.scheduling.history import JobHistory
from hazecast.services.store.store import Store
from tests.support.receivers import free_port
from tests.support.settings import make_settings
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.slowest, pytest.mark.timeout(600)]

SECONDS = 150.0


def answer(port: int, path: str) -> tuple[int, str]:
    """Return status and text of an answer, 0 where none comes."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as found:
            return found.status, found.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[[], tuple[int, subprocess.Popen]]]:
    """Start a service on the same folder, and return its port and process."""
    started: list[subprocess.Popen] = []

    def begin() -> tuple[int, subprocess.Popen]:
        port = free_port()
        command = [sys.executable, "-m", "hazecast.services.cli.app", "serve"]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "HAZECAST_SCHEDULER_BEAT_SECONDS": "0.5"}
        with (tmp_path / f"{port}.log").open("w") as log:
            started.append(
                subprocess.Popen(
                    [*command, "--port", str(port), "--data-dir", str(tmp_path / "data")],
                    env=environment, stdout=log, stderr=log,
                )
            )  # fmt: skip
        return port, started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def checks(port: int) -> dict[str, str]:
    """Return the status of each check of readiness."""
    text = answer(port, "/v1/readyz")[1]
    return {check["name"]: check["status"] for check in json.loads(text)["checks"]} if text.startswith("{") else {}


def test_one_leads_and_both_answer(start, tmp_path) -> None:
    services = dict([start(), start()])
    until(lambda: all(answer(port, "/v1/healthz")[0] == 200 for port in services))
    # Both see the same sign of life, and neither waits for the other's writes.
    until(lambda: all(checks(port).get("scheduler") == "ok" for port in services))
    assert all(checks(port)["database"] == checks(port)["schema"] == "ok" for port in services)
    settings = make_settings(data_dir=tmp_path / "data")
    store = Store(settings.database_url)
    history = JobHistory(store.engine.connect)

    def leader() -> int:
        return int(history.last_beat().runner.split(":")[1])

    killed = next(port for port, process in services.items() if process.pid == leader())
    services[killed].send_signal(signal.SIGKILL)
    (other,) = services.keys() - {killed}
    until(lambda: leader() == services[other].pid)
    assert answer(other, "/v1/healthz")[0] == 200 and checks(other)["scheduler"] == "ok"
    log = (tmp_path / f"{other}.log").read_text()
    assert log.count("this process leads the schedule") == 1
    services[other].send_signal(signal.SIGTERM)
    assert services[other].wait(SECONDS) == 0
    log = "".join(path.read_text() for path in Path(tmp_path).glob("*.log"))
    assert "Traceback" not in log and "locked" not in log, log[-2_000:]
    store.close()
