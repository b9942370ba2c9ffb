"""The bureau's console at ``/console``: a page without data, whose scripts call the API with the reader's own key."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hazecast.alerts.messages.texts import LANGUAGES, Language
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.places.cities import Registry
from hazecast.services.accounts.scopes import ROLES, SCOPES
from hazecast.services.core.settings import Settings
from hazecast.services.delivery.subscription_fields import BulletinFormat, ChannelName, Kind, State
from hazecast.services.web.page.answers import answer
from hazecast.services.web.page.frame import HTML, templates
from hazecast.services.web.page.routes import cities_by_country
from hazecast.services.web.page.words import Words, preferred, words

_MESSAGES = Path(__file__).with_name("messages")


def console_routes(settings: Settings, cities: Callable[[], Registry], book: RuleBook) -> list[BaseRoute]:
    """Return the route of the console.

    Its answer is the same for everybody: what an account may see and do, the API decides by the key that the
    scripts send.

    Parameters
    ----------
    settings : Settings
    cities : callable
        Returns the cities and regions to choose from, as they are now.
    book : RuleBook
        The rule sets and levels to choose from.

    Returns
    -------
    list of BaseRoute
    """

    def home(request: Request) -> Response:
        requested = request.query_params.get("lang")
        language = preferred(request.headers.get("accept-language", ""), requested)
        content = _page(language, f"?lang={language}" if requested in LANGUAGES else "", settings, cities(), book)
        return answer(request, content, HTML, seconds=settings.answers.cache_seconds)

    def without_slash(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        # Relative: a redirect by the name in the request would lead wherever its sender says.
        return Response(status_code=308, headers={"Location": f"/console{query}"})

    return [Route("/console", home), Route("/console/", without_slash)]


def _page(language: Language, query: str, settings: Settings, registry: Registry, book: RuleBook) -> str:
    wording = _words(language)
    rules = list(book.sets.values())
    return (
        templates()
        .get_template("console.html")
        .render(
            t=wording.say,
            words=wording,
            languages=[words(one) for one in LANGUAGES],
            in_language=lambda one: f"/console?lang={one}",
            home=f"/{query}",
            script=wording.messages["console_script"],
            facts=_facts(rules, registry, wording),
            choice=cities_by_country(registry),
            regions=sorted(registry.regions.values(), key=lambda region: region.name_en),
            rules=[(one.id, wording.of(one)) for one in rules],
            levels=_levels(rules, wording),
            scopes=SCOPES,
            roles=ROLES,
            kinds=get_args(Kind),
            channels=get_args(ChannelName),
            formats=get_args(BulletinFormat),
            states=get_args(State),
            key_days=settings.limits.key_days,
        )
    )


@lru_cache
def _words(language: Language) -> Words:
    own = tomllib.loads((_MESSAGES / f"console_{language}.toml").read_text(encoding="utf-8"))
    return Words(language, {**words(language).messages, **own})


def _facts(rules: list[RuleSet], registry: Registry, wording: Words) -> dict[str, Any]:
    """Return the names, colours, time zones and positions that the scripts show in place of ids."""
    return {
        "cities": {
            city.id: {
                "name": wording.of(city),
                "zone": city.time_zone,
                "at": [round(city.longitude, 2), round(city.latitude, 2)],
            }
            for city in registry.cities.values()
        },
        "regions": {region.id: wording.of(region) for region in registry.regions.values()},
        "rules": {
            one.id: {
                "name": wording.of(one),
                "levels": [
                    {"id": level.id, "rank": level.rank, "name": wording.of(level), "colour": level.colour}
                    for level in one.levels
                ],
            }
            for one in rules
        },
    }


def _levels(rules: list[RuleSet], wording: Words) -> list[tuple[str, str]]:
    """Return the levels that a subscription may name, each with all its names: rule sets share ids."""
    names: dict[str, list[str]] = {}
    for one in rules:
        for level in one.levels:
            names.setdefault(level.id, []).append(wording.of(level))
    return [(level, wording.catalog.places(list(dict.fromkeys(called)))) for level, called in sorted(names.items())]
