"""The subprocess of `hazecast.services.core.subprocesses`: makes the calls that it is sent, until the pipe closes.

For each call it sends an acknowledgement, then the answer: whether it succeeded, the result or the error, and the
processor time that it took in seconds.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from multiprocessing.connection import Connection

from hazecast.grids.errors import InputError


def serve(connection: Connection) -> None:
    """Answer calls until the other side closes the connection."""
    while True:
        try:
            limit, function, arguments = connection.recv()
        except EOFError:
            return
        except Exception as error:
            # A function that can't be imported here, as one of the caller's main module.
            connection.send((True, None, 0.0))
            connection.send((False, error, 0.0))
            continue
        connection.send((True, None, 0.0))
        signal.alarm(limit)
        start = time.process_time()
        try:
            result = function(*arguments)
            connection.send((True, result, time.process_time() - start))
        except Exception as error:
            if not isinstance(error, InputError):
                error.add_note("In a subprocess:\n" + traceback.format_exc())
            _send_error(connection, error, time.process_time() - start)
        finally:
            signal.alarm(0)


def _send_error(connection: Connection, error: Exception, seconds: float) -> None:
    try:
        connection.send((False, error, seconds))
    except Exception:
        connection.send((False, RuntimeError(f"{type(error).__name__}: {error}"), seconds))


if __name__ == "__main__":
    # It computes for as long as it takes; what answers requests goes before it.
    os.nice(5)
    # The interrupt of a terminal reaches the whole process group; the caller decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(Connection(int(sys.argv[1])))
