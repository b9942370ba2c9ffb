"""Webhooks: signed by Standard Webhooks 1.0.0, and sent to checked addresses only.

The specification: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import secrets
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Literal

import httpcore
from standardwebhooks import Webhook

from hazecast.grids.errors import InputError
from hazecast.services.core.settings import Settings
from hazecast.services.delivery.channel import Message, Outcome
from hazecast.services.delivery.sealing import seals_of
from hazecast.services.delivery.targets import CheckedBackend, Resolver, TargetPolicy, WebhookTarget, parse_target
from hazecast.services.store.tables.delivery import Subscription

_MAX_ANSWER = 65_536
_GONE, _TOO_MANY, _UNAVAILABLE = 410, 429, 503
# The receiver understood and does not want this message; it may accept the next one.
_REFUSED = frozenset({400, 406, 411, 413, 415, 422})
_AGENT = "hazecast-webhooks/1"


def new_secret() -> str:
    """Return a new secret: 32 random bytes, in the notation of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def signatures(secrets_: Sequence[str], message_id: str, at: datetime, body: str) -> str:
    """Return the header ``webhook-signature``: HMAC-SHA256 over ``id.timestamp.body``, one for each secret.

    Parameters
    ----------
    secrets_ : sequence of str
    message_id : str
    at : datetime
        Aware; the time stamp.
    body : str

    Returns
    -------
    str
    """
    return " ".join(Webhook(secret).sign(message_id, at.astimezone(UTC), body) for secret in secrets_)


def target_policy(settings: Settings) -> TargetPolicy:
    """Return which addresses the settings allow for webhooks."""
    return TargetPolicy(settings.webhooks.ports, settings.webhooks.http, settings.webhooks.networks)


class WebhookChannel:
    """Sends messages by HTTP POST, one at a time. Redirects are not followed, answers read up to 64 kB.

    Parameters
    ----------
    settings : Settings
    resolve : callable, optional
        Returns the addresses of a host name.
    """

    batch_size = 1

    def __init__(self, settings: Settings, resolve: Resolver | None = None) -> None:
        self._policy, self._resolve = target_policy(settings), resolve
        self._seals = seals_of(settings)
        self._seconds, self._ca_file = settings.webhooks.timeout_seconds, settings.webhooks.ca_file

    def send(self, subscription: Subscription, messages: Sequence[Message], now: datetime) -> Outcome:
        """Send one message.

        Parameters
        ----------
        subscription : Subscription
        messages : sequence of Message
            One.
        now : datetime
            Aware; the time stamp of the signature.

        Returns
        -------
        Outcome
            "delivered" for a 2xx answer.
        """
        (message,) = messages
        try:
            target = parse_target(subscription.target, self._policy)
            headers = self._headers(subscription, message, target, now)
        except InputError as error:
            return Outcome("failed", error=str(error))
        try:
            status, answered, content = self._post(target, headers, message.body.encode())
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, ssl.SSLError) as error:
            return Outcome("failed", error=f"{type(error).__name__}: {error}"[:500])
        if 200 <= status < 300:
            return Outcome("delivered", status, confirmed=subscription.code.encode() in content)
        kind: Literal["gone", "refused", "failed"]
        kind = "gone" if status == _GONE else "refused" if status in _REFUSED else "failed"
        wait = _retry_after(answered, now) if status in (_TOO_MANY, _UNAVAILABLE) else None
        return Outcome(kind, status, f"HTTP {status}; expected 2xx", retry_after=wait)

    def _headers(
        self, subscription: Subscription, message: Message, target: WebhookTarget, now: datetime
    ) -> list[tuple[bytes, bytes]]:
        keys = [subscription.secret]
        until = subscription.previous_secret_until
        if subscription.previous_secret and until is not None and now < until:
            keys.append(subscription.previous_secret)
        given = {
            "Host": target.authority,
            "User-Agent": _AGENT,
            "Content-Type": "application/json",
            "Content-Length": str(len(message.body.encode())),
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "webhook-id": message.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signatures([self._seals.open(key) for key in keys], message.id, now, message.body),
        }
        return [(name.encode(), value.encode()) for name, value in given.items()]

    def _post(
        self, target: WebhookTarget, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        # A pool for each message, for its backend has the deadline of this one.
        backend = CheckedBackend(self._policy, self._seconds, self._resolve)
        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        with (
            httpcore.ConnectionPool(ssl_context=_tls(self._ca_file), network_backend=backend) as pool,
            pool.stream("POST", url, headers=headers, content=body) as answer,
        ):
            content = bytearray()
            for part in answer.iter_stream():
                content += part
                if len(content) >= _MAX_ANSWER:
                    break
            return answer.status, {name.lower(): value for name, value in answer.headers}, bytes(content)


def _retry_after(headers: dict[bytes, bytes], now: datetime) -> float | None:
    text = headers.get(b"retry-after", b"").decode("latin-1").strip()
    if text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError):
        return None


@cache
def _tls(ca_file: Path | None) -> ssl.SSLContext:
    # Its command line and that one's packages come with it: not before they are needed.
    import httpx

    # Reading the certificates takes longer than many a request.
    return ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context(trust_env=False)
