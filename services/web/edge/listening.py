"""How the server listens: which proxies it trusts, how long and large the head of a request may be, how slow a reader."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from hazecast.services.core.settings import Settings
from hazecast.services.web.edge.bodies import HEAD_BYTES

_HEAD_SECONDS = 10.0
# asyncio holds back what fills more than 64 KiB of its buffer until no more than 16 KiB are left: a reader at less than
# 0.8 kB/s is as good as none.
_READ_SECONDS = 60.0


class TimedProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection whose request's head does not come in time, or whose answer is not read.

    Uvicorn itself waits without limit for the first request, for the rest of one that has begun, and for a reader that has
    stopped reading.
    """

    head_seconds = _HEAD_SECONDS
    read_seconds = _READ_SECONDS
    _late: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time of a new connection."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Pass data on; stop the time once a request's head is complete."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time of a closed connection."""
        super().connection_lost(exc)
        self._stop()
        self._read()

    def pause_writing(self) -> None:
        """Start the time of a reader that has left much unread."""
        super().pause_writing()
        if self._unread is None:
            # Not closed, which would wait for the reader.
            self._unread = self.loop.call_later(self.read_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop that time: it has read."""
        super().resume_writing()
        self._read()

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._late is None:
            self._late = self.loop.call_later(self.head_seconds, self.transport.close)

    def _stop(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


def server_options(settings: Settings) -> dict[str, Any]:
    """Return the options of Uvicorn."""
    return {
        "http": TimedProtocol,
        "h11_max_incomplete_event_size": HEAD_BYTES,
        "proxy_headers": bool(settings.server.trusted_proxies),
        "forwarded_allow_ips": list(settings.server.trusted_proxies),
        "server_header": False,
        "ws": "none",
    }
