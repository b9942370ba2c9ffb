"""The HTTP client of all sources: time-outs, retries, and downloads that resume and are stored atomically."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import stamina

from hazecast.grids.errors import InputError
from hazecast.services.sources.errors import ContentError, FetchError
from hazecast.services.sources.partial import ByteRange, Part, range_headers
from hazecast.services.sources.refusals import (
    EXCERPT,
    is_html,
    refusal,
    refuse_another_range,
    refuse_cut_packing,
    refuse_html,
    tls_context,
    unanswered,
)

# httpx logs every address at INFO, and some publishers expect their key in the address.
logging.getLogger("httpx").setLevel(logging.WARNING)

_T = TypeVar("_T")
_USER_AGENT = "hazecast (air-quality forecasts; python-httpx)"
# Of an answer that is read into memory, unpacked: a few kB of gzip may claim to hold more than the memory does.
_LARGEST_ANSWER = 512 * 2**20


@dataclass(frozen=True)
class Patience:
    """Time-outs and retries; all times in seconds.

    `wait_initial` doubles with each attempt up to `wait_max`, plus a random part up to
    `wait_jitter`. A server's Retry-After is honoured up to `retry_after_max`; a longer one
    is an error at once. `body_seconds` limits the time of one complete answer, `job_seconds`
    that of a job which a publisher queues.
    """

    attempts: int = 5
    wait_initial: float = 1.0
    wait_max: float = 60.0
    wait_jitter: float = 1.0
    retry_after_max: float = 120.0
    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    body_seconds: float = 600.0
    job_seconds: float = 12 * 3600.0


@dataclass
class Traffic:
    """Counts of a client so far; retries are the requests beyond the first of each fetch."""

    requests: int = 0
    retries: int = 0
    bytes_read: int = 0


class HttpClient:
    """Fetch from one publisher, with time-outs, retries and resumed downloads.

    Time-outs, lost connections, 429 and 5xx are retried; every other refusal is an error at
    once.

    Parameters
    ----------
    patience : Patience, optional
    headers : mapping, optional
        Sent with every request.
    secrets : sequence of str
        Keys that are redacted in errors and logs.
    ca_file : Path, optional
        PEM file of certificates that are trusted besides the usual ones.
    """

    def __init__(
        self,
        patience: Patience | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
        ca_file: Path | None = None,
    ) -> None:
        self.patience = patience or Patience()
        self.traffic = Traffic()
        # In an address a key is percent-encoded.
        self._secrets = [form for secret in secrets if secret for form in (secret, quote(secret, safe=""))]
        self._client = httpx.Client(
            headers={"User-Agent": _USER_AGENT, **(headers or {})},
            timeout=httpx.Timeout(self.patience.read_seconds, connect=self.patience.connect_seconds),
            follow_redirects=True,
            verify=tls_context(ca_file),
        )

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        """Return the complete answer to a request.

        Parameters
        ----------
        method : str
            "GET", "POST" and so on.
        url : str
        **options
            As of ``httpx.Client.request``.

        Returns
        -------
        httpx.Response
            Status 200, its body decompressed and read.

        Raises
        ------
        FetchError
            If the server can't be reached or refuses.
        """
        return self._with_retries(lambda: self._read(method, url, options))

    def exists(self, url: str) -> bool:
        """Return whether a file exists, by its header alone (HEAD); 403 and 404 mean no."""
        try:
            self.request("HEAD", url)
        except FetchError as error:
            # Buckets that can't be listed answer 403 for a file that doesn't exist.
            if error.status in (403, 404):
                return False
            raise
        return True

    def json(self, url: str, *, method: str = "GET", expected: str = "JSON", **options: Any) -> Any:
        """Return the decoded JSON of an answer.

        Parameters
        ----------
        url : str
        method : str
            HTTP method.
        expected : str
            What the answer should be, for errors.
        **options
            As of ``httpx.Client.request``.

        Returns
        -------
        object

        Raises
        ------
        ContentError
            If the answer is an HTML page or anything else that isn't JSON.
        FetchError
            If the server can't be reached or refuses.
        """

        return self.decoded(url, json.loads, method=method, expected=expected, **options)

    def decoded(
        self, url: str, decode: Callable[[bytes], _T], *, method: str = "GET", expected: str, **options: Any
    ) -> _T:
        """Return what `decode` makes of an answer; one that it refuses is asked for again.

        Parameters
        ----------
        url : str
        decode : callable
            Raises ValueError for what it can't read, as of an answer that was cut.
        method : str
            HTTP method.
        expected : str
            What the answer should be, for errors.
        **options
            As of ``httpx.Client.request``.

        Returns
        -------
        object

        Raises
        ------
        ContentError
            If the answer is an HTML page, or `decode` refuses every attempt.
        FetchError
            If the server can't be reached or refuses.
        """

        def read() -> _T:
            response = self._read(method, url, options)
            refuse_html(response, self.redacted(response.url), expected)
            try:
                return decode(response.content)
            except (ValueError, RecursionError) as error:
                start = response.content[:EXCERPT].decode("utf-8", "replace")
                raise ContentError(self.redacted(response.url), repr(start), expected, status=response.status_code,
                                   transient=True) from error  # fmt: skip

        return self._with_retries(read)

    def text(self, url: str, *, expected: str = "CSV", encoding: str = "utf-8", **options: Any) -> str:
        """Return an answer as text, for example CSV.

        Parameters
        ----------
        url : str
        expected : str
            What the answer should be, for errors.
        encoding : str
            Of the answer.
        **options
            As of ``httpx.Client.request``.

        Returns
        -------
        str

        Raises
        ------
        ContentError
            If the answer is an HTML page, or its bytes aren't in `encoding`.
        FetchError
            If the server can't be reached or refuses.
        """

        def decoded() -> str:
            response = self._read("GET", url, options)
            refuse_html(response, self.redacted(response.url), expected)
            try:
                return response.content.decode(encoding)
            except UnicodeDecodeError as error:
                raise ContentError(
                    self.redacted(response.url), error, f"{expected} in {encoding}", status=response.status_code
                ) from error

        return self._with_retries(decoded)

    def download(
        self,
        url: str,
        path: Path,
        *,
        ranges: Sequence[ByteRange] | None = None,
        verify: Callable[[Path], object] | None = None,
    ) -> Path:
        """Store a file, or some of its byte ranges joined, atomically under `path`.

        The bytes received so far are stored beside it as ``.part``, and the download resumes from them, in this
        process or a later one, as long as the file on the server is the same (If-Range). An existing file is
        not fetched again.

        Parameters
        ----------
        url : str
        path : Path
        ranges : sequence of (int, int or None), optional
            First and last byte of each; only the last may be open. By default the entire file.
        verify : callable, optional
            Called with the part before it is renamed to `path`. On its InputError the part is deleted,
            and the download is retried.

        Returns
        -------
        Path
            `path`.

        Raises
        ------
        ContentError
            If `verify` rejects every attempt, or the answer is not a byte range.
        FetchError
            If the server can't be reached or refuses.
        """
        if path.exists():
            return path
        part = Part(path, list(ranges) if ranges is not None else [(0, None)], entire=ranges is None)

        def fetched() -> Path:
            self._resume(url, part)
            try:
                if verify is not None:
                    verify(part.file)
            except InputError as error:
                found: object = "an HTML page" if is_html(part.head) else error
                part.discard()
                raise ContentError(self.redacted(url), found, "an undamaged file", transient=True) from error
            return part.finish()

        return self._with_retries(fetched)

    def redacted(self, text: object) -> str:
        """Return text for an error or a log with the keys replaced."""
        result = str(text)
        for secret in self._secrets:
            result = result.replace(secret, "***")
        return result

    def _with_retries(self, action: Callable[[], _T]) -> _T:
        waits = self.patience
        for attempt in stamina.retry_context(
            on=_backoff,
            attempts=waits.attempts,
            timeout=None,
            wait_initial=waits.wait_initial,
            wait_max=waits.wait_max,
            wait_jitter=waits.wait_jitter,
        ):
            with attempt:
                self.traffic.retries += attempt.num > 1
                return action()
        raise AssertionError("unreachable")  # the last attempt returns or raises

    @contextmanager
    def _exchange(
        self, method: str, url: str, options: Mapping[str, Any], accept: Sequence[int]
    ) -> Iterator[httpx.Response]:
        self.traffic.requests += 1
        try:
            with self._client.stream(method, url, **options) as response:
                if response.status_code not in accept:
                    raise refusal(response, accept, self.patience.retry_after_max, self.redacted)
                yield response
        except (httpx.InvalidURL, httpx.HTTPError) as error:
            raise unanswered(self.redacted(url), error) from error

    def _read(self, method: str, url: str, options: Mapping[str, Any]) -> httpx.Response:
        with self._exchange(method, url, options, (200,)) as response:
            parts, size = [], 0
            for part in self._chunks(response):
                size += len(part)
                if size > _LARGEST_ANSWER:
                    raise FetchError(
                        self.redacted(url), f"more than {_LARGEST_ANSWER} bytes", f"at most {_LARGEST_ANSWER}"
                    )
                parts.append(part)
            content = b"".join(parts)
            return httpx.Response(
                response.status_code,
                headers={k: v for k, v in response.headers.items() if k not in ("content-encoding", "content-length")},
                content=content,
                request=response.request,
            )

    def _chunks(self, response: httpx.Response) -> Iterator[bytes]:
        until = time.monotonic() + self.patience.body_seconds
        for chunk in response.iter_bytes():
            self.traffic.bytes_read += len(chunk)
            yield chunk
            if time.monotonic() > until:
                raise httpx.ReadTimeout(f"more than {self.patience.body_seconds:g} s", request=response.request)
        refuse_cut_packing(response)

    def _resume(self, url: str, part: Part) -> None:
        if part.validator is None:
            # Without a validator the rest might be of another file.
            part.discard()
        while (wanted := part.next()) is not None:
            plain = part.entire and wanted == (0, None)
            headers = {"Accept-Encoding": "identity"} if plain else range_headers(wanted)
            if part.validator and not plain:
                headers["If-Range"] = part.validator
            with self._exchange("GET", url, {"headers": headers}, (200, 206, 416)) as response:
                if response.status_code == 416 or (response.status_code == 200 and part.size and not part.entire):
                    part.discard()
                    found = f"HTTP {response.status_code}: the file has changed since its first part came"
                    raise FetchError(self.redacted(url), found, "the same file", transient=True)
                if response.status_code == 200 and not part.entire:
                    page = is_html(next(self._chunks(response), b""))
                    found = "an HTML page" if page else "the whole file"
                    raise ContentError(self.redacted(url), found, "HTTP 206 and a byte range", status=200)
                if response.status_code == 206:
                    refuse_another_range(response, wanted[0], self.redacted(response.url))
                else:
                    part.discard()
                part.begin(response)
                received = part.append(self._chunks(response))
            if wanted[1] is not None and received != wanted[1] - wanted[0] + 1:
                part.discard()
                raise ContentError(
                    self.redacted(url), f"{received} bytes", f"bytes {wanted[0]} to {wanted[1]}", transient=True
                )


def _backoff(error: Exception) -> bool | float:
    if not isinstance(error, FetchError) or not error.transient:
        return False
    return True if error.retry_after is None else error.retry_after
