"""What a publisher's refusal says: how long to wait, and whether its certificate is the reason."""

from __future__ import annotations

import ssl
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path

import httpx

from hazecast.grids.errors import InputError
from hazecast.services.core.clock import utc_now

# A number of seconds since 1970 has at least so many digits.
_EPOCH_DIGITS = 9


@cache
def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return what certificates are checked with.

    Parameters
    ----------
    ca_file : Path or None
        PEM file of certificates that are trusted besides the usual ones.

    Returns
    -------
    ssl.SSLContext

    Raises
    ------
    InputError
        If the file can't be read.
    """
    # Reading the certificates takes longer than many requests.
    context = httpx.create_ssl_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise InputError(str(ca_file), error, "a PEM file of certificates") from error
    return context


def certificate_fault(error: BaseException) -> str:
    """Return why a certificate was refused; empty where the failure is another. Asking again does not mend it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        cause = cause.__cause__ or cause.__context__
    return ""


def wait_asked(response: httpx.Response) -> float | None:
    """Return the seconds to wait before the next request, None where the server doesn't say.

    Retry-After gives seconds or a date; without it X-RateLimit-Reset, which servers write as seconds too or as seconds
    since 1970.
    """
    value = response.headers.get("retry-after", "").strip() or response.headers.get("x-ratelimit-reset", "").strip()
    if value.isdigit():
        return float(value) if len(value) < _EPOCH_DIGITS else max(float(value) - utc_now().timestamp(), 0.0)
    try:
        return max(parsedate_to_datetime(value).timestamp() - utc_now().timestamp(), 0.0)
    except (TypeError, ValueError):
        return None


def rate_limit_wait(response: httpx.Response) -> float:
    """Return how many seconds the next request must wait since the limit is used up; 0 where it isn't."""
    left = response.headers.get("x-ratelimit-remaining", "").strip()
    return (wait_asked(response) or 0.0) if left.isdigit() and int(left) == 0 else 0.0
