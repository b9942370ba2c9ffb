"""The errors of the client, one tree::

ServerError
    NoAnswerError       the server can't be reached: an invalid address, no connection, a time-out
    RefusedError        4xx other than 429: the request itself must change; `errors` names the arguments
    UnavailableError    429, 5xx and any other status: the same request may succeed later
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hazecast.services.web.schemas.forecasts import InvalidOut, ProblemOut

if TYPE_CHECKING:
    import httpx

# Statuses after which the same request is made again.
PASSING = (429, 502, 503, 504)


class ServerError(Exception):
    """A request to the API that brought no result; the base of all errors of the client.

    Parameters
    ----------
    address : str
        What was asked.
    detail : str
        What is wrong, in the server's words where it answered.
    status : int, optional
        The answer's status; None where no answer came.
    errors : list of InvalidOut, optional
        Every argument that is wrong, with the reason.

    Attributes
    ----------
    status, detail, errors
        As given; `errors` is empty where none are named.
    """

    def __init__(
        self, address: str, detail: str, status: int | None = None, errors: list[InvalidOut] | None = None
    ) -> None:
        super().__init__(f"{address}: {detail}")
        self.status, self.detail, self.errors = status, detail, errors or []

    @property
    def refused(self) -> bool:
        """Whether the request itself is at fault."""
        return isinstance(self, RefusedError)


class NoAnswerError(ServerError):
    """The server can't be reached: an invalid address, no connection or a time-out."""


class RefusedError(ServerError):
    """A 4xx answer other than 429: the request itself must change."""


class UnavailableError(ServerError):
    """A 429 or 5xx answer, or another unexpected one: the same request may succeed later."""


def error_of(address: str, answer: httpx.Response) -> ServerError:
    """Return the error that an answer means.

    Parameters
    ----------
    address : str
        What was asked.
    answer : httpx.Response
        An answer other than 200; its body may be a problem (RFC 9457).

    Returns
    -------
    ServerError
        A `RefusedError` or an `UnavailableError`.
    """
    status = answer.status_code
    kind = RefusedError if 400 <= status < 500 and status not in PASSING else UnavailableError
    try:
        problem = ProblemOut.model_validate_json(answer.content)
    except ValueError:
        return kind(address, f"{status} {answer.reason_phrase}", status)
    return kind(address, problem.detail, status, problem.errors)
