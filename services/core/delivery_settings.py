"""Groups of settings of what goes out to subscribers. Each setting is also the environment variable of its prefix and name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, IPvAnyNetwork, SecretStr
from pydantic_settings import (
    NoDecode,
    SettingsConfigDict,
)

from hazecast.services.core.setting_types import (
    Group,
    listed,
)


class SmtpSettings(Group):
    """The mail server."""

    model_config = SettingsConfigDict(env_prefix="HAZECAST_SMTP_")

    host: str | None = Field(default=None, description="Mail server; without it nothing is sent by e-mail.")
    port: int = Field(default=587, ge=1, le=65_535)
    tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="TLS after STARTTLS, from the start, or (on a machine of one's own) none."
    )
    user: str | None = Field(default=None, description="User of the mail server.")
    password: SecretStr = Field(default=SecretStr(""), description="Password of the mail server.")
    ca_file: Path | None = Field(
        default=None,
        description="Certificates (PEM) that the mail server is checked against; by default the public ones.",
    )


class WebhookSettings(Group):
    """Where webhooks may go, and how long they may take."""

    model_config = SettingsConfigDict(env_prefix="HAZECAST_WEBHOOK_")

    ports: Annotated[
        tuple[Annotated[int, Field(ge=1, le=65_535)], ...], NoDecode, BeforeValidator(listed), Field(min_length=1)
    ] = Field(default=(443, 8443), description="Ports that webhooks may name, comma-separated.")
    http: bool = Field(default=False, description="Whether webhooks may be sent without TLS.")
    networks: Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(listed)] = Field(
        default=(), description="Networks that webhooks may reach though they are not public, such as a bureau's own."
    )
    ca_file: Path | None = Field(
        default=None, description="Certificates (PEM) that webhooks are checked against; by default the public ones."
    )
    timeout_seconds: float = Field(
        default=20.0, gt=0.0, le=300.0, description="Longest time that one webhook may take, from name to answer."
    )
    secret_key: SecretStr = Field(
        default=SecretStr(""),
        description="Seals webhooks' secrets in the database; several, comma-separated: the first seals, all open.",
    )
    secret_overlap_hours: float = Field(
        default=24.0, ge=0.0, description="How long the secret before signs too, after a new one was made."
    )


class DeliverySettings(Group):
    """How messages are tried again, and when they are given up."""

    model_config = SettingsConfigDict(env_prefix="HAZECAST_DELIVERY_")

    give_up_hours: float = Field(default=72.0, gt=0.0, description="Age at which a message is given up.")
    refused_hours: float = Field(
        default=1.0, ge=0.0, description="How long a message that the receiver refuses holds up those after it."
    )
    retry_seconds: float = Field(
        default=5.0, gt=0.0, description="Wait after a first failure; it doubles with each further one."
    )
    retry_max_seconds: float = Field(default=600.0, gt=0.0, description="Longest wait between attempts.")
    poll_seconds: float = Field(default=2.0, gt=0.0, description="How often due messages are looked for.")
    workers: int = Field(default=8, ge=1, le=64, description="Receivers that one process serves at a time.")
    keep_days: float = Field(default=90.0, ge=1.0, description="Age at which events and history are removed.")


class SubscriptionSettings(Group):
    """Subscriptions, and what their mails and bulletins have in common."""

    mail_from: str = Field(
        default="hazecast@hazecast.invalid", pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$", description="Sender of e-mails."
    )
    bulletin_give_up_hours: float = Field(
        default=12.0, gt=0.0, description="Age at which a bulletin is given up; one due longer ago is not made."
    )
    subscriptions_per_account: int = Field(default=50, ge=1, description="Most subscriptions of one account.")
    confirmations_per_day: int = Field(
        default=20, ge=1, description="Most receivers that one account may have asked to confirm in 24 h."
    )
    confirmations_per_address: int = Field(
        default=3,
        ge=1,
        description="Most times that one mailbox is asked to confirm in 30 days, by all accounts together.",
    )
    confirmation_days: float = Field(default=7.0, gt=0.0, description="Days that a receiver has for confirming.")


class EventSettings(Group):
    """Event streams."""

    model_config = SettingsConfigDict(env_prefix="HAZECAST_EVENTS_")

    poll_seconds: float = Field(default=1.0, gt=0.0, description="How often event streams look for news.")
    seconds: float = Field(
        default=900.0,
        gt=0.0,
        description="Time after which an event stream ends: whoever comes back shows the key anew.",
    )
    connections: int = Field(default=1_000, ge=1, description="Most event streams of one process.")
    connections_per_address: int = Field(
        default=50, ge=1, description="Most event streams to one address (IPv6: to one network), of all processes."
    )
    connections_per_account: int = Field(
        default=50, ge=1, description="Most event streams with the keys of one account, of all processes."
    )
