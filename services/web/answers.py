"""ETag, caching headers, compression and HEAD for every answer; answers cached in memory until the store changes."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hazecast.grids.times import in_utc
from hazecast.services.core.clock import Clock, utc_now

log = logging.getLogger(__name__)

_POLICY = "hazecast.answer"
_REQUEST_HEADERS = (b"accept", b"accept-encoding", b"if-none-match", b"if-modified-since")
_CREDENTIALS = (b"authorization", b"x-api-key", b"cookie")
_TEXTS = ("text/", "application/json", "application/xml", "application/javascript", "image/svg+xml")
SMALLEST_COMPRESSED = 512
# Above this size compression and digest run in a thread, off the event loop.
_LARGE = 65_536


@dataclass
class _CachePolicy:
    """What a route declares about its answer."""

    cached: bool = False
    until: datetime | None = None
    modified: datetime | None = None


@dataclass(frozen=True)
class _CachedAnswer:
    """An answer in memory, ready to be sent."""

    version: Hashable
    until: datetime | None
    headers: list[tuple[bytes, bytes]]
    body: bytes
    etag: bytes
    modified: datetime | None


@dataclass
class _RequestHeaders:
    """The headers of a request that an answer depends on."""

    values: dict[bytes, bytes] = field(default_factory=dict)
    credentials: bool = False

    @property
    def gzip(self) -> bool:
        return takes_gzip(self.values.get(b"accept-encoding", b""))


def cache_answer(request: Request, *, modified: datetime | None = None, until: datetime | None = None) -> None:
    """Declare that the answer is valid until the stored runs or warnings change, and may be cached in memory.

    Only for answers that depend on nothing else: not on who asks, on the name under which the service is reached or,
    except by `until`, on the time.

    Parameters
    ----------
    request : Request
    modified : datetime, optional
        When its content last changed, for Last-Modified.
    until : datetime, optional
        When it ends in any case, such as when a warning expires.
    """
    policy = request.scope.get(_POLICY)
    if policy is not None:
        policy.cached, policy.modified, policy.until = True, modified, until


async def not_stored(response: Response) -> None:
    """Depend on this in a route whose answer is about the present moment: no cache may store it."""
    response.headers["Cache-Control"] = "no-store"


class AnswerCache:
    """ASGI middleware for the answers to GET and HEAD under a path.

    Parameters
    ----------
    app : ASGI application
    find_version : callable
        Returns what changes whenever the stored runs or warnings do; called in a thread.
    find_token : callable
        Returns, within microseconds, what differs once somebody may have written: the version is then looked up again.
    max_age : int
        Seconds for which other caches may store a public answer.
    check_seconds : float
        For how long a version is taken as current where the token says nothing.
    memory : int
        Bytes that cached answers may take; the least recently used are removed.
    under : str
        Beginning of the paths.
    unversioned : collection of str
        Paths that don't ask for the version: that the process is alive is said whatever the store does.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        find_version: Callable[[], Hashable],
        find_token: Callable[[], Hashable],
        max_age: int,
        check_seconds: float,
        memory: int,
        clock: Clock = utc_now,
        under: str = "/v1/",
        unversioned: Collection[str] = (),
    ) -> None:
        self.app, self.max_age, self.check_seconds, self.memory = app, max_age, check_seconds, memory
        self.under, self.unversioned = under, unversioned
        self._clock = clock
        self._find_version, self._find_token = find_version, find_token
        self._cached: OrderedDict[Hashable, _CachedAnswer] = OrderedDict()
        self._size = 0
        self._version: Hashable = None
        self._token: Hashable = None
        self._checked_until = 0.0
        self._checking: asyncio.Future[Hashable] | None = None
        self._making: dict[Hashable, asyncio.Future[None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from memory, or let the app answer and add the headers."""
        if (
            scope["type"] != "http"
            or scope["method"] not in ("GET", "HEAD")
            or not scope["path"].startswith(self.under)
        ):
            await self.app(scope, receive, send)
            return
        request = _request_headers(scope)
        version = None if scope["path"] in self.unversioned else await self._current()
        key = (scope["path"], scope["query_string"], request.values.get(b"accept"), request.gzip)
        cached = None if version is None else self._valid(key, version)
        # Twice: the other request may have begun before the store changed.
        for _ in range(2):
            if cached is not None or version is None or not await self._made_meanwhile(key):
                break
            cached = self._valid(key, version)
        if cached is not None:
            await _send_answer(send, cached, request, head=scope["method"] == "HEAD")
            return
        policy = _CachePolicy()
        # Routes know GET alone: HEAD is the same without the body.
        inner = {**scope, "method": "GET", _POLICY: policy} if scope["method"] == "HEAD" else scope
        inner[_POLICY] = policy
        sender = _ResponseSender(self, request, policy, send, version, key, scope["method"] == "HEAD")
        making = None
        if key in self._cached and key not in self._making:
            making = self._making[key] = asyncio.get_running_loop().create_future()
        try:
            await self.app(inner, receive, sender)
        finally:
            if making is not None and self._making.get(key) is making:
                self.made(key)

    def _valid(self, key: Hashable, version: Hashable) -> _CachedAnswer | None:
        """Return the cached answer if it is still right."""
        cached = self._cached.get(key)
        if cached is None or cached.version != version or (cached.until is not None and cached.until <= self._clock()):
            return None
        self._cached.move_to_end(key)
        return cached

    async def _made_meanwhile(self, key: Hashable) -> bool:
        """Wait for the answer that another request is making; return whether one was.

        When the store changes, all readers want the same anew: it is made once. Only for what was cached before.
        """
        making = self._making.get(key)
        if making is None or making.get_loop() is not asyncio.get_running_loop():
            return False
        await asyncio.shield(making)
        return True

    def made(self, key: Hashable) -> None:
        """Let those who wait for an answer go on: it is cached now, or will not be."""
        making = self._making.pop(key, None)
        if making is not None and not making.done():
            making.set_result(None)

    async def _current(self) -> Hashable:
        """Return the version of the store, looked up again after `check_seconds`; None if it can't be read."""
        # Twice: a check that was joined may have begun before the last commit.
        for _ in range(2):
            if self._checked_until > time.monotonic() and self._token == self._find_token():
                break
            running = self._checking
            if running is None or running.done() or running.get_loop() is not asyncio.get_running_loop():
                running = self._checking = asyncio.ensure_future(run_in_threadpool(self._check))
            try:
                await asyncio.shield(running)
            except Exception:
                log.exception("the store can't be read: no answer is taken from memory")
                return None
        return self._version

    def _check(self) -> Hashable:
        token = self._find_token()
        self._version = self._find_version()
        self._token, self._checked_until = token, time.monotonic() + self.check_seconds
        return self._version

    def store(self, key: Hashable, answer: _CachedAnswer) -> None:
        """Cache an answer; the least recently used are removed to make room for it.

        Parameters
        ----------
        key : hashable
            Of the requests that it answers.
        answer : _CachedAnswer
            Not cached if it would take more than a quarter of the memory.
        """
        old = self._cached.pop(key, None)
        if len(answer.body) > self.memory // 4:
            self._size -= len(old.body) if old else 0
            return
        self._cached[key] = answer
        self._size += len(answer.body) - (len(old.body) if old else 0)
        while self._size > self.memory:
            _, removed = self._cached.popitem(last=False)
            self._size -= len(removed.body)


class _ResponseSender:
    """Takes an app's answer and sends it with the headers that it needs; streams and errors pass unchanged."""

    def __init__(
        self,
        owner: AnswerCache,
        request: _RequestHeaders,
        policy: _CachePolicy,
        send: Send,
        version: Hashable,
        key: Hashable,
        head: bool,
    ) -> None:
        self._owner, self._request, self._policy, self._send = owner, request, policy, send
        self._version, self._key, self._head = version, key, head
        self._start: Message = {}
        self._parts: list[bytes] = []
        self._pass_through = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            stored = headers.get("cache-control", "")
            streams = headers.get("content-type", "").startswith("text/event-stream")
            self._pass_through = message["status"] != 200 or streams or "no-store" in stored
            if self._pass_through:
                if not stored:
                    headers["Cache-Control"] = "no-store"
                self._owner.made(self._key)
                await self._send({**message, "headers": headers.raw})
            else:
                self._start = message
        elif self._pass_through:
            await self._send({**message, "body": b""} if self._head and "body" in message else message)
        elif message["type"] == "http.response.body":
            self._parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                await self._finish(b"".join(self._parts))
        else:
            await self._send(message)

    async def _finish(self, plain: bytes) -> None:
        headers = MutableHeaders(raw=list(self._start["headers"]))
        kind = headers.get("content-type", "")
        may_be = compressible(kind) and len(plain) >= SMALLEST_COMPRESSED and "content-encoding" not in headers
        compressed = may_be and self._request.gzip
        if len(plain) < _LARGE:
            body, etag = _encode(plain, compressed)
        else:
            body, etag = await run_in_threadpool(_encode, plain, compressed)
        if may_be:
            headers.add_vary_header("Accept-Encoding")
        if compressed:
            headers["Content-Encoding"] = "gzip"
        headers["ETag"] = etag
        headers["Content-Length"] = str(len(body))
        if "cache-control" not in headers:
            # An answer to a request with credentials may be for that reader alone, unless its route says otherwise.
            private = self._request.credentials and not self._policy.cached
            headers["Cache-Control"] = "private, no-cache" if private else f"public, max-age={self._owner.max_age}"
        if self._policy.modified is not None:
            headers["Last-Modified"] = format_datetime(self._policy.modified.astimezone(UTC), usegmt=True)
        made = _CachedAnswer(self._version, self._policy.until, headers.raw, body, etag.encode(), self._policy.modified)
        varies = {part.strip().lower() for part in headers.get("vary", "").split(",") if part.strip()}
        if self._policy.cached and self._version is not None and varies <= {"accept", "accept-encoding"}:
            self._owner.store(self._key, made)
        # Before it is sent, as this reader may be slow.
        self._owner.made(self._key)
        await _send_answer(self._send, made, self._request, head=self._head)


def _request_headers(scope: Scope) -> _RequestHeaders:
    request = _RequestHeaders()
    for name, value in scope["headers"]:
        if name in _REQUEST_HEADERS:
            request.values[name] = request.values[name] + b", " + value if name in request.values else value
        elif name in _CREDENTIALS:
            request.credentials = True
    return request


@lru_cache(maxsize=256)
def takes_gzip(accepted: bytes) -> bool:
    """Return whether an Accept-Encoding header takes gzip."""
    taken: dict[bytes, bool] = {}
    for part in accepted.split(b","):
        name, _, weight = part.partition(b";")
        taken[name.strip().lower()] = weight.replace(b" ", b"").lower() not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    # What is named counts before what stands for all the rest (RFC 9110, 12.5.3).
    return next((taken[name] for name in (b"gzip", b"x-gzip", b"*") if name in taken), False)


def compressible(kind: str) -> bool:
    """Return whether a media type is text, which compression makes smaller."""
    return kind.startswith(_TEXTS) or kind.partition(";")[0].endswith(("+json", "+xml"))


def _encode(plain: bytes, compressed: bool) -> tuple[bytes, str]:
    """Return the body to send and its strong ETag: one for each encoding, as the bytes differ (RFC 9110, 8.8.3)."""
    tag = hashlib.sha256(plain).hexdigest()[:32]
    return (gzip.compress(plain, 6, mtime=0), f'"{tag}-gzip"') if compressed else (plain, f'"{tag}"')


async def _send_answer(send: Send, answer: _CachedAnswer, request: _RequestHeaders, *, head: bool) -> None:
    if _unchanged(answer, request.values):
        omitted = (b"content-length", b"content-type", b"content-encoding", b"content-disposition")
        headers = [(name, value) for name, value in answer.headers if name not in omitted]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    # A copy for each: middleware further out adds to it.
    await send({"type": "http.response.start", "status": 200, "headers": [*answer.headers]})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})


def names_tag(offered: bytes, etag: bytes) -> bool:
    """Return whether If-None-Match names a tag, compared weakly, or any (RFC 9110, 13.1.2).

    Parameters
    ----------
    offered : bytes
        The header's value.
    etag : bytes
        Of the answer; weak ones begin with ``W/``.

    Returns
    -------
    bool
    """
    tags = {part.strip().removeprefix(b"W/") for part in offered.split(b",")}
    return b"*" in tags or etag.removeprefix(b"W/") in tags


def _unchanged(answer: _CachedAnswer, conditions: dict[bytes, bytes]) -> bool:
    """Whether the client has this answer already (RFC 9110, 13.2.2)."""
    tags = conditions.get(b"if-none-match")
    if tags is not None:
        return names_tag(tags, answer.etag)
    since = conditions.get(b"if-modified-since")
    if since is None or answer.modified is None:
        return False
    try:
        known = parsedate_to_datetime(since.decode("latin-1"))
    except (TypeError, ValueError):
        return False
    known = in_utc(known)
    return answer.modified.replace(microsecond=0) <= known
