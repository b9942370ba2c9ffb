"""Requests taken from the count that all processes share: never more than the limit, and none is lost for long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from hazecast.services.store.allowances import charge, forget_before, take
from hazecast.services.store.shared import Shared, request_count

START = datetime(2026, 1, 15, 22, tzinfo=UTC)


@pytest.fixture
def shared(databases, tmp_path, closed_after) -> Shared:
    made = closed_after(Shared(databases.url(tmp_path)))
    made.prepare()
    return made


class Now:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


@pytest.fixture(scope="module")
def timed(tmp_path_factory):
    now = Now()
    made = Shared(f"sqlite:///{tmp_path_factory.mktemp('shared') / 'store.db'}", now)
    made.prepare()
    yield made, now
    made.close()


def test_what_all_take_is_the_limit_and_each_caller_and_kind_counts_for_itself(shared) -> None:
    taken = [take(shared, "account", 30, 3600, "dalian", 12).granted for _ in range(4)]
    assert taken == [12, 12, 6, 0]
    assert take(shared, "account", 30, 3600, "tianjin", 12).left == 18
    assert take(shared, "anonymous", 30, 3600, "dalian", 1)[:2] == (1, 29)
    over = take(shared, "account", 30, 3600, "dalian", 1)
    assert over.granted == over.left == 0 and 0 < over.wait <= over.ends <= 3600


def test_a_cost_beyond_the_limit_holds_up_the_next_ones(shared) -> None:
    assert take(shared, "account", 30, 3600, "a", 1).granted == 1
    charge(shared, "account", 3600, "a", 100)
    charge(shared, "account", 3600, "b", 29)
    assert take(shared, "account", 30, 3600, "a", 1).granted == 0
    assert take(shared, "account", 30, 3600, "b", 12)[:2] == (1, 0)


def test_another_process_sees_it_and_making_the_tables_again_changes_nothing(shared, databases, tmp_path) -> None:
    take(shared, "account", 30, 3600, "a", 12)
    other = Shared(databases.url(tmp_path))
    try:
        other.prepare()
        assert take(other, "account", 30, 3600, "a", 30).granted == 18
    finally:
        other.close()


def test_the_window_before_counts_by_its_share_and_unused_requests_are_given_back(timed) -> None:
    shared, now = timed
    now.seconds = 600.0
    assert take(shared, "share", 60, 60, "a", 60).granted == 60
    now.seconds = 660.0
    refused = take(shared, "share", 60, 60, "a", 1)
    assert refused.granted == 0 and 0 < refused.wait <= 2
    now.seconds += refused.wait
    assert take(shared, "share", 60, 60, "a", 1).granted == 1
    now.seconds = 690.0
    # 31 of the 60 were not needed: half of the other 29 still count.
    assert take(shared, "share", 60, 60, "a", 60, (int((START.timestamp() + 600) // 60), 31)).granted == 60 - 1 - 15


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 40), st.integers(1, 9), st.sampled_from(["a", "b"])), max_size=25))
def test_no_window_gives_more_than_twice_the_limit_and_a_refusal_holds_as_long_as_it_says(timed, steps) -> None:
    shared, now = timed
    now.seconds += 10_000
    given_out: list[tuple[float, int]] = []
    closed: dict[str, float] = {}
    for wait, want, process in steps:
        now.seconds += wait
        found = take(shared, "property", 10, 60, "caller", want)
        assert 0 <= found.granted <= want and 0 <= found.left <= 10 and 0 < found.ends <= 60
        if now.seconds < max(closed.values(), default=0.0) - 1e-3:
            assert found.granted == 0
        if not found.granted:
            closed[process] = now.seconds + found.wait
        given_out.append((now.seconds, found.granted))
    for start, _ in given_out:
        assert sum(number for at, number in given_out if start <= at < start + 60) <= 20


def test_earlier_windows_are_forgotten(timed) -> None:
    shared, now = timed
    for minute in range(3):
        now.seconds = 100_000 + 60.0 * minute
        window = take(shared, "old", 10, 60, "a", 1).window
    forget_before(shared, "old", window - 1)
    with shared.begin() as connection:
        query = select(func.count()).select_from(request_count).where(request_count.c.kind == "old")
        assert connection.execute(query).scalar() == 2


def test_a_file_that_a_power_cut_damaged_is_made_anew(tmp_path, caplog) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    (tmp_path / "store.db.shared").write_bytes(b"SQLite format 3\0" + b"\xff" * 8_000)
    shared = Shared(url)
    shared.prepare()
    assert take(shared, "account", 30, 60, "a", 12).granted == 12 and "damaged" in caplog.text
    assert (tmp_path / "store.db.shared").stat().st_mode & 0o777 == 0o600
    shared.close()


def test_nothing_of_it_is_in_a_dump_of_the_store(shared, databases, tmp_path, closed_after) -> None:
    from hazecast.services.store.table_dump import tables_of

    store = closed_after(databases.store(tmp_path))
    with store.engine.connect() as connection:
        assert not {"request_count", "open_stream"} & {table.name for table in tables_of(connection)}
