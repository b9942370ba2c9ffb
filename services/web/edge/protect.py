"""Add the edge to the app: limits, keys, rates, origins, hosts and security headers."""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import Message, Receive, Scope, Send

from hazecast.services.accounts.keys import check_key
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.settings import Settings
from hazecast.services.store.database import Sessions
from hazecast.services.store.shared import Shared
from hazecast.services.web.edge.bodies import OneLength, RequestLimits
from hazecast.services.web.edge.headers import SecurityHeaders
from hazecast.services.web.edge.key_check import KeyCheck
from hazecast.services.web.edge.shared_counts import SharedWindows

# Names by which only its own machine reaches the service, for health checks.
_WITH_KEY = ("Authorization", "X-API-Key", "Content-Type")
_OWN_HOSTS = ("localhost", "127.0.0.1")


class _OpenReads(CORSMiddleware):
    """Lets pages of any origin read what is public: an answer to anything but a read says nothing of other origins."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            other = scope["type"] == "http" and scope["method"] != "OPTIONS"
            await (self.app if other else super().__call__)(scope, receive, send)
            return
        # The same to every reader: what Starlette does for each would cost a hot answer a quarter of its time.
        opened = [(name.lower().encode(), value.encode()) for name, value in self.simple_headers.items()]

        async def send_opened(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *opened]
            await send(message)

        await self.app(scope, receive, send_opened)


def limit_requests(app: FastAPI, settings: Settings) -> None:
    """Limit the size and the time of requests.

    To be added before the cache of answers, which is then outside of it: what it answers needs no limits.

    Parameters
    ----------
    app : FastAPI
    settings : Settings
    """
    app.add_middleware(
        RequestLimits,
        max_bytes=settings.limits.max_body_bytes,
        body_seconds=settings.limits.body_seconds,
        answer_seconds=settings.limits.answer_seconds,
    )


def protect(app: FastAPI, settings: Settings, sessions: Sessions, shared: Shared, clock: Clock = utc_now) -> None:
    """Add the edge as the last and so outermost middleware: headers, hosts, origins, keys and rates.

    Parameters
    ----------
    app : FastAPI
        With all other middleware added already.
    settings : Settings
    sessions : Sessions
        Of the store that holds the accounts.
    shared : Shared
        Where all processes on that store count requests.
    clock : callable
        Gives the current time, aware: whether a key has expired depends on it.
    """
    app.add_middleware(
        KeyCheck,
        check=partial(check_key, sessions),
        clock=clock,
        anonymous=SharedWindows(shared, "anonymous", settings.limits.rate_anonymous, 60),
        keyed=SharedWindows(shared, "account", settings.limits.rate_account, 60),
        failures=SharedWindows(shared, "failures", settings.limits.failed_keys, 600),
    )
    origins = settings.server.cors_origins
    if origins:
        # Keys come in headers that a page sets itself: nothing needs cookies, so credentials are never allowed. Pages of
        # any origin read what is public anyway; those that the operator named may show a key, and change what it lets them.
        named = "*" not in origins
        app.add_middleware(
            CORSMiddleware if named else _OpenReads,
            allow_origins=origins,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE") if named else ("GET",),
            allow_headers=("If-None-Match", "Last-Event-ID", *(_WITH_KEY if named else ())),
            expose_headers=("ETag", "Link", "RateLimit", "RateLimit-Policy", "Retry-After"),
        )
    if "*" not in settings.server.allowed_hosts:
        app.add_middleware(
            TrustedHostMiddleware, allowed_hosts=[*settings.server.allowed_hosts, *_OWN_HOSTS], www_redirect=False
        )
    # Outside of the handler of unexpected errors too, so that its answers have the headers.
    build, https = app.build_middleware_stack, (settings.server.public_url or "").startswith("https://")
    app.build_middleware_stack = lambda: SecurityHeaders(OneLength(build()), https)  # type: ignore[method-assign]
