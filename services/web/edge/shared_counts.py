"""Counting requests for all processes of a service together, without asking the store for every one of them."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from hazecast.services.store.allowances import Allowance, charge, forget_before, take
from hazecast.services.store.shared import Shared
from hazecast.services.web.edge.request_counts import MOST_CALLERS, Count, SlidingWindows

log = logging.getLogger(__name__)

# A process takes a fiftieth of the limit at a time: it asks the store for every twelfth request of an address.
_PARTS = 50
# The store has this long to answer, and is left alone for so long after it has not.
_ANSWER_SECONDS = 1.5
_REST_SECONDS = 5.0


@dataclass(slots=True)
class _Lease:
    """What this process may let through of a caller, and until when (`ends`, `refused_until`: seconds, monotonic)."""

    window: int
    left: int
    shared: int
    ends: float
    refused_until: float


class SharedWindows:
    """At most `limit` requests of a caller in any `seconds`, approximately as `SlidingWindows`, over all processes.

    A process takes some requests at a time from the shared count and lets so many through; what all processes took never
    exceeds the limit. What one took and does not need is missing for the others until the window ends: at most 2 % of the
    limit for each further process. Where the shared count can't be used, each process counts for itself.

    Parameters
    ----------
    shared : Shared
    kind : str
        Name of the limit.
    limit : int
        0: no limit.
    seconds : int
    clock : callable, optional
        Seconds, monotonic.
    """

    def __init__(
        self, shared: Shared, kind: str, limit: int, seconds: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit, self.seconds = limit, seconds
        self._shared, self._kind, self._clock = shared, kind, clock
        self._alone = SlidingWindows(limit, seconds, clock)
        self._alone_until = float("-inf")
        # Of this window and of the one before.
        self._leases: dict[str, _Lease] = {}
        self._before: dict[str, _Lease] = {}
        self._asking: dict[str, asyncio.Future[None]] = {}
        self._waiting: Counter[str] = Counter()
        self._window = 0

    async def hit(self, caller: str) -> Count:
        """Count a request, unless it exceeds the limit; return the caller's count after it."""
        caller = self._known(caller)
        while True:
            count = self._counted(caller)
            if count is not None:
                return count
            if self._clock() < self._alone_until:
                return self._alone.hit(caller)
            await self._renew(caller)

    async def charge(self, caller: str, cost: int) -> Count:
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
        caller = self._known(caller)
        lease = self._lease(caller)
        if lease is None:
            lease = _Lease(0, 0, 0, self._clock() + 1, 0.0)
        taken = min(lease.left, cost)
        lease.left -= taken
        if cost > taken:
            lease.shared = max(lease.shared - (cost - taken), 0)
            if self._clock() < self._alone_until:
                return self._alone.charge(caller, cost)
            await self._ask(partial(charge, self._shared, self._kind, self.seconds, caller, cost - taken))
        return Count(lease.left + lease.shared, self._reset(lease), True)

    def _known(self, caller: str) -> str:
        # As in `SlidingWindows`: all callers beyond so many share one count.
        return "" if caller not in self._leases and len(self._leases) >= MOST_CALLERS else caller

    def _lease(self, caller: str) -> _Lease | None:
        lease = self._leases.get(caller)
        return lease if lease is not None and self._clock() < lease.ends else None

    def _reset(self, lease: _Lease) -> int:
        return max(math.ceil(lease.ends - self._clock()), 1)

    def _counted(self, caller: str) -> Count | None:
        """Count a request by what this process knows; None where it must ask."""
        lease = self._lease(caller)
        if lease is None:
            return None
        if lease.left:
            lease.left -= 1
            return Count(lease.left + lease.shared, self._reset(lease), True)
        return Count(0, self._reset(lease), False) if self._clock() < lease.refused_until else None

    async def _renew(self, caller: str) -> None:
        """Ask for more, once for all requests of the caller that wait for it."""
        self._waiting[caller] += 1
        try:
            running = self._asking.get(caller)
            if running is None or running.done() or running.get_loop() is not asyncio.get_running_loop():
                running = self._asking[caller] = asyncio.ensure_future(self._take(caller))
            await asyncio.shield(running)
        finally:
            self._waiting[caller] -= 1
            if not self._waiting[caller]:
                del self._waiting[caller]
                self._asking.pop(caller, None)

    async def _take(self, caller: str) -> None:
        want = max(self.limit // _PARTS, self._waiting[caller], 1)
        old = self._leases.get(caller) or self._before.pop(caller, None)
        unused = (old.window, old.left) if old is not None else (0, 0)
        begin = self._clock()
        given = await self._ask(
            partial(take, self._shared, self._kind, self.limit, self.seconds, caller, want, unused)
        )  # fmt: skip
        if given is None:
            return
        if given.window != self._window:
            self._turn(given.window)
        left = given.granted + (old.left if old is not None and old.window == given.window else 0)
        # The end by the earliest moment at which it can have been computed.
        refused_until = self._clock() + given.wait if not given.granted else 0.0
        self._leases[caller] = _Lease(given.window, left, given.left, begin + given.ends, refused_until)

    def _turn(self, window: int) -> None:
        """Forget what was before the last window, here and in the shared count."""
        self._window, self._before, self._leases = window, self._leases, {}
        asyncio.get_running_loop().run_in_executor(None, self._forget, window - 1)

    def _forget(self, window: int) -> None:
        try:
            forget_before(self._shared, self._kind, window)
        except Exception as error:
            log.warning("earlier counts of requests were not removed: %s", error)

    async def _ask(self, function: Callable[[], Allowance | None]) -> Allowance | None:
        """Call a function of the store in a thread; None, and a rest for the store, where it fails."""
        try:
            call = asyncio.get_running_loop().run_in_executor(None, function)
            return await asyncio.wait_for(call, _ANSWER_SECONDS)
        except Exception as error:
            self._alone_until = self._clock() + _REST_SECONDS
            log.warning("this process counts requests for itself: %s: %s", type(error).__name__, error)
            return None
