"""Reading what may be damaged in a process of its own.

The C libraries behind GRIB2 and NetCDF can crash, or never end, on damaged files: found by `make fuzz`.
Here that costs a child process and becomes a clear error; the service goes on.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from functools import lru_cache
from multiprocessing import get_context
from typing import TypeVar

from pebble import ProcessExpired, ProcessPool

from hazecast.grids.errors import InputError

_T = TypeVar("_T")
SECONDS = 300.0


def apart(function: Callable[..., _T], *arguments: object, where: str, seconds: float = SECONDS) -> _T:
    """Return what a function returns that runs in a process of its own.

    Parameters
    ----------
    function : callable
        Of a module's top level; it, its arguments and its result must be picklable.
    where : str
        The file, for the error.
    seconds : float
        How long it may take.

    Raises
    ------
    InputError
        If the process died or did not end in time. Errors of `function` itself come through.
    """
    try:
        result: _T = _pool().schedule(function, args=arguments, timeout=seconds).result()
    except TimeoutError as error:
        raise InputError(where, f"no end of reading after {seconds:g} s", "an undamaged file") from error
    except ProcessExpired as error:
        raise InputError(where, f"a crash of its reader (exit code {error.exitcode})", "an undamaged file") from error
    return result


@lru_cache(maxsize=1)
def _pool() -> ProcessPool:
    # Spawned, not forked: the service has threads.
    pool = ProcessPool(max_workers=1, context=get_context("spawn"))
    atexit.register(pool.stop)
    return pool
