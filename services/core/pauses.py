"""How long a process that serves may stand still: the pauses of Python's garbage collector, and of waiting for its lock."""

from __future__ import annotations

import gc
import sys

# A thread that computes hands the interpreter's lock on after this time, where another waits for it: by default after 5 ms,
# and an answer needs the lock some ten times.
_SWITCH_SECONDS = 0.001
_THRESHOLDS = gc.get_threshold()
_NEVER = 2**30


def shorten_waits() -> None:
    """Let threads wait less long for the interpreter's lock, and let no collection look at what is there now.

    A full collection walks through all objects and holds the lock meanwhile: 0.15 s with what a server has loaded. There is
    none until `keep_loaded` is called.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
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
