"""Two schedulers on one store, as real processes: every run is made exactly once, also when the leader is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from hazecast.services.scheduling.history import JobHistory
from tests.support.scheduler_process import FAST
from tests.support.scheduler_process import SECONDS as SECONDS_OF_A_RUN
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.slowest, pytest.mark.timeout(600)]

SECONDS = 120.0


@dataclass(frozen=True)
class Line:
    """What a run left: when, ``start`` or ``end``, of which due time, by which process."""

    at: float
    what: str
    due: datetime
    process: int


def lines_in(folder: Path) -> list[Line]:
    path = folder / "lines"
    rows = [row.split() for row in path.read_text().splitlines()] if path.exists() else []
    return [Line(float(at), what, datetime.fromisoformat(due), int(process)) for at, what, due, process in rows]


def test_every_run_is_made_once_also_when_the_leader_is_killed(databases, tmp_path) -> None:
    store = databases.store(tmp_path)
    history = JobHistory(store.engine.begin)
    processes: dict[int, subprocess.Popen] = {}

    def start() -> None:
        command = [sys.executable, "-m", "tests.support.scheduler_process", databases.url(tmp_path), str(tmp_path)]
        process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
        processes[process.pid] = process

    def leader() -> int:
        return int(history.last_beat().runner.split(":")[1])

    def ends() -> int:
        return sum(line.what == "end" for line in lines_in(tmp_path))

    def kill_leader() -> None:
        killed = leader()
        os.kill(killed, signal.SIGKILL)
        processes.pop(killed).wait()
        until(lambda: leader() != killed)

    try:
        start()
        start()
        until(lambda: ends() >= 2)
        # In the middle of a run, which is held there: the other makes it again.
        (tmp_path / "hold").touch()
        time.sleep(3 * SECONDS_OF_A_RUN)
        until(lambda: lines_in(tmp_path)[-1].what == "start")
        kill_leader()
        (tmp_path / "hold").unlink()
        start()
        until(lambda: all_made(history) >= 3)
        # A stop is no kill: what runs may end.
        stopped = leader()
        processes[stopped].send_signal(signal.SIGTERM)
        assert processes.pop(stopped).wait(SECONDS) in (0, 3)
        until(lambda: leader() != stopped)
        until(lambda: all_made(history) >= 5)
        last = max(run.due for run in history.runs("fast", 1_000) if run.status == "done")
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        assert {process.wait(SECONDS) for process in processes.values()} <= {0, 3}
        processes.clear()
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    lines, runs = lines_in(tmp_path), history.runs("fast", 1_000)
    store.close()
    check_once([line for line in lines if line.due <= last], [run for run in runs if run.due <= last])


def all_made(history: JobHistory) -> int:
    """Return how many runs are done, or 0 while one that came due before the newest isn't."""
    runs = history.runs("fast", 1_000)
    due, done = {run.due for run in runs}, {run.due for run in runs if run.status == "done"}
    return len(done) if due - done <= {max(due)} else 0


def check_once(lines: list[Line], runs: list) -> None:
    """Every due time was made to its end, once; none was left out; never were two made at a time."""
    done = Counter(run.due for run in runs if run.status == "done")
    assert set(done.values()) == {1} and set(done) == {run.due for run in runs}
    assert len(done) == round((max(done) - min(done)).total_seconds() / FAST.schedule.seconds) + 1
    assert Counter(line.due for line in lines if line.what == "end") == done
    open_run: Line | None = None
    for line in lines:
        if line.what == "start":
            # Only the killed leader's own run may have been left open.
            assert open_run is None or open_run.process != line.process, (open_run, line)
            open_run = line
        else:
            assert open_run is not None and (open_run.due, open_run.process) == (line.due, line.process)
            open_run = None
    assert any(run.status == "interrupted" and run.attempt == 1 for run in runs), "the kill met no run"
