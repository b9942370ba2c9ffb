"""Many readers of the same when the store has changed: it is made once, and nobody waits for a reader that is slow."""

from __future__ import annotations

import asyncio
import json

from fastapi import Request
from fastapi.responses import PlainTextResponse

from hazecast.services.delivery.stream import EventFeed
from hazecast.services.web.answers import AnswerCache, cache_answer
from hazecast.services.web.negotiate import as_json


class World:
    """A store with a version, and an app whose answers name it; it answers when it is let."""

    def __init__(self, status: int = 200) -> None:
        self.version, self.asked, self.status, self.let = 1, 0, status, asyncio.Event()
        self.let.set()
        self.answers = AnswerCache(
            self.app, find_version=lambda: self.version, find_token=lambda: self.version, max_age=60, check_seconds=60.0,
            memory=100_000,
        )  # fmt: skip

    async def app(self, scope, receive, send) -> None:
        self.asked += 1
        told = str(self.version)
        cache_answer(Request(scope))
        await self.let.wait()
        await PlainTextResponse(told, self.status)(scope, receive, send)

    async def get(self, slow: asyncio.Event | None = None) -> str:
        got = b""

        async def send(message) -> None:
            nonlocal got
            got += message.get("body", b"")
            if slow is not None:
                await slow.wait()

        scope = {"type": "http", "method": "GET", "path": "/v1/one", "query_string": b"", "headers": []}
        await self.answers(scope, None, send)
        return got.decode()

    async def many(self, count: int) -> list[asyncio.Task[str]]:
        tasks = [asyncio.create_task(self.get()) for _ in range(count)]
        # Until all of them wait for something, the version found in a thread among it.
        for _ in range(20):
            await asyncio.sleep(0.005)
        return tasks


def test_an_answer_is_made_anew_once_for_all() -> None:
    async def run() -> None:
        world = World()
        assert await world.get() == "1"
        world.version = 2
        world.let.clear()
        readers = await world.many(5)
        assert world.asked == 2
        # What one makes of an older state is not given to those who ask after the next change.
        world.version = 3
        later = await world.many(5)
        world.let.set()
        assert await asyncio.gather(*readers) == ["2"] * 5
        assert await asyncio.gather(*later) == ["3"] * 5
        assert world.asked == 3

    asyncio.run(run())


def test_nobody_waits_for_a_slow_reader() -> None:
    async def run() -> None:
        world, slow = World(), asyncio.Event()
        await world.get()
        world.version = 2
        first = asyncio.create_task(world.get(slow))
        assert await asyncio.wait_for(world.get(), 5) == "2"
        assert not first.done()
        slow.set()
        assert await first == "2"

    asyncio.run(run())


def test_an_answer_that_fails_holds_nobody_up() -> None:
    async def run() -> None:
        world = World()
        await world.get()
        world.version, world.status = 2, 500
        world.let.clear()
        readers = await world.many(4)
        world.let.set()
        assert await asyncio.wait_for(asyncio.gather(*readers), 5) == ["2"] * 4
        # Cancelled, as by a client that has gone.
        world.version = 3
        world.let.clear()
        (gone,) = await world.many(1)
        (other,) = await world.many(1)
        gone.cancel()
        await asyncio.sleep(0.05)
        world.let.set()
        assert await asyncio.wait_for(other, 5) == "3"

    asyncio.run(run())


def test_json_in_parts_is_the_same_json() -> None:
    content = {
        "a": 1,
        "items": [{"n": n, "s": "ü\n"} for n in range(11)],
        "none": None,
        "empty": [],
        "plain": {"x": [1, 2]},
    }
    assert as_json(content) == json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def test_positions_of_readers_take_little_memory() -> None:
    async def run() -> int:
        asked = []

        def after(position: int) -> list[tuple[int, int]]:
            asked.append(position)
            return [(number, number) for number in range(position + 1, 101)]

        feed = EventFeed(lambda: 100, after, 60.0)
        for position in [*range(100), 99]:
            async for number, _ in feed.read(position, 0.05):
                if number == 100:
                    break
        assert asked == list(range(100))
        return len(feed._known)

    assert asyncio.run(run()) <= 16
