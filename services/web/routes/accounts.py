"""One's own account and its keys through the API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Body, Depends, HTTPException, Path

from hazecast.grids.errors import InputError
from hazecast.services.accounts.accounts import account_of
from hazecast.services.accounts.keys import BeyondScopesError, Identity, add_key, keys_of, revoke_key, rotate_key
from hazecast.services.accounts.scopes import SCOPES
from hazecast.services.core.settings import Settings
from hazecast.services.web.access import require
from hazecast.services.web.dependencies import Given
from hazecast.services.web.problems import Refusal
from hazecast.services.web.routes.common import CONFLICT, DENIED, INVALID, NOT_FOUND
from hazecast.services.web.schemas.accounts import (
    AccountOut,
    KeyIn,
    KeyOut,
    NewKeyOut,
    RotationIn,
    SelfOut,
)
from hazecast.services.web.schemas.items import ItemsOut

Reader = Annotated[Identity, Depends(require("account:read"))]
KeyKeeper = Annotated[Identity, Depends(require("account:keys"))]
KeyId = Annotated[str, Path(pattern="^[0-9a-f]{12}$", examples=["3f9c1a7be042"])]
AccountId = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{1,63}$", examples=["beijing-eeb"])]
_CHANGES = DENIED | NOT_FOUND | CONFLICT | INVALID
_DEFAULT_ROTATION = RotationIn()

router = APIRouter(prefix="/account", tags=["account"])


@router.get("", responses=DENIED)
def me(service: Given, who: Reader) -> SelfOut:
    """The account and the key that ask."""
    account = AccountOut.of(account_of(service.store.sessions, who.account_id))
    return SelfOut(**account.model_dump(), key=who.key_id, scopes=[s for s in SCOPES if s in who.scopes])


@router.get("/keys", responses=DENIED)
def keys(service: Given, who: KeyKeeper) -> ItemsOut[KeyOut]:
    """The account's keys, the newest first, also those that have ended."""
    return ItemsOut(items=[KeyOut.of(key) for key in keys_of(service.store.sessions, who.account_id)])


@router.post("/keys", status_code=201, responses=DENIED | CONFLICT | INVALID)
def create(service: Given, new: KeyIn, who: KeyKeeper) -> NewKeyOut:
    """Make a key with no more scopes than the one that asks; its text is in this answer alone."""
    with refusals_answered():
        made = add_key(
            service.store.sessions, who.account_id, label=new.label, scopes=new.scopes, within=who.scopes,
            lifetime=lifetime_of(new.days, service.settings), at=service.clock(), by=who.account_id,
        )  # fmt: skip
    return NewKeyOut.made(*made)


@router.post("/keys/{key_id}/rotate", status_code=201, responses=_CHANGES)
def rotate(
    service: Given, key_id: KeyId, who: KeyKeeper, rotation: Annotated[RotationIn, Body()] = _DEFAULT_ROTATION
) -> NewKeyOut:
    """Make a successor of a key; the old one works on for the overlap."""
    longest = lifetime_of(None, service.settings)
    lifetime = None if rotation.days is None else lifetime_of(rotation.days, service.settings)
    with refusals_answered():
        made = rotate_key(
            service.store.sessions, key_id, overlap=timedelta(hours=rotation.overlap_hours), lifetime=lifetime,
            longest=longest, at=service.clock(), by=who.account_id,
            account_id=who.account_id, within=who.scopes,
        )  # fmt: skip
    return NewKeyOut.made(*made)


@router.delete("/keys/{key_id}", status_code=204, responses=DENIED | NOT_FOUND | INVALID)
def revoke(service: Given, key_id: KeyId, who: KeyKeeper) -> None:
    """Revoke a key, immediately and irrevocably."""
    with refusals_answered():
        revoke_key(service.store.sessions, key_id, at=service.clock(), by=who.account_id, account_id=who.account_id)


@contextmanager
def refusals_answered() -> Iterator[None]:
    """Answer what the store refuses as a problem.

    Raises
    ------
    HTTPException
        403 for a key with more scopes than the one that makes it.
    Refusal
        For any other unusable input.
    """
    try:
        yield
    except BeyondScopesError as error:
        raise HTTPException(403, str(error)) from error
    except InputError as error:
        raise Refusal(error) from error


def lifetime_of(days: int | None, settings: Settings) -> timedelta:
    """Return how long a new key is valid.

    Parameters
    ----------
    days : int or None
        As requested; by default the longest allowed.
    settings : Settings

    Returns
    -------
    timedelta

    Raises
    ------
    Refusal
        422 if it is longer than the settings allow.
    """
    if days is not None and days > settings.limits.key_days:
        raise Refusal(InputError("days", days, f"at most {settings.limits.key_days}"))
    return timedelta(days=days or settings.limits.key_days)
