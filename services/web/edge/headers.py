"""Security headers: what browsers may load, run and frame."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# For answers that are data: nothing in them may run, load or be framed.
_DATA_POLICY = b"default-src 'none'; frame-ancestors 'none'"
_POLICY = b"content-security-policy"
_FRAME_OPTIONS = b"x-frame-options"
_YEAR = 31_536_000


class SecurityHeaders:
    """Add the security headers that an answer lacks; those that a route sets itself stay.

    A page sets its own ``Content-Security-Policy``. One that may be framed names who may in its ``frame-ancestors``, and
    then gets no ``X-Frame-Options``, which can only allow or deny.

    Parameters
    ----------
    app : ASGI application
    https : bool
        Whether readers reach the service by https alone: it then says so (HSTS, RFC 6797).
    """

    def __init__(self, app: ASGIApp, https: bool) -> None:
        self.app = app
        always = [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-resource-policy", b"cross-origin"),
        ]
        if https:
            always.append((b"strict-transport-security", f"max-age={_YEAR}".encode()))
        self._added = [*always, (_POLICY, _DATA_POLICY), (_FRAME_OPTIONS, b"DENY")]
        self._own = {name for name, _ in self._added}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and add the headers to its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                names = dict(headers)
                added = self._added
                # Most answers set none of them, and must cost almost nothing.
                if not self._own.isdisjoint(names):
                    framed = b"frame-ancestors 'none'" not in names.get(_POLICY, _DATA_POLICY)
                    added = [(n, v) for n, v in added if n not in names and not (framed and n == _FRAME_OPTIONS)]
                message["headers"] = [*headers, *added]
            await send(message)

        await self.app(scope, receive, secured)
