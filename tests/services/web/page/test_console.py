"""The console in a real browser: what a bureau does with its key, and what it must never see or do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import BrowserContext, Page, Route, expect

from hazecast.alerts.messages.texts import LANGUAGES
from hazecast.grids.errors import ConflictError
from hazecast.services.accounts.accounts import add_account
from hazecast.services.core.settings import Settings
from hazecast.services.store.tables.delivery import Subscription
from hazecast.services.web.app import create_app
from hazecast.services.web.page.console import _MESSAGES
from tests.support.accessibility import scan
from tests.support.catalogs import fields_of
from tests.support.console_world import Bureau, draft, sign_in

# Patient with a busy machine; nothing here is a measurement of time.
expect.set_options(timeout=30_000)


@pytest.fixture
def context(browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="Asia/Shanghai")
    yield context
    context.close()


@pytest.fixture
def page(context) -> Iterator[Page]:
    """A page that may complain of nothing but answers that the API refuses."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert [one for one in complaints if "server responded with a status of" not in one] == []


def answer_yes(page: Page) -> None:
    page.locator("#ask button[value=yes]").click()


def test_the_languages_say_the_same_things() -> None:
    every = [fields_of(_MESSAGES / f"console_{one}.toml") for one in LANGUAGES]
    assert every[0] == every[1] == every[2]


def test_the_page_holds_no_data_and_nothing_inline(tmp_path) -> None:
    client = TestClient(create_app(Settings(data_dir=tmp_path)))
    for language in LANGUAGES:
        answer = client.get("/console", params={"lang": language})
        assert answer.status_code == 200 and "set-cookie" not in answer.headers
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'self'" in policy
        assert re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", answer.text) is None
        key = re.search(r'<input id="key"[^>]*>', answer.text)
        assert key is not None and " name=" not in key[0]


def test_a_draft_is_read_in_three_languages_and_approved(page, desk) -> None:
    sign_in(page, desk.site, desk.forecaster)
    one = page.locator(".draft", has_text="Beijing")
    expect(one.locator("h3")).to_have_text("Beijing · Orange haze warning · new")
    assert one.locator(".swatch rect").get_attribute("fill") == "#FA8A00"
    # The city's clock, and the bureau's beside it where that is another.
    expect(one.locator('[data-text="here"]')).to_be_empty()
    page.select_option("#zone", "Asia/Tokyo")
    expect(one.locator('[data-text="here"]')).to_contain_text("On your clock: ")
    one.get_by_text("Text, evidence and history").click()
    expect(one.locator(".said")).to_have_count(3)
    texts = {part.get_attribute("lang"): part.inner_text() for part in one.locator(".said").all()}
    assert "北京" in texts["zh"] and "霾橙色预警" in texts["zh"] and "北京" in texts["ja"] and "Beijing" in texts["en"]
    assert one.locator(".evidence tr").count() >= 1 and "forecast" in one.locator(".evidence tr").first.inner_text()
    expect(one.locator(".history li")).to_have_count(1)
    # What the API asks for is said at its field.
    one.get_by_role("button", name="Approve as proposed").click()
    answer_yes(page)
    reason = one.get_by_label("Reason")
    expect(reason).to_have_attribute("aria-invalid", "true")
    expect(reason).to_be_focused()
    expect(one.locator('[data-field="reason"] .problem')).to_contain_text("at least 1 character")
    reason.fill("agrees with the ensemble")
    one.get_by_role("button", name="Approve as proposed").click()
    assert "Beijing" in page.locator("#ask-text").inner_text()
    answer_yes(page)
    expect(page.locator("#said")).to_have_text("Approved.")
    expect(page.locator(".draft", has_text="Beijing")).to_have_count(0)
    out = page.request.get(f"{desk.site.address}/v1/warnings").json()["features"]
    assert [f["properties"]["level"] for f in out if f["properties"]["city"] == "beijing"] == ["orange"]
    page.select_option("#draft-status", "all")
    expect(page.locator(".draft", has_text="Beijing")).to_contain_text("approved by 李娜: agrees with the ensemble")


def test_a_draft_is_changed_on_the_city_s_clock_and_another_rejected(page, desk) -> None:
    sign_in(page, desk.site, desk.forecaster)
    one = page.locator(".draft", has_text="Tianjin")
    one.get_by_label("Reason").fill("fog in part")
    one.get_by_text("Change level, times or text").click()
    one.locator('[name="level"]').select_option("red")
    # Changes that were entered are not lost by the wrong button.
    one.get_by_role("button", name="Approve as proposed").click()
    expect(one.locator(".problem.whole")).to_contain_text("were changed")
    one.get_by_label("Ends").fill("2001-01-01T00:00")
    one.get_by_role("button", name="Approve with these changes").click()
    answer_yes(page)
    expect(one.locator(".problem:visible")).not_to_have_count(0)
    ends = datetime.now(UTC).replace(minute=30, second=0, microsecond=0) + timedelta(hours=20)
    one.get_by_label("Ends").fill(f"{ends + timedelta(hours=8):%Y-%m-%dT%H:%M}")
    one.get_by_role("button", name="Approve with these changes").click()
    answer_yes(page)
    expect(page.locator("#said")).to_have_text("Approved with changes.")
    out = page.request.get(f"{desk.site.address}/v1/warnings").json()["features"]
    [found] = [f["properties"] for f in out if f["properties"]["city"] == "tianjin"]
    assert found["level"] == "red" and datetime.fromisoformat(found["expires"]) == ends
    other = page.locator(".draft", has_text="Shijiazhuang")
    other.get_by_label("Reason").fill("rain is coming")
    other.get_by_role("button", name="Reject").click()
    page.locator("#ask").get_by_role("button", name="Cancel").click()
    expect(other).to_be_visible()
    other.get_by_role("button", name="Reject").click()
    answer_yes(page)
    expect(page.locator("#said")).to_have_text("Rejected.")


def test_a_text_is_edited_previewed_and_released_with_its_facts(page, desk) -> None:
    init = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    draft(desk.world, init, ("tangshan",))
    draft(desk.world, init, ("tangshan",), simulated=True)
    sign_in(page, desk.site, desk.forecaster)
    expect(page.locator("#draft-others")).to_have_text("Drafts that wait in simulated runs: 1.")
    one = page.locator(".draft", has_text="Tangshan")
    one.get_by_text("Text, evidence and history").click()
    expect(one.locator(".area-map")).to_have_attribute("aria-label", "Map of the area: Tangshan")
    assert len(one.locator(".area-map .warned").get_attribute("d") or "") > 50
    one.get_by_text("Change level, times or text").click()
    english = one.locator('[data-of="en"]')
    advice = english.get_by_label("Advice").input_value()
    assert advice.startswith("Everyone: ") and "PM2.5" in english.locator(".locked").inner_text()
    english.get_by_label("Comment").fill("Up to 7777 tomorrow.")
    one.get_by_label("Reason").fill("the front is late")
    one.get_by_role("button", name="Approve with these changes").click()
    answer_yes(page)
    expect(one.locator('[data-field="texts.en.comment"] .problem')).to_contain_text("found 7777")
    english.get_by_label("Comment").fill("Calm until the front <passes>.")
    one.get_by_role("button", name="Preview").click()
    shown = one.locator('.preview .as-page > [lang="en"]')
    expect(shown).to_contain_text("Calm until the front <passes>.")
    expect(shown.locator("h1")).to_contain_text("Tangshan")
    assert "Calm until the front <passes>." in (one.locator('[data-text="mail"]').text_content() or "")
    assert "&lt;passes&gt;" in (one.locator('[data-text="cap"]').text_content() or "")
    one.get_by_role("button", name="Approve with these changes").click()
    answer_yes(page)
    expect(page.locator("#said")).to_have_text("Approved with changes.")
    out = page.request.get(f"{desk.site.address}/v1/warnings").json()["features"]
    [found] = [f["properties"] for f in out if f["properties"]["city"] == "tangshan"]
    assert "Calm until the front <passes>." in found["description"]["en"] and found["level"] == "orange"
    page.select_option("#draft-status", "all")
    one = page.locator(".draft", has_text="Tangshan")
    one.get_by_text("Text, evidence and history").click()
    expect(one.locator(".history ins")).to_have_text("Calm until the front <passes>.")


def test_several_drafts_are_decided_at_once(page, desk) -> None:
    init = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    draft(desk.world, init, ("datong", "linfen"))
    sign_in(page, desk.site, desk.forecaster)
    for place in ("Datong", "Linfen"):
        page.locator(".draft", has_text=place).get_by_label("Choose").check()
    bulk = page.locator("#bulk")
    expect(bulk.locator('[data-text="chosen"]')).to_contain_text("2 of ")
    bulk.get_by_role("button", name="Reject the chosen").click()
    answer_yes(page)
    expect(bulk.locator('[data-field="reason"] .problem')).to_contain_text("at least 1 character")
    bulk.get_by_label("One reason").fill("wind from the north")
    bulk.get_by_role("button", name="Reject the chosen").click()
    assert "Linfen · Orange haze warning · new" in page.locator("#ask-text").inner_text()
    answer_yes(page)
    expect(page.locator("#said")).to_have_text("Rejected: 2.")
    expect(page.locator(".draft", has_text="Linfen")).to_have_count(0)


def test_a_long_list_of_drafts_comes_page_by_page_and_none_is_left_out(page, desk) -> None:
    init = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    draft(desk.world, init, ("taiyuan", "tangshan", "handan"))
    head = {"Authorization": f"Bearer {desk.forecaster}"}
    waiting = page.request.get(f"{desk.site.address}/v1/drafts", headers=head).json()["items"]
    page.route("**/v1/drafts?status=*", lambda route: route.continue_(url=f"{route.request.url}&limit=2"))
    sign_in(page, desk.site, desk.forecaster)
    older = page.locator("#draft-more")
    for shown in range(2, len(waiting), 2):
        expect(page.locator(".draft")).to_have_count(shown)
        older.click()
    expect(page.locator(".draft")).to_have_count(len(waiting))
    expect(older).to_be_hidden()
    expect(page.locator('#bulk [data-text="chosen"]')).to_contain_text(f"of {len(waiting)}")


def test_what_another_has_decided_meanwhile_is_shown_as_a_conflict(page, desk) -> None:
    init = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    draft(desk.world, init, ("baoding",))
    sign_in(page, desk.site, desk.forecaster)
    one = page.locator(".draft", has_text="Baoding")
    head = {"Authorization": f"Bearer {desk.forecaster}"}
    [waiting] = [
        d for d in page.request.get(f"{desk.site.address}/v1/drafts", headers=head).json()["items"]
        if d["proposed"]["city"] == "baoding"
    ]  # fmt: skip
    said = {"reason": "by another"}
    page.request.post(f"{desk.site.address}/v1/drafts/{waiting['id']}/reject", headers=head, data=said)
    one.get_by_label("Reason").fill("agrees")
    one.get_by_role("button", name="Approve as proposed").click()
    answer_yes(page)
    expect(one.locator(".problem.whole")).to_contain_text("This can't be done as things stand")
    expect(one.get_by_label("Reason")).to_have_value("agrees")


def test_a_subscriber_sees_no_drafts_and_hears_of_a_key_that_ends(page, desk) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    sign_in(page, desk.site, desk.subscriber)
    expect(page.locator("#subscriptions")).to_be_visible()
    expect(page.locator("#notices")).to_contain_text("Rotate it before then")
    assert page.locator("#drafts").is_hidden() and page.get_by_role("link", name="Drafts of warnings").count() == 0
    assert not any("/v1/drafts" in url for url in asked)
    assert page.locator('#new-key input[value="drafts:decide"]').is_hidden()
    # A key of less sees less; one without the right to write has no buttons to do so.
    page.click("#sign-out")
    expect(page.locator("#me")).to_be_hidden()
    assert page.locator(".subscription").count() == 0
    sign_in(page, desk.site, desk.key("tianjin", scopes=["account:read", "subscriptions:read"]))
    expect(page.locator(".subscription")).not_to_have_count(0)
    assert page.locator(".subscription button:visible").count() == 0 and page.locator("#keys").is_hidden()


def test_subscriptions_are_made_changed_tested_and_ended(page, desk) -> None:
    sign_in(page, desk.site, desk.subscriber)
    page.get_by_text("New subscription").click()
    form = page.locator("#new-subscription form")
    form.get_by_label("Channel").select_option("webhook")
    form.get_by_label("Address of the webhook").fill("https://127.0.0.1/inside")
    form.get_by_role("button", name="Subscribe").click()
    expect(form.locator('[data-field="name"] .problem')).to_contain_text("Field required")
    form.get_by_label("Name").fill("<b>Night</b> desk")
    form.get_by_role("button", name="Subscribe").click()
    expect(form.locator('[data-field="target"] .problem')).to_be_visible()
    expect(form.locator('[data-field="name"] .problem')).to_be_hidden()
    form.get_by_label("Channel").select_option("stream")
    form.get_by_label("Address of the webhook").fill("")
    form.get_by_text("Cities (none chosen: all)").first.click()
    form.get_by_label("Kitakyushu", exact=True).first.check()
    form.get_by_role("button", name="Subscribe").click()
    expect(page.locator("#said")).to_have_text("Subscribed.")
    one = page.locator(".subscription", has_text="<b>Night</b> desk")
    expect(one).to_contain_text("warnings · Kitakyushu · all levels · zh")
    one.get_by_role("button", name="Change").click()
    one.get_by_label("Name").fill("Night desk")
    one.get_by_label("日本語").check()
    one.get_by_role("button", name="Save").click()
    one = page.locator(".subscription", has_text="Night desk")
    expect(one).to_contain_text("all levels · zh, ja")
    one.get_by_role("button", name="Pause").click()
    expect(one.locator("strong")).to_have_text("paused")
    one.get_by_role("button", name="Resume").click()
    expect(one.locator("strong")).to_have_text("active")
    one.get_by_role("button", name="Send a test message").click()
    expect(page.locator("#said")).to_have_text("A test message is on its way.")
    one.get_by_role("button", name="Delete").click()
    answer_yes(page)
    expect(page.locator("#said")).to_have_text("Deleted.")
    with desk.world.store.sessions() as session:
        assert [row.name for row in session.query(Subscription)] == ["Duty desk"]


def test_deliveries_are_shown_and_sent_again(page, desk) -> None:
    sign_in(page, desk.site, desk.subscriber)
    one = page.locator(".subscription", has_text="Duty desk")
    one.locator("summary", has_text="Deliveries").click()
    rows = one.locator("tbody tr")
    expect(rows).to_have_count(2)
    assert "given up" in rows.nth(0).inner_text() and "503" in rows.nth(0).inner_text()
    assert "delivered" in rows.nth(1).inner_text()
    one.locator(".of-state").select_option("dead")
    expect(rows).to_have_count(1)
    assert "an attempt failed" in rows.nth(0).inner_text() and "503 the receiver is down" in rows.nth(0).inner_text()
    rows.get_by_role("button", name="Send again").click()
    expect(page.locator("#said")).to_have_text("To be sent: 1.")
    expect(one.get_by_text("No deliveries.")).to_be_visible()
    one.locator(".of-state").select_option("pending")
    expect(rows).to_have_count(1)
    assert sorted(d.state for d in desk.world.deliveries(desk.webhook)) == ["delivered", "pending"]
    one.get_by_role("button", name="Send now what waits").click()
    expect(page.locator("#said")).to_have_text("Sent now, in order: 1.")


def test_keys_are_made_shown_once_rotated_and_revoked(page, desk) -> None:
    sign_in(page, desk.site, desk.key("tianjin", label="console"))
    page.get_by_text("New key").click()
    form = page.locator("#new-key form")
    form.get_by_label("What it is for").fill("receiver")
    form.get_by_label("Days that it works").fill("9999")
    form.get_by_role("button", name="Make a key").click()
    expect(form.locator('[data-field="days"] .problem')).to_contain_text("at most 365")
    form.get_by_label("Days that it works").fill("90")
    form.get_by_label("deliveries:read").check()
    form.get_by_role("button", name="Make a key").click()
    expect(page.locator("#once")).to_be_visible()
    token = page.locator("#once-value").input_value()
    assert re.fullmatch(r"hz_[0-9a-f]{12}_\S+", token)
    page.get_by_role("button", name="I have kept it").click()
    expect(page.locator("#once-value")).to_have_value("")
    row = page.locator("#key-list tr", has_text="receiver")
    expect(row).to_contain_text("deliveries:read")
    assert token not in page.content()
    row.get_by_role("button", name="Revoke").click()
    answer_yes(page)
    expect(row).to_contain_text("revoked")
    expect(row.get_by_role("button")).to_have_count(0)
    # The successor of the key in use takes its place.
    own = page.locator("#key-list tr", has_text="this key")
    own.get_by_role("button", name="Rotate").click()
    answer_yes(page)
    expect(page.locator("#once")).to_be_visible()
    successor = page.locator("#once-value").input_value()
    page.get_by_role("button", name="I have kept it").click()
    expect(page.locator("#key-list tr", has_text="this key")).to_contain_text(successor.split("_")[1])
    page.locator("#key-list tr", has_text="this key").get_by_role("button", name="Revoke").click()
    answer_yes(page)
    expect(page.locator("#failed")).to_contain_text("sign in again")
    expect(page.locator("#sign-in")).to_be_visible()
    assert page.evaluate("Object.keys(sessionStorage).length") == 0 and page.locator("#key-list tr").count() == 0


def test_an_administrator_adds_and_disables_accounts(page, desk) -> None:
    at = datetime.now(UTC)
    add_account(desk.world.store.sessions, "wang", name="王", role="administrator", at=at)
    sign_in(page, desk.site, desk.key("wang"))
    expect(page.locator(".account", has_text="li-na")).to_contain_text("forecaster · enabled")
    page.get_by_text("New account").click()
    form = page.locator("#new-account form")
    form.get_by_label("Id").fill("Hebei EEB")
    form.get_by_role("button", name="Add").click()
    expect(form.locator('[data-field="id"] .problem')).to_be_visible()
    form.get_by_label("Id").fill("hebei-eeb")
    form.get_by_label("Name").fill("<i>河北</i>")
    form.get_by_label("Role").select_option("forecaster")
    form.get_by_role("button", name="Add").click()
    expect(page.locator("#said")).to_contain_text("The account was added")
    one = page.locator(".account", has_text="hebei-eeb")
    one.locator("summary").click()
    one.get_by_label("What it is for").fill("duty desk")
    one.get_by_role("button", name="Make a key").click()
    expect(page.locator("#once")).to_be_visible()
    token = page.locator("#once-value").input_value()
    page.get_by_role("button", name="I have kept it").click()
    expect(one.locator(".of-keys li")).to_contain_text("duty desk")
    asked = {"headers": {"Authorization": f"Bearer {token}"}}
    assert page.request.get(f"{desk.site.address}/v1/drafts", **asked).status == 200
    one.get_by_role("button", name="Disable").click()
    answer_yes(page)
    expect(page.locator(".account", has_text="hebei-eeb")).to_contain_text("forecaster · disabled")
    assert page.request.get(f"{desk.site.address}/v1/drafts", **asked).status == 401


def administrator(desk: Bureau) -> str:
    """Return the key of somebody who administers, added once."""
    with suppress(ConflictError):
        add_account(desk.world.store.sessions, "zhou", name="周", role="administrator", at=datetime.now(UTC))
    return desk.key("zhou")


def test_an_administrator_adds_a_city_after_a_look_at_its_area_changes_and_withdraws_it(page, desk) -> None:
    sign_in(page, desk.site, administrator(desk))
    rows = page.locator("#city-list tr[data-id]")
    expect(rows.first).to_be_visible()
    expect(page.locator('#city-list tr[data-id="tokyo"]')).to_contain_text("JP-standards")
    page.get_by_text("Add or change a city").click()
    form = page.locator("#new-city form")
    form.get_by_label("Id: small letters").fill("lyon")
    form.get_by_label("Country (ISO").fill("FR")
    form.get_by_label("Name in English").fill("<b>Lyon</b>")
    form.get_by_label("Latitude").fill("45.764")
    form.get_by_label("Longitude").fill("4.836")
    form.get_by_label("Time zone (IANA)").fill("Europe/Pari")
    form.get_by_role("button", name="Check, and show").click()
    zone = form.get_by_label("Time zone (IANA)")
    expect(form.locator('[data-field="time_zone"] .problem')).to_contain_text('did you mean "Europe/Paris"?')
    expect(zone).to_be_focused()
    zone.fill("Europe/Paris")
    form.get_by_role("button", name="Check, and show").click()
    expect(form.locator(".checked h3")).to_be_focused()
    expect(form.locator(".area-map .warned")).to_have_attribute("d", re.compile("M.{50}"))
    expect(form.locator(".area-map .at")).to_have_count(1)
    expect(form.locator(".checked")).to_contain_text("within 50 km of the centre")
    expect(form.locator(".checked")).to_contain_text("No rule set is of its country")
    expect(form.locator(".checked")).to_contain_text("No coasts and borders are known there")
    form.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#said")).to_contain_text("It is forecast from the next cycle on")
    page.select_option("#city-which", "own")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("<b>Lyon</b>")
    expect(page.locator("#city-notes")).to_contain_text("Named in English alone: 1 (lyon)")
    rows.get_by_role("button", name="Change <b>Lyon</b>").click()
    expect(form.get_by_label("Name in English")).to_be_focused()
    form.get_by_label("Name in English").fill("Lyon")
    form.get_by_label("Name in Chinese").fill("里昂")
    form.get_by_role("button", name="Save the changes").click()
    expect(page.locator("#said")).to_have_text("Saved: Lyon.")
    rows.get_by_role("button", name="Area and history Lyon").click()
    expect(page.locator(".city-detail .history li")).to_have_count(2)
    expect(page.locator(".city-detail")).to_contain_text("added by 周")
    expect(page.locator(".city-detail .area-map")).to_have_attribute("aria-label", "Map of the area: Lyon")
    rows.get_by_role("button", name="Withdraw Lyon").click()
    answer_yes(page)
    expect(page.locator("#said")).to_have_text("Withdrawn: Lyon.")
    expect(rows).to_contain_text("withdrawn")
    rows.get_by_role("button", name="Remove Lyon").click()
    answer_yes(page)
    expect(page.locator("#said")).to_have_text("Removed: Lyon.")
    expect(rows).to_have_count(0)
    page.select_option("#city-which", "all")
    page.fill("#city-filter", "kitakyu")
    expect(page.locator("#city-list tr[data-id]:visible")).to_have_count(1)


def test_who_begins_to_work_while_lists_are_loaded_keeps_the_focus(page, desk) -> None:
    draft(desk.world, datetime.now(UTC).replace(minute=0, second=0, microsecond=0), ("cangzhou",))
    held: list[Route] = []
    page.route("**/v1/account/keys*", lambda route: held.append(route))
    sign_in(page, desk.site, desk.forecaster)
    expect(page.locator("#console-title")).to_be_focused()
    reason = page.locator(".draft", has_text="Cangzhou").get_by_label("Reason")
    reason.focus()
    assert held
    for route in held:
        route.continue_()
    expect(page.locator("#key-list")).to_contain_text("this key")
    expect(reason).to_be_focused()


@pytest.mark.slowest
def test_a_city_is_added_by_keyboard_alone(page, desk) -> None:
    sign_in(page, desk.site, administrator(desk))
    expect(page.locator("#city-list tr[data-id]").first).to_be_visible()
    page.locator("#new-city > summary").focus()
    page.keyboard.press("Enter")
    given = {
        "id": "vienne", "country": "FR", "name_en": "Vienne", "time_zone": "Europe/Paris",
        "latitude": "45.52", "longitude": "4.87",
    }  # fmt: skip
    name = ""
    for _ in range(30):
        page.keyboard.press("Tab")
        name = page.evaluate("document.activeElement.name || document.activeElement.value")
        if name == "save":
            break
        if name in given:
            page.keyboard.type(given.pop(name))
    assert not given and name == "save"
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_contain_text("Added: Vienne")
    expect(page.locator("#cities")).to_be_focused()
    assert (desk.world.settings.places.cities_dir / "vienne.toml").exists()


@pytest.mark.slowest
def test_where_no_city_can_be_written_the_console_says_so(page, desk) -> None:
    def without(route) -> None:
        found = route.fetch().json()
        found["folder"]["trouble"] = "not_set"
        route.fulfill(json=found)

    page.route("**/v1/administration/cities*", without)
    sign_in(page, desk.site, administrator(desk))
    expect(page.locator("#city-folder")).to_contain_text("the setting HAZECAST_CITIES_DIR")
    expect(page.locator("#new-city")).to_be_hidden()
    assert page.get_by_role("button", name="Change Tokyo").count() == 0


def test_wrong_keys_and_a_lost_connection_are_reported(page, context, desk) -> None:
    page.goto(f"{desk.site.address}/console?lang=en")
    for wrong in ("hz_000000000000_wrong", "密钥"):
        page.fill("#key", wrong)
        page.press("#key", "Enter")
        expect(page.locator("#failed")).to_contain_text("No such key")
    assert page.evaluate("Object.keys(sessionStorage).length") == 0 and "hz_" not in page.url
    sign_in(page, desk.site, desk.forecaster)
    page.route("**/v1/drafts*", lambda route: route.fulfill(status=503, content_type="text/html", body="<h1>no</h1>"))
    page.click("#draft-reload")
    expect(page.locator("#failed")).to_contain_text("Refused")
    page.unroute("**/v1/drafts*")
    assert context.cookies() == []


def test_the_key_stays_with_the_tab_and_the_switch_of_language(page, context, desk) -> None:
    sign_in(page, desk.site, desk.subscriber)
    page.get_by_role("link", name="日本語").click()
    expect(page.locator("#me")).to_be_visible()
    expect(page.locator("#subscriptions h2")).to_have_text("購読")
    assert page.evaluate("document.documentElement.lang") == "ja-JP"
    other = context.new_page()
    other.goto(f"{desk.site.address}/console")
    expect(other.locator("#sign-in")).to_be_visible()


@pytest.mark.parametrize(("scheme", "language"), [("light", "en"), ("dark", "zh")])
def test_axe_finds_nothing_and_narrow_screens_scroll_one_way(browser, desk, scheme, language) -> None:
    init = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    draft(desk.world, init, ("tangshan",), simulated=True)
    context = browser.new_context(color_scheme=scheme, viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(f"{desk.site.address}/console?lang={language}")
    expect(page.locator("#sign-in")).to_be_visible()
    for key in (desk.subscriber, desk.forecaster) if scheme == "light" else (desk.forecaster,):
        page.evaluate("sessionStorage.clear()")
        sign_in(page, desk.site, key, language)
        if key is desk.forecaster:
            page.check("#draft-simulated")
            expect(page.locator(".draft")).to_have_count(1)
        else:
            expect(page.locator(".subscription")).to_have_count(1)
            page.locator('[data-do="change"]').click()
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        page.wait_for_load_state("networkidle")
        scan(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        small = page.evaluate(
            """() => [...document.querySelectorAll('main button, main select, main summary, main input')]
            .filter(one => one.offsetParent).map(one => [one.outerHTML, one.getBoundingClientRect()])
            .filter(([, box]) => box.height < 24 || box.width < 24).map(([name]) => name)"""
        )
        assert small == []
    context.close()


def test_a_draft_is_decided_by_keyboard_alone(page, desk) -> None:
    init = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    draft(desk.world, init, ("anshan",))
    sign_in(page, desk.site, desk.forecaster)
    one = page.locator(".draft", has_text="Anshan")
    expect(one).to_be_visible()
    one.get_by_label("Reason").focus()
    page.keyboard.type("agrees with the ensemble")
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.value") == "approve":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#ask")).to_be_visible()
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
    page.keyboard.press("Escape")
    expect(one.get_by_role("button", name="Approve as proposed")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#ask")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text("Approved.")
    expect(page.locator("#drafts")).to_be_focused()
