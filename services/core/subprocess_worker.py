"""The subprocess of `hazecast.services.core.subprocesses`: makes the calls that it is sent, until the pipe closes.

For each call it sends an acknowledgement, then the answer: whether it succeeded, and the result or the error.
"""

from __future__ import annotations

import signal
import sys
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
            connection.send((True, None))
            connection.send((False, error))
            continue
        connection.send((True, None))
        signal.alarm(limit)
        try:
            connection.send((True, function(*arguments)))
        except Exception as error:
            if not isinstance(error, InputError):
                error.add_note("In a subprocess:\n" + traceback.format_exc())
            _send_error(connection, error)
        finally:
            signal.alarm(0)


def _send_error(connection: Connection, error: Exception) -> None:
    try:
        connection.send((False, error))
    except Exception:
        connection.send((False, RuntimeError(f"{type(error).__name__}: {error}")))


if __name__ == "__main__":
    # The interrupt of a terminal reaches the whole process group; the caller decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(Connection(int(sys.argv[1])))
