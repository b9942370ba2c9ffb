"""Accounts and keys through the API and on the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from hazecast.grids.errors import InputError
from hazecast.services.accounts.accounts import add_account, change_account
from hazecast.services.cli.app import app
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from hazecast.services.web.app import create_app
from tests.support.accounts import bearer

ROLES = {"visitor": "public", "tianjin": "subscriber", "li-na": "forecaster", "root": "administrator"}


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def store(settings) -> Store:
    store = Store(settings.database_url)
    store.migrate()
    for account_id, role in ROLES.items():
        add_account(store.sessions, account_id, name=account_id.title(), role=role, at=datetime.now(UTC))
    yield store
    store.close()


@pytest.fixture
def client(settings, store) -> TestClient:
    return TestClient(create_app(settings), raise_server_exceptions=False)


def test_an_account_s_own_keys(client, store) -> None:
    head = bearer(store, "tianjin")
    me = client.get("/v1/account", headers=head)
    assert me.json()["role"] == "subscriber" and "subscriptions:write" in me.json()["scopes"]
    assert me.headers["cache-control"] == "no-store"
    asked = {"label": "receiver", "scopes": ["deliveries:read", "account:keys"], "days": 90}
    made = client.post("/v1/account/keys", json=asked, headers=head)
    assert made.status_code == 201 and made.json()["created_by"] == "tianjin"
    narrow = {"X-API-Key": made.json()["token"]}
    assert client.get("/v1/account", headers=narrow).status_code == 403
    listed = client.get("/v1/account/keys", headers=narrow).json()["items"]
    assert {key["label"] for key in listed} == {"receiver", "test"} and "token" not in listed[0]
    assert made.json()["token"] not in client.get("/v1/account/keys", headers=narrow).text
    # A narrow key makes no wider one, nor does it get one by rotating a wider one.
    assert client.post("/v1/account/keys", json={"label": "x"}, headers=narrow).json()["scopes"] == [
        "account:keys",
        "deliveries:read",
    ]
    wider = client.post("/v1/account/keys", json={"label": "x", "scopes": ["subscriptions:write"]}, headers=narrow)
    assert wider.status_code == 403 and "subscriptions:write" in wider.json()["detail"]
    first = next(key["id"] for key in listed if key["label"] == "test")
    assert client.post(f"/v1/account/keys/{first}/rotate", headers=narrow).status_code == 403
    successor = client.post(f"/v1/account/keys/{first}/rotate", json={"overlap_hours": 0}, headers=head).json()
    assert successor["replaces"] == first
    assert client.get("/v1/account", headers=head).status_code == 401
    head = {"Authorization": f"Bearer {successor['token']}"}
    assert client.delete(f"/v1/account/keys/{made.json()['id']}", headers=head).status_code == 204
    refused = client.get("/v1/account/keys", headers=narrow)
    assert refused.status_code == 401 and "revoked" in refused.json()["detail"]


def test_administration(client, store) -> None:
    head = bearer(store, "root")
    asked = {"id": "shenyang", "name": "沈阳市生态环境局", "role": "subscriber"}
    assert client.post("/v1/accounts", json=asked, headers=head).status_code == 201
    assert client.post("/v1/accounts", json=asked, headers=head).status_code == 409
    assert client.get("/v1/accounts/shenyang", headers=head).json()["name"] == asked["name"]
    assert {account["id"] for account in client.get("/v1/accounts", headers=head).json()["items"]} == {
        *ROLES,
        "shenyang",
    }
    made = client.post("/v1/accounts/shenyang/keys", json={"label": "first"}, headers=head).json()
    theirs = {"Authorization": f"Bearer {made['token']}"}
    assert client.get("/v1/account", headers=theirs).json()["id"] == "shenyang"
    assert [key["id"] for key in client.get("/v1/accounts/shenyang/keys", headers=head).json()["items"]] == [made["id"]]
    assert client.patch("/v1/accounts/shenyang", json={"disabled": True}, headers=head).json()["disabled_at"]
    assert client.get("/v1/account", headers=theirs).status_code == 401
    client.patch("/v1/accounts/shenyang", json={"disabled": False}, headers=head)
    assert client.get("/v1/account", headers=theirs).status_code == 200
    assert client.delete(f"/v1/accounts/tianjin/keys/{made['id']}", headers=head).status_code == 404
    assert client.delete(f"/v1/accounts/shenyang/keys/{made['id']}", headers=head).status_code == 204
    assert client.get("/v1/account", headers=theirs).status_code == 401
    assert client.patch("/v1/accounts/root", json={"role": "public"}, headers=head).status_code == 409
    assert client.get("/v1/accounts/nobody", headers=head).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/accounts", {"id": "A B", "name": "x", "role": "public"}, "id"),
        ("/v1/accounts", {"id": "ab", "name": "a\nb", "role": "public"}, "name"),
        ("/v1/accounts", {"id": "ab", "name": "x", "role": "emperor"}, "role"),
        ("/v1/accounts", {"id": "ab", "name": "x", "role": "public", "more": 1}, "more"),
        ("/v1/account/keys", {"label": "\ud800"}, "label"),
        ("/v1/account/keys", {"label": "x", "days": 366}, "days"),
        ("/v1/account/keys", {"label": "x", "scopes": []}, "scopes"),
        ("/v1/account/keys", {"label": "x", "scopes": ["root"]}, "scopes.0"),
        ("/v1/account/keys", {"label": "x", "\ud800": 1}, None),
    ],
)
def test_bad_bodies_name_the_field(client, store, path, body, field) -> None:
    head = bearer(store, "root") | {"Content-Type": "application/json"}
    answer = client.post(path, content=json.dumps(body), headers=head)
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert field in (None, problem.get("field"), *(error["field"] for error in problem.get("errors", ())))


def test_the_command(tmp_path, client, settings) -> None:
    def hazecast(*words: object) -> str:
        result = CliRunner().invoke(
            app, ["accounts", *map(str, words), "--data-dir", str(tmp_path)], catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
        return result.stdout.strip()

    hazecast("add", "dalian", "--name", "大连市", "--role", "administrator")
    token = hazecast("key", "add", "dalian", "--label", "first", "--days", 30)
    assert token.startswith("hz_") and "\n" not in token
    assert client.get("/v1/accounts", headers={"X-API-Key": token}).status_code == 200
    assert "dalian" in hazecast("list") and "never" not in hazecast("key", "list", "dalian")
    (key,) = json.loads(hazecast("key", "list", "dalian", "--json"))
    successor = hazecast("key", "rotate", key["id"], "--overlap-hours", 0)
    assert client.get("/v1/account", headers={"X-API-Key": token}).status_code == 401
    assert client.get("/v1/account", headers={"X-API-Key": successor}).status_code == 200
    assert "subscriber" in hazecast("change", "dalian", "--role", "subscriber")
    assert client.get("/v1/accounts", headers={"X-API-Key": successor}).status_code == 403
    hazecast("disable", "dalian")
    assert client.get("/v1/account", headers={"X-API-Key": successor}).status_code == 401
    hazecast("enable", "dalian")
    hazecast("key", "revoke", successor.split("_")[1])
    assert client.get("/v1/account", headers={"X-API-Key": successor}).status_code == 401
    assert {account["id"] for account in json.loads(hazecast("list", "--json"))} == {*ROLES, "dalian"}
    for words, wrong in (
        (("key", "add", "dalian", "--label", "x", "--days", 400), "365"),
        (("key", "add", "nobody", "--label", "x"), "nobody"),
        (("add", "dalian", "--name", "x"), "no account has yet"),
    ):
        with pytest.raises(InputError, match=wrong):
            hazecast(*words)


def test_a_role_taken_back_counts_at_the_next_request(client, store) -> None:
    head = bearer(store, "root")
    assert client.get("/v1/accounts", headers=head).status_code == 200
    add_account(store.sessions, "second", name="Second", role="administrator", at=datetime.now(UTC))
    change_account(store.sessions, "root", at=datetime.now(UTC), role="subscriber")
    assert client.get("/v1/accounts", headers=head).status_code == 403


def test_the_log_says_who_added_and_changed_an_account(client, store, caplog) -> None:
    name = next(account for account, role in ROLES.items() if role == "administrator")
    head = bearer(store, name)
    with caplog.at_level("INFO", logger="hazecast.services.accounts.accounts"):
        client.post("/v1/accounts", json={"id": "hebei", "name": "Hebei", "role": "subscriber"}, headers=head)
        client.patch("/v1/accounts/hebei", json={"disabled": True}, headers=head)
    assert f"account hebei added as subscriber by {name}" in caplog.text
    assert f"account hebei changed by {name}: role subscriber, disabled" in caplog.text
