"""What every public answer gets: ETag, caching, compression, HEAD; and answers kept until what they rest on changes."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
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

_HOLD = "hazecast.answer"
_ASKED = (b"accept", b"accept-encoding", b"if-none-match", b"if-modified-since")
_CREDENTIALS = (b"authorization", b"x-api-key", b"cookie")
_TEXTS = ("text/", "application/json", "application/xml", "application/javascript", "image/svg+xml")
_SMALLEST = 512
# Above this size compression and digest leave the event loop.
_LARGE = 65_536


@dataclass
class _Hold:
    """What a route says of its answer."""

    kept: bool = False
    until: datetime | None = None
    modified: datetime | None = None


@dataclass(frozen=True)
class _Kept:
    """An answer in memory, ready to be sent."""

    version: Hashable
    until: datetime | None
    headers: list[tuple[bytes, bytes]]
    body: bytes
    etag: bytes
    modified: datetime | None


@dataclass
class _Asked:
    """The headers of a request that an answer depends on."""

    values: dict[bytes, bytes] = field(default_factory=dict)
    credentials: bool = False

    @property
    def gzip(self) -> bool:
        return _takes_gzip(self.values.get(b"accept-encoding", b""))


def keep(request: Request, *, modified: datetime | None = None, until: datetime | None = None) -> None:
    """Say that the answer holds until the stored runs or warnings change, and may be kept in memory.

    Only for answers that rest on nothing else: not on who asks, under which name the service is reached, or,
    but for `until`, on the clock.

    Parameters
    ----------
    request : Request
    modified : datetime, optional
        When its content last changed, for Last-Modified.
    until : datetime, optional
        When it ends even so, such as when a warning expires.
    """
    hold = request.scope.get(_HOLD)
    if hold is not None:
        hold.kept, hold.modified = True, modified
        hold.until = until


async def not_stored(response: Response) -> None:
    """Depend on this in a route whose answer is about the moment: nobody may store it."""
    response.headers["Cache-Control"] = "no-store"


class Answers:
    """ASGI middleware for the answers to GET and HEAD under a path.

    Parameters
    ----------
    app : ASGI application
    find_version : callable
        Returns what changes whenever the stored runs or warnings do; asked from a thread.
    count_commits : callable
        Returns a number that grows with every commit of this process: what it stored itself is seen at once.
    max_age : int
        Seconds that others may keep a public answer.
    check_seconds : float
        For how long a version is taken to hold: what another process stores is seen no later.
    memory : int
        Bytes that kept answers may take; the least used make room.
    under : str
        Beginning of the paths.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        find_version: Callable[[], Hashable],
        count_commits: Callable[[], int],
        max_age: int,
        check_seconds: float,
        memory: int,
        clock: Clock = utc_now,
        under: str = "/v1/",
    ) -> None:
        self.app, self.max_age, self.check_seconds, self.memory, self.under = app, max_age, check_seconds, memory, under
        self._clock = clock
        self._find_version, self._count_commits = find_version, count_commits
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._size = 0
        self._version: Hashable = None
        self._commits = -1
        self._checked_until = 0.0
        self._checking: asyncio.Future[Hashable] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from memory, or let the app answer and see to the headers."""
        if (
            scope["type"] != "http"
            or scope["method"] not in ("GET", "HEAD")
            or not scope["path"].startswith(self.under)
        ):
            await self.app(scope, receive, send)
            return
        asked = _asked(scope)
        version = await self._current()
        key = (scope["path"], scope["query_string"], asked.values.get(b"accept"), asked.gzip)
        if version is not None:
            kept = self._kept.get(key)
            if kept is not None and kept.version == version and (kept.until is None or kept.until > self._clock()):
                self._kept.move_to_end(key)
                await _send_answer(send, kept, asked, head=scope["method"] == "HEAD")
                return
        hold = _Hold()
        # Routes know GET alone: HEAD is the same without the body.
        inner = {**scope, "method": "GET", _HOLD: hold} if scope["method"] == "HEAD" else scope
        inner[_HOLD] = hold
        await self.app(inner, receive, _Dressing(self, asked, hold, send, version, key, scope["method"] == "HEAD"))

    async def _current(self) -> Hashable:
        """Return the version of the store, looked up where that was too long ago; None if it can't be read."""
        if self._checked_until > time.monotonic() and self._commits == self._count_commits():
            return self._version
        running = self._checking
        if running is None or running.done() or running.get_loop() is not asyncio.get_running_loop():
            running = self._checking = asyncio.ensure_future(run_in_threadpool(self._check))
        try:
            return await asyncio.shield(running)
        except Exception:
            log.exception("the store can't be read: no answer is taken from memory")
            return None

    def _check(self) -> Hashable:
        commits = self._count_commits()
        self._version = self._find_version()
        self._commits, self._checked_until = commits, time.monotonic() + self.check_seconds
        return self._version

    def store(self, key: Hashable, kept: _Kept) -> None:
        """Keep an answer; those least used make room for it."""
        if len(kept.body) > self.memory // 4:
            return
        old = self._kept.pop(key, None)
        self._kept[key] = kept
        self._size += len(kept.body) - (len(old.body) if old else 0)
        while self._size > self.memory:
            _, gone = self._kept.popitem(last=False)
            self._size -= len(gone.body)


class _Dressing:
    """Takes an app's answer and sends it with the headers it needs; what streams goes through as it is."""

    def __init__(
        self, owner: Answers, asked: _Asked, hold: _Hold, send: Send, version: Hashable, key: Hashable, head: bool
    ) -> None:
        self._owner, self._asked, self._hold, self._send = owner, asked, hold, send
        self._version, self._key, self._head = version, key, head
        self._start: Message = {}
        self._parts: list[bytes] = []
        self._through = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            stored = headers.get("cache-control", "")
            streams = headers.get("content-type", "").startswith("text/event-stream")
            self._through = message["status"] != 200 or streams or "no-store" in stored
            if self._through:
                if not stored:
                    headers["Cache-Control"] = "no-store"
                await self._send({**message, "headers": headers.raw})
            else:
                self._start = message
        elif self._through:
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
        squeezes = _squeezes(kind) and len(plain) >= _SMALLEST and "content-encoding" not in headers
        squeezed = squeezes and self._asked.gzip
        make = _digested if len(plain) < _LARGE else _digested_apart
        body, etag = await make(plain, squeezed)
        if squeezes:
            headers.add_vary_header("Accept-Encoding")
        if squeezed:
            headers["Content-Encoding"] = "gzip"
        headers["ETag"] = etag
        headers["Content-Length"] = str(len(body))
        if "cache-control" not in headers:
            # An answer to a request with credentials may be for that reader alone, unless its route says otherwise.
            private = self._asked.credentials and not self._hold.kept
            headers["Cache-Control"] = "private, no-cache" if private else f"public, max-age={self._owner.max_age}"
        if self._hold.modified is not None:
            headers["Last-Modified"] = format_datetime(self._hold.modified.astimezone(UTC), usegmt=True)
        made = _Kept(self._version, self._hold.until, headers.raw, body, etag.encode(), self._hold.modified)
        varies = {part.strip().lower() for part in headers.get("vary", "").split(",") if part.strip()}
        if self._hold.kept and self._version is not None and varies <= {"accept", "accept-encoding"}:
            self._owner.store(self._key, made)
        await _send_answer(self._send, made, self._asked, head=self._head)


def _asked(scope: Scope) -> _Asked:
    asked = _Asked()
    for name, value in scope["headers"]:
        if name in _ASKED:
            asked.values[name] = asked.values[name] + b", " + value if name in asked.values else value
        elif name in _CREDENTIALS:
            asked.credentials = True
    return asked


@lru_cache(maxsize=256)
def _takes_gzip(accepted: bytes) -> bool:
    for part in accepted.split(b","):
        name, _, weight = part.partition(b";")
        if name.strip().lower() in (b"gzip", b"x-gzip", b"*"):
            return weight.replace(b" ", b"").lower() not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    return False


def _squeezes(kind: str) -> bool:
    return kind.startswith(_TEXTS) or kind.partition(";")[0].endswith(("+json", "+xml"))


async def _digested(plain: bytes, squeezed: bool) -> tuple[bytes, str]:
    return _digest(plain, squeezed)


async def _digested_apart(plain: bytes, squeezed: bool) -> tuple[bytes, str]:
    return await run_in_threadpool(_digest, plain, squeezed)


def _digest(plain: bytes, squeezed: bool) -> tuple[bytes, str]:
    """Return the body to send and its strong ETag: one for each encoding, as the bytes differ (RFC 9110, 8.8.3)."""
    tag = hashlib.sha256(plain).hexdigest()[:32]
    return (gzip.compress(plain, 6, mtime=0), f'"{tag}-gzip"') if squeezed else (plain, f'"{tag}"')


async def _send_answer(send: Send, answer: _Kept, asked: _Asked, *, head: bool) -> None:
    if _unchanged(answer, asked.values):
        left_out = (b"content-length", b"content-type", b"content-encoding", b"content-disposition")
        headers = [(name, value) for name, value in answer.headers if name not in left_out]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    # A list of its own for each: layers further out add to it.
    await send({"type": "http.response.start", "status": 200, "headers": [*answer.headers]})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})


def _unchanged(answer: _Kept, asked: dict[bytes, bytes]) -> bool:
    """Whether the client has this answer already (RFC 9110, 13.2.2)."""
    tags = asked.get(b"if-none-match")
    if tags is not None:
        offered = {part.strip().removeprefix(b"W/") for part in tags.split(b",")}
        return answer.etag in offered or b"*" in offered
    since = asked.get(b"if-modified-since")
    if since is None or answer.modified is None:
        return False
    try:
        known = parsedate_to_datetime(since.decode("latin-1"))
    except (TypeError, ValueError):
        return False
    known = in_utc(known)
    return answer.modified.replace(microsecond=0) <= known
