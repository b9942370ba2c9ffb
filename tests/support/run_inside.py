"""Work that a service would give a subprocess, done in this process at once."""

from __future__ import annotations

from concurrent.futures import Future

from hazecast.services.core.subprocesses import Made
from hazecast.services.core.work_pool import Submitted


def run_inside(_: object, function, *arguments: object, caller: str = "") -> Submitted:
    """Answer as `hazecast.services.core.work_pool.WorkPool.submit` does."""
    future: Future = Future()
    try:
        future.set_result(Made(function(*arguments), 0.1))
    except Exception as error:
        future.set_exception(error)
    return Submitted(future, True)
