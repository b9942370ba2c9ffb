"""Dask: the threads of this process, or the workers of a ``dask.distributed`` scheduler; the code that they run is the same."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires

if TYPE_CHECKING:
    from distributed import Client

# Where Dask shows its state; any free port.
HERE = "127.0.0.1:0"
# Called with the number of parts done and in all.
Progress = Callable[[int, int], None]


def dask_client(address: str | None) -> Client:
    """Return a client, to be closed.

    Parameters
    ----------
    address : str or None
        Of a scheduler, such as ``tcp://10.0.0.5:8786``; None for threads of this process.

    Returns
    -------
    distributed.Client

    Raises
    ------
    InputError
        If the scheduler doesn't answer, or the extra "archive" isn't installed.
    """
    make: type[Client] = requires("distributed", "archive").Client
    if address is None:
        return make(
            processes=False,
            n_workers=1,
            threads_per_worker=os.cpu_count() or 1,
            # Without an address they would be open to the network, at the port 8787 that another process may have.
            dashboard_address=HERE,
            worker_dashboard_address=HERE,
            memory_limit=0,
            silence_logs=logging.ERROR,
            set_as_default=False,
        )
    try:
        # As the default, a client that found no scheduler would go on answering for every later computation of the process.
        return make(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError("Dask scheduler", address, "the address of a scheduler that answers") from error
