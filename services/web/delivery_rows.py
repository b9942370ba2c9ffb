"""A stored delivery as the API and the command show it."""

from __future__ import annotations

from datetime import datetime

from hazecast.services.delivery.lateness import lateness_of
from hazecast.services.delivery.queue import Row
from hazecast.services.web.schemas.subscriptions import DeliveryOut, LatenessOut


def delivery_out(row: Row, now: datetime) -> DeliveryOut:
    """Return a delivery as the API shows it.

    Parameters
    ----------
    row : (Delivery, OutboxEvent)
    now : datetime
        Aware.

    Returns
    -------
    DeliveryOut
    """
    delivery, event = row
    own = ("subscription", "event", "type", "late")
    shared = {name: getattr(delivery, name) for name in DeliveryOut.model_fields if name not in own}
    late = lateness_of(delivery, now)
    return DeliveryOut(
        subscription=delivery.subscription_id, event=event.id, type=event.type, **shared,
        late=None if late is None else LatenessOut(reason=late.reason, error=late.error, seconds=late.seconds),
    )  # fmt: skip
