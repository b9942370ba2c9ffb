"""How large a request may be, and how long it may take."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hazecast.services.web.problems import problem

# Keys, cookies and conditions fit; many long headers don't.
HEAD_BYTES = 16_384
_CLOSE = {"Connection": "close"}
# By the beginning of the path, in bytes: some thousands of observations, the tables of a study, the largest subscription or text of a draft that is
# valid, and a few fields elsewhere. All but observations and studies are parsed on the event loop: nothing that takes it longer than some
# milliseconds may come so far.
_BODIES = (
    ("/v1/observations", 1_048_576), ("/v1/studies", 1_048_576), ("/v1/subscriptions", 65_536), ("/v1/drafts", 65_536), ("", 16_384),
)  # fmt: skip


class OneLength:
    """Refuse a request that gives both a length and chunks, and close its connection (RFC 9112, 6.1).

    A proxy may go by the length where this server goes by the chunks: what one takes for the end of the body, the other
    takes for a further request (request smuggling).

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 400."""
        if scope["type"] == "http" and {b"content-length", b"transfer-encoding"} <= {
            name for name, _ in scope["headers"]
        }:
            refusal = problem(400, "both Content-Length and Transfer-Encoding; send one of them", headers=_CLOSE)
            await refusal(scope, receive, send)
            return
        await self.app(scope, receive, send)


class RequestLimits:
    """Refuse large heads (431), bodies that are too large (413) or come too slowly (408), and slow answers (503).

    An answer that has begun is not limited: a stream of events may go on.

    Parameters
    ----------
    app : ASGI application
    max_bytes : int
        Of a body, as declared and as received, where the path itself has no lower limit.
    body_seconds : float
        From when a route reads the body until its end.
    answer_seconds : float
        Until the beginning of the answer, in addition to `body_seconds`.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, body_seconds: float, answer_seconds: float) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.body_seconds = body_seconds
        self.answer_seconds = answer_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on within the limits."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most = self.most_bytes(scope["path"])
        refusal = self._check_head(scope["headers"], most)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        exchange = _Exchange(self, scope, receive, send, most)
        try:
            async with asyncio.timeout(self.body_seconds + self.answer_seconds) as exchange.limit:
                await self.app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            if exchange.refusal is None:
                raise
            await exchange.refuse()
        except TimeoutError:
            if exchange.answered or not exchange.limit.expired():
                raise
            detail = f"no answer within {self.answer_seconds:g} s"
            await problem(503, detail, headers={"Retry-After": "30"})(scope, receive, send)

    def most_bytes(self, path: str) -> int:
        """Return the limit of a body sent to a path."""
        return min(self.max_bytes, next(limit for beginning, limit in _BODIES if path.startswith(beginning)))

    def _check_head(self, headers: list[tuple[bytes, bytes]], most: int) -> ASGIApp | None:
        if sum(len(name) + len(value) for name, value in headers) > HEAD_BYTES:
            return problem(431, f"headers of more than {HEAD_BYTES} bytes", headers=_CLOSE)
        length = next((value for name, value in headers if name == b"content-length"), b"0")
        return None if length.isdigit() and len(length) < 20 and int(length) <= most else self.too_large(most)

    def too_large(self, most: int) -> ASGIApp:
        """Return the answer to a body of more than `most` bytes."""
        return problem(413, f"a body of more than {most} bytes", headers=_CLOSE)

    def too_slow(self) -> ASGIApp:
        """Return the answer to a body that is not received in time."""
        return problem(408, f"the body did not come within {self.body_seconds:g} s", headers=_CLOSE)


class _Exchange:
    """One request and its answer.

    Once it is refused, the refusal replaces whatever the routes answer: frameworks report an incomplete body as one
    that they could not parse.
    """

    limit: asyncio.Timeout

    def __init__(self, limits: RequestLimits, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        self._most = most
        self._limits, self._scope, self._receive, self._send = limits, scope, receive, send
        self._until: float | None = None
        self._taken = 0
        self._complete = False
        self.answered = False
        self.refusal: ASGIApp | None = None

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        if self._until is None:
            # From when the body is read: that the service is busy is not the sender's fault.
            self._until = asyncio.get_running_loop().time() + self._limits.body_seconds
            if not self.answered and not self.limit.expired():
                self.limit.reschedule(self._until + self._limits.answer_seconds)
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            self.refusal = self._limits.too_slow()
        else:
            self._taken += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
            if self._taken <= self._most:
                return message
            self.refusal = self._limits.too_large(self._most)
        raise ClientDisconnect

    async def send(self, message: Message) -> None:
        if self.refusal is not None:
            await self.refuse()
            return
        if not self.answered:
            self.answered = True
            if not self.limit.expired():
                self.limit.reschedule(None)
        await self._send(message)

    async def refuse(self) -> None:
        if self.refusal is not None and not self.answered:
            self.answered = True
            await self.refusal(self._scope, self._receive, self._send)
