"""The secrets of webhooks in the store: sealed by a key of the environment, so that a copy of the database signs nothing.

They must be known for signing, so a digest won't do. Fernet (AES-128-CBC and HMAC-SHA256,
https://github.com/fernet/spec/blob/master/Spec.md) seals each; the first key of ``HAZECAST_WEBHOOK_SECRET_KEY`` seals, all
of them open. A secret stored by a version before this one is plain until it is sealed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from hazecast.grids.errors import InputError
from hazecast.services.core.settings import Settings
from hazecast.services.store.tables.delivery import Subscription

log = logging.getLogger(__name__)

KEY_VARIABLE = "HAZECAST_WEBHOOK_SECRET_KEY"
_SEALED = "fernet:"
_HOW = "hazecast subscribers new-key makes one"


class Seals:
    """Seals and opens secrets.

    Parameters
    ----------
    keys : sequence of Fernet
        The first seals, all open; without any, plain secrets are all that can be read.
    """

    def __init__(self, *keys: Fernet) -> None:
        self._keys = keys

    @property
    def ready(self) -> bool:
        """Whether there is a key to seal with."""
        return bool(self._keys)

    def seal(self, secret: str) -> str:
        """Return a secret as it is stored.

        Raises
        ------
        InputError
            If there is no key.
        """
        if not self._keys:
            raise InputError(KEY_VARIABLE, "no key", f"the key that webhooks' secrets are sealed with ({_HOW})")
        return _SEALED + self._keys[0].encrypt(secret.encode()).decode()

    def open(self, stored: str) -> str:
        """Return the secret of what is stored.

        Raises
        ------
        InputError
            If no key opens it.
        """
        if not stored.startswith(_SEALED):
            return stored
        token = stored.removeprefix(_SEALED)
        try:
            if self._keys:
                return MultiFernet(self._keys).decrypt(token).decode()
        except InvalidToken:
            pass
        found = "no key that opens it" if self._keys else "no key"
        raise InputError(KEY_VARIABLE, found, "the key that this webhook's secret was sealed with")

    def is_current(self, stored: str) -> bool:
        """Whether the first key seals what is stored."""
        try:
            return stored.startswith(_SEALED) and bool(self._keys[0].decrypt(stored.removeprefix(_SEALED)))
        except InvalidToken:
            return False


@dataclass(frozen=True)
class Sealed:
    """How many secrets are sealed by the first key now, were so before, are plain, and can't be opened."""

    sealed: int = 0
    before: int = 0
    plain: int = 0
    lost: int = 0


def seals_of(settings: Settings) -> Seals:
    """Return the seals of the settings' keys.

    Raises
    ------
    InputError
        If one of them is no key.
    """
    return _seals(settings.webhooks.secret_key.get_secret_value())


@lru_cache(maxsize=8)
def _seals(keys: str) -> Seals:
    made = []
    for number, key in enumerate((part.strip() for part in keys.split(",") if part.strip()), start=1):
        try:
            made.append(Fernet(key))
        except ValueError as error:
            # The text is never shown: it may be a key with one letter wrong.
            expected = f"32 bytes in URL-safe base64 ({_HOW})"
            raise InputError(f"{KEY_VARIABLE}: key {number}", f"{len(key)} characters", expected) from error
    return Seals(*made)


def new_seal_key() -> str:
    """Return a new key, as the environment takes it."""
    return Fernet.generate_key().decode()


def seal_stored(sessions: sessionmaker[Session], seals: Seals) -> Sealed:
    """Seal by the first key every secret in the store that is not: plain ones, and those of keys on their way out.

    Parameters
    ----------
    sessions : sessionmaker
    seals : Seals

    Returns
    -------
    Sealed
    """
    count = {"sealed": 0, "before": 0, "plain": 0, "lost": 0}
    columns = (Subscription.secret, Subscription.previous_secret)
    with sessions() as session:
        rows = session.execute(select(Subscription.id, *columns).where(Subscription.channel == "webhook")).all()
    for key, *stored in rows:
        for column, value in zip(columns, stored, strict=True):
            if value:
                count[_seal_one(sessions, seals, key, column.key, value)] += 1
    found = Sealed(**count)
    if found.plain:
        log.warning("%d secrets of webhooks are stored in plain text: set %s", found.plain, KEY_VARIABLE)
    if found.lost:
        log.error("%d secrets of webhooks can't be opened by any key of %s", found.lost, KEY_VARIABLE)
    if found.sealed:
        log.info("%d secrets of webhooks sealed", found.sealed)
    return found


def _seal_one(sessions: sessionmaker[Session], seals: Seals, key: str, column: str, stored: str) -> str:
    """Seal one secret; return which of the fields of `Sealed` counts it."""
    if seals.ready and seals.is_current(stored):
        return "before"
    try:
        secret = seals.open(stored)
    except InputError:
        return "lost"
    if not seals.ready:
        return "plain"
    own = getattr(Subscription, column)
    with sessions.begin() as session:
        # Only what was read is replaced: another process may have made a new one meanwhile.
        session.execute(
            update(Subscription).where(Subscription.id == key, own == stored).values({column: seals.seal(secret)})
        )
    return "sealed"
