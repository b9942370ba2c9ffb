"""What server-sent events hold, as their readers take it; what is unknown to a reader is ignored."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class ForecastNewsOut(BaseModel):
    """The run that was stored."""

    init_time: datetime
    model_id: str
    degraded: bool
    simulated: bool
    weather_source: str
    observations_until: datetime
    digest: str = Field(description="Of the forecast's values.")


class WarningNewsOut(BaseModel):
    """The message that was issued or withdrawn, and where it is."""

    id: str
    rule_set: str
    city: str
    level: str
    kind: str
    issued: datetime
    onset: datetime
    expires: datetime
    references: list[str]
    url: str
    cap: str
    page: str
    withdrawn: bool
    revision: int


class _PublicEventOut(BaseModel):
    id: str
    type: str
    timestamp: datetime
    simulated: bool


class ForecastEventOut(_PublicEventOut):
    """A new forecast."""

    data: ForecastNewsOut


class WarningEventOut(_PublicEventOut):
    """A new message about a warning."""

    data: WarningNewsOut


class OwnEventOut(BaseModel):
    """A message to a subscription, as a webhook receives it; `id` is the same through all attempts."""

    id: str
    type: str
    timestamp: datetime
    event: str
    subscription: str
    simulated: bool
    data: dict[str, Any]
