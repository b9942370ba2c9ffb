"""The text of a draft is edited with its facts locked, previewed as it will go out, and several are decided at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from hazecast.alerts.messages.cap import parse
from hazecast.alerts.messages.texts import LANGUAGES
from hazecast.services.accounts.accounts import add_account
from hazecast.services.core.settings import Settings
from hazecast.services.store.tables.forecasts import Warning_, WarningAudit
from hazecast.services.web.app import create_app
from tests.support.accounts import bearer
from tests.support.console_world import draft
from tests.support.delivery_world import World

CITIES = ("beijing", "tianjin", "shijiazhuang")
WHY = {"reason": "agrees with the ensemble"}
CALM = {"zh": "静稳天气持续。", "ja": "風の弱い状態が続きます。", "en": "Calm until the front passes."}


@pytest.fixture
def world(tmp_path) -> World:
    world = World(tmp_path)
    now = datetime.now(UTC)
    add_account(world.store.sessions, "li-na", name="李娜", role="forecaster", at=now)
    draft(world, now.replace(minute=0, second=0, microsecond=0), CITIES)
    yield world
    world.close()


@pytest.fixture
def client(world, tmp_path) -> TestClient:
    return TestClient(create_app(Settings(data_dir=tmp_path)), raise_server_exceptions=False)


def drafts(client, head) -> dict[str, str]:
    return {one["proposed"]["city"]: one["id"] for one in client.get("/v1/drafts", headers=head).json()["items"]}


def texts(found) -> dict[str, dict[str, str]]:
    return {one["language"]: one for one in found}


def test_an_edited_text_goes_out_with_the_facts_of_the_engine_and_the_audit_keeps_both(client, world) -> None:
    head = bearer(world.store, "li-na")
    address = f"/v1/drafts/{drafts(client, head)['beijing']}"
    before = texts(client.get(address, headers=head).json()["texts"])
    advice = before["zh"]["instruction"] + "\n咨询电话：12369"
    edits = {language: {"comment": CALM[language]} for language in LANGUAGES}
    edits["zh"]["instruction"] = advice
    # What is not changed is no edit.
    edits["ja"]["instruction"] = before["ja"]["instruction"]
    decided = client.post(f"{address}/amend", json=WHY | {"texts": edits}, headers=head).json()
    assert decided["status"] == "amended"
    assert {(one["part"], one["language"]) for one in decided["edits"]} == {
        ("comment", "zh"), ("comment", "ja"), ("comment", "en"), ("instruction", "zh"),
    }  # fmt: skip
    [shown] = client.get("/v1/warnings").json()["features"]
    out = shown["properties"]
    assert out["level"] == "orange" and out["instruction"]["zh"] == advice and "wording" not in out
    cap = parse(client.get(f"/v1/warnings/{out['id']}.cap").content)
    told = [one.text for one in cap.iter("{*}description")]
    for number, language in enumerate(LANGUAGES):
        assert out["headline"][language] == before[language]["headline"]
        assert CALM[language] in out["description"][language] and CALM[language] in told[number]
    # Both stand in the audit, in the store and through the API.
    step = client.get(address, headers=head).json()["audit"][-1]
    [edit] = [one for one in step["edits"] if one["part"] == "instruction"]
    assert (edit["before"], edit["after"]) == (before["zh"]["instruction"], advice)
    with world.store.sessions() as session:
        kept = json.loads(session.scalars(select(WarningAudit.payload).order_by(WarningAudit.id.desc())).first())
        assert "wording" not in kept["proposed"] and len(kept["edits"]) == 4
        stored = json.loads(session.scalars(select(Warning_.payload)).one())
    assert stored["wording"]["en"] == {"comment": CALM["en"], "instruction": None} and stored["approval"]["amended"]


def test_words_that_would_change_a_fact_are_refused(client, world) -> None:
    head = bearer(world.store, "li-na")
    address = f"/v1/drafts/{drafts(client, head)['beijing']}"
    for words, where in (
        ({"zh": {"comment": "PM2.5将达到9999微克"}}, "texts.zh.comment"),
        ({"en": {"comment": "From 3.77 to 4.88"}}, "texts.en.comment"),
        ({"en": {"comment": "Below ½ km"}}, "found ½"),
        ({"zh": {"comment": "等级Ⅳ"}}, "found Ⅳ"),
        ({"en": {"comment": "a\u0000b"}}, "comment"),
        ({"en": {"instruction": ""}}, "instruction"),
        ({"en": {"headline": "Blue"}}, "headline"),
        ({"fr": {"comment": "Calme"}}, "fr"),
        ({"en": {}}, "no change"),
    ):
        answer = client.post(f"{address}/amend", json=WHY | {"texts": words}, headers=head)
        assert answer.status_code == 422 and where in answer.text, answer.text
    assert client.get(address, headers=head).json()["status"] == "pending"
    # As much as may be said, in letters of three bytes, is not too much for a request.
    longest = {language: {"comment": "雾" * 1_000, "instruction": "雾" * 2_000} for language in LANGUAGES}
    whole = client.post(f"{address}/amend", json=WHY | {"texts": longest}, headers=head)
    assert whole.status_code == 200, whole.text


def test_a_preview_is_what_goes_out_and_changes_nothing(client, world) -> None:
    head = bearer(world.store, "li-na", scopes=["drafts:read"])
    name = drafts(client, head)["beijing"]
    asked = {"level": "red", "texts": {"en": {"comment": CALM["en"] + " <b>"}}}
    shown = client.post(f"/v1/drafts/{name}/preview", json=asked, headers=head).json()
    written = texts(shown["texts"])
    assert "Red" in written["en"]["headline"] and CALM["en"] in written["en"]["description"]
    assert written["en"]["headline"] in shown["mail"]["text"] and written["zh"]["headline"] == shown["mail"]["subject"]
    assert "To: subscriber@example.org" in shown["mail"]["message"]
    cap = parse(shown["cap"].encode())
    assert [one.text for one in cap.iter("{*}headline")] == [written[language]["headline"] for language in LANGUAGES]
    assert "Signature" not in shown["cap"]
    [page] = [one["html"] for one in shown["pages"] if one["language"] == "en"]
    assert "&lt;b&gt;" in page and "<b>" not in page and written["en"]["headline"] in page
    assert client.get("/v1/warnings").json()["features"] == [] and drafts(client, head)["beijing"] == name
    assert client.post(f"/v1/drafts/{name}/preview", json={}).status_code == 401
    # The page shows what was issued, not what was looked at before.
    decider = bearer(world.store, "li-na")
    client.post(f"/v1/drafts/{name}/approve", json=WHY, headers=decider)
    issued = client.get(f"/warnings/{name}?lang=en").text
    assert "Orange" in issued and CALM["en"] not in issued
    assert client.post(f"/v1/drafts/{name}/preview", json={}, headers=head).status_code == 409


def test_several_are_decided_at_once_each_by_itself(client, world) -> None:
    head = bearer(world.store, "li-na")
    found = drafts(client, head)
    client.post(f"/v1/drafts/{found['tianjin']}/reject", json=WHY, headers=head)
    wanted = WHY | {"action": "approve", "drafts": [*found.values(), found["beijing"], "cma_haze.nowhere.x"]}
    reader = bearer(world.store, "li-na", scopes=["drafts:read"])
    assert client.post("/v1/drafts/decisions", json=wanted, headers=reader).status_code == 403
    answers = {one["id"]: one for one in client.post("/v1/drafts/decisions", json=wanted, headers=head).json()["items"]}
    assert len(answers) == 4
    assert [answers[found[city]]["status"] for city in CITIES] == ["approved", None, "approved"]
    assert "pending" in answers[found["tianjin"]]["problem"] and answers["cma_haze.nowhere.x"]["problem"]
    out = {f["properties"]["city"] for f in client.get("/v1/warnings").json()["features"]}
    assert out == {"beijing", "shijiazhuang"} and drafts(client, head) == {}
    many = wanted | {"drafts": ["x"] * 201}
    assert client.post("/v1/drafts/decisions", json=many, headers=head).status_code == 422


def test_a_comment_repeats_the_figures_of_the_message_as_it_goes_out(client, world) -> None:
    head = bearer(world.store, "li-na")
    address = f"/v1/drafts/{drafts(client, head)['beijing']}"
    proposed = client.get(address, headers=head).json()
    assert "80%" in texts(proposed["texts"])["en"]["description"]
    said = {"texts": {"en": {"comment": "Still 80 % µg/m³."}}}
    assert client.post(f"{address}/preview", json=said, headers=head).status_code == 200
    # With another level the forecast's probability is no longer that of the message, and is not said.
    raised = client.post(f"{address}/amend", json=WHY | said | {"level": "red"}, headers=head)
    assert raised.status_code == 422 and "found 80" in raised.text, raised.text


def test_a_draft_of_a_city_that_the_service_no_longer_knows_is_not_issued(client, world) -> None:
    draft(world, datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1), ("lyon",))
    head = bearer(world.store, "li-na")
    address = f"/v1/drafts/{drafts(client, head)['lyon']}"
    for answer in (client.get(address, headers=head), client.post(f"{address}/approve", json=WHY, headers=head)):
        assert answer.status_code == 422 and "found lyon" in answer.text
    assert client.get("/v1/warnings").status_code == 200
    assert client.post(f"{address}/reject", json=WHY, headers=head).json()["status"] == "rejected"
