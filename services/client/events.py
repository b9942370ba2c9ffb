"""Server-sent events (WHATWG HTML, 9.2) as a client takes them: what bytes mean, and where a reader left off.

Nothing here reads or waits: `Client` and `AsyncClient` do, each in its own way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from hazecast.services.client.ask import segment
from hazecast.services.client.errors import PASSING, ServerError, error_of
from hazecast.services.web.schemas.events import ForecastEventOut, OwnEventOut, WarningEventOut

_LINE_ENDS = re.compile(rb"\r\n|\n|\r")
# Browsers wait so long before they come back, unless the server says otherwise.
_PAUSE = 3.0


@dataclass(frozen=True)
class Raw:
    """An event as it came: its name, its data, and the number to go on after."""

    name: str
    data: str
    position: int


@dataclass(frozen=True)
class ForecastEvent:
    """A new forecast; `position` is where to go on after it."""

    position: int
    event: ForecastEventOut


@dataclass(frozen=True)
class WarningEvent:
    """A new message about a warning; `position` is where to go on after it."""

    position: int
    event: WarningEventOut


@dataclass(frozen=True)
class ResetEvent:
    """Events since the given position are no longer stored: read everything again, and go on after `position`."""

    position: int


@dataclass(frozen=True)
class OwnEvent:
    """A message to a subscription; `position` is where to go on after it."""

    position: int
    event: OwnEventOut


PublicEvent = ForecastEvent | WarningEvent | ResetEvent


def public_event(raw: Raw) -> PublicEvent | None:
    """Return a public event by its type; None for one of a kind that this client doesn't know."""
    if raw.name == "reset":
        return ResetEvent(raw.position)
    if raw.name == "forecast":
        return ForecastEvent(raw.position, ForecastEventOut.model_validate_json(raw.data))
    if raw.name == "warning":
        return WarningEvent(raw.position, WarningEventOut.model_validate_json(raw.data))
    return None


def own_event(raw: Raw) -> OwnEvent:
    """Return a message to a subscription."""
    return OwnEvent(raw.position, OwnEventOut.model_validate_json(raw.data))


def own_path(subscription_id: str) -> str:
    """Return where the messages of a subscription are heard."""
    return f"/v1/subscriptions/{segment(subscription_id)}/events"


class Listening:
    """The state of a reader of a stream, over all its connections.

    Parameters
    ----------
    path : str
    after : int or None
        Events with a greater number are wanted; None for those from now on.
    attempts : int
        How often in a row a connection may fail.
    """

    def __init__(self, path: str, after: int | None, attempts: int) -> None:
        self.path = path
        self._position, self._attempts = after, attempts
        self._failures, self._pause = 0, _PAUSE
        self._begin()

    def _begin(self) -> None:
        self._rest = b""
        self._name, self._data, self._id = "", list[str](), self._position

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """Return the request of the next connection: it goes on where the last one ended."""
        self._begin()
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self._position is not None:
            headers["Last-Event-ID"] = str(self._position)
        return http.build_request("GET", self.path, headers=headers)

    def refused(self, answer: httpx.Response) -> float:
        """Return after how many seconds to try again what was answered by an error.

        Parameters
        ----------
        answer : httpx.Response
            Read.

        Returns
        -------
        float

        Raises
        ------
        ServerError
            If another attempt would be refused too, or enough were made.
        """
        error = error_of(str(answer.request.url), answer)
        self._failures += 1
        if answer.status_code not in PASSING or self._failures >= self._attempts:
            raise error
        wait = answer.headers.get("retry-after", "")
        return min(float(wait), 60.0) if wait.isdigit() else self._pause

    def lost(self, error: ServerError) -> float:
        """Return after how many seconds to connect again.

        Parameters
        ----------
        error : ServerError
            What became of the connection.

        Returns
        -------
        float

        Raises
        ------
        ServerError
            `error`, if enough attempts were made in a row.
        """
        self._failures += 1
        if self._failures >= self._attempts:
            raise error
        return self._pause

    def ended(self) -> float:
        """Return after how many seconds to connect again after a stream that ended as it should."""
        return self._pause

    def feed(self, chunk: bytes) -> Iterator[Raw]:
        """Yield the events that are complete with some more bytes of the stream."""
        self._failures = 0
        content, start = self._rest + chunk, 0
        for end in _LINE_ENDS.finditer(content):
            if end[0] == b"\r" and end.end() == len(content):
                break  # a line feed may follow
            line, start = content[start : end.start()].decode("utf-8", "replace"), end.end()
            event = self._line(line)
            if event is not None:
                yield event
        self._rest = content[start:]

    def _line(self, line: str) -> Raw | None:
        if not line:
            return self._dispatched()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        number = int(value) if value.isascii() and value.isdigit() else None
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and number is not None:
            self._id = number
        elif name == "retry" and number is not None:
            self._pause = number / 1000.0
        return None

    def _dispatched(self) -> Raw | None:
        # Not before: of an event that breaks off, the whole must come again.
        self._position = self._id
        name, data = self._name or "message", self._data
        self._name, self._data = "", []
        return Raw(name, "\n".join(data), self._position or 0) if data else None
