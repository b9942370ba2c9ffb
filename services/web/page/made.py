"""What was made of the newest snapshot: kept while it is the newest, forgotten with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from functools import lru_cache, partial
from typing import Any, Generic, TypeVar

from hazecast.services.web.page.snapshot import Snapshot

Made = TypeVar("Made")


class MadeOnce(Generic[Made]):
    """Makes something of a snapshot and further arguments, once for each.

    Nothing holds an earlier snapshot, which would keep its whole forecast in memory.

    Parameters
    ----------
    make : callable
        Of the snapshot and the arguments.
    most : int
        How many results are kept, the least recently used go first.
    """

    def __init__(self, make: Callable[..., Made], most: int) -> None:
        self._make, self._most = make, most
        self._guard = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._kept: Callable[..., Made] | None = None

    def __call__(self, snapshot: Snapshot, *arguments: Hashable) -> Made:
        """Return what is made of a snapshot and the arguments."""
        with self._guard:
            if self._kept is None or snapshot is not self._snapshot:
                made: Any = partial(self._make, snapshot)
                self._snapshot, self._kept = snapshot, lru_cache(self._most)(made)
            kept = self._kept
        return kept(*arguments)
