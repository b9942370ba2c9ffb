"""How `AsyncClient` sends: its answers are awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self, TypeVar

import anyio
import httpx
import stamina

from hazecast.services.client.ask import Ask, Value
from hazecast.services.client.connection import (
    Memory,
    Passing,
    attempts_of,
    checked,
    headers_of,
    no_answer,
    pause,
    request_of,
)
from hazecast.services.client.errors import NoAnswerError
from hazecast.services.client.events import Listening, Raw

T = TypeVar("T")


class AsyncConnection:
    """A connection to a service whose answers are awaited; see `AsyncClient`."""

    def __init__(
        self,
        server: str,
        *,
        key: str | None = None,
        attempts: int = 4,
        timeout: float = 60.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        try:
            self._http = httpx.AsyncClient(
                base_url=server, headers=headers_of(key), timeout=timeout, transport=transport
            )
        except httpx.InvalidURL as error:
            raise NoAnswerError(server, f"not an address: {error}") from error
        self._attempts = attempts
        self._memory = Memory()

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _pages(self, ask: Ask[T]) -> AsyncIterator[T]:
        cursor: str | None = None
        while True:
            page = await self._send(ask, cursor=cursor)
            yield page
            cursor = getattr(page, "next", None)
            if cursor is None:
                return

    async def _send(self, ask: Ask[T], **more: Value) -> T:
        request = request_of(self._http, ask, self._memory, **more)
        try:
            answer = await self._answer(request, attempts_of(ask, self._attempts))
        except httpx.HTTPError as error:
            raise no_answer(request, error) from error
        return ask.read(self._memory.content(request, answer))

    async def _answer(self, request: httpx.Request, attempts: int) -> httpx.Response:
        try:
            async for attempt in stamina.retry_context(on=pause, attempts=attempts, wait_initial=0.2, timeout=None):
                with attempt:
                    answer = checked(await self._http.send(request))
        except Passing as passing:
            return passing.answer
        return answer

    async def _listen(self, path: str, after: int | None) -> AsyncIterator[Raw]:
        """Yield the events of a stream without end, over as many connections as it takes."""
        listening = Listening(path, after, self._attempts)
        while True:
            request = listening.request(self._http)
            try:
                answer = await self._http.send(request, stream=True)
                try:
                    if answer.status_code != 200:
                        await answer.aread()
                        wait = listening.refused(answer)
                    else:
                        async for chunk in answer.aiter_bytes():
                            for event in listening.feed(chunk):
                                yield event
                        wait = listening.ended()
                finally:
                    await answer.aclose()
            except httpx.HTTPError as error:
                wait = listening.lost(no_answer(request, error))
            await anyio.sleep(wait)
