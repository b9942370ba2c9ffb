"""Sunrise and sunset."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from hazecast.alerts.engine.daylight import daylight

TOKYO = (35.6581, 139.7414)


@pytest.mark.parametrize(
    ("day", "sunrise", "sunset"),
    [
        # Japan's National Astronomical Observatory for Tokyo (as quoted for 2024): earliest and latest sunrise and sunset.
        (date(2024, 6, 10), "04:25", None),
        (date(2024, 6, 28), None, "19:01"),
        (date(2024, 1, 7), "06:51", None),
        (date(2024, 12, 5), None, "16:28"),
    ],
)
def test_tokyo_within_two_minutes(day: date, sunrise: str | None, sunset: str | None) -> None:
    for found, published in zip(daylight(day, *TOKYO), (sunrise, sunset), strict=True):
        if published is not None:
            local = (found + timedelta(hours=9)).replace(tzinfo=None)
            assert abs(local - datetime.fromisoformat(f"{day} {published}")) <= timedelta(minutes=2)


def test_where_the_sun_does_not_set_or_rise() -> None:
    rise, down = daylight(date(2025, 6, 21), 75.0, 0.0)
    assert down - rise == timedelta(hours=24)
    rise, down = daylight(date(2025, 12, 21), 75.0, 0.0)
    assert rise == down and rise.tzinfo is UTC
