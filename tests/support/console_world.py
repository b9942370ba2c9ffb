"""A service with accounts, drafts and deliveries, for the tests and the picture of the console."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page

from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.rules.book import RuleBook
from hazecast.services.accounts.accounts import add_account
from hazecast.services.accounts.keys import add_key
from hazecast.services.delivery.channel import Outcome
from hazecast.services.store.drafts import save_drafts
from hazecast.services.store.tables.delivery import Subscription
from tests.support.browser import Site
from tests.support.delivery_world import World
from tests.support.warning_cases import assessed

RULES = RuleBook.shipped().rule_set("cma_haze")
DRAFTED = ("beijing", "tianjin", "shijiazhuang")


@dataclass
class Bureau:
    """A service, two accounts of it, and their keys."""

    world: World
    site: Site
    forecaster: str
    subscriber: str
    webhook: Subscription

    def key(self, account: str, days: float = 90, **given: object) -> str:
        """Return a new key of an account."""
        asked = {"label": "desk", "lifetime": timedelta(days=days), "at": datetime.now(UTC), "by": "command"}
        return str(add_key(self.world.store.sessions, account, **(asked | given))[1])


def bureau(folder: Path) -> Bureau:
    """Return a bureau with three drafts, a webhook with one message delivered and one given up."""
    cities = folder / "cities"
    cities.mkdir(parents=True)
    world = World(folder, cache_seconds=0, cities_dir=cities)
    now = datetime.now(UTC)
    world.clock.now = now
    add_account(world.store.sessions, "li-na", name="李娜", role="forecaster", at=now)
    draft(world, now.replace(minute=0, second=0, microsecond=0))
    webhook = world.subscribe(name="Duty desk", cities=["tianjin"], languages=["zh", "en"])
    dispatcher = world.dispatcher()
    world.subscriptions.test(webhook, now)
    dispatcher.run_once()
    world.ear.answer = lambda _: Outcome("failed", 503, "the receiver is down")
    world.subscriptions.test(webhook, now)
    dispatcher.run_once()
    world.clock.pass_(hours=80)
    dispatcher.run_once()
    # The clock is a little ahead: what is approved while the tests run is in force.
    made = Bureau(world, Site(world.settings, now=now + timedelta(minutes=10)), "", "", webhook)
    made.forecaster, made.subscriber = made.key("li-na"), made.key("tianjin", 10)
    return made


def draft(world: World, init: datetime, cities: tuple[str, ...] = DRAFTED, *, simulated: bool = False) -> None:
    """Draft an orange warning for each of some cities, by the run of `init`."""
    proposals = [
        message.model_copy(update={"simulated": simulated})
        for city in cities
        for message in advance([], [assessed(RULES, city, init, (0.9, 0.8, 0.0))], init, ruleset=RULES)
    ]
    with world.store.sessions.begin() as session:
        save_drafts(session, proposals, {(RULES.id, city) for city in cities}, init, simulated, at=init)


def sign_in(page: Page, site: Site, key: str, language: str = "en") -> None:
    """Open the console and sign in, as a person does."""
    page.goto(f"{site.address}/console?lang={language}")
    page.fill("#key", key)
    page.press("#key", "Enter")
    page.wait_for_selector("#me:not([hidden])")
