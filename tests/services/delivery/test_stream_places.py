"""Places of readers of event streams: limits that hold over all processes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from hazecast.services.delivery.stream_places import HELD_SECONDS, StreamPlaces, TooManyReaders
from hazecast.services.store.shared import Shared


@pytest.fixture
def shared(databases, tmp_path, closed_after) -> Shared:
    made = closed_after(Shared(databases.url(tmp_path)))
    made.prepare()
    return made


def test_an_address_and_an_account_have_so_many_places_in_all_processes(shared) -> None:
    async def run() -> None:
        one, other = (StreamPlaces(shared, 9, per_address=2, per_account=3) for _ in range(2))
        async with AsyncExitStack() as held:
            await held.enter_async_context(one.hold("a", "dalian"))
            await held.enter_async_context(other.hold("a", "dalian"))
            for places in (one, other):
                with pytest.raises(TooManyReaders, match="2 streams are open from this address"):
                    await held.enter_async_context(places.hold("a"))
            await held.enter_async_context(one.hold("b", "dalian"))
            with pytest.raises(TooManyReaders, match="3 streams are open from this account"):
                await held.enter_async_context(other.hold("c", "dalian"))
            await held.enter_async_context(other.hold("c", "tianjin"))
        assert one.empty and other.empty
        async with other.hold("a", "dalian"), one.hold("a", "dalian"):
            pass

    asyncio.run(run())


def test_a_process_has_so_many_places(shared) -> None:
    async def run() -> None:
        one, other = (StreamPlaces(shared, 1, per_address=5, per_account=5) for _ in range(2))
        async with one.hold("a"):
            with pytest.raises(TooManyReaders, match="too many listeners"):
                async with one.hold("b"):
                    pass
            async with other.hold("b"):
                pass

    asyncio.run(run())


def test_a_killed_process_s_places_are_free_after_a_minute_and_a_living_one_keeps_its_own(tmp_path) -> None:
    now = [datetime(2026, 1, 15, 22, tzinfo=UTC)]
    shared = Shared(f"sqlite:///{tmp_path / 'store.db'}", lambda: now[0])
    shared.prepare()

    async def run() -> None:
        killed, lives, asks = (StreamPlaces(shared, 9, per_address=1, per_account=1) for _ in range(3))
        async with killed.hold("a"), lives.hold("b"):
            for _ in range(5):
                now[0] += timedelta(seconds=HELD_SECONDS / 4)
                lives.refresh()
            async with asks.hold("a"):
                pass
            with pytest.raises(TooManyReaders):
                async with asks.hold("b"):
                    pass
        lives.refresh()
        async with asks.hold("b"):
            pass

    asyncio.run(run())
    shared.close()


def test_a_reader_that_is_cut_off_gives_its_place_back(shared) -> None:
    async def run() -> None:
        places = StreamPlaces(shared, 9, per_address=1, per_account=1)

        async def read() -> None:
            async with places.hold("a"):
                await asyncio.sleep(60)

        reader = asyncio.create_task(read())
        while places.empty:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        async with StreamPlaces(shared, 9, per_address=1, per_account=1).hold("a"):
            pass

    asyncio.run(run())


def test_without_the_shared_tables_a_process_counts_for_itself(shared, monkeypatch) -> None:
    from hazecast.services.core.errors import StoreError

    def broken(*_):
        raise StoreError("gone")

    monkeypatch.setattr(Shared, "begin", broken)

    async def run() -> None:
        places = StreamPlaces(shared, 9, per_address=1, per_account=1)
        async with places.hold("a"):
            with pytest.raises(TooManyReaders):
                async with places.hold("a"):
                    pass
            places.refresh()

    asyncio.run(run())
