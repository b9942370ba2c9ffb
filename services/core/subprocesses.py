"""Calls that may crash or hang, made in a subprocess.

The C libraries behind GRIB2 and NetCDF can crash, or never return, on damaged files (found by `make fuzz`).
In a subprocess only the subprocess ends, which becomes a clear error; the service continues.

The subprocess is a new interpreter (`hazecast.services.core.subprocess_worker`), not a child of
`multiprocessing`: that would import the caller's main module again, and so run a plain script twice.
"""

from __future__ import annotations

import atexit
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing import Pipe
from typing import TypeVar

from hazecast.grids.errors import InputError

_T = TypeVar("_T")
SECONDS = 300.0
_START_SECONDS = 120.0


def run_in_subprocess(function: Callable[..., _T], *arguments: object, where: str, seconds: float = SECONDS) -> _T:
    """Call a function in a subprocess and return its result.

    One subprocess serves all calls of this process, one call after the other. It is started with the first
    call and after one that crashed or hung.

    Parameters
    ----------
    function : callable
        Of a module's top level, importable by its name; it, its arguments and its result must be picklable.
    *arguments : object
        Passed to `function`.
    where : str
        The file, for the error.
    seconds : float
        Time limit of the call.

    Returns
    -------
    object
        What `function` returned.

    Raises
    ------
    InputError
        If the subprocess died or did not answer in time. Errors of `function` itself are raised as they are.
    """
    with _lock:
        worker = _worker()
        try:
            ok, value = worker.call(function, arguments, seconds)
        except TimeoutError as error:
            worker.kill()
            raise InputError(where, f"no end of reading after {seconds:g} s", "an undamaged file") from error
        except (EOFError, ConnectionError) as error:
            code = worker.kill()
            raise InputError(where, f"a crash of its reader (exit code {code})", "an undamaged file") from error
        except BaseException:
            # Interrupted: the answer to this call must not be taken for that to the next.
            worker.kill()
            raise
    if not ok:
        raise value  # type: ignore[misc]
    return value  # type: ignore[return-value]


class _Worker:
    """A running subprocess and the connection to it."""

    def __init__(self) -> None:
        self._connection, theirs = Pipe()
        # Every entry of this process's path, so that functions of modules beside a script are found too; -P keeps
        # the working directory off it.
        path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
        module = "hazecast.services.core.subprocess_worker"
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with a fixed module
                [sys.executable, "-P", "-m", module, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=os.environ | {"PYTHONPATH": path},
            )
        self.owner = os.getpid()

    def call(
        self, function: Callable[..., object], arguments: tuple[object, ...], seconds: float
    ) -> tuple[bool, object]:
        """Send a call and wait for its answer: whether it succeeded, and its result or error."""
        # The worker ends itself too, should this process be gone by then.
        self._connection.send((math.ceil(seconds) + 60, function, arguments))
        self._receive(_START_SECONDS)
        answer: tuple[bool, object] = self._receive(seconds)
        return answer

    def _receive(self, seconds: float) -> tuple[bool, object]:
        if not self._connection.poll(seconds):
            raise TimeoutError
        received: tuple[bool, object] = self._connection.recv()
        return received

    @property
    def alive(self) -> bool:
        """Whether it is this process's own and can be called."""
        return self.owner == os.getpid() and self._process.poll() is None and not self._connection.closed

    def kill(self) -> int:
        """End the subprocess and return its exit code; negative, the signal that had ended it."""
        self._connection.close()
        try:
            # One that crashed is given time to end by itself: its exit code says how.
            return self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            return self._process.wait()


_lock = threading.Lock()
_running: _Worker | None = None


def _worker() -> _Worker:
    global _running
    if _running is None or not _running.alive:
        _running = _Worker()
        atexit.register(_running.kill)
    return _running
