"""Drafts through the API: decided once, by a person of a name, as the command decides them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.errors import ConflictError
from hazecast.services.accounts.accounts import add_account
from hazecast.services.core.settings import Settings
from hazecast.services.store.draft_reads import audit_trail
from hazecast.services.store.drafts import decide_draft, save_drafts
from hazecast.services.store.store import Store
from hazecast.services.web.app import create_app
from tests.support.accounts import bearer
from tests.support.pages import pages
from tests.support.warning_cases import assessed

RULES = RuleBook.shipped().rule_set("cma_haze")
CITIES = ("beijing", "tianjin", "shijiazhuang", "baoding", "tangshan")
WHY = {"reason": "agrees with the ensemble"}


@pytest.fixture
def store(tmp_path) -> Store:
    store = Store(Settings(data_dir=tmp_path).database_url)
    store.migrate()
    now = datetime.now(UTC)
    add_account(store.sessions, "li-na", name="李娜", role="forecaster", at=now)
    add_account(store.sessions, "tianjin", name="天津", role="subscriber", at=now)
    init = now.replace(minute=0, second=0, microsecond=0)
    with store.sessions.begin() as session:
        proposals = [
            message
            for city in CITIES
            for message in advance([], [assessed(RULES, city, init, (0.9, 0.8, 0.0))], init, ruleset=RULES)
        ]
        save_drafts(session, proposals, {("cma_haze", city) for city in CITIES}, init, False, at=init)
    yield store
    store.close()


@pytest.fixture
def client(store, tmp_path) -> TestClient:
    return TestClient(create_app(Settings(data_dir=tmp_path)), raise_server_exceptions=False)


def test_a_forecaster_decides(client, store) -> None:
    head = bearer(store, "li-na")
    waiting = client.get("/v1/drafts", headers=head)
    assert waiting.headers["cache-control"] == "no-store"
    ids = [draft["id"] for draft in waiting.json()["items"]]
    assert len(ids) == len(CITIES) and [d["id"] for d in pages(client, "/v1/drafts?limit=2", head)] == ids
    assert client.get("/v1/warnings").json()["features"] == []
    approved = client.post(f"/v1/drafts/{ids[0]}/approve", json=WHY, headers=head)
    assert approved.json()["status"] == "approved" and approved.json()["by"] == "李娜"
    amended = client.post(f"/v1/drafts/{ids[1]}/amend", json=WHY | {"level": "red"}, headers=head)
    assert amended.json()["status"] == "amended" and amended.json()["proposed"]["level"] == "orange"
    assert client.post(f"/v1/drafts/{ids[2]}/reject", json=WHY, headers=head).json()["status"] == "rejected"
    out = {f["properties"]["id"]: f["properties"]["level"] for f in client.get("/v1/warnings").json()["features"]}
    assert out == {ids[0]: "orange", ids[1]: "red"}
    one = client.get(f"/v1/drafts/{ids[1]}", headers=head).json()
    assert [(step["action"], step["by"], step["reason"]) for step in one["audit"]] == [
        ("drafted", None, None),
        ("amended", "李娜", WHY["reason"]),
    ]
    assert {d["id"] for d in client.get("/v1/drafts", headers=head).json()["items"]} == set(ids[3:])
    assert len(client.get("/v1/drafts?status=all", headers=head).json()["items"]) == len(CITIES)
    # What is decided stays decided, by API and by command alike.
    for draft_id in ids[:3]:
        again = client.post(f"/v1/drafts/{draft_id}/approve", json=WHY, headers=head)
        assert again.status_code == 409 and "pending" in again.json()["detail"]
    # The command does the same to the next one, but for the name.
    at = datetime.now(UTC)
    by_command = decide_draft(
        store.sessions, RuleBook.shipped(), ids[3], False, "approve", by="李娜", reason=WHY["reason"], at=at
    )
    by_api = client.post(f"/v1/drafts/{ids[4]}/approve", json=WHY, headers=head).json()
    assert (by_command.status, by_command.by) == (by_api["status"], by_api["by"])
    messages = [store.warning(draft_id, False) for draft_id in ids[3:]]
    assert [m.approval.model_dump(exclude={"at"}) for m in messages] == [
        {"by": "李娜", "reason": WHY["reason"], "amended": False}
    ] * 2
    # Who decided and why is for the audit, with the key; the public learns that a person did.
    shown = client.get(f"/v1/warnings/{ids[4]}")
    assert set(shown.json()["properties"]["approval"]) == {"at", "amended"}
    assert "李娜" not in shown.text and WHY["reason"] not in shown.text
    steps = client.get(f"/v1/drafts/{ids[4]}", headers=head).json()["audit"]
    assert steps[-1]["by"] == "李娜" and steps[-1]["account"] == "li-na" and steps[-1]["key"]


def test_who_may_not_decide_changes_nothing(client, store) -> None:
    draft_id = client.get("/v1/drafts", headers=bearer(store, "li-na")).json()["items"][0]["id"]
    before = audit_trail(store.sessions, False)
    reader = bearer(store, "li-na", scopes=["drafts:read"])
    assert client.get(f"/v1/drafts/{draft_id}", headers=reader).status_code == 200
    for action in ("approve", "amend", "reject"):
        address = f"/v1/drafts/{draft_id}/{action}"
        assert client.post(address, json=WHY).status_code == 401
        assert client.post(address, json=WHY, headers=bearer(store, "tianjin")).status_code == 403
        assert client.post(address, json=WHY, headers=reader).status_code == 403
    assert client.get("/v1/drafts").status_code == 401
    assert audit_trail(store.sessions, False) == before


@pytest.mark.parametrize(
    ("action", "body", "status", "word"),
    [
        ("approve", {}, 422, "reason"),
        ("approve", {"reason": "  "}, 422, "reason"),
        ("approve", {"reason": "a\u0000b"}, 422, "reason"),
        ("approve", {"reason": "x" * 2001}, 422, "reason"),
        ("amend", WHY, 422, "no change"),
        ("amend", WHY | {"level": "blue"}, 422, "blue"),
        ("amend", WHY | {"expires": "2001-01-01T00:00:00Z"}, 422, "after"),
        ("amend", WHY | {"expires": "2030-01-01T00:00:00"}, 422, "timezone"),
        ("amend", WHY | {"onset": "0001-01-01T00:00:00+23:00"}, 422, "onset"),
        ("amend", WHY | {"by": "Zhao Lei", "level": "red"}, 422, "by"),
    ],
)
def test_malformed_decisions_change_nothing(client, store, action, body, status, word) -> None:
    head = bearer(store, "li-na")
    draft_id = client.get("/v1/drafts", headers=head).json()["items"][0]["id"]
    before = audit_trail(store.sessions, False)
    answer = client.post(f"/v1/drafts/{draft_id}/{action}", json=body, headers=head)
    assert answer.status_code == status and word in answer.text
    assert client.post(f"/v1/drafts/{draft_id}x/{action}", json=WHY | {"level": "red"} if action == "amend" else WHY,
                       headers=head).status_code == 404  # fmt: skip
    assert audit_trail(store.sessions, False) == before


def test_of_many_who_decide_at_once_one_does(client, store) -> None:
    head = bearer(store, "li-na")
    draft_id = client.get("/v1/drafts", headers=head).json()["items"][0]["id"]
    with ThreadPoolExecutor(8) as pool:
        ways = ["approve", "reject"] * 8
        answers = list(pool.map(lambda way: client.post(f"/v1/drafts/{draft_id}/{way}", json=WHY, headers=head), ways))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 15
    assert [step["action"] for step in audit_trail(store.sessions, False, draft_id)][1:] in (["approved"], ["rejected"])


def test_an_expired_draft_is_a_conflict(client, store) -> None:
    head = bearer(store, "li-na")
    draft = client.get("/v1/drafts", headers=head).json()["items"][0]
    late = datetime.fromisoformat(draft["proposed"]["expires"]) + timedelta(hours=1)
    with pytest.raises(ConflictError, match="expires"):
        decide_draft(store.sessions, RuleBook.shipped(), draft["id"], False, "approve", by="x", reason="y", at=late)
