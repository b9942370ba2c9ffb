"""Subscriptions through the API, with keys of two accounts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from standardwebhooks import Webhook

from hazecast.services.accounts.accounts import change_account
from hazecast.services.accounts.keys import add_key
from hazecast.services.delivery.channel import Outcome
from hazecast.services.web.app import create_app
from tests.support.delivery_world import World
from tests.support.receivers import receiving

HOOK = {"name": "Duty desk", "channel": "webhook", "target": "https://1.1.1.1/haze"}
STREAM = {"name": "Console", "channel": "stream"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("api"), webhook_http=True, webhook_ports=(443,), subscriptions_per_account=30)
    world.clock.now = datetime.now(UTC)
    yield world
    world.close()


@pytest.fixture(scope="module")
def client(world):
    return TestClient(create_app(world.settings), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def keys(world) -> dict[str, dict[str, str]]:
    def key(account: str, scopes=None) -> dict[str, str]:
        _, token = add_key(
            world.store.sessions, account, label="test", lifetime=timedelta(days=1), at=datetime.now(UTC), by="command",
            scopes=scopes,
        )  # fmt: skip
        return {"Authorization": f"Bearer {token}"}

    return {name: key(name) for name in ("tianjin", "kitakyushu")} | {"reader": key("tianjin", ["subscriptions:read"])}


def made(client, keys, **given) -> dict:
    answer = client.post("/v1/subscriptions", json=HOOK | given, headers=keys["tianjin"])
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_subscription_s_life(client, keys) -> None:
    new = made(client, keys, cities=["beijing"], levels=["orange", "red"], kinds=["warning", "bulletin"])
    assert new["state"] == "unconfirmed" and new["secret"].startswith("whsec_") and new["time_zone"] == "Asia/Shanghai"
    address = f"/v1/subscriptions/{new['id']}"
    shown = client.get(address, headers=keys["tianjin"])
    assert shown.headers["cache-control"] == "no-store" and "secret" not in shown.json()
    assert "code" not in shown.json() and shown.json()["levels"] == ["orange", "red"]
    assert new["id"] in [row["id"] for row in client.get("/v1/subscriptions", headers=keys["tianjin"]).json()["items"]]

    too_early = client.patch(address, json={"state": "paused"}, headers=keys["tianjin"])
    assert too_early.status_code == 409 and too_early.headers["content-type"] == "application/problem+json"
    assert client.post(f"{address}/test", headers=keys["tianjin"]).status_code == 409
    changed = client.patch(address, json={"regions": ["tianjin"], "bulletin_hour": 6}, headers=keys["tianjin"])
    assert changed.json()["regions"] == ["tianjin"] and changed.json()["cities"] == ["beijing"]
    rotated = client.post(f"{address}/secret", headers=keys["tianjin"]).json()
    assert rotated["secret"] not in (new["secret"], "") and Webhook(rotated["secret"])
    assert client.delete(address, headers=keys["tianjin"]).status_code == 204
    assert client.get(address, headers=keys["tianjin"]).status_code == 404


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"cities": ["bejing"]}, "city"),
        ({"regions": ["atlantis"]}, "regions"),
        ({"levels": ["purple"]}, "levels"),
        ({"rule_sets": ["cma_fog"]}, "rule"),
        ({"languages": ["fr"]}, "languages"),
        ({"languages": []}, "languages"),
        ({"kinds": []}, "kinds"),
        ({"kinds": ["gossip"]}, "kinds"),
        ({"bulletin_hour": 24}, "bulletin_hour"),
        ({"time_zone": "Asia/Peking"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"name": "a\r\nBcc: all@bureau.example"}, "name"),
        ({"name": ""}, "name"),
        ({"target": "https://localhost/x"}, "target"),
        ({"target": "https://10.0.0.1/x"}, "target"),
        ({"target": "ftp://1.1.1.1/x"}, "target"),
        ({"channel": "pigeon"}, "channel"),
        ({"channel": "email", "target": "duty@bureau.example"}, "channel"),
        ({"channel": "stream"}, "target"),
        ({"secret": "mine"}, "secret"),
        ({"account_id": "kitakyushu"}, "account_id"),
    ],
)
def test_what_can_t_be_subscribed_to_is_named(client, keys, given, field) -> None:
    answer = client.post("/v1/subscriptions", json=HOOK | given, headers=keys["tianjin"])
    assert answer.status_code == 422 and field in answer.json()["detail"], answer.text


def test_no_account_sees_another_s(client, world, keys) -> None:
    new = made(client, keys)
    world.dispatcher().prepare()
    (delivery,) = [row for row in world.deliveries() if row.subscription_id == new["id"]]
    other = keys["kitakyushu"]
    for method, path in (
        ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/secret"), ("POST", "/replay"),
        ("GET", "/deliveries"), ("GET", "/events"),
    ):  # fmt: skip
        answer = client.request(
            method, f"/v1/subscriptions/{new['id']}{path}", headers=other, json={} if method == "PATCH" else None
        )
        assert answer.status_code == 404, (method, path)
    assert client.get(f"/v1/deliveries/{delivery.id}", headers=other).status_code == 404
    assert client.post(f"/v1/deliveries/{delivery.id}/replay", headers=other).status_code == 404
    assert client.get("/v1/subscriptions", headers=other).json() == {"items": [], "next": None}
    assert client.get("/v1/dead-letters", headers=other).json() == {"items": [], "next": None}
    assert client.get(f"/v1/deliveries/{delivery.id}", headers=keys["tianjin"]).json()["state"] == "pending"
    assert client.get(f"/v1/subscriptions/{new['id']}", headers=keys["tianjin"]).status_code == 200


def test_keys_and_scopes_are_required(client, keys) -> None:
    new = made(client, keys)
    address = f"/v1/subscriptions/{new['id']}"
    for method, path in (
        ("GET", "/v1/subscriptions"), ("POST", "/v1/subscriptions"), ("GET", address), ("DELETE", address),
        ("GET", "/v1/dead-letters"), ("GET", f"{address}/events"), ("POST", f"{address}/replay"),
    ):  # fmt: skip
        answer = client.request(method, path, json=HOOK if method == "POST" else None)
        assert answer.status_code == 401 and "Bearer" in answer.headers["www-authenticate"], (method, path)
    assert client.get(address, headers=keys["reader"]).status_code == 200
    for method, path in (("POST", "/v1/subscriptions"), ("DELETE", address), ("GET", f"{address}/deliveries")):
        answer = client.request(method, path, headers=keys["reader"], json=HOOK if method == "POST" else None)
        assert answer.status_code == 403, (method, path)


def test_receivers_confirm_and_leave_by_their_code_alone(client, world, keys) -> None:
    new = made(client, keys)
    code = world.subscriptions.get(new["id"]).code
    address = f"/v1/subscriptions/{new['id']}"

    def state() -> str:
        return client.get(address, headers=keys["tianjin"]).json()["state"]

    page = client.get(f"{address}/confirm", params={"code": code}, headers={"Accept-Language": "ja,en;q=0.5"})
    assert page.status_code == 200 and "確認" in page.text and page.headers["cache-control"] == "no-store"
    # Whoever follows links, as mail scanners do, has confirmed nothing.
    assert state() == "unconfirmed"
    for wrong in ("", "x", code[:-1], "é"):
        assert client.post(f"{address}/confirm", params={"code": wrong}).status_code == 404
    assert client.post("/v1/subscriptions/sub_none/confirm", params={"code": code}).status_code == 404
    assert state() == "unconfirmed"
    script = client.get(f"{address}/confirm", params={"code": '"><script>alert(1)</script>'})
    assert "<script>" not in script.text
    assert client.post(f"{address}/confirm", params={"code": code}).status_code == 200 and state() == "active"
    left = client.post(
        f"{address}/unsubscribe", params={"code": code}, data={"List-Unsubscribe": "One-Click"}
    )  # fmt: skip
    assert left.status_code == 200 and state() == "stopped"
    # An old confirmation does not bring it back, nor does its owner: the receiver is asked again.
    assert client.post(f"{address}/confirm", params={"code": code}).status_code == 409
    assert client.patch(address, json={"state": "paused"}, headers=keys["tianjin"]).status_code == 409
    asked = client.patch(address, json={"state": "active"}, headers=keys["tianjin"]).json()
    assert asked["state"] == "unconfirmed" and asked["confirmed_at"] is None
    assert client.patch(address, json={"state": "active"}, headers=keys["tianjin"]).status_code == 409
    assert client.post(f"{address}/confirm", params={"code": code}).status_code == 200 and state() == "active"


def test_history_dead_letters_and_replay(client, world, keys) -> None:
    new = made(client, keys)
    row = world.subscriptions.get(new["id"])
    world.clock.now = datetime.now(UTC)
    world.subscriptions.confirm(row.id, row.code, world.clock())
    sent = [world.warn(number=f"h{number}").id for number in range(3)]
    world.dispatcher().run_once()
    address = f"/v1/subscriptions/{row.id}/deliveries"
    first = client.get(address, params={"limit": 2}, headers=keys["tianjin"]).json()
    rest = client.get(
        address, params={"limit": 2, "cursor": first["next"]}, headers=keys["tianjin"]
    ).json()  # fmt: skip
    events = [entry["event"] for entry in first["items"] + rest["items"]]
    assert events == [*reversed(sent), f"confirmation.{row.id}"]
    assert {entry["state"] for entry in first["items"]} == {"delivered"}
    assert client.get(address, params={"state": "dead"}, headers=keys["tianjin"]).json()["items"] == []
    assert client.get(address, params={"state": "lost"}, headers=keys["tianjin"]).status_code == 422

    name = first["items"][0]["id"]
    again = client.post(f"/v1/deliveries/{name}/replay", headers=keys["tianjin"])
    assert again.json() == {"replayed": 1}
    # One that waits already keeps its place.
    assert client.post(f"/v1/deliveries/{name}/replay", headers=keys["tianjin"]).json() == {"replayed": 1}
    world.clock.now = datetime.now(UTC)
    world.dispatcher().run_once()
    assert world.ear.heard.count(name) == 2
    assert client.post(f"/v1/subscriptions/{row.id}/replay", headers=keys["tianjin"]).json() == {"replayed": 0}


def test_what_waits_is_sent_now_and_says_why_it_was_late(client, world, keys) -> None:
    new = made(client, keys)
    row = world.subscriptions.get(new["id"])
    world.subscriptions.confirm(row.id, row.code, world.clock())
    address, head = f"/v1/subscriptions/{row.id}", keys["tianjin"]
    world.clock.now = datetime.now(UTC)
    world.dispatcher().run_once()
    assert client.post(f"{address}/send-now", headers=head).json() == {"waiting": 0}
    world.ear.answer = lambda _: Outcome("failed", 503, "down for repair")
    world.clock.now = datetime.now(UTC)
    sent = [world.warn(number=f"late{number}").id for number in range(2)]
    world.dispatcher().run_once()
    world.ear.answer = lambda _: Outcome("delivered", 200)
    # Repaired, but the wait that follows a failure is not over.
    assert world.dispatcher().run_once() == 0
    assert client.post(f"{address}/send-now", headers=keys["kitakyushu"]).status_code == 404
    assert client.post(f"{address}/send-now", headers=keys["reader"]).status_code == 403
    assert client.post(f"{address}/send-now", headers=head).json() == {"waiting": 2}
    world.clock.now = datetime.now(UTC)
    assert world.dispatcher().run_once() == 2
    assert [message.event_id for message in world.ear.messages if message.event_id in sent][-2:] == sent
    rows = {entry["event"]: entry for entry in client.get(f"{address}/deliveries", headers=head).json()["items"]}
    first, second = (rows[name] for name in sent)
    assert (first["state"], first["error"]) == ("delivered", None)
    assert (first["late"]["reason"], first["late"]["error"]) == ("failed", "503 down for repair")
    assert (second["late"]["reason"], second["late"]["error"]) == ("behind", None)
    assert first["late"]["seconds"] >= 0 and rows[f"confirmation.{row.id}"]["late"] is None
    client.patch(address, json={"state": "paused"}, headers=head)
    paused = client.post(f"{address}/send-now", headers=head)
    assert paused.status_code == 409 and "paused" in paused.json()["detail"]


def test_an_account_has_only_so_many(client, world, keys) -> None:
    limit = world.settings.subscriptions.subscriptions_per_account
    statuses = [
        client.post("/v1/subscriptions", json=STREAM, headers=keys["kitakyushu"]).status_code for _ in range(limit + 1)
    ]
    assert statuses == [201] * limit + [409]


def test_a_disabled_account_receives_nothing(tmp_path) -> None:
    world = World(tmp_path)
    row = world.subscribe()
    world.warn()
    change_account(world.store.sessions, "tianjin", at=world.clock(), disabled=True)
    assert world.dispatcher().run_once() == 0 and world.deliveries(row) == []
    world.close()


def test_every_route_of_subscriptions_has_its_errors_documented(client) -> None:
    schema = client.get("/openapi.json").json()
    for path, operations in schema["paths"].items():
        if "subscriptions" in path or "deliver" in path or path == "/v1/dead-letters":
            for method, operation in operations.items():
                # Also where no key is needed: an invalid one is refused everywhere.
                assert "401" in operation["responses"], (method, path)
                open_to_all = path.endswith(("confirm", "unsubscribe"))
                assert ("403" in operation["responses"]) != open_to_all, (method, path)


def test_a_webhook_is_confirmed_by_its_answer(tmp_path) -> None:
    with receiving() as receiver:
        world = World(
            tmp_path, webhook_http=True, webhook_ports=(receiver.port,), webhook_networks=("127.0.0.0/8",)
        )  # fmt: skip
        from hazecast.services.delivery.service import make_dispatcher

        dispatcher = make_dispatcher(world.store, world.settings)
        world.clock.now = datetime.now(UTC)
        row = world.subscribe(confirmed=False, target=receiver.url)
        world.warn()
        assert dispatcher.run_once() == 1 and world.reload(row).state == "unconfirmed"
        (body,) = receiver.bodies
        assert body["type"] == "subscription.confirmation" and row.code in body["data"]["code"]
        world.subscriptions.remove(row)
        receiver.answer = lambda _, content: (200, {}, content)
        row = world.subscribe(confirmed=False, target=receiver.url)
        assert dispatcher.run_once() == 1 and world.reload(row).state == "active"
        # What happened before it confirmed is not sent; what happens after is.
        warning = world.warn(number="after")
        assert dispatcher.run_once() == 1
        assert receiver.bodies[-1]["data"]["warning"]["id"] == warning.id
        world.close()
