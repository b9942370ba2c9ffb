"""A typed client of the API that waits for nothing: every read and subscription, awaited.

Answers are the models of `hazecast.services.web.schemas`. Errors are those of `hazecast.services.client.errors`.
"""

from __future__ import annotations

from hazecast.services.client.async_account import AsyncAccount
from hazecast.services.client.async_reads import AsyncReads
from hazecast.services.client.async_studies import AsyncStudies


class AsyncClient(AsyncReads, AsyncAccount, AsyncStudies):
    """As `Client`, for programs that wait for many things at once: methods are awaited, lists iterated with ``async for``.

    A list or stream that is left before its end is closed by `contextlib.aclosing`.

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
    transport : httpx.AsyncBaseTransport, optional
        Sends the requests in place of the network, for tests.

    Raises
    ------
    NoAnswerError
        If `server` is not an address.

    Examples
    --------
    >>> async with AsyncClient("https://haze.example") as client:  # doctest: +SKIP
    ...     forecast = await client.forecast("beijing")
    """
