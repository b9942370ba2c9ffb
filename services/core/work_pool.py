"""A bounded queue before a few subprocesses: work that is native or long stays out of a process that serves.

Drawing, typesetting and NetCDF rest on C libraries that are not made for threads, hold the interpreter's lock, or may
crash. The same work asked for by many at once is done once; more than the queue holds is refused.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from hazecast.services.core.subprocesses import Made, call_elsewhere

log = logging.getLogger(__name__)


class PoolFullError(RuntimeError):
    """More work waits than the pool takes, of all or of one caller; `seconds` is when to try again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"more work waits than the service takes; try again in {seconds} s")
        self.seconds = seconds


@dataclass(frozen=True)
class Submitted:
    """Work that was accepted: its result to be, and whether this call began it."""

    future: Future[Made[bytes]]
    begun: bool


class WorkPool:
    """Makes bytes in subprocesses. Safe to share between threads.

    Parameters
    ----------
    processes : int
        How many work at a time.
    waiting : int
        How many more pieces of work may wait; of one caller half of them.
    seconds : float
        Time limit of a piece of work, from its beginning.
    memory : int
        Bytes of results that are kept, the least recently used go first.
    """

    def __init__(self, processes: int, waiting: int, seconds: float, memory: int) -> None:
        self._processes, self._places, self._seconds, self._memory = processes, processes + waiting, seconds, memory
        self._executor = ThreadPoolExecutor(processes, thread_name_prefix="work")
        self._guard = threading.Lock()
        self._pending: dict[Hashable, tuple[Future[Made[bytes]], str]] = {}
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._size = 0
        self._usual_seconds = 1.0

    def submit(self, key: Hashable, function: Callable[..., bytes], *arguments: object, caller: str = "") -> Submitted:
        """Accept a piece of work, or join the same that is in progress or was done.

        Parameters
        ----------
        key : hashable
            All that the result depends on.
        function : callable
            Of a module's top level; it and its arguments are pickled.
        *arguments : object
        caller : str
            On whose behalf; one alone can't fill the queue.

        Returns
        -------
        Submitted

        Raises
        ------
        PoolFullError
            If too much work waits.
        """
        with self._guard:
            if key in self._kept:
                self._kept.move_to_end(key)
                done: Future[Made[bytes]] = Future()
                done.set_result(Made(self._kept[key], 0.0))
                return Submitted(done, False)
            if key in self._pending:
                return Submitted(self._pending[key][0], False)
            own = Counter(name for _, name in self._pending.values())[caller]
            if len(self._pending) >= self._places or (caller and own >= max(self._places // 2, 1)):
                raise PoolFullError(self._wait())
            future = self._executor.submit(self._make, key, function, arguments)
            self._pending[key] = (future, caller)
            return Submitted(future, True)

    def _wait(self) -> int:
        return max(1, math.ceil(len(self._pending) * self._usual_seconds / self._processes))

    def _make(self, key: Hashable, function: Callable[..., bytes], arguments: tuple[object, ...]) -> Made[bytes]:
        start = time.monotonic()
        made: Made[bytes] | None = None
        try:
            made = call_elsewhere(function, *arguments, seconds=self._seconds)
            return made
        finally:
            with self._guard:
                del self._pending[key]
                self._usual_seconds += 0.2 * (time.monotonic() - start - self._usual_seconds)
                if made is not None:
                    self._keep(key, made.value)

    def _keep(self, key: Hashable, content: bytes) -> None:
        if len(content) > self._memory // 4:
            return
        self._kept[key] = content
        self._size += len(content)
        while self._size > self._memory:
            self._size -= len(self._kept.popitem(last=False)[1])

    def close(self) -> None:
        """Take no more work, and forget what waits; see `hazecast.services.core.subprocesses.end_subprocesses`."""
        self._executor.shutdown(wait=False, cancel_futures=True)
