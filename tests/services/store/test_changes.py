"""Each process learns that another has written, without a query."""

from __future__ import annotations

import time

import pytest

from hazecast.services.store.changes import Changes
from hazecast.services.store.shared import Shared
from tests.support.delivery_world import World


@pytest.fixture
def world(databases, tmp_path, closed_after) -> World:
    return closed_after(World(tmp_path, databases.url(tmp_path)))


@pytest.fixture
def changes(world, closed_after) -> Changes:
    made = closed_after(Changes(world.store.engine))
    made.start()
    return made


def settled(changes: Changes):
    """Return the token once it stays the same."""
    before, until = changes.token(), time.monotonic() + 10
    while time.monotonic() < until:
        time.sleep(0.1)
        if changes.token() == before:
            return before
        before = changes.token()
    raise AssertionError("it changes without end")


def differs(find, before) -> bool:
    until = time.monotonic() + 10
    while find() == before and time.monotonic() < until:
        time.sleep(0.01)
    return find() != before


def test_what_this_process_commits_is_seen_at_once(world, changes) -> None:
    before = changes.token()
    world.warn(number="own")
    assert changes.token() != before


def test_what_another_process_publishes_is_seen(world, changes, databases, tmp_path) -> None:
    # Without this process's own count of its commits.
    before = settled(changes)[1]
    other = World(tmp_path, databases.url(tmp_path))
    other.warn(number="other")
    other.close()
    assert differs(lambda: changes.token()[1], before)


def test_counting_requests_changes_nothing(world, changes, databases, tmp_path, closed_after) -> None:
    from hazecast.services.store.allowances import take

    shared = closed_after(Shared(databases.url(tmp_path)))
    shared.prepare()
    before = settled(changes)
    take(shared, "account", 30, 60, "a", 1)
    assert settled(changes) == before


def test_a_listener_whose_connection_is_ended_listens_again(postgres, tmp_path, closed_after, caplog) -> None:
    url = postgres.migrated_database()
    world = closed_after(World(tmp_path, url))
    changes = closed_after(Changes(world.store.engine))
    changes.start()
    before = settled(changes)
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
    assert differs(changes.token, before), "what came meanwhile is looked up"
    before = settled(changes)[1]
    world.warn(number="after")
    assert differs(lambda: changes.token()[1], before) and "seen by asking alone" in caplog.text
