"""A service that is killed while a study runs as a job: the next start says so, nothing of it goes on, and what waited is run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from hazecast.services.accounts.accounts import add_account
from hazecast.services.client import Client, StudyFailedError
from hazecast.services.store.store import Store
from hazecast.services.store.study_runs import STOPPED
from hazecast.services.web.study_examples import BODIES
from tests.support.accounts import bearer
from tests.support.receivers import free_port
from tests.support.settings import make_settings
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.slowest]


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[[], tuple[subprocess.Popen, str]]]:
    """Start a service on the same folder; return its process and its address."""
    started: list[subprocess.Popen] = []

    def begin() -> tuple[subprocess.Popen, str]:
        port = free_port()
        command = [sys.executable, "-m", "hazecast.services.cli.app", "serve", "--no-scheduler", "--port", str(port)]
        with (tmp_path / f"{port}.log").open("w") as log:
            started.append(subprocess.Popen([*command, "--data-dir", str(tmp_path / "data")], stdout=log, stderr=log))
        address = f"http://127.0.0.1:{port}"
        until(lambda: answers(address))
        return started[-1], address

    yield begin
    for process in started:
        process.kill()
        process.wait()


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/v1/healthz").status_code == 200
    except httpx.HTTPError:
        return False


def subprocesses_of(parent: int) -> list[Path]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "stat").read_text().rpartition(")")[2].split()[1] == str(parent):
                found.append(folder)
        except OSError:
            continue
    return found


def test_a_kill_is_told_and_what_waited_is_run(start, tmp_path) -> None:
    store = Store(make_settings(data_dir=tmp_path / "data").database_url)
    store.migrate()
    add_account(store.sessions, "bureau", name="bureau", role="subscriber", at=datetime.now(UTC))
    key = bearer(store, "bureau", scopes=["studies:run"])["Authorization"].split()[1]
    store.close()
    process, address = start()
    with Client(address, key=key) as client:
        long = client.submit_study("sources", BODIES["sources"] | {"starts": 100_000})
        waiting = client.submit_study("oxidation", BODIES["oxidation"])
        until(lambda: client.study_job(long.id).progress)
    left = subprocesses_of(process.pid)
    assert left
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    process, address = start()
    with Client(address, key=key) as client:
        with pytest.raises(StudyFailedError, match=STOPPED):
            client.wait_for_study(long.id, seconds=30)
        until(lambda: not any(folder.exists() for folder in left), 30)
        assert client.wait_for_study(waiting.id, seconds=120).results is not None
        assert client.study_job_result(waiting.id).tables
