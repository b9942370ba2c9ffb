"""API keys are checked and requests counted before anything else is done with a request."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hazecast.services.accounts.keys import Identity, RefusedError
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.web.access import invalid_key, token_of
from hazecast.services.web.edge.request_counts import Count
from hazecast.services.web.edge.shared_counts import SharedWindows
from hazecast.services.web.problems import problem

log = logging.getLogger(__name__)

# Health checks must be answered, also behind a proxy through which others send many requests.
_UNCOUNTED = ("/v1/healthz", "/v1/readyz")
# What is drawn for a request costs the processor as much as some tens of other answers: one for each such time.
_SECONDS_OF_ONE = 0.05
_KEY_HEADERS = frozenset((b"authorization", b"x-api-key"))


class KeyCheck:
    """Check the key that a request carries, and count the request: by key, or without one by address.

    An invalid key is answered 401 on public routes too: its owner should learn of it. Too many of them from one
    address are answered 429 and no longer logged. Every key is looked up first: others behind the same address, with
    valid keys, are not locked out.

    Parameters
    ----------
    app : ASGI application
        Finds the `Identity`, or None, as ``request.state.identity``, and whom the request counts for as
        ``request.state.caller``. Where it sets ``request.state.private``, no cache may store the answer; where it sets
        ``request.state.processor_seconds``, the time that was spent counts as further requests.
    check : callable
        Return the `Identity` of a key, or raise `RefusedError`.
    anonymous, keyed, failures : SharedWindows
        Requests by address without a key, requests by account with one, and invalid keys by address; those of
        `limit` 0 don't limit.
    clock : callable
        Gives the current time, aware.
    """

    def __init__(
        self,
        app: ASGIApp,
        check: Callable[[str, datetime], Identity],
        anonymous: SharedWindows,
        keyed: SharedWindows,
        failures: SharedWindows,
        clock: Clock = utc_now,
    ) -> None:
        self.app = app
        self._check = check
        self._anonymous = anonymous
        self._keyed = keyed
        self._failures = failures
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 400, 401 or 429."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        if "\0" in path or b"%00" in scope["query_string"]:
            # No name and no value has one, and databases fail on it.
            await problem(400, "the address contains a NUL character")(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["identity"] = None
        if path in _UNCOUNTED:
            await self.app(scope, receive, send)
            return
        address = network_of(scope["client"][0] if scope.get("client") else "")
        # Most requests carry no key, and must cost almost nothing.
        has_key = not _KEY_HEADERS.isdisjoint(dict(scope["headers"]))
        token = token_of(Headers(scope=scope)) if has_key else None
        windows, caller, name = self._anonymous, address, "anonymous"
        if token is not None:
            identity = await self._identify(token, address)
            if isinstance(identity, str):
                await self._refuse(identity)(scope, receive, send)
                return
            state["identity"] = identity
            # All keys of an account count together: further ones give nothing more.
            windows, caller, name = self._keyed, identity.account_id, "account"
        state["caller"] = caller
        rate: list[tuple[bytes, bytes]] = []
        if windows.limit:
            count = await windows.hit(caller)
            rate = _rate_headers(name, windows, count)
            if not count.allowed:
                waits = {"Retry-After": str(count.reset)} | {key.decode(): value.decode() for key, value in rate}
                detail = f"more than {windows.limit} requests in {windows.seconds} s; try again in {count.reset} s"
                await problem(429, detail, headers=waits)(scope, receive, send)
                return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                spent = round(state.get("processor_seconds", 0.0) / _SECONDS_OF_ONE)
                counted = rate
                if rate and spent:
                    counted = _rate_headers(name, windows, await windows.charge(caller, spent))
                headers = [*message["headers"], *counted]
                if state.get("private"):
                    headers = [(key, value) for key, value in headers if key != b"cache-control"]
                    headers.append((b"cache-control", b"no-store"))
                message["headers"] = headers
            await send(message)

        await self.app(scope, receive, send_with_headers)

    async def _identify(self, token: str, address: str) -> Identity | str:
        try:
            return await run_in_threadpool(self._check, token, self._clock())
        except RefusedError as error:
            if self._failures.limit and not (await self._failures.hit(address)).allowed:
                return ""
            log.warning("a key from %s was refused: %s", address, error)
            return str(error)

    def _refuse(self, reason: str) -> ASGIApp:
        if reason:
            return invalid_key(reason)
        seconds = str(self._failures.seconds)
        return problem(429, "too many keys that open nothing came from this address", headers={"Retry-After": seconds})


@lru_cache(maxsize=4096)
def network_of(host: str) -> str:
    """Return the caller that an address counts for: itself, or for IPv6 its /64 network, which one caller has."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address.packed[:8] + bytes(8), 64)))


def _rate_headers(name: str, windows: SharedWindows, count: Count) -> list[tuple[bytes, bytes]]:
    """Return the headers with a caller's count (draft-ietf-httpapi-ratelimit-headers-11)."""
    return [
        (b"ratelimit-policy", f'"{name}";q={windows.limit};w={windows.seconds}'.encode()),
        (b"ratelimit", f'"{name}";r={count.remaining};t={count.reset}'.encode()),
    ]
