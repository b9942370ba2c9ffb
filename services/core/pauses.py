"""A process that serves for months: how long it may stand still, and that it gives memory back.

It stands still while Python's garbage collector runs, and while it waits for the interpreter's lock.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable

# A thread that computes hands the interpreter's lock on after this time, where another waits for it: by default after 5 ms,
# and an answer needs the lock some ten times.
_SWITCH_SECONDS = 0.001
_THRESHOLDS = gc.get_threshold()
_NEVER = 2**30
# glibc gives each of the first threads, eight for each processor, a heap of its own, which keeps what is freed: with Python's lock two do.
_M_ARENA_MAX, _ARENAS = -8, 2


def shorten_waits() -> None:
    """Let threads wait less long for the interpreter's lock, and let no collection look at what is there now.

    A full collection walks through all objects and holds the lock meanwhile: 0.15 s with what a server has loaded. There is
    none until `keep_loaded` is called.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    mallopt = _of_glibc("mallopt")
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS[:2], _NEVER)


def keep_loaded() -> None:
    """Let no collection look at what was loaded since either; without a full collection, which would be such a pause.

    What is garbage at that moment and only a full collection would have found stays: to be called once.
    """
    gc.collect(1)
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


def give_memory_back() -> None:
    """Give freed memory back to the system, where the C library is one that keeps it (glibc)."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(name: str) -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    # musl has neither.
    found: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    return found
