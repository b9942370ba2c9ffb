"""The fields of a subscription: what may be asked for, when it is made and when it is changed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from hazecast.alerts.messages.languages import Language
from hazecast.services.core.field_limits import at_most, plain_line

ChannelName = Literal["webhook", "email", "stream"]
State = Literal["pending", "delivered", "dead", "offered"]
LateReason = Literal["failed", "behind", "paused", "sent_again", "unserved"]
Kind = Literal["warning", "bulletin", "forecast"]
BulletinFormat = Literal["html", "pdf", "csv", "nc"]
Name = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(plain_line)]
_Hour = Annotated[int, Field(ge=0, le=23)]
_Few = Annotated[list[str], Field(max_length=200), at_most(200)]
_Kinds = Annotated[list[Kind], Field(min_length=1, max_length=8), at_most(8)]
_Languages = Annotated[list[Language], Field(min_length=1, max_length=8), at_most(8)]
_Formats = Annotated[list[BulletinFormat], Field(max_length=8), at_most(8)]


class SubscriptionFields(BaseModel):
    """What a subscription asks for; all of it can be changed later.

    Without cities and regions it is of all cities; without rule sets or levels, of all of them.
    """

    model_config = ConfigDict(extra="forbid")

    name: Name
    kinds: _Kinds = Field(default=["warning"], description="What to be notified of.")
    cities: _Few = Field(default=[], description="City ids.", examples=[["beijing"]])
    regions: _Few = Field(default=[], description="Ids of partner governments.")
    rule_sets: _Few = Field(default=[], description="Rule sets of warnings.", examples=[["cma_haze"]])
    levels: _Few = Field(
        default=[],
        description="Levels of warnings; a change to a lower level is notified too.",
        examples=[["orange", "red"]],
    )
    languages: _Languages = Field(default=["zh"], description="Of texts, in this order.")
    formats: _Formats = Field(default=["pdf"], description="Files of the bulletin attached to its e-mail.")
    simulated: bool = Field(default=False, description="Messages of simulated runs too.")
    bulletin_hour: _Hour = Field(default=7, description="Local hour of the daily bulletin.")
    time_zone: str | None = Field(
        default=None,
        max_length=64,
        description="IANA zone of that hour; by default the first city's.",
        examples=["Asia/Tokyo"],
    )


class NewSubscription(SubscriptionFields):
    """A subscription to be made, and where it is sent."""

    channel: ChannelName
    target: str = Field(default="", max_length=2_048, description="Address of the webhook, or e-mail address.")


class Change(BaseModel):
    """Changes of a subscription; what isn't given stays. For another target, make another subscription."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    kinds: _Kinds | None = None
    cities: _Few | None = None
    regions: _Few | None = None
    rule_sets: _Few | None = None
    levels: _Few | None = None
    languages: _Languages | None = None
    formats: _Formats | None = None
    simulated: bool | None = None
    bulletin_hour: _Hour | None = None
    time_zone: str | None = Field(default=None, max_length=64)
    state: Literal["active", "paused"] | None = None
