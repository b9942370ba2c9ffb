"""API keys in the store: made, checked, rotated and revoked. Only their digest is stored."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from hazecast.grids.errors import ConflictError, InputError, UnknownError
from hazecast.services.accounts.accounts import existing
from hazecast.services.accounts.scopes import ROLE_SCOPES, SCOPES, Role, Scope
from hazecast.services.accounts.tokens import digest_of, key_id_of, matches, new_token
from hazecast.services.core.field_limits import is_plain
from hazecast.services.store.database import Sessions
from hazecast.services.store.tables.accounts import Account, ApiKey

log = logging.getLogger(__name__)

# Enough for every machine of a bureau, and a bound on what a stolen key can leave behind.
MOST_KEYS = 50
# "Last used" is written at most this often: a read must not cost a write each time.
_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Identity:
    """Who a request comes from: an account, by one of its keys.

    `scopes` are those of the key that the account's role still holds.
    """

    account_id: str
    name: str
    role: Role
    scopes: frozenset[Scope]
    key_id: str


class RefusedError(Exception):
    """A key that gives no access; the message gives the reason, and never repeats the key."""


class BeyondScopesError(InputError):
    """Scopes that the asking key doesn't hold itself."""


def add_key(
    sessions: Sessions,
    account_id: str,
    *,
    label: str,
    lifetime: timedelta,
    at: datetime,
    by: str,
    scopes: Collection[str] | None = None,
    within: frozenset[Scope] | None = None,
) -> tuple[ApiKey, str]:
    """Make a key for an account.

    Parameters
    ----------
    sessions : Sessions
    account_id : str
    label : str
        What the key is for, in the owner's words.
    lifetime : timedelta
    at : datetime
        Aware.
    by : str
        Id of the account that asks, or ``command``.
    scopes : collection of str, optional
        By default all that may be given.
    within : frozenset, optional
        Scopes of the key that asks: nobody can give more than they have.

    Returns
    -------
    key : ApiKey
    token : str
        The text of the key, which is stored nowhere.

    Raises
    ------
    UnknownError
        If there is no such account.
    ConflictError
        If the account is disabled or has too many keys.
    BeyondScopesError
        If a scope is not `within`.
    InputError
        If label, lifetime or scopes are malformed, or the role lacks one of the scopes.
    """
    with sessions.begin() as session:
        account = existing(session, account_id)
        if account.disabled_at is not None:
            raise ConflictError(f"account {account_id}", "disabled", "an account that is in use")
        chosen = _scopes(account, scopes, within)
        return _new_key(session, account_id, label, chosen, lifetime, at, by)


def keys_of(sessions: Sessions, account_id: str) -> Sequence[ApiKey]:
    """Return the keys of an account, the newest first.

    Parameters
    ----------
    sessions : Sessions
    account_id : str

    Returns
    -------
    sequence of ApiKey

    Raises
    ------
    UnknownError
        If there is no such account.
    """
    with sessions() as session:
        existing(session, account_id)
        query = select(ApiKey).where(ApiKey.account_id == account_id)
        return session.scalars(query.order_by(ApiKey.created_at.desc(), ApiKey.id)).all()


def rotate_key(
    sessions: Sessions,
    key_id: str,
    *,
    overlap: timedelta,
    at: datetime,
    by: str,
    lifetime: timedelta | None = None,
    longest: timedelta | None = None,
    account_id: str | None = None,
    within: frozenset[Scope] | None = None,
) -> tuple[ApiKey, str]:
    """Make a successor of a key with its label and scopes; the old one still works for the `overlap`.

    Parameters
    ----------
    sessions : Sessions
    key_id : str
    overlap : timedelta
        At most 30 days.
    at : datetime
        Aware.
    by : str
        Id of the account that asks, or ``command``.
    lifetime : timedelta, optional
        Of the new key; by default that of the old one.
    longest : timedelta, optional
        Bounds that default: the settings may allow less by now.
    account_id : str, optional
        Find only keys of this account.
    within : frozenset, optional
        Scopes of the key that asks.

    Returns
    -------
    key : ApiKey
    token : str
        The text of the key, which is stored nowhere.

    Raises
    ------
    UnknownError
        If there is no such key.
    ConflictError
        If it is revoked or expired already, or its account is disabled.
    BeyondScopesError
        If it has a scope that is not `within`.
    InputError
        If overlap or lifetime is out of range.
    """
    if not timedelta(0) <= overlap <= timedelta(days=30):
        raise InputError("overlap", overlap, "up to 30 days")
    with sessions.begin() as session:
        old = _key(session, key_id, account_id)
        account = existing(session, old.account_id)
        if old.revoked_at is not None or old.expires_at <= at or account.disabled_at is not None:
            raise ConflictError(f"key {key_id}", "a key that is over", "one that still works")
        held = [scope for scope in old.scopes if scope in ROLE_SCOPES[_role(account)]]
        chosen = _scopes(account, held, within)
        if lifetime is None:
            kept = old.expires_at - old.created_at
            lifetime = kept if longest is None else min(kept, longest)
        old.expires_at = min(old.expires_at, at + overlap)
        return _new_key(session, old.account_id, old.label, chosen, lifetime, at, by, replaces=key_id)


def revoke_key(sessions: Sessions, key_id: str, *, at: datetime, by: str, account_id: str | None = None) -> ApiKey:
    """Revoke a key from now on; one that is revoked already stays as it is.

    Parameters
    ----------
    sessions : Sessions
    key_id : str
    at : datetime
        Aware.
    by : str
        Id of the account that asks, or ``command``; for the log.
    account_id : str, optional
        Find only keys of this account.

    Returns
    -------
    ApiKey

    Raises
    ------
    UnknownError
        If there is no such key.
    """
    with sessions.begin() as session:
        key = _key(session, key_id, account_id)
        key.revoked_at = key.revoked_at or at
    log.info("key %s of account %s revoked by %s", key_id, key.account_id, by)
    return key


def check_key(sessions: Sessions, token: str, at: datetime) -> Identity:
    """Return who sent a key, and note its use.

    Parameters
    ----------
    sessions : Sessions
    token : str
        The text of the key.
    at : datetime
        Aware.

    Returns
    -------
    Identity

    Raises
    ------
    RefusedError
        If it is no key, unknown, revoked or expired, or its account is disabled. Only who sends a complete, valid key
        learns which of the last three.
    """
    key_id = key_id_of(token)
    with sessions() as session:
        key = None if key_id is None else session.get(ApiKey, key_id)
        if key is None or not matches(token, key.digest):
            raise RefusedError("the API key is not known")
        account = existing(session, key.account_id)
    identity = _admitted(key, account, at)
    if key.last_used_at is None or at - key.last_used_at >= _NOTED_EVERY:
        _note_use(sessions, key.id, at)
    return identity


def check_again(sessions: Sessions, identity: Identity, at: datetime) -> Identity:
    """Return who an admitted key stands for now: it may have been revoked, and its account changed, since it was shown.

    Parameters
    ----------
    sessions : Sessions
    identity : Identity
        As `check_key` gave it.
    at : datetime
        Aware.

    Returns
    -------
    Identity

    Raises
    ------
    RefusedError
        If the key is gone, revoked or expired, or its account is disabled.
    """
    with sessions() as session:
        key = session.get(ApiKey, identity.key_id)
        if key is None:
            raise RefusedError(f"the API key {identity.key_id} is gone")
        return _admitted(key, existing(session, key.account_id), at)


def _admitted(key: ApiKey, account: Account, at: datetime) -> Identity:
    if key.revoked_at is not None:
        raise RefusedError(f"the API key {key.id} was revoked")
    if key.expires_at <= at:
        raise RefusedError(f"the API key {key.id} expired at {key.expires_at:%Y-%m-%dT%H:%MZ}")
    if account.disabled_at is not None:
        raise RefusedError(f"the account {account.id} is disabled")
    role = _role(account)
    scopes = frozenset(scope for scope in ROLE_SCOPES[role] if scope in key.scopes)
    return Identity(account.id, account.name, role, scopes, key.id)


def _note_use(sessions: Sessions, key_id: str, at: datetime) -> None:
    try:
        with sessions.begin() as session:
            session.execute(update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=at))
    except OperationalError as error:
        # SQLite is busy with a longer write: the request matters more than the note.
        log.warning("the use of key %s was not noted: %s", key_id, error.orig)


def _new_key(
    session: Session,
    account_id: str,
    label: str,
    scopes: list[str],
    lifetime: timedelta,
    at: datetime,
    by: str,
    replaces: str | None = None,
) -> tuple[ApiKey, str]:
    if not 1 <= len(label.strip()) <= 128 or not is_plain(label):
        raise InputError("label", repr(label), "1 to 128 characters that can be seen: what the key is for")
    if lifetime <= timedelta(0):
        raise InputError("lifetime", lifetime, "more than nothing")
    own = session.scalars(select(ApiKey).where(ApiKey.account_id == account_id))
    if sum(key.revoked_at is None and key.expires_at > at for key in own) >= MOST_KEYS:
        raise ConflictError(f"account {account_id}", f"{MOST_KEYS} keys in use", "fewer: revoke some first")
    key_id, token = new_token()
    key = ApiKey(
        id=key_id, account_id=account_id, label=label.strip(), digest=digest_of(token), scopes=scopes, created_at=at,
        created_by=by, expires_at=at + lifetime, revoked_at=None, last_used_at=None, replaces=replaces,
    )  # fmt: skip
    session.add(key)
    log.info("key %s of account %s made by %s for %s", key_id, account_id, by, " ".join(scopes))
    return key, token


def _key(session: Session, key_id: str, account_id: str | None) -> ApiKey:
    key = session.get(ApiKey, key_id)
    if key is None or account_id not in (None, key.account_id):
        raise UnknownError("key", key_id, "the id of a key of the account")
    return key


def _scopes(account: Account, asked: Collection[str] | None, within: frozenset[Scope] | None) -> list[str]:
    """Return the scopes of a new key, in the order of `SCOPES`."""
    held = ROLE_SCOPES[_role(account)]
    chosen = held if asked is None else frozenset(asked)
    if asked is None and within is not None:
        chosen = held & within
    unknown = sorted(chosen - held)
    if unknown or not chosen:
        raise InputError(
            "scopes", ", ".join(unknown) or "none", f"some of {', '.join(scope for scope in SCOPES if scope in held)}"
        )
    if within is not None and not chosen <= within:
        raise BeyondScopesError("scopes", ", ".join(sorted(chosen - within)), "no scope that the asking key lacks")
    return [scope for scope in SCOPES if scope in chosen]


def _role(account: Account) -> Role:
    role: Role = account.role  # type: ignore[assignment]  # written only after a check
    return role
