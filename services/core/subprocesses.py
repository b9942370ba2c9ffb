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
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from multiprocessing import Pipe
from typing import Generic, NamedTuple, TypeVar

from hazecast.grids.errors import InputError

_T = TypeVar("_T")
SECONDS = 300.0
_START_SECONDS = 120.0
# Whether a call succeeded, its result or error, and its processor time.
_Answer = tuple[bool, object, float]


def run_in_subprocess(
    function: Callable[..., _T], *arguments: object, where: str, seconds: float = SECONDS, alone: bool = True
) -> _T:
    """Call a function in a subprocess and return its result.

    By default one call is made after the other, so that readers of large files don't add up their memory. Subprocesses are
    started when there is none idle, and serve further calls until one of these crashes or hangs.

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
    alone : bool
        Wait until no other such call is in progress; False where the caller bounds their number.

    Returns
    -------
    object
        What `function` returned.

    Raises
    ------
    InputError
        If the subprocess died or did not answer in time. Errors of `function` itself are raised as they are.
    """
    with _one_call if alone else nullcontext():
        try:
            return call_elsewhere(function, *arguments, seconds=seconds).value
        except HungError as error:
            raise InputError(where, f"no end of reading after {round(seconds, 1):g} s", "an undamaged file") from error
        except CrashError as error:
            raise InputError(where, f"a crash of its reader (exit code {error.code})", "an undamaged file") from error


class CrashError(RuntimeError):
    """A subprocess died during a call; `code` is its exit code, negative the signal that ended it."""

    def __init__(self, code: int) -> None:
        super().__init__(f"a subprocess died during a call (exit code {code})")
        self.code = code


class HungError(RuntimeError):
    """A subprocess did not answer in time, and was ended."""


class Made(NamedTuple, Generic[_T]):
    """What a call in a subprocess returned, and the processor time that it took there, in seconds."""

    value: _T
    seconds: float


def call_elsewhere(
    function: Callable[..., _T], *arguments: object, seconds: float = SECONDS, alone: bool = False
) -> Made[_T]:
    """Call a function in an idle subprocess, or in a new one if there is none.

    Parameters
    ----------
    function : callable
        As for `run_in_subprocess`.
    *arguments : object
        Passed to `function`.
    seconds : float
        Time limit of the call.
    alone : bool
        In a new one that ends after the call: what it held in memory is given back.

    Returns
    -------
    Made

    Raises
    ------
    HungError
        If it did not answer in time; the subprocess is then ended.
    CrashError
        If the subprocess died. Errors of `function` itself are raised as they are.
    """
    worker = _new_worker() if alone else _idle_worker()
    try:
        ok, value, spent = worker.call(function, arguments, seconds)
    except (EOFError, ConnectionError) as error:
        raise CrashError(worker.kill()) from error
    except BaseException:
        # Hung or interrupted: the answer to this call must not be taken for that to the next.
        worker.kill()
        raise
    if alone:
        worker.end()
    else:
        with _guard:
            _idle.append(worker)
    if not ok:
        raise value  # type: ignore[misc]
    return Made(value, spent)  # type: ignore[arg-type]


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

    def call(self, function: Callable[..., object], arguments: tuple[object, ...], seconds: float) -> _Answer:
        """Send a call and wait for its answer: whether it succeeded, its result or error, and its processor time."""
        # The worker ends itself too, should this process be gone by then.
        self._connection.send((math.ceil(seconds) + 60, function, arguments))
        self._receive(_START_SECONDS)
        return self._receive(seconds)

    def _receive(self, seconds: float) -> _Answer:
        if not self._connection.poll(seconds):
            raise HungError(f"no answer after {seconds:g} s")
        received: _Answer = self._connection.recv()
        return received

    @property
    def alive(self) -> bool:
        """Whether it is this process's own and can be called."""
        return self.owner == os.getpid() and self._process.poll() is None and not self._connection.closed

    def end(self) -> None:
        """End the subprocess; a call in progress in another thread finds it dead."""
        self._process.kill()
        self._process.wait()

    def kill(self) -> int:
        """End the subprocess and return its exit code; negative, the signal that had ended it."""
        self._connection.close()
        try:
            # One that crashed is given time to end by itself: its exit code says how.
            return self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            return self._process.wait()


_one_call = threading.Lock()
_guard = threading.Lock()
_idle: list[_Worker] = []
_started: weakref.WeakSet[_Worker] = weakref.WeakSet()


def _idle_worker() -> _Worker:
    with _guard:
        while _idle:
            worker = _idle.pop()
            if worker.alive:
                return worker
    return _new_worker()


def _new_worker() -> _Worker:
    worker = _Worker()
    with _guard:
        _started.add(worker)
    return worker


def end_subprocesses() -> None:
    """End the subprocesses of this process; calls in progress fail, later ones start new ones."""
    with _guard:
        workers, _idle[:] = [w for w in _started if w.owner == os.getpid()], []
    for worker in workers:
        worker.end()


atexit.register(end_subprocesses)
