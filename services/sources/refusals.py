"""What a publisher's refusal says: how long to wait, whether its certificate is the reason, and the error that it becomes."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path

import httpx

from hazecast.grids.errors import InputError
from hazecast.services.core.clock import utc_now
from hazecast.services.sources.errors import ContentError, FetchError

# A number of seconds since 1970 has at least so many digits.
_EPOCH_DIGITS = 9
_TOO_MANY_REQUESTS = 429
# So many bytes of an answer are shown in an error.
EXCERPT = 200
# An error of S3 and of what speaks its protocol: <Error><Code>AccessDenied</Code><Message>Access Denied</Message>...
_XML_MESSAGE, _XML_BYTES = re.compile(r"<Message>([^<]+)</Message>"), 10_000


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
    if value.isdecimal():
        return float(value) if len(value) < _EPOCH_DIGITS else max(float(value) - utc_now().timestamp(), 0.0)
    try:
        return max(parsedate_to_datetime(value).timestamp() - utc_now().timestamp(), 0.0)
    except (TypeError, ValueError):
        return None


def rate_limit_wait(response: httpx.Response) -> float:
    """Return how many seconds the next request must wait since the limit is used up; 0 where it isn't."""
    left = response.headers.get("x-ratelimit-remaining", "").strip()
    return (wait_asked(response) or 0.0) if left.isdigit() and int(left) == 0 else 0.0


def unanswered(address: str, error: Exception) -> FetchError:
    """Return the error of a request that got no answer.

    Parameters
    ----------
    address : str
        Without keys.
    error : httpx.InvalidURL or httpx.HTTPError

    Returns
    -------
    FetchError
        Transient, unless the address or the server's certificate is at fault.
    """
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return FetchError(address, error, "an http or https address")
    if refused := certificate_fault(error):
        return FetchError(
            address,
            f"a certificate that can't be trusted: {refused}",
            "one of a known authority, or of the CA file in the settings",
        )
    return FetchError(address, f"{type(error).__name__}: {error}".rstrip(": "), "an answer", transient=True)


def refusal(
    response: httpx.Response, accepted: Sequence[int], longest_wait: float, redacted: Callable[[object], str]
) -> FetchError:
    """Return the error of an answer whose status isn't one of those that are accepted.

    Parameters
    ----------
    response : httpx.Response
        Its body may not have been read yet.
    accepted : sequence of int
        Statuses.
    longest_wait : float
        Seconds; where the server asks for more, the error isn't transient.
    redacted : callable
        Returns a text without keys.

    Returns
    -------
    FetchError
        Transient for 429 and 5xx.
    """
    status = response.status_code
    transient, after = status == _TOO_MANY_REQUESTS or status >= 500, wait_asked(response)
    found = f"HTTP {status}"
    if after is not None and after > longest_wait:
        transient, found = False, f"{found}, to be asked again in {after:.0f} s"
    if not transient:
        reason = redacted(_reason(response.read().decode("utf-8", "replace").strip()))
        found = f"{found}: {reason}" if reason else found
    return FetchError(
        redacted(response.url),
        found,
        "HTTP " + " or ".join(map(str, accepted)),
        status=status,
        transient=transient,
        retry_after=after if transient else None,
    )


def _reason(body: str) -> str:
    """Return what a refusal says; of XML, as buckets answer, its message alone."""
    if not body.startswith("<"):
        return body[:EXCERPT]
    found = _XML_MESSAGE.search(body[:_XML_BYTES])
    return found[1].strip()[:EXCERPT] if found else ""


def is_html(content: bytes) -> bool:
    """Return whether an answer begins as a page: publishers send one under status 200 for an error or a login."""
    start = content[:EXCERPT].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))


def refuse_cut_packing(response: httpx.Response) -> None:
    """Refuse an answer whose gzip stream ends before its end, or goes on after it: httpx returns what it could unpack.

    Parameters
    ----------
    response : httpx.Response
        Whose body has been read.

    Raises
    ------
    httpx.ReadError
        If it is one.
    """
    # httpx shows its decoders under no public name.
    stream = getattr(getattr(response, "_decoder", None), "decompressor", None)
    if (response.num_bytes_downloaded and not getattr(stream, "eof", True)) or getattr(stream, "unused_data", None):
        raise httpx.ReadError("a packed answer that is cut off", request=response.request)


def refuse_another_range(response: httpx.Response, start: int, address: str) -> None:
    """Refuse a part of a file that begins elsewhere.

    Parameters
    ----------
    response : httpx.Response
        With status 206.
    start : int
        The first byte that was asked for.
    address : str
        Its address, without keys.

    Raises
    ------
    ContentError
        If it begins at another byte, or doesn't say at which.
    """
    header = response.headers.get("content-range", "")
    if not header.startswith(f"bytes {start}-"):
        raise ContentError(address, f"Content-Range {header!r}", f"bytes from {start}", status=206)


def refuse_html(response: httpx.Response, address: str, expected: str) -> None:
    """Refuse a page where data was asked for: publishers answer with one when they are out of order.

    Parameters
    ----------
    response : httpx.Response
        Read.
    address : str
        Its address, without keys.
    expected : str
        What the answer should be.

    Raises
    ------
    ContentError
        If the answer is HTML.
    """
    if is_html(response.content) or "html" in response.headers.get("content-type", ""):
        raise ContentError(address, "an HTML page", expected, status=response.status_code)
