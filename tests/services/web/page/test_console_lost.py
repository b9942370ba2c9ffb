"""What a duty officer typed or decided in the console, when something comes between."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from hazecast.services.accounts.keys import revoke_key
from hazecast.services.store.draft_reads import draft_of
from tests.support.console_world import Bureau, draft, sign_in

expect.set_options(timeout=30_000)


@pytest.fixture
def page(browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="Asia/Shanghai")
    yield context.new_page()
    context.close()


def waiting(desk: Bureau, city: str, hours: int = 1) -> str:
    """Draft a warning for a city, and return the draft's id."""
    init = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours)
    draft(desk.world, init, (city,))
    return f"cma_haze.{city}.{init:%Y%m%dT%H%MZ}"


def status(desk: Bureau, draft_id: str) -> str:
    return draft_of(desk.world.store.sessions, draft_id, False).status


def test_what_was_typed_outlasts_a_key_that_ends_a_reload_and_another_language(page, desk) -> None:
    waiting(desk, "baoding")
    key = desk.key("li-na")
    sign_in(page, desk.site, key)
    one = page.locator(".draft", has_text="Baoding")
    one.get_by_label("Reason").fill("the front is late")
    one.get_by_text("Change level, times or text").click()
    one.locator('[name="level"]').select_option("red")
    one.locator('[data-of="ja"] textarea').first.fill("風が弱い。")
    page.locator("#bulk-all").check()
    page.locator("#bulk textarea").fill("calm until noon")
    revoke_key(desk.world.store.sessions, key.split("_")[1], at=datetime.now(UTC), by="command")
    one.get_by_role("button", name="Approve with these changes").click()
    page.locator("#ask button[value=yes]").click()
    expect(page.locator("#failed")).to_contain_text("is kept in this tab")
    expect(page.locator(".draft")).to_have_count(0)

    def stands(words: str) -> None:
        one = page.locator(".draft", has_text=words)
        expect(one.locator('[name="reason"]')).to_have_value("the front is late")
        expect(one.locator('[name="level"]')).to_have_value("red")
        expect(one.locator('[data-of="ja"] textarea').first).to_have_value("風が弱い。")
        expect(page.locator("#bulk textarea")).to_have_value("calm until noon")

    page.fill("#key", desk.forecaster)
    page.press("#key", "Enter")
    stands("Baoding")
    page.reload()
    stands("Baoding")
    page.select_option("#zone", "Asia/Tokyo")
    stands("Baoding")
    page.get_by_role("link", name="中文").click()
    stands("保定")
    # Another account sees none of it.
    page.evaluate("sessionStorage.removeItem('hazecast.key')")
    sign_in(page, desk.site, desk.subscriber)
    assert page.evaluate("Object.keys(sessionStorage)") == ["hazecast.key"]


def test_a_lost_answer_is_looked_up_and_said(page, desk) -> None:
    done, kept = waiting(desk, "datong"), waiting(desk, "linfen", hours=2)
    sign_in(page, desk.site, desk.forecaster)
    expect(page.locator(".draft", has_text="Linfen")).to_be_visible()

    def lost(route) -> None:
        route.fetch()
        route.abort()

    page.route("**/v1/drafts/*/approve*", lost)
    one = page.locator(".draft", has_text="Datong")
    one.get_by_label("Reason").fill("agrees")
    one.get_by_role("button", name="Approve as proposed").click()
    page.locator("#ask button[value=yes]").click()
    expect(page.locator("#said")).to_have_text("The answer was lost, but it is decided: approved by 李娜: agrees")
    expect(page.locator(".draft", has_text="Datong")).to_have_count(0)
    assert status(desk, done) == "approved"
    page.unroute("**/v1/drafts/*/approve*")
    page.route("**/v1/drafts/*/approve*", lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))
    one = page.locator(".draft", has_text="Linfen")
    one.get_by_label("Reason").fill("agrees")
    one.get_by_role("button", name="Approve as proposed").click()
    page.locator("#ask button[value=yes]").click()
    expect(one.locator(".problem.whole")).to_contain_text("it was not decided")
    expect(one.get_by_label("Reason")).to_have_value("agrees")
    page.unroute("**/v1/drafts/*/approve*")
    # Nothing can be looked up: it is said that nothing is known.
    page.route("**/v1/drafts/**", lambda route: route.abort())
    one.get_by_role("button", name="Approve as proposed").click()
    page.locator("#ask button[value=yes]").click()
    expect(one.locator(".problem.whole")).to_contain_text("not known whether it was done")
    assert status(desk, kept) == "pending"


def test_a_decision_that_is_made_is_told_though_nothing_more_can_be_fetched(page, desk) -> None:
    draft_id = waiting(desk, "handan")
    sign_in(page, desk.site, desk.forecaster)
    one = page.locator(".draft", has_text="Handan")
    expect(one).to_be_visible()
    page.route("**/v1/drafts?*", lambda route: route.abort())
    one.get_by_label("Reason").fill("rain")
    one.get_by_role("button", name="Reject").click()
    page.locator("#ask button[value=yes]").click()
    expect(page.locator("#said")).to_have_text("Rejected.")
    expect(page.locator("#failed")).to_be_hidden()
    assert status(desk, draft_id) == "rejected"


def test_a_draft_that_came_while_another_was_decided_is_announced(page, desk) -> None:
    waiting(desk, "taiyuan")
    sign_in(page, desk.site, desk.forecaster)
    one = page.locator(".draft", has_text="Taiyuan")
    one.get_by_label("Reason").fill("rain")
    waiting(desk, "tangshan", hours=0)
    one.get_by_role("button", name="Reject").click()
    page.locator("#ask button[value=yes]").click()
    expect(page.locator("#said")).to_have_text("Rejected.")
    expect(page.locator("#draft-news")).to_have_text("Drafts have come or gone since this list was loaded.")


def test_who_decided_meanwhile_is_said(page, desk) -> None:
    draft_id = waiting(desk, "anshan")
    sign_in(page, desk.site, desk.forecaster)
    one = page.locator(".draft", has_text="Anshan")
    one.get_by_label("Reason").fill("agrees")
    head = {"Authorization": f"Bearer {desk.forecaster}"}
    page.request.post(f"{desk.site.address}/v1/drafts/{draft_id}/reject", headers=head, data={"reason": "fog"})
    one.get_by_role("button", name="Approve as proposed").click()
    page.locator("#ask button[value=yes]").click()
    expect(one.locator('[data-text="status"]')).to_have_text("rejected by 李娜: fog")


def test_changes_that_were_entered_are_not_passed_over_by_a_bulk_decision(page, desk) -> None:
    ids = [waiting(desk, "xian"), waiting(desk, "wuhan", hours=2)]
    sign_in(page, desk.site, desk.forecaster)
    for place in ("Xi'an", "Wuhan"):
        page.locator(".draft", has_text=place).get_by_label("Choose").check()
    one = page.locator(".draft", has_text="Wuhan")
    one.get_by_text("Change level, times or text").click()
    one.locator('[name="level"]').select_option("red")
    bulk = page.locator("#bulk")
    bulk.get_by_label("One reason").fill("agrees")
    bulk.get_by_role("button", name="Approve the chosen").click()
    expect(bulk.locator(".problem.whole")).to_contain_text("Wuhan · Orange haze warning")
    assert [status(desk, one) for one in ids] == ["pending", "pending"]
    one.locator('[name="level"]').select_option("orange")
    # One was decided meanwhile: the rest is, and what was not is told.
    head = {"Authorization": f"Bearer {desk.forecaster}"}
    page.request.post(f"{desk.site.address}/v1/drafts/{ids[0]}/reject", headers=head, data={"reason": "fog"})
    bulk.get_by_role("button", name="Approve the chosen").click()
    page.locator("#ask button[value=yes]").click()
    expect(page.locator("#said")).to_have_text("Approved: 1.")
    expect(page.locator("#failed")).to_contain_text("found rejected")
    assert [status(desk, one) for one in ids] == ["rejected", "approved"]


def test_a_time_that_is_missing_or_that_no_clock_shows_is_refused(page, desk) -> None:
    waiting(desk, "dalian")
    sign_in(page, desk.site, desk.forecaster)
    one = page.locator(".draft", has_text="Dalian")
    one.get_by_label("Reason").fill("longer")
    one.get_by_text("Change level, times or text").click()
    one.locator('[name="level"]').select_option("red")
    one.get_by_label("Ends").fill("")
    one.get_by_role("button", name="Approve with these changes").click()
    expect(one.locator('[data-field="expires"] .problem')).to_contain_text("whole date and time")
    module = page.locator('script[src*="console/app.js"]').evaluate("one => one.src").replace("app.js", "zones.js")
    found = page.evaluate(
        """async ([module, zone]) => {
            const { toTime } = await import(module);
            return ['2026-03-29T01:59', '2026-03-29T02:30', '2026-10-25T02:30', '2026-11-01T00:00'].map(
                (text) => [toTime(text, zone, false), toTime(text, zone, true)]);
        }""",
        [module, "Europe/Paris"],
    )
    day = "2026-10-25T"
    assert found == [
        ["2026-03-29T00:59:00.000Z"] * 2, [None, None],
        [f"{day}00:30:00.000Z", f"{day}01:30:00.000Z"], ["2026-10-31T23:00:00.000Z"] * 2,
    ]  # fmt: skip


def test_a_text_that_is_too_long_is_refused_and_not_cut(page, desk) -> None:
    waiting(desk, "xuzhou")
    sign_in(page, desk.site, desk.forecaster)
    one = page.locator(".draft", has_text="Xuzhou")
    one.get_by_label("Reason").fill("longer")
    one.get_by_text("Change level, times or text").click()
    comment = one.locator('[data-of="zh"] textarea').first
    comment.focus()
    page.keyboard.insert_text("霾" * 10_000)
    assert len(comment.input_value()) >= 10_000
    one.get_by_role("button", name="Approve with these changes").click()
    page.locator("#ask button[value=yes]").click()
    expect(one.locator('[data-field="texts.zh.comment"] .problem')).to_contain_text("at most 1000 characters")
    expect(comment).to_have_value(re.compile("霾{10000}"))


def test_a_field_that_is_emptied_is_not_said_to_be_saved(page, desk) -> None:
    sign_in(page, desk.site, desk.subscriber)
    one = page.locator(".subscription", has_text="Duty desk")
    one.get_by_role("button", name="Change").click()
    one.get_by_label("Name").fill("")
    one.get_by_label("Hour of the daily bulletin").fill("")
    one.get_by_role("button", name="Save").click()
    expect(one.locator('[data-field="name"] .problem')).to_be_visible()
    expect(one.locator('[data-field="bulletin_hour"] .problem')).to_be_visible()
    one.get_by_label("Name").fill("Duty desk")
    one.get_by_label("Hour of the daily bulletin").fill("6")
    one.get_by_label("Time zone of that hour").fill("")
    one.get_by_role("button", name="Save").click()
    expect(page.locator("#said")).to_have_text("Saved.")


def test_a_draft_whose_time_is_over_says_so(page, desk) -> None:
    waiting(desk, "foshan", hours=80)
    sign_in(page, desk.site, desk.forecaster)
    one = page.locator(".draft", has_text="Foshan")
    expect(one.locator('[data-text="status"]')).to_contain_text("its time is over")
    one.get_by_label("Reason").fill("agrees")
    one.get_by_role("button", name="Approve as proposed").click()
    page.locator("#ask button[value=yes]").click()
    expect(one.locator(".problem.whole")).to_contain_text("expires")
    one.get_by_role("button", name="Reject").click()
    page.locator("#ask button[value=yes]").click()
    expect(page.locator("#said")).to_have_text("Rejected.")


def test_who_types_before_all_is_loaded_is_not_led_away(page, desk) -> None:
    waiting(desk, "xiamen")
    held: list = []
    page.route("**/v1/account/keys", lambda route: held.append(route))
    sign_in(page, desk.site, desk.forecaster)
    reason = page.locator(".draft", has_text="Xiamen").get_by_label("Reason")
    reason.focus()
    page.keyboard.type("agrees ")
    held[0].continue_()
    expect(page.locator("#key-list tr").first).to_be_visible()
    expect(page.locator("#said")).to_be_empty()
    page.keyboard.type("with the ensemble")
    expect(reason).to_have_value("agrees with the ensemble")
