"""What the page makes once of a snapshot: never kept longer than the snapshot is the newest."""

from __future__ import annotations

import gc
import weakref
from datetime import UTC, datetime

from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.places.cities import Registry
from hazecast.services.web.page.made import MadeOnce
from hazecast.services.web.page.snapshot import Snapshot


def snapshot() -> Snapshot:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Snapshot(now, None, False, (), (), None, None, Registry(cities={}, regions={}), RuleBook.shipped())


def test_the_same_is_made_once() -> None:
    made: list[str] = []

    def make(_: Snapshot, name: str) -> str:
        made.append(name)
        return name.upper()

    once, first, second = MadeOnce(make, 2), snapshot(), snapshot()
    assert [once(first, "a"), once(first, "a"), once(first, "b"), once(second, "a")] == ["A", "A", "B", "A"]
    assert made == ["a", "b", "a"]


def test_an_earlier_snapshot_is_forgotten() -> None:
    once, first = MadeOnce(lambda one: one.now, 2), snapshot()
    held = weakref.ref(first)
    once(first)
    del first
    assert held() is not None
    once(snapshot())
    gc.collect()
    assert held() is None
