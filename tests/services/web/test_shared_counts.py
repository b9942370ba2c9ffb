"""Limits on requests that hold for all processes together."""

from __future__ import annotations

import asyncio
import random

import pytest

from hazecast.services.store.shared import Shared
from hazecast.services.web.edge.shared_counts import SharedWindows


@pytest.fixture
def shared(tmp_path, closed_after) -> Shared:
    made = closed_after(Shared(f"sqlite:///{tmp_path / 'store.db'}"))
    made.prepare()
    return made


def processes(shared: Shared, limit: int, number: int = 4, seconds: int = 3600) -> list[SharedWindows]:
    return [SharedWindows(shared, "anonymous", limit, seconds) for _ in range(number)]


async def allowed(windows: list[SharedWindows], requests: int, seed: int = 0) -> int:
    pick = random.Random(seed)
    return sum([(await pick.choice(windows).hit("a")).allowed for _ in range(requests)])


@pytest.mark.parametrize("limit", [1, 3, 40, 600])
def test_several_processes_let_the_limit_through_and_not_once_for_each(shared, limit) -> None:
    passed = asyncio.run(allowed(processes(shared, limit), 2 * limit + 5))
    assert limit - 3 * (limit // 50) <= passed <= limit


def test_requests_at_once_exceed_nothing_and_ask_the_store_once(shared, monkeypatch) -> None:
    asked = []
    begin = Shared.begin
    monkeypatch.setattr(Shared, "begin", lambda self, lock=None: asked.append(1) or begin(self, lock))
    windows = processes(shared, 100, 2)

    async def all_at_once() -> list[bool]:
        counts = await asyncio.gather(*(windows[number % 2].hit("a") for number in range(300)))
        return [count.allowed for count in counts]

    assert sum(asyncio.run(all_at_once())) == 100
    # The window's first request removes what is older.
    assert len(asked) <= 8


def test_a_cost_counts_in_all_processes(shared) -> None:
    one, other = processes(shared, 100, 2)

    async def run() -> None:
        assert (await one.hit("a")).remaining == 99
        assert (await one.charge("a", 500)).remaining == 0
        assert not (await one.hit("a")).allowed and not (await other.hit("a")).allowed
        assert (await other.hit("b")).allowed

    asyncio.run(run())


def test_one_process_counts_exactly(shared) -> None:
    (windows,) = processes(shared, 600, 1)

    async def run() -> list[int]:
        return [(await windows.hit("a")).remaining for _ in range(600)]

    assert asyncio.run(run()) == list(range(599, -1, -1))


def test_without_the_shared_count_each_process_counts_for_itself(shared, monkeypatch, caplog) -> None:
    def broken(*_):
        raise OSError("gone")

    now = [0.0]
    windows = SharedWindows(shared, "anonymous", 3, 60, lambda: now[0])
    monkeypatch.setattr(Shared, "begin", broken)

    async def run() -> None:
        assert [(await windows.hit("a")).allowed for _ in range(5)] == [True] * 3 + [False] * 2
        assert caplog.text.count("counts requests for itself") == 1
        monkeypatch.undo()
        now[0] = 6.0
        assert (await windows.hit("a")).allowed

    asyncio.run(run())


def test_a_store_that_does_not_answer_holds_up_nobody(shared, monkeypatch) -> None:
    monkeypatch.setattr("hazecast.services.web.edge.shared_counts._ANSWER_SECONDS", 0.05)
    windows = SharedWindows(shared, "anonymous", 3, 60)

    async def run() -> bool:
        with shared.begin():
            return (await asyncio.wait_for(windows.hit("a"), 0.5)).allowed

    assert asyncio.run(run())


def test_many_addresses_fill_no_memory(shared, monkeypatch) -> None:
    monkeypatch.setattr("hazecast.services.web.edge.shared_counts.MOST_CALLERS", 20)
    (windows,) = processes(shared, 10, 1)

    async def run() -> int:
        return sum([(await windows.hit(f"caller {number}")).allowed for number in range(60)])

    assert asyncio.run(run()) == 30 and len(windows._leases) == 21
