"""What all ways of sending have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from hazecast.services.store.tables.delivery import Subscription


@dataclass(frozen=True)
class Message:
    """One event on its way to one subscription.

    `id` is the same through all attempts; `body` the JSON text of webhooks and streams, `content` the event's
    own content, `batch` what happened together with it.
    """

    id: str
    event_id: str
    type: str
    occurred_at: datetime
    simulated: bool
    batch: str
    content: dict[str, Any]
    body: str


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt.

    "delivered"; "failed", to be tried again; "refused", the receiver doesn't want this message; "gone", it
    wants none. `confirmed` says that the answer held the subscription's code; `retry_after` (s) is what the
    receiver asked for.
    """

    kind: Literal["delivered", "failed", "refused", "gone"]
    status: int | None = None
    error: str | None = None
    confirmed: bool = False
    retry_after: float | None = None


class Channel(Protocol):
    """A way of sending. It takes up to `batch_size` messages of one batch at a time."""

    batch_size: int

    def send(self, subscription: Subscription, messages: Sequence[Message], now: datetime) -> Outcome:
        """Send messages, all or none, in order."""
