"""Every request: an id in all its log lines, a line in the log at its end, and its count and duration as metrics."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable, Iterable
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hazecast.services.core.logs import add_log_context, current_log_context

log = logging.getLogger("hazecast.access")

ID_HEADER = "X-Request-ID"
_ID_NAME = ID_HEADER.lower().encode("ascii")
UNKNOWN_ROUTE = "(none)"
_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Requests:
    """Middleware, the outermost but for Starlette's own.

    Parameters
    ----------
    app : ASGI application
    templates : callable
        Gives the paths of all routes, such as ``/v1/cities/{city_id}``; asked once, at the first request.
    registry : CollectorRegistry or None
        None where several workers count together: their files are read instead.
    """

    def __init__(
        self, app: ASGIApp, *, templates: Callable[[], Iterable[str]], registry: CollectorRegistry | None
    ) -> None:
        self._app = app
        self._templates = templates
        self._patterns: list[tuple[re.Pattern[str], str]] | None = None
        self._route = lru_cache(maxsize=4_096)(self._find_route)
        self._series = lru_cache(maxsize=4_096)(self._find_series)
        self._count = Counter(
            "hazecast_http_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self._duration = Histogram(
            "hazecast_http_request_duration_seconds",
            "Time to the end of the answer; of an event stream, to its beginning.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        request_id = _id_of(scope)
        # Not taken back: Starlette's handler of unexpected errors, further out, logs with it too.
        add_log_context(request_id=request_id)
        status, seconds = 500, None

        async def send_on(message: Message) -> None:
            nonlocal status, seconds
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"] = [*message["headers"], (_ID_NAME, request_id.encode("ascii"))]
                for name, value in headers:
                    if name == b"content-type" and value.startswith(b"text/event-stream"):
                        seconds = time.perf_counter() - begin
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        finally:
            self._record(scope, status, time.perf_counter() - begin if seconds is None else seconds)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        path: str = scope["path"]
        # A client may invent methods and paths: each would be a series of its own.
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = self._route(path)
        count, duration = self._series(method, route, status)
        count.inc()
        duration.observe(seconds)
        if log.isEnabledFor(logging.INFO):
            client = scope.get("client")
            fields = {"method": method, "path": path, "route": route, "status": status}
            fields |= {"duration_ms": round(1e3 * seconds, 2), "client": client[0] if client else None}
            log.info("%s %r %d %.1f ms", method, path, status, 1e3 * seconds, extra=fields)

    def _find_series(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        return self._count.labels(method, route, str(status)), self._duration.labels(method, route)

    def _find_route(self, path: str) -> str:
        if self._patterns is None:
            # The more is fixed in a path, the earlier it is tried.
            found = sorted(set(self._templates()), key=lambda template: (template.count("{"), -len(template)))
            self._patterns = [(compile_path(template)[0], template) for template in found]
        return next((template for pattern, template in self._patterns if pattern.match(path)), UNKNOWN_ROUTE)


def id_headers() -> dict[str, str]:
    """Return the headers that name the request under way, for an answer that doesn't pass the middleware."""
    request_id = current_log_context().get("request_id")
    return {ID_HEADER: request_id} if request_id else {}


def _id_of(scope: Scope) -> str:
    """Return the id that a proxy gave the request, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            return str(value.decode("ascii"))
    # It names a request and guards nothing; the system's own randomness would cost a call into it for each.
    return f"{random.getrandbits(64):016x}"
