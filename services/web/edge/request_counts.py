"""Counting requests within a sliding window, in one process; for all processes: `edge.shared_counts`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

# A hundred thousand callers a window are counted separately (some 20 MB); all beyond them share one count.
MOST_CALLERS = 100_000


class Count(NamedTuple):
    """A caller's count: requests left, seconds until the window ends, and whether this request is allowed."""

    remaining: int
    reset: int
    allowed: bool


class SlidingWindows:
    """At most `limit` requests of a caller in any `seconds`, approximately.

    The previous window counts by the share of it that still lies within `seconds`, as if its requests had come evenly:
    two numbers a caller, and no work that grows with the number of callers. (A library that walks over all callers to
    remove the old ones takes a third of a second a request at 100 000 addresses.) Counts are held by this process.

    Parameters
    ----------
    limit : int
    seconds : int
    clock : callable, optional
        Seconds, monotonic.
    """

    def __init__(self, limit: int, seconds: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self.seconds = seconds
        self._clock = clock
        self._window = 0
        self._now: dict[str, int] = {}
        self._before: dict[str, int] = {}

    def hit(self, caller: str) -> Count:
        """Count a request, unless it exceeds the limit; return the caller's count after it."""
        caller, used, left = self._usage(caller)
        allowed = used + 1 <= self.limit
        if allowed:
            self._now[caller] = self._now.get(caller, 0) + 1
            used += 1
        return Count(max(int(self.limit - used), 0), int(left) + 1, allowed)

    def charge(self, caller: str, cost: int) -> Count:
        """Count what a request turned out to cost, beyond the limit too: it then holds up the caller's next ones.

        Parameters
        ----------
        caller : str
        cost : int
            As how many requests it counts.

        Returns
        -------
        Count
            Of the caller after it.
        """
        caller, used, left = self._usage(caller)
        self._now[caller] = self._now.get(caller, 0) + cost
        return Count(max(int(self.limit - used - cost), 0), int(left) + 1, True)

    def _usage(self, caller: str) -> tuple[str, float, float]:
        window, past = divmod(self._clock(), self.seconds)
        if window != self._window:
            self._before = self._now if window == self._window + 1 else {}
            self._now, self._window = {}, int(window)
        if caller not in self._now and len(self._now) >= MOST_CALLERS:
            caller = ""
        left = self.seconds - past
        return caller, self._now.get(caller, 0) + self._before.get(caller, 0) * left / self.seconds, left
