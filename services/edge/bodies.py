"""How large a request may be, and how long it may take."""

from __future__ import annotations

import asyncio

from fastapi import HTTPException  # its own: FastAPI turns Starlette's into a 400 while it reads a body
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.problems import problem

# Keys, cookies and conditions fit; many long headers don't.
HEAD_BYTES = 16_384


class RequestLimits:
    """Refuse large heads (431), bodies that are too large (413) or come too slowly (408), and give up on slow answers (503).

    The limit on the answer ends when it begins: a stream of events may go on.

    Parameters
    ----------
    app : ASGI application
    max_bytes : int
        Of a body, as declared and as it comes.
    body_seconds : float
        From the request's head to the end of its body.
    answer_seconds : float
        From there to the beginning of the answer.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, body_seconds: float, answer_seconds: float) -> None:
        self.app = app
        self._max_bytes = max_bytes
        self._body_seconds = body_seconds
        self._answer_seconds = answer_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass within the limits."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if sum(len(name) + len(value) for name, value in scope["headers"]) > HEAD_BYTES:
            await problem(431, f"headers of more than {HEAD_BYTES} bytes", headers={"Connection": "close"})(
                scope, receive, send
            )
            return
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        too_large = f"a body of more than {self._max_bytes} bytes"
        if not declared.isdigit() or int(declared) > self._max_bytes:
            await problem(413, too_large, headers={"Connection": "close"})(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        started, taken, whole, answered = loop.time(), 0, False, False

        async def limited() -> Message:
            nonlocal taken, whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(started + self._body_seconds):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(
                    408, f"the body did not come within {self._body_seconds:g} s", {"Connection": "close"}
                ) from None
            taken += len(message.get("body", b""))
            if taken > self._max_bytes:
                raise HTTPException(413, too_large, {"Connection": "close"})
            whole = not message.get("more_body", False)
            return message

        async def begun(message: Message) -> None:
            nonlocal answered
            if not answered:
                answered = True
                if not limit.expired():
                    limit.reschedule(None)
            await send(message)

        try:
            async with asyncio.timeout(self._body_seconds + self._answer_seconds) as limit:
                await self.app(scope, limited, begun)
        except TimeoutError:
            if answered or not limit.expired():
                raise
            detail = f"no answer within {self._answer_seconds:g} s"
            await problem(503, detail, headers={"Retry-After": "30"})(scope, receive, send)
