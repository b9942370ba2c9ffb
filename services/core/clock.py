"""The time as the service's answers go by it: handed in, so that a past moment can be looked at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time, aware."""
    return datetime.now(UTC)
