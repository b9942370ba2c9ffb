"""A stored delivery as the API and the command show it."""

from __future__ import annotations

from hazecast.services.delivery.queue import Row
from hazecast.services.web.schemas.subscriptions import DeliveryOut


def delivery_out(row: Row) -> DeliveryOut:
    """Return a delivery as the API shows it."""
    delivery, event = row
    shared = {
        name: getattr(delivery, name)
        for name in DeliveryOut.model_fields
        if name not in ("subscription", "event", "type")
    }
    return DeliveryOut(subscription=delivery.subscription_id, event=event.id, type=event.type, **shared)
