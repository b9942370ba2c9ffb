"""The clock: a function passed to whatever needs the current time, so that any moment can be set in its place.

This module alone reads the system's time of day; a test holds the rest of the code to it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the current time, aware, UTC."""
    return datetime.now(UTC)
