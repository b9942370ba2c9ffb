"""Everybody's accounts and keys through the API, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from hazecast.services.accounts.accounts import account_of, accounts_of, add_account, change_account
from hazecast.services.accounts.keys import Identity, add_key, keys_of, revoke_key
from hazecast.services.web.access import require
from hazecast.services.web.dependencies import Given
from hazecast.services.web.routes.accounts import AccountId, KeyId, lifetime_of, refusals_answered
from hazecast.services.web.routes.common import CONFLICT, DENIED, INVALID, NOT_FOUND
from hazecast.services.web.schemas.accounts import (
    AccountChange,
    AccountIn,
    AccountOut,
    KeyIn,
    KeyOut,
    NewKeyOut,
)
from hazecast.services.web.schemas.items import ItemsOut

Administrator = Annotated[Identity, Depends(require("accounts:admin"))]
_CHANGES = DENIED | NOT_FOUND | CONFLICT | INVALID

router = APIRouter(prefix="/accounts", tags=["accounts"])


@router.get("", responses=DENIED)
def accounts(service: Given, _: Administrator) -> ItemsOut[AccountOut]:
    """All accounts by id."""
    return ItemsOut(items=[AccountOut.of(account) for account in accounts_of(service.store.sessions)])


@router.post("", status_code=201, responses=DENIED | CONFLICT | INVALID)
def add(service: Given, new: AccountIn, who: Administrator) -> AccountOut:
    """Add an account; its first key is made under its keys."""
    with refusals_answered():
        return AccountOut.of(
            add_account(
                service.store.sessions, new.id, name=new.name, role=new.role, at=service.clock(), by=who.account_id
            )
        )


@router.get("/{account_id}", responses=DENIED | NOT_FOUND | INVALID)
def account(service: Given, account_id: AccountId, _: Administrator) -> AccountOut:
    """One account."""
    with refusals_answered():
        return AccountOut.of(account_of(service.store.sessions, account_id))


@router.patch("/{account_id}", responses=_CHANGES)
def change(service: Given, account_id: AccountId, changes: AccountChange, who: Administrator) -> AccountOut:
    """Rename an account, give it another role, disable or enable it; its keys follow immediately."""
    with refusals_answered():
        return AccountOut.of(
            change_account(
                service.store.sessions,
                account_id,
                at=service.clock(),
                by=who.account_id,
                **changes.model_dump(exclude_none=True),
            )
        )


@router.get("/{account_id}/keys", responses=DENIED | NOT_FOUND | INVALID)
def keys(service: Given, account_id: AccountId, _: Administrator) -> ItemsOut[KeyOut]:
    """An account's keys, the newest first."""
    with refusals_answered():
        return ItemsOut(items=[KeyOut.of(key) for key in keys_of(service.store.sessions, account_id)])


@router.post("/{account_id}/keys", status_code=201, responses=_CHANGES)
def create(service: Given, account_id: AccountId, new: KeyIn, who: Administrator) -> NewKeyOut:
    """Make a key for an account, within its role; its text is in this answer alone."""
    with refusals_answered():
        made = add_key(
            service.store.sessions, account_id, label=new.label, scopes=new.scopes, within=who.scopes,
            lifetime=lifetime_of(new.days, service.settings), at=service.clock(), by=who.account_id,
        )  # fmt: skip
    return NewKeyOut.made(*made)


@router.delete("/{account_id}/keys/{key_id}", status_code=204, responses=DENIED | NOT_FOUND | INVALID)
def revoke(service: Given, account_id: AccountId, key_id: KeyId, who: Administrator) -> None:
    """Revoke an account's key, immediately and irrevocably."""
    with refusals_answered():
        revoke_key(service.store.sessions, key_id, at=service.clock(), by=who.account_id, account_id=account_id)
