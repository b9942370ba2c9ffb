"""Keys of accounts, for tests of the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hazecast.services.accounts.keys import add_key
from hazecast.services.store.store import Store


def bearer(store: Store, account_id: str, **given: object) -> dict[str, str]:
    """Return the header of a new key of an account."""
    asked = {"label": "test", "lifetime": timedelta(days=30), "at": datetime.now(UTC), "by": "command"}
    return {"Authorization": f"Bearer {add_key(store.sessions, account_id, **(asked | given))[1]}"}
