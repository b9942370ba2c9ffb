"""A stream ends soon after its reader may no longer read."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from hazecast.services.accounts.accounts import change_account
from hazecast.services.accounts.keys import RefusedError, add_key, check_again, check_key, revoke_key
from hazecast.services.delivery import stream
from hazecast.services.delivery.stream import EventFeed
from tests.support.delivery_world import START, World


def test_nothing_is_yielded_once_the_reader_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(stream, "RECHECK_SECONDS", 0.0)
    asked, read = [], []

    def allowed() -> bool:
        asked.append(1)
        return len(asked) < 4

    async def listen() -> None:
        feed = EventFeed(lambda: 9, lambda after: [(n, n) for n in range(after + 1, 10)], 0.01)
        async for number, _ in feed.read(0, 20.0, allowed):
            read.append(number)

    asyncio.run(asyncio.wait_for(listen(), 20.0))
    # Asked once at the beginning, then before each of two items.
    assert read == [1, 2] and len(asked) == 4


def test_a_reader_who_waits_is_asked_too(monkeypatch) -> None:
    monkeypatch.setattr(stream, "RECHECK_SECONDS", 0.02)

    async def listen() -> list[int]:
        feed = EventFeed(lambda: 0, lambda _: [], 0.01)
        return [number async for number, _ in feed.read(0, 20.0, lambda: False)]

    assert asyncio.run(asyncio.wait_for(listen(), 10.0)) == []


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("change", ["revoked", "expired", "disabled", "role"])
def test_a_key_is_checked_as_it_is_now(world, change) -> None:
    sessions = world.store.sessions
    key, token = add_key(sessions, "tianjin", label="x", lifetime=timedelta(days=1), at=START, by="command")
    who, at = check_key(sessions, token, START), START
    assert check_again(sessions, who, at) == who
    if change == "revoked":
        revoke_key(sessions, key.id, at=START, by="command")
    elif change == "expired":
        at = START + timedelta(days=2)
    elif change == "disabled":
        change_account(sessions, "tianjin", at=START, disabled=True)
    else:
        change_account(sessions, "tianjin", at=START, role="public")
        assert "subscriptions:read" not in check_again(sessions, who, at).scopes
        return
    with pytest.raises(RefusedError):
        check_again(sessions, who, at)
