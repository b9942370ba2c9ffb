"""Locks between processes: one module holds them all."""

from __future__ import annotations

import re

import pytest

from hazecast.services.core.errors import StoreError
from hazecast.services.store.database import make_engine
from hazecast.services.store.locks import cycle_lock, file_locked, is_free, remove_stale_cycle_locks, store_lock
from tests.support.paths import ROOT

LOCKS = ROOT / "services" / "store" / "locks.py"
_TAKES_A_LOCK = re.compile(r"filelock|fcntl|pg_(try_)?advisory")


def test_only_one_module_of_the_service_takes_locks() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "services").rglob("*.py"))
        if path != LOCKS and _TAKES_A_LOCK.search(path.read_text(encoding="utf-8"))
    ]
    assert not found and _TAKES_A_LOCK.search(LOCKS.read_text(encoding="utf-8"))


def test_a_file_is_locked_once(tmp_path) -> None:
    path = tmp_path / "below" / "a.lock"
    with file_locked(path), pytest.raises(KeyError, match="busy"), file_locked(path, KeyError("busy")):
        pass
    with file_locked(path, KeyError("busy")):
        pass


def test_the_lock_file_of_a_cycle_goes_with_its_lock(tmp_path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'store.db'}")
    held, other = cycle_lock(engine, 7), cycle_lock(engine, 7)
    assert held.acquire() and not other.acquire() and not is_free(other) and is_free(cycle_lock(engine, 8))
    assert [path.name for path in tmp_path.glob("*.lock")] == ["store.db.cycle7.lock"]
    remove_stale_cycle_locks(engine)
    assert not other.acquire()
    held.release()
    assert not list(tmp_path.glob("*.lock"))
    # What a killed process leaves: the file without the lock.
    (tmp_path / "store.db.cycle9.lock").touch()
    remove_stale_cycle_locks(engine)
    assert not list(tmp_path.glob("*.lock"))


def test_a_cycle_whose_lock_file_cannot_be_written_says_so(tmp_path) -> None:
    lock = cycle_lock(make_engine(f"sqlite:///{tmp_path / 'store.db'}"), 7)
    (tmp_path / "store.db.cycle7.lock").mkdir()
    with pytest.raises(StoreError, match=r"store\.db\.cycle7\.lock: can't be written"):
        lock.acquire()


def test_locks_of_a_store_differ_by_name(tmp_path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    first, same, other = store_lock(url, "a"), store_lock(url, "a"), store_lock(url, "b")
    assert first.acquire() and first.still_held() and not same.acquire() and other.acquire()
    first.release()
    assert same.acquire() and not first.still_held()
    with pytest.raises(ValueError, match="no lock for the database"):
        store_lock("mysql://host/db", "a")
