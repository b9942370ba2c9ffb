"""A message to one subscription, a channel that sends it, and the outcome of an attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from hazecast.services.store.tables.delivery import Subscription


@dataclass(frozen=True)
class Message:
    """One event as it is sent to one subscription.

    Attributes
    ----------
    id : str
        The same through all attempts.
    event_id : str
    type : str
        Such as ``warning.issue``.
    occurred_at : datetime
        Aware.
    simulated : bool
        Whether it comes from a simulated run.
    batch : str
        Names the events that happened together, such as those of one run.
    content : dict
        The event's own content.
    body : str
        The JSON text for webhooks and streams.
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
    """The outcome of an attempt.

    Attributes
    ----------
    kind : {"delivered", "failed", "refused", "gone"}
        "failed" is tried again; "refused": the receiver does not want this message; "gone": it wants none.
    status : int, optional
        Of HTTP or SMTP.
    error : str, optional
    confirmed : bool
        Whether the answer held the subscription's code.
    retry_after : float, optional
        Seconds to wait, as the receiver asked.
    """

    kind: Literal["delivered", "failed", "refused", "gone"]
    status: int | None = None
    error: str | None = None
    confirmed: bool = False
    retry_after: float | None = None


class Channel(Protocol):
    """A way of sending.

    Attributes
    ----------
    batch_size : int
        How many messages of one batch it takes at a time.
    """

    batch_size: int

    def send(self, subscription: Subscription, messages: Sequence[Message], now: datetime) -> Outcome:
        """Send messages, all or none, in order.

        Parameters
        ----------
        subscription : Subscription
        messages : sequence of Message
            Of one batch; at most `batch_size`.
        now : datetime
            Aware.

        Returns
        -------
        Outcome
            Of all of them.
        """
