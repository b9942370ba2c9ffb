"""How `Client` sends: it waits for each answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self, TypeVar

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


class Connection:
    """A connection to a service that waits for each answer; see `Client`."""

    def __init__(
        self,
        server: str,
        *,
        key: str | None = None,
        attempts: int = 4,
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        try:
            self._http = httpx.Client(base_url=server, headers=headers_of(key), timeout=timeout, transport=transport)
        except httpx.InvalidURL as error:
            raise NoAnswerError(server, f"not an address: {error}") from error
        self._attempts = attempts
        self._memory = Memory()

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _pages(self, ask: Ask[T]) -> Iterator[T]:
        cursor: str | None = None
        while True:
            page = self._send(ask, cursor=cursor)
            yield page
            cursor = getattr(page, "next", None)
            if cursor is None:
                return

    def _send(self, ask: Ask[T], **more: Value) -> T:
        request = request_of(self._http, ask, self._memory, **more)
        try:
            answer = self._answer(request, attempts_of(ask, self._attempts))
        except httpx.HTTPError as error:
            raise no_answer(request, error) from error
        return ask.read(self._memory.content(request, answer))

    def _answer(self, request: httpx.Request, attempts: int) -> httpx.Response:
        try:
            for attempt in stamina.retry_context(on=pause, attempts=attempts, wait_initial=0.2, timeout=None):
                with attempt:
                    answer = checked(self._http.send(request))
        except Passing as passing:
            return passing.answer
        return answer

    def _listen(self, path: str, after: int | None) -> Iterator[Raw]:
        """Yield the events of a stream without end, over as many connections as it takes."""
        listening = Listening(path, after, self._attempts)
        while True:
            request = listening.request(self._http)
            try:
                answer = self._http.send(request, stream=True)
                try:
                    if answer.status_code != 200:
                        answer.read()
                        wait = listening.refused(answer)
                    else:
                        for chunk in answer.iter_bytes():
                            yield from listening.feed(chunk)
                        wait = listening.ended()
                finally:
                    answer.close()
            except httpx.HTTPError as error:
                wait = listening.lost(no_answer(request, error))
            time.sleep(wait)
