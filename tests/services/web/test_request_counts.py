"""Counting requests: what a caller may do within a window, and what many callers take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazecast.services.web.edge.key_check import network_of
from hazecast.services.web.edge.request_counts import SlidingWindows


@given(st.lists(st.tuples(st.floats(0, 30), st.sampled_from("ab")), max_size=60))
def test_no_window_lets_more_than_twice_the_limit_through_and_callers_are_counted_separately(steps) -> None:
    now, passed = [0.0], []
    windows = SlidingWindows(10, 60, lambda: now[0])
    alone = SlidingWindows(10, 60, lambda: now[0])
    for wait, caller in steps:
        now[0] += wait
        count = windows.hit(caller)
        assert 0 <= count.remaining <= 10 and 1 <= count.reset <= 61
        if caller == "a":
            assert alone.hit("a") == count
        if count.allowed:
            passed.append((now[0], caller))
    for start, caller in passed:
        assert sum(who == caller and start <= t < start + 60 for t, who in passed) <= 20


def test_what_a_request_turned_out_to_cost_holds_up_the_next_ones() -> None:
    now = [0.0]
    windows = SlidingWindows(10, 60, lambda: now[0])
    assert windows.hit("a").allowed and windows.charge("a", 24) == (0, 61, True)
    assert not windows.hit("a").allowed and windows.hit("b").allowed
    now[0] = 90.0
    assert not windows.hit("a").allowed
    now[0] = 119.0
    assert windows.hit("a").allowed


def test_a_fixed_window_s_edge_is_no_way_round() -> None:
    now = [59.0]
    windows = SlidingWindows(10, 60, lambda: now[0])
    assert all(windows.hit("a").allowed for _ in range(10))
    now[0] = 61.0
    assert not windows.hit("a").allowed
    now[0] = 119.0
    assert sum(windows.hit("a").allowed for _ in range(20)) == 9
    now[0] = 300.0
    assert sum(windows.hit("a").allowed for _ in range(20)) == 10


def test_many_addresses_fill_no_memory(monkeypatch) -> None:
    monkeypatch.setattr("hazecast.services.web.edge.request_counts.MOST_CALLERS", 100)
    windows = SlidingWindows(10, 60, lambda: 0.0)
    assert sum(windows.hit(f"caller {number}").allowed for number in range(1_000)) == 110
    assert windows.hit("caller 1").allowed and len(windows._now) == 101


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_caller_counts_as_its_network(host, counted) -> None:
    assert network_of(host) == counted
