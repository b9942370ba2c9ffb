"""Axe and a walk by keyboard through every view: the page in each state, a warning's page, a card, the console for each role."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from hazecast.services.accounts.accounts import add_account
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from tests.support.accessibility import scan, walk
from tests.support.browser import LATER, SAMPLE_TIME, Site, loaded, sample_site, serving
from tests.support.console_world import sign_in

pytestmark = [pytest.mark.slow, pytest.mark.slowest, pytest.mark.timeout(900)]
expect.set_options(timeout=60_000)
_OPEN = "document.querySelectorAll('details').forEach(one => { one.open = true; })"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Site]:
    with serving(sample_site(tmp_path_factory.mktemp("views"))) as site:
        yield site


@pytest.fixture(params=["light", "dark"])
def page(browser, request) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=request.param)
    context.set_default_timeout(120_000)
    yield context.new_page()
    context.close()


def check(page: Page, view: str) -> None:
    page.evaluate(_OPEN)
    scan(page, view)
    walk(page, view)


@pytest.mark.parametrize(
    "path",
    [
        "/?lang=en",
        "/?city=shanghai&lang=zh",
        "/?city=kitakyushu&lang=ja",
        f"/?city=beijing&lang=en&init_time={SAMPLE_TIME:%Y-%m-%dT%H:%MZ}",
    ],
)
def test_the_page_of_a_simulated_run(page, site, path) -> None:
    page.goto(site.address + path)
    loaded(page)
    check(page, path)


def test_a_warning_a_card_a_search_and_an_unknown_city(page, site) -> None:
    warning = page.request.get(f"{site.address}/page/map.json").json()["warnings"][0]["id"]
    for path in (
        f"/warnings/{warning}.simulated?lang=zh",
        "/embed/beijing?lang=ja",
        "/?q=n&lang=en",
        "/?city=nowhere&lang=en",
        "/nothing?lang=zh",
    ):
        page.goto(site.address + path)
        check(page, path)


@pytest.mark.parametrize("path", ["/?lang=en", "/?city=shanghai&lang=zh", "/embed/beijing?lang=en"])
def test_the_page_when_its_forecast_is_old(page, site, path) -> None:
    site.now = SAMPLE_TIME + timedelta(days=2)
    try:
        page.wait_for_timeout(1_100)
        page.goto(site.address + path)
        if not path.startswith("/embed"):
            expect(page.locator('[data-slot="state"] .stale')).to_be_visible()
        check(page, path)
    finally:
        site.now = SAMPLE_TIME + LATER


def test_the_page_when_its_forecast_lacks_something(browser, tmp_path) -> None:
    made = sample_site(tmp_path)
    reasons = json.dumps({"reasons": ["weather: none is known after the init time", "stations of 3 cities are silent"]})
    store = Store(made.settings.database_url)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE forecast_run SET degraded = 1")
        connection.exec_driver_sql("UPDATE cycle_run SET report = ?", (reasons,))
    store.close()
    with serving(made) as site:
        page = browser.new_page(viewport={"width": 360, "height": 740})
        page.goto(f"{site.address}/?city=shanghai&lang=zh")
        expect(page.locator('[data-slot="state"] .degraded')).to_be_visible()
        check(page, "degraded")
        page.close()


def test_the_page_without_any_forecast(page, tmp_path) -> None:
    with serving(Site(Settings(data_dir=tmp_path))) as site:
        for path in ("/?lang=en", "/?city=beijing&lang=ja", "/embed/beijing?lang=zh", "/warnings/nothing?lang=en"):
            page.goto(site.address + path)
            check(page, f"empty {path}")


@pytest.mark.parametrize("role", ["subscriber", "forecaster"])
def test_the_console_for_each_role_with_all_that_opens(page, desk, role) -> None:
    page.goto(f"{desk.site.address}/console?lang=en")
    expect(page.locator("#sign-in")).to_be_visible()
    check(page, "sign in")
    sign_in(page, desk.site, {"subscriber": desk.subscriber, "forecaster": desk.forecaster}[role], "zh")
    page.wait_for_load_state("networkidle")
    if role == "forecaster":
        page.locator('.draft [value="preview"]').first.click()
        expect(page.locator(".preview h4").first).to_be_focused()
    page.evaluate(_OPEN)
    page.wait_for_load_state("networkidle")
    check(page, role)


def test_the_console_of_an_administrator_and_its_questions(page, desk) -> None:
    name = "zhou" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "wu"
    add_account(desk.world.store.sessions, name, name=name, role="administrator", at=datetime.now(UTC))
    sign_in(page, desk.site, desk.key(name), "ja")
    expect(page.locator("#city-list tr[data-id]").first).to_be_visible()
    page.locator('#city-list tr[data-id="beijing"] [data-do="show"]').click()
    expect(page.locator(".city-detail .area-map")).to_be_visible()
    # Of forty cities alike the first four.
    page.evaluate("[...document.querySelectorAll('#city-list tr[data-id]')].slice(4).forEach(one => one.remove())")
    page.evaluate(_OPEN)
    page.wait_for_load_state("networkidle")
    for field, text in {
        "id": "lyon", "country": "FR", "name_en": "Lyon", "time_zone": "Europe/Paris", "latitude": "45.7", "longitude": "4.8",
    }.items():  # fmt: skip
        page.locator(f'#new-city [name="{field}"]').fill(text)
    page.locator('#new-city [value="check"]').click()
    expect(page.locator("#new-city .checked h3")).to_be_focused()
    check(page, "administrator")
    page.locator('#city-list tr[data-id="beijing"] [data-do="withdraw"]').click()
    expect(page.locator("#ask")).to_be_visible()
    check(page, "question")
    page.keyboard.press("Escape")
    page.locator("#new-key form [name=label]").fill("desk")
    page.locator("#new-key form button").click()
    expect(page.locator("#once")).to_be_visible()
    check(page, "key shown once")
