"""Reads of warnings and of the newest run find their rows by an index: years of history don't slow them down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.services.store.drafts import warning_row
from hazecast.services.store.reads import (
    recent_warnings,
)
from hazecast.services.store.retention import prune
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import Warning_
from hazecast.services.store.warning_archive import archive_warnings, archived_warnings
from tests.support.delivery_world import message
from tests.support.history_reads import NOW, READS


@pytest.fixture
def store(databases, tmp_path) -> Iterator[Store]:
    made = databases.store(tmp_path)
    made.clock = lambda: NOW
    yield made
    made.close()


@contextmanager
def plans(store: Store) -> Iterator[list[str]]:
    """Collect how the database finds the rows of every statement."""
    found: list[str] = []
    sqlite = store.engine.dialect.name == "sqlite"

    def explain(connection, cursor, statement, parameters, *_):
        if statement.startswith(("SELECT", "WITH")):
            cursor.execute(f"EXPLAIN {'QUERY PLAN ' if sqlite else ''}{statement}", parameters)
            found.extend(str(row[-1]) for row in cursor.fetchall())

    event.listen(store.engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(store.engine, "before_cursor_execute", explain)


@pytest.mark.parametrize("name", READS)
def test_a_read_goes_through_no_whole_table(store, name) -> None:
    if store.engine.dialect.name == "postgresql":
        # A table of a few rows is read whole, whatever indices it has.
        event.listen(store.engine, "connect", lambda raw, _: raw.execute("SET enable_seqscan = off"))
        store.engine.dispose()
    with plans(store) as found:
        READS[name](store)
    whole = [line for line in found if "Seq Scan" in line or (line.startswith("SCAN ") and "INDEX" not in line)]
    assert found
    assert [line for line in whole if "CONSTANT" not in line and "SUBQUERY" not in line] == [], found
    if name in ("latest run", "in force", "feed", "page"):
        assert not any("TEMP B-TREE FOR ORDER BY" in line for line in found)


def test_the_feed_holds_what_was_issued_or_ended_lately(store) -> None:
    hours = (1, 47, 60, 90, 400)
    kept = [message("beijing", NOW - timedelta(hours=h)) for h in hours]
    longest = message("tianjin", NOW - timedelta(hours=160))
    kept.append(longest.model_copy(update={"expires": NOW - timedelta(hours=1)}))
    with store.sessions.begin() as session:
        session.add_all(map(warning_row, [*kept, message("beijing", NOW + timedelta(hours=1))]))
    found = recent_warnings(store, False, NOW, 48, limit=500)
    late = [w for w in kept if w.issued > NOW - timedelta(hours=48) or w.expires > NOW - timedelta(hours=48)]
    assert found == sorted(late, key=lambda w: (w.issued, w.id), reverse=True) and longest.id in {w.id for w in found}
    # One more than a page where another follows; the next begins after the last of the page before.
    assert recent_warnings(store, False, NOW, 48, limit=2) == found[:3]
    after = found[1].issued, found[1].id
    assert recent_warnings(store, False, NOW, 48, after=after, limit=500) == found[2:]
    own = recent_warnings(store, False, NOW, 48, cities=("beijing",), limit=500)
    assert own == [one for one in found if one.city == "beijing"]
    assert recent_warnings(store, True, NOW, 48, limit=500) == []


def test_old_warnings_move_to_a_file_a_month_and_none_is_lost_or_doubled(
    store, databases, tmp_path, monkeypatch
) -> None:
    settings = databases.settings(tmp_path, keep_warning_days=30)
    old = [message("beijing", NOW - timedelta(days=d)) for d in (31, 40, 70)] + [
        message("tokyo", NOW - timedelta(days=70), simulated=True)
    ]
    young = message("tianjin", NOW - timedelta(days=29))
    with store.sessions.begin() as session:
        session.add_all(map(warning_row, [*old, young]))

    def moved() -> list[HazeWarning]:
        files = sorted((tmp_path / "warnings").glob("*.jsonl.gz"))
        return [HazeWarning.model_validate_json(line) for file in files for line in archived_warnings(file)]

    assert prune(settings, NOW, dry_run=True).rows["warning"] == 4 and moved() == []
    # Killed after the files were written: nothing is in the database only, nothing twice after the next run.
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(store, "writing", lambda: 1 / 0)
        archive_warnings(store, tmp_path, NOW - timedelta(days=30))
    assert prune(settings, NOW).rows["warning"] == 4 and prune(settings, NOW).rows["warning"] == 0
    assert {p.name for p in (tmp_path / "warnings").iterdir()} == {"2025-11.jsonl.gz", "2025-12.jsonl.gz"}
    assert sorted(moved(), key=lambda w: w.id) == sorted(old, key=lambda w: w.id)
    with store.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Warning_)) == 1
