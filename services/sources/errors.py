"""The errors of sources: a publisher that can't be reached, or whose answer isn't what it documents."""

from __future__ import annotations

_LONGEST_QUERY = 100


class FetchError(Exception):
    """A source can't be reached, or refuses.

    Parameters
    ----------
    url : str
        The address, without keys.
    found : object
        The status or fault.
    expected : str
        What was expected in its place.
    status : int, optional
        HTTP status, where there was an answer.
    transient : bool
        Whether a retry may succeed.
    retry_after : float, optional
        Seconds that the server asked to wait.
    """

    def __init__(
        self,
        url: str,
        found: object,
        expected: str,
        *,
        status: int | None = None,
        transient: bool = False,
        retry_after: float | None = None,
    ) -> None:
        self.url = url
        self.found = found
        self.expected = expected
        self.status = status
        self.transient = transient
        self.retry_after = retry_after
        super().__init__(f"{_shortened(url)}: found {found!s}; expected {expected}")


def _shortened(url: str) -> str:
    """Return an address without the rest of a long query, behind which nobody would find what is wrong."""
    base, mark, query = url.partition("?")
    return url if len(query) <= _LONGEST_QUERY else f"{base}{mark}{query[:_LONGEST_QUERY]}..."


class ContentError(FetchError):
    """An answer was received, but isn't what the publisher documents."""
