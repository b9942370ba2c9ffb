"""Keys of accounts, for tests of the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hazecast.services.accounts.accounts import add_account, change_account
from hazecast.services.accounts.keys import add_key, revoke_key
from hazecast.services.accounts.tokens import new_token
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store


def bearer(store: Store, account_id: str, **given: object) -> dict[str, str]:
    """Return the header of a new key of an account."""
    asked = {"label": "test", "lifetime": timedelta(days=30), "at": datetime.now(UTC), "by": "command"}
    return {"Authorization": f"Bearer {add_key(store.sessions, account_id, **(asked | given))[1]}"}


def keys_of_every_kind(folder: Path) -> dict[str, str]:
    """Make a store in a folder with accounts of several roles; return their keys, good and bad, by what they are."""
    store = Store(Settings(data_dir=folder).database_url)
    store.migrate()
    now = datetime.now(UTC)
    made: dict[str, str] = {}
    for account_id, role in {
        "root": "administrator", "tianjin": "subscriber", "dalian": "subscriber", "closed": "subscriber"
    }.items():  # fmt: skip
        add_account(store.sessions, account_id, name=account_id, role=role, at=now)
        given = {"label": "x", "lifetime": timedelta(days=30), "at": now, "by": "command"}
        key, made[account_id] = add_key(store.sessions, account_id, **given)
        made[f"id of {account_id}"] = key.id
        if account_id == "dalian":
            _, made["expired"] = add_key(store.sessions, account_id, **(given | {"at": now - timedelta(days=31)}))
            revoked, made["revoked"] = add_key(store.sessions, account_id, **given)
            revoke_key(store.sessions, revoked.id, at=now, by="command")
            _, made["narrow"] = add_key(store.sessions, account_id, **given, scopes=["account:read"])
    change_account(store.sessions, "closed", at=now, disabled=True)
    made["unknown"] = new_token()[1]
    made["half another's"] = made["dalian"][:16] + made["tianjin"][16:]
    store.close()
    return made
