"""What the routes of subscriptions answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from hazecast.services.delivery.subscription_fields import ChannelName, LateReason, State, SubscriptionFields
from hazecast.services.web.schemas.items import ItemsOut

_EXAMPLE: dict[str, JsonValue] = {
    "id": "sub_1f0c9a52e8b7d3416a90c2fe", "name": "Duty desk", "channel": "webhook",
    "target": "https://hooks.bureau.example/haze", "kinds": ["warning", "bulletin"], "cities": ["beijing"],
    "regions": [], "rule_sets": ["cma_haze"], "levels": ["orange", "red"], "languages": ["zh", "en"],
    "formats": ["pdf"], "simulated": False, "bulletin_hour": 7, "time_zone": "Asia/Shanghai",
    "state": "unconfirmed", "state_reason": "", "created_at": "2026-01-15T22:00:00Z",
    "updated_at": "2026-01-15T22:00:00Z", "confirmed_at": None, "next_bulletin_at": None, "failures": 0, "next_attempt_at": None,
}  # fmt: skip
_DELIVERY: dict[str, JsonValue] = {
    "id": "msg_9c1f7e0b5d2a48f3a6e4d0c7b8123456", "subscription": "sub_1f0c9a52e8b7d3416a90c2fe",
    "event": "cma_haze.beijing.20260115T2200Z", "type": "warning.issue", "state": "delivered", "position": 812,
    "attempts": 1, "replays": 0, "created_at": "2026-01-15T22:00:03Z", "last_attempt_at": "2026-01-15T22:00:04Z",
    "delivered_at": "2026-01-15T22:00:04Z", "give_up_at": "2026-01-18T22:00:03Z", "status": 204, "error": None,
    "late": None,
}  # fmt: skip


class SubscriptionOut(SubscriptionFields):
    """A subscription, without its secret."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _EXAMPLE})

    id: str
    confirmed_at: datetime | None = Field(
        description="When the receiver confirmed; null before, and after it unsubscribed."
    )
    channel: ChannelName
    target: str
    time_zone: str
    state: Literal["unconfirmed", "active", "paused", "stopped"]
    state_reason: str
    created_at: datetime
    updated_at: datetime
    next_bulletin_at: datetime | None
    failures: int = Field(description="Attempts that failed since the last success.")
    next_attempt_at: datetime | None = Field(description="Not before this time is the next attempt made.")


class CreatedOut(SubscriptionOut):
    """A subscription that was just made, with its secret: it is shown this once."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE | {"secret": "whsec_..."}})

    secret: str | None = Field(description="Signs webhooks, by Standard Webhooks; other channels have none.")


class SubscriptionsOut(ItemsOut[SubscriptionOut]):
    """An account's subscriptions."""


class SecretOut(BaseModel):
    """A new secret: it is shown this once."""

    secret: str
    previous_until: datetime = Field(description="Until then messages are signed with the secret before, too.")


class LatenessOut(BaseModel):
    """Why a message was late, or is."""

    reason: LateReason = Field(
        description="failed: an attempt failed; behind: it waited for an earlier message whose attempts failed; "
        "paused: the subscription was paused; sent_again: a person sent it again; unserved: nothing was there to send it."
    )
    error: str | None = Field(description="What the last failed attempt met; it stays after a success.")
    seconds: float = Field(
        description="From when it was queued until it was delivered or given up; where it waits, until now."
    )


class DeliveryOut(BaseModel):
    """One message to one subscription: waiting, delivered or given up."""

    model_config = ConfigDict(json_schema_extra={"example": _DELIVERY})

    id: str = Field(description="Stays through all attempts: receivers know repetitions by it.")
    subscription: str
    event: str
    type: str
    state: State
    position: int
    attempts: int
    replays: int
    created_at: datetime
    last_attempt_at: datetime | None
    delivered_at: datetime | None
    give_up_at: datetime
    status: int | None = Field(description="Last answer: HTTP status or SMTP code.")
    error: str | None
    late: LatenessOut | None = Field(description="Null where nothing held it up.")


class DeliveriesOut(ItemsOut[DeliveryOut]):
    """Deliveries, the newest first."""


class WaitingOut(BaseModel):
    """How many messages wait, and are sent now."""

    waiting: int


class ReplayedOut(BaseModel):
    """How many messages will be sent again."""

    replayed: int


class TestOut(BaseModel):
    """The test message that will be sent."""

    delivery: str = Field(description="The id under which it is delivered.")
