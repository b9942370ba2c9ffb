"""Accounts in the store: added, changed and disabled, never deleted."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hazecast.grids.errors import ConflictError, InputError, UnknownError
from hazecast.services.accounts.scopes import ROLES, Role
from hazecast.services.core.field_limits import is_plain
from hazecast.services.store.database import Sessions
from hazecast.services.store.tables.accounts import Account

log = logging.getLogger(__name__)

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")


def add_account(
    sessions: Sessions, account_id: str, *, name: str, role: str, at: datetime, by: str = "command"
) -> Account:
    """Store a new account.

    Parameters
    ----------
    sessions : Sessions
    account_id : str
        Short and lasting, such as ``beijing-eeb``.
    name : str
        As the audit of warnings names who decided.
    role : str
        One of `ROLES`.
    at : datetime
        Aware.
    by : str
        Id of the account that asks, or ``command``; for the log.

    Returns
    -------
    Account

    Raises
    ------
    InputError
        If id, name or role is malformed.
    ConflictError
        If the id is taken.
    """
    if not _ID.fullmatch(account_id):
        raise InputError("account", repr(account_id), "2 to 64 of a-z, 0-9, '.', '_' and '-', such as beijing-eeb")
    account = Account(id=account_id, name=_name(name), role=_role(role), created_at=at, disabled_at=None)
    try:
        with sessions.begin() as session:
            session.add(account)
    except IntegrityError as error:
        raise ConflictError("account", account_id, "an id that no account has yet") from error
    log.info("account %s added as %s by %s", account_id, role, by)
    return account


def accounts_of(sessions: Sessions) -> Sequence[Account]:
    """Return all accounts by id."""
    with sessions() as session:
        return session.scalars(select(Account).order_by(Account.id)).all()


def account_of(sessions: Sessions, account_id: str) -> Account:
    """Return one account.

    Parameters
    ----------
    sessions : Sessions
    account_id : str

    Returns
    -------
    Account

    Raises
    ------
    UnknownError
        If there is none of that id.
    """
    with sessions() as session:
        return existing(session, account_id)


def change_account(
    sessions: Sessions,
    account_id: str,
    *,
    at: datetime,
    name: str | None = None,
    role: str | None = None,
    disabled: bool | None = None,
    by: str = "command",
) -> Account:
    """Change what is given of an account; it holds for its keys from their next request.

    Parameters
    ----------
    sessions : Sessions
    account_id : str
    at : datetime
        Aware; when it was disabled, if it is.
    name, role : str, optional
    disabled : bool, optional
    by : str
        Id of the account that asks, or ``command``; for the log.

    Returns
    -------
    Account
        As changed.

    Raises
    ------
    InputError
        If name or role is malformed.
    UnknownError
        If there is no such account.
    ConflictError
        If nobody would be left to administer accounts.
    """
    with sessions.begin() as session:
        account = existing(session, account_id)
        administers = _administers(account)
        account.name = account.name if name is None else _name(name)
        account.role = account.role if role is None else _role(role)
        if disabled is not None:
            account.disabled_at = (account.disabled_at or at) if disabled else None
        if administers and not _administers(account):
            others = session.scalars(select(Account).where(Account.id != account_id))
            if not any(_administers(other) for other in others):
                raise ConflictError(f"account {account_id}", "the only administrator", "another one first")
    state = "disabled" if account.disabled_at else "enabled"
    log.info("account %s changed by %s: role %s, %s", account_id, by, account.role, state)
    return account


def existing(session: Session, account_id: str) -> Account:
    """Return an account within the caller's session.

    Parameters
    ----------
    session : Session
    account_id : str

    Returns
    -------
    Account

    Raises
    ------
    UnknownError
        If there is none of that id.
    """
    account = session.get(Account, account_id)
    if account is None:
        raise UnknownError("account", account_id, "the id of an account, as hazecast accounts list shows it")
    return account


def _administers(account: Account) -> bool:
    return account.role == "administrator" and account.disabled_at is None


def _name(name: str) -> str:
    # It is read by people, in the audit and in messages: one line of printable text.
    if not 1 <= len(name.strip()) <= 128 or not is_plain(name):
        raise InputError("name", repr(name), "1 to 128 characters that can be seen")
    return name.strip()


def _role(role: str) -> Role:
    for known in ROLES:
        if role == known:
            return known
    raise InputError("role", role, f"one of {', '.join(ROLES)}")
