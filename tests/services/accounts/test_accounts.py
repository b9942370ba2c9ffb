"""Accounts and their keys: what a key opens, until when, and what is kept of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import inspect

from hazecast.grids.errors import ConflictError, InputError, UnknownError
from hazecast.services.accounts.accounts import account_of, accounts_of, add_account, change_account
from hazecast.services.accounts.keys import (
    MOST_KEYS,
    BeyondScopesError,
    RefusedError,
    add_key,
    check_key,
    keys_of,
    revoke_key,
    rotate_key,
)
from hazecast.services.accounts.scopes import ROLE_SCOPES, ROLES, SCOPES
from hazecast.services.accounts.tokens import digest_of, key_id_of, matches, new_token
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from hazecast.services.store.tables.accounts import Account, ApiKey

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ASKED = {"label": "receiver", "lifetime": 365 * DAY, "at": NOW, "by": "command"}


@pytest.fixture
def store(tmp_path):
    store = Store(Settings(data_dir=tmp_path).database_url)
    store.migrate()
    add_account(store.sessions, "tianjin", name="天津市生态环境局", role="subscriber", at=NOW)
    add_account(store.sessions, "kitakyushu", name="北九州市環境局", role="subscriber", at=NOW)
    yield store
    store.close()


def test_each_role_may_do_what_the_one_before_it_may() -> None:
    assert [len(ROLE_SCOPES[role]) for role in ROLES] == sorted({len(ROLE_SCOPES[role]) for role in ROLES})
    for lower, higher in pairwise(ROLES):
        assert ROLE_SCOPES[lower] < ROLE_SCOPES[higher]
    assert ROLE_SCOPES["administrator"] == set(SCOPES)
    assert {"drafts:decide", "accounts:admin"}.isdisjoint(ROLE_SCOPES["subscriber"])


def test_tokens_are_random_and_only_the_whole_one_matches() -> None:
    made = [new_token() for _ in range(200)]
    assert len({token for _, token in made}) == len({key_id for key_id, _ in made}) == 200
    key_id, token = made[0]
    assert key_id_of(token) == key_id and len(token.rsplit("_", 1)[-1]) <= 43
    assert matches(token, digest_of(token)) and not matches(made[1][1], digest_of(token))
    assert not matches(token[:-1], digest_of(token))


@given(st.text(max_size=80))
def test_any_text_is_a_key_or_none(text) -> None:
    assert key_id_of(text) is None or text.startswith(f"hz_{key_id_of(text)}_")


def test_a_key_is_shown_once_and_kept_as_a_digest(store, tmp_path) -> None:
    key, token = add_key(store.sessions, "tianjin", **ASKED)
    store.engine.dispose()
    content = b"".join(path.read_bytes() for path in tmp_path.glob("hazecast.db*"))
    secret = token.split("_", 2)[2]
    assert secret.encode() not in content and key.digest.encode() in content
    assert secret not in repr(key) and secret not in repr(vars(key))
    with closing(sqlite3.connect(tmp_path / "hazecast.db")) as database:
        (digest,) = database.execute("SELECT digest FROM api_key").fetchone()
    assert digest == digest_of(token)


def test_a_key_opens_what_its_scopes_and_its_account_s_role_share(store) -> None:
    _, token = add_key(store.sessions, "tianjin", **ASKED, scopes=["deliveries:read", "subscriptions:write"])
    who = check_key(store.sessions, token, NOW)
    assert (who.account_id, who.name, who.role) == ("tianjin", "天津市生态环境局", "subscriber")
    assert who.scopes == {"deliveries:read", "subscriptions:write"}
    # A role taken back counts at once; one given adds nothing to keys made before.
    change_account(store.sessions, "tianjin", at=NOW, role="public")
    assert check_key(store.sessions, token, NOW).scopes == frozenset()
    change_account(store.sessions, "tianjin", at=NOW, role="administrator")
    assert check_key(store.sessions, token, NOW).scopes == who.scopes


def test_keys_that_open_nothing_say_why(store) -> None:
    key, token = add_key(store.sessions, "tianjin", **ASKED)
    other, _ = add_key(store.sessions, "kitakyushu", **ASKED)
    foreign = token.replace(key.id, other.id)
    for wrong in ("", "hz_", "password", token[:-1], token + "x", token.upper(), f"hz_{'0' * 12}_{'A' * 43}", foreign):
        with pytest.raises(RefusedError, match="not known") as refused:
            check_key(store.sessions, wrong, NOW)
        assert not wrong or wrong not in str(refused.value)
    assert check_key(store.sessions, token, NOW + 365 * DAY - timedelta(seconds=1))
    with pytest.raises(RefusedError, match="expired at 2027-01-15T12:00Z"):
        check_key(store.sessions, token, NOW + 365 * DAY)
    change_account(store.sessions, "tianjin", at=NOW, disabled=True)
    with pytest.raises(RefusedError, match="disabled"):
        check_key(store.sessions, token, NOW)
    change_account(store.sessions, "tianjin", at=NOW, disabled=False)
    revoke_key(store.sessions, key.id, at=NOW, by="command")
    with pytest.raises(RefusedError, match="revoked"):
        check_key(store.sessions, token, NOW)
    later = revoke_key(store.sessions, key.id, at=NOW + DAY, by="command")
    assert later.revoked_at == NOW


def test_use_is_noted_not_more_than_once_a_minute(store) -> None:
    key, token = add_key(store.sessions, "tianjin", **ASKED)
    noted = []
    for seconds in (0, 30, 60, 61):
        check_key(store.sessions, token, NOW + timedelta(seconds=seconds))
        noted.append(keys_of(store.sessions, "tianjin")[0].last_used_at - NOW)
    assert noted == [timedelta(0), timedelta(0), timedelta(minutes=1), timedelta(minutes=1)]
    assert key.last_used_at is None


def test_rotation_overlaps(store) -> None:
    old, token = add_key(store.sessions, "tianjin", **ASKED, scopes=["deliveries:read"])
    at = NOW + 300 * DAY
    given = {"overlap": DAY, "lifetime": 365 * DAY, "at": at, "by": "tianjin"}
    new, successor = rotate_key(store.sessions, old.id, **given)
    assert (new.label, new.scopes, new.replaces) == (old.label, old.scopes, old.id)
    assert check_key(store.sessions, token, at + DAY / 2) and check_key(store.sessions, successor, at + DAY / 2)
    with pytest.raises(RefusedError, match="expired"):
        check_key(store.sessions, token, at + DAY)
    assert check_key(store.sessions, successor, at + DAY).key_id == new.id
    with pytest.raises(ConflictError):
        rotate_key(store.sessions, old.id, **(given | {"at": at + DAY}))
    with pytest.raises(UnknownError):
        rotate_key(store.sessions, new.id, **given, account_id="kitakyushu")
    with pytest.raises(InputError, match="30 days"):
        rotate_key(store.sessions, new.id, **(given | {"overlap": 31 * DAY}))
    # An overlap never makes a key live longer.
    short, _ = add_key(store.sessions, "tianjin", **(ASKED | {"lifetime": DAY / 24}))
    rotate_key(store.sessions, short.id, overlap=DAY, lifetime=DAY, at=NOW, by="tianjin")
    assert {key.id: key.expires_at for key in keys_of(store.sessions, "tianjin")}[short.id] == NOW + DAY / 24


@pytest.mark.parametrize(("asked", "longest", "days"), [(None, 365, 90), (None, 30, 30), (10, 365, 10)])
def test_a_successor_lives_as_long_as_the_key_before(store, asked, longest, days) -> None:
    old, _ = add_key(store.sessions, "tianjin", **(ASKED | {"lifetime": 90 * DAY}))
    lifetime = asked and asked * DAY
    at = NOW + 80 * DAY
    new, _ = rotate_key(
        store.sessions, old.id, overlap=DAY, lifetime=lifetime, longest=longest * DAY, at=at, by="tianjin"
    )
    assert new.expires_at == at + days * DAY


def test_nobody_gives_away_more_than_they_have(store) -> None:
    narrow = frozenset({"account:keys", "deliveries:read"})
    wide, _ = add_key(store.sessions, "tianjin", **ASKED)
    with pytest.raises(BeyondScopesError, match="subscriptions:write"):
        add_key(store.sessions, "tianjin", **ASKED, scopes=["subscriptions:write"], within=narrow)
    with pytest.raises(BeyondScopesError):
        rotate_key(store.sessions, wide.id, overlap=DAY, lifetime=DAY, at=NOW, by="tianjin", within=narrow)
    key, _ = add_key(store.sessions, "tianjin", **ASKED, within=narrow)
    assert set(key.scopes) == narrow
    with pytest.raises(InputError, match="accounts:admin"):
        add_key(store.sessions, "tianjin", **ASKED, scopes=["accounts:admin"])
    with pytest.raises(InputError, match="some of"):
        add_key(store.sessions, "tianjin", **ASKED, scopes=[])


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [("label", " ", "label"), ("label", "a\nb", "label"), ("lifetime", timedelta(0), "lifetime")],
)
def test_keys_of_no_form_are_refused(store, field, value, word) -> None:
    with pytest.raises(InputError, match=word):
        add_key(store.sessions, "tianjin", **(ASKED | {field: value}))
    assert not keys_of(store.sessions, "tianjin")


def test_an_account_has_a_bounded_number_of_keys(store) -> None:
    for _ in range(MOST_KEYS):
        key, _ = add_key(store.sessions, "tianjin", **ASKED)
    with pytest.raises(ConflictError, match="keys in use"):
        add_key(store.sessions, "tianjin", **ASKED)
    revoke_key(store.sessions, key.id, at=NOW, by="command")
    assert add_key(store.sessions, "tianjin", **ASKED)


@pytest.mark.parametrize(
    ("account_id", "name", "role", "word"),
    [
        ("Tianjin 2", "x", "public", "account"),
        ("x", "x", "public", "account"),
        ("tianjin2", "", "public", "name"),
        ("tianjin2", "a\r\nb", "public", "name"),
        ("tianjin2", "x", "root", "administrator"),
        ("tianjin", "x", "public", "no account has yet"),
    ],
)
def test_accounts_of_no_form_are_refused(store, account_id, name, role, word) -> None:
    before = [account.id for account in accounts_of(store.sessions)]
    with pytest.raises(InputError, match=word):
        add_account(store.sessions, account_id, name=name, role=role, at=NOW)
    assert [account.id for account in accounts_of(store.sessions)] == before


def test_there_is_always_an_administrator_left(store) -> None:
    add_account(store.sessions, "first", name="First", role="administrator", at=NOW)
    for change in ({"disabled": True}, {"role": "subscriber"}):
        with pytest.raises(ConflictError, match="only administrator"):
            change_account(store.sessions, "first", at=NOW, **change)
    assert account_of(store.sessions, "first").disabled_at is None
    add_account(store.sessions, "second", name="Second", role="administrator", at=NOW)
    assert change_account(store.sessions, "first", at=NOW, disabled=True).disabled_at == NOW
    with pytest.raises(UnknownError):
        change_account(store.sessions, "third", at=NOW, disabled=True)
    with pytest.raises(ConflictError, match="disabled"):
        add_key(store.sessions, "first", **ASKED)


def test_the_migration_makes_the_tables_that_the_code_has_and_takes_them_back(store) -> None:
    for table in (Account.__table__, ApiKey.__table__):
        made = {column["name"]: column["nullable"] for column in inspect(store.engine).get_columns(table.name)}
        assert made == {column.name: column.nullable for column in table.columns}
    assert inspect(store.engine).get_foreign_keys("api_key")[0]["referred_table"] == "account"
    store.migrate("base")
    assert not {"account", "api_key"} & set(inspect(store.engine).get_table_names())
