"""What the API takes and answers about accounts and keys."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from hazecast.services.accounts.scopes import Role, Scope
from hazecast.services.core.field_limits import at_most

if TYPE_CHECKING:
    from hazecast.services.store.tables.accounts import Account, ApiKey

_KEY: dict[str, JsonValue] = {
    "id": "3f9c1a7be042", "label": "webhook receiver", "scopes": ["subscriptions:read", "deliveries:read"],
    "created_at": "2026-01-15T02:00:00Z", "created_by": "beijing-eeb", "expires_at": "2027-01-15T02:00:00Z",
    "revoked_at": None, "last_used_at": "2026-01-15T03:00:00Z", "replaces": None,
}  # fmt: skip
_ACCOUNT: dict[str, JsonValue] = {
    "id": "beijing-eeb", "name": "北京市生态环境局", "role": "subscriber", "created_at": "2026-01-15T02:00:00Z",
    "disabled_at": None,
}  # fmt: skip


class AccountOut(BaseModel):
    """An account."""

    model_config = ConfigDict(json_schema_extra={"example": _ACCOUNT})

    id: str
    name: str = Field(description="As the audit of warnings names it.")
    role: Role
    created_at: datetime
    disabled_at: datetime | None

    @classmethod
    def of(cls, row: Account) -> AccountOut:
        """Return an account as the API shows it."""
        return cls.model_validate(row, from_attributes=True)


class SelfOut(AccountOut):
    """The account that asks, and what its key may do."""

    model_config = ConfigDict(
        json_schema_extra={"example": _ACCOUNT | {"key": "3f9c1a7be042", "scopes": ["jobs:read"]}}
    )

    key: str = Field(description="Id of the key that asks.")
    scopes: list[Scope] = Field(description="What that key may do.")


class AccountIn(BaseModel):
    """A new account."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"id": "beijing-eeb", "name": "北京市生态环境局", "role": "subscriber"}},
    )

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,63}$", description="Short and lasting.")
    name: str = Field(min_length=1, max_length=128)
    role: Role


class AccountChange(BaseModel):
    """Changes to an account; what is not given stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"role": "forecaster", "disabled": False}})

    name: str | None = Field(default=None, min_length=1, max_length=128)
    role: Role | None = None
    disabled: bool | None = Field(default=None, description="Disabled, none of its keys opens anything.")


class KeyOut(BaseModel):
    """An API key, without its secret."""

    model_config = ConfigDict(json_schema_extra={"example": _KEY})

    id: str = Field(description="The public part: hz_<id>_...")
    label: str
    scopes: list[str]
    created_at: datetime
    created_by: str = Field(description="The account that made it, or 'command'.")
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")
    replaces: str | None = Field(description="The key that it was made to succeed.")

    @classmethod
    def of(cls, row: ApiKey) -> KeyOut:
        """Return a key as the API shows it, without its secret."""
        return cls.model_validate(row, from_attributes=True)


class NewKeyOut(KeyOut):
    """A new API key. Its text is shown this once: the service keeps no copy."""

    model_config = ConfigDict(json_schema_extra={"example": _KEY | {"token": "hz_3f9c1a7be042_..."}})

    token: str

    @classmethod
    def made(cls, row: ApiKey, token: str) -> NewKeyOut:
        """Return a new key with its text.

        Parameters
        ----------
        row : ApiKey
        token : str
            The text, which the store doesn't hold.

        Returns
        -------
        NewKeyOut
        """
        return cls(**KeyOut.of(row).model_dump(), token=token)


class KeyIn(BaseModel):
    """A new key."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"label": "webhook receiver", "scopes": ["deliveries:read"], "days": 90}},
    )

    label: str = Field(min_length=1, max_length=128, description="What it is for.")
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=32), at_most(32)] | None = Field(
        default=None, description="By default all that may be given."
    )
    days: int | None = Field(default=None, ge=1, description="How long it works; by default as long as it may.")


class RotationIn(BaseModel):
    """How a key is rotated."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"overlap_hours": 24}})

    overlap_hours: float = Field(default=24.0, ge=0.0, le=720.0, description="How long the old key still works.")
    days: int | None = Field(
        default=None, ge=1, description="How long the new one works; by default as long as the old one did."
    )
