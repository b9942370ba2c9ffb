"""The exit codes of the command, and the errors that end it with a message instead of a traceback."""

from __future__ import annotations

import errno

FAILED, INPUT, DEGRADED = 1, 2, 3
# What a disk says that is full, or may only be read.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def explain(error: Exception) -> tuple[int, str] | None:
    """Return the exit code and the message of an error that a user can act on.

    Parameters
    ----------
    error : Exception
        What a command raised.

    Returns
    -------
    tuple of (int, str), or None
        `INPUT` for wrong arguments, settings or data, a missing extra and a request that a server refuses; `FAILED`
        where the store, a disk or a server can't be used. None for anything else: a fault of the program.
    """
    # Imported here: pydantic and xarray (which grids loads) must not delay --help.
    from pydantic import ValidationError

    from hazecast.grids.errors import InputError

    if isinstance(error, InputError):
        return INPUT, str(error)
    if isinstance(error, ValidationError):
        from hazecast.services.core.settings import explained

        # The title is the class's name: Settings, or a group of it such as ServerSettings.
        return INPUT, explained(error) if error.title.endswith("Settings") else str(error)
    from hazecast.services.client import ServerError
    from hazecast.services.core.errors import StoreError

    if isinstance(error, ServerError):
        return INPUT if error.refused else FAILED, str(error)
    if isinstance(error, StoreError) or (isinstance(error, OSError) and error.errno in _DISK):
        return FAILED, str(error)
    return None
