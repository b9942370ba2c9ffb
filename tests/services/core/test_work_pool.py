"""The queue before subprocesses: the same work once, a bound for all and for one, crashes and hangs as errors."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hazecast.services.core.subprocesses import CrashError, HungError
from hazecast.services.core.work_pool import PoolFullError, WorkPool


def leave_line(file: Path, until: Path) -> bytes:
    """Leave a line; end when there is a file `until`."""
    with file.open("a") as lines:
        lines.write("x\n")
    while not until.exists():
        time.sleep(0.01)
    return b"made"


def busy(size: int) -> bytes:
    sum(range(1_000_000))
    return b"x" * size


def crashing() -> bytes:
    os.kill(os.getpid(), signal.SIGSEGV)
    return b""


def endless() -> bytes:
    while True:
        time.sleep(0.1)


@pytest.fixture
def pool() -> Iterator[WorkPool]:
    made = WorkPool(1, waiting=3, seconds=30.0, memory=4_000)
    yield made
    made.close()


def test_the_same_work_is_done_once_and_more_than_the_queue_holds_is_refused(pool, tmp_path) -> None:
    file, until = tmp_path / "lines", tmp_path / "until"
    first = pool.submit("a", leave_line, file, until, caller="one")
    same = pool.submit("a", leave_line, file, until, caller="two")
    assert first.begun and not same.begun and same.future is first.future
    pool.submit("b", busy, 1, caller="one")
    # Of four places one caller takes two at most.
    with pytest.raises(PoolFullError):
        pool.submit("c", busy, 1, caller="one")
    waiting = [pool.submit(name, busy, 1, caller=name) for name in ("c", "d")]
    with pytest.raises(PoolFullError) as full:
        pool.submit("e", busy, 1, caller="e")
    assert full.value.seconds >= 1
    until.touch()
    assert first.future.result(30).value == b"made" and [w.future.result(30).value for w in waiting] == [b"x", b"x"]
    assert file.read_text() == "x\n"
    assert pool.submit("a", leave_line, file, until).future.result(0).value == b"made" and file.read_text() == "x\n"


def test_results_are_kept_up_to_their_memory_and_processor_time_is_measured(pool) -> None:
    made = pool.submit(0, busy, 900).future.result(30)
    assert 0.0 < made.seconds < 10.0
    for number in range(1, 6):
        pool.submit(number, busy, 900).future.result(30)
    assert [pool.submit(number, busy, 900).begun for number in (5, 2, 0)] == [False, False, True]
    assert pool.submit("large", busy, 2_000).future.result(30) and pool.submit("large", busy, 2_000).begun


def test_a_crash_or_a_hang_fails_its_own_work_alone(tmp_path) -> None:
    pool = WorkPool(1, waiting=3, seconds=0.3, memory=4_000)
    with pytest.raises(CrashError, match="-11"):
        pool.submit("crash", crashing).future.result(60)
    with pytest.raises(HungError):
        pool.submit("hang", endless).future.result(60)
    assert pool.submit("well", busy, 3).future.result(60).value == b"xxx"
    pool.close()
