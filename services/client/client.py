"""A typed client of the API, for programs, notebooks and the command.

Answers are the models of `hazecast.services.web.schemas`. Errors are those of `hazecast.services.client.errors`.
"""

from __future__ import annotations

from hazecast.services.client.account import Account
from hazecast.services.client.reads import Reads
from hazecast.services.client.studies import Studies


class Client(Reads, Account, Studies):
    """A connection to a Hazecast service; close it, or use it as a context manager.

    A read that fails temporarily (no connection, status 429, 502, 503 or 504) is repeated with growing pauses, or after
    the time that the header Retry-After gives. Answers are cached with their ETag; the server sends a cached one again
    only after it changed.

    Parameters
    ----------
    server : str
        Address of the service, such as ``https://haze.example``.
    key : str, optional
        An API key; reads of public data need none.
    attempts : int
        How often a read is made at most.
    timeout : float
        Longest silence of the server, s.
    transport : httpx.BaseTransport, optional
        Sends the requests in place of the network, for tests.

    Raises
    ------
    NoAnswerError
        If `server` is not an address.

    Notes
    -----
    Every method that reads raises a `ServerError`: `NoAnswerError`, `RefusedError` or `UnavailableError`; see
    `hazecast.services.client.errors`.

    Examples
    --------
    >>> with Client("https://haze.example") as client:  # doctest: +SKIP
    ...     forecast = client.forecast("beijing")
    ...     tomorrow = forecast.hours[23]
    ...     print(tomorrow.time, tomorrow.pm25.q10, tomorrow.pm25.q50, tomorrow.pm25.q90)
    """
