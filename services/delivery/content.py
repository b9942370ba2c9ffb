"""The content of messages: events as JSON, for webhooks and streams."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, get_args
from urllib.parse import urlencode

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.cap import identifier
from hazecast.alerts.messages.geojson import feature_collection
from hazecast.alerts.messages.texts import LANGUAGES, Language
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.places.cities import Registry
from hazecast.grids.times import format_time
from hazecast.services.core.settings import Settings
from hazecast.services.delivery.editions import EditionElsewhere
from hazecast.services.delivery.subscription_fields import BulletinFormat
from hazecast.services.store.outbox import BULLETIN, CONFIRMATION, FORECAST, TEST, WARNING_TYPES, WITHDRAWN
from hazecast.services.store.store import Store
from hazecast.services.store.tables.delivery import OutboxEvent, Subscription
from hazecast.services.work.explain import explain

FORMATS: tuple[BulletinFormat, ...] = get_args(BulletinFormat)


# Cities (none for all that are forecast), language and time, to the bulletin of the newest forecast.
EditionSource = Callable[[Sequence[str], Language, datetime], EditionElsewhere]


class Renderer:
    """Writes events for subscribers.

    Parameters
    ----------
    store : Store
    settings : Settings
    registry : Registry
    book : RuleBook
        Holds the rule sets of the warnings.
    """

    def __init__(self, store: Store, settings: Settings, registry: Registry, book: RuleBook) -> None:
        self._store, self._registry, self._book = store, registry, book
        # Without an address of its own the service gives links that begin with its root.
        self._base = (settings.server.public_url or "").rstrip("/")

    def __call__(self, subscription: Subscription, event: OutboxEvent, delivery_id: str) -> str:
        """Return an event as the JSON text that a subscription receives, with texts in its languages only."""
        body = {
            "id": delivery_id,
            "type": event.type,
            "timestamp": format_time(event.occurred_at),
            "event": event.id,
            "subscription": subscription.id,
            "simulated": event.simulated,
            "data": self._data(subscription, event),
        }
        return _as_json(body)

    def _data(self, subscription: Subscription, event: OutboxEvent) -> dict[str, Any]:
        content = json.loads(event.payload)
        if event.type in WARNING_TYPES:
            warning = HazeWarning.model_validate(content)
            feature: dict[str, Any] = feature_collection(
                [warning], self._registry, self._book, why=lambda w: explain(self._store, w)
            )["features"][0]
            feature["properties"] = {
                name: _in_languages(value, subscription.languages) for name, value in feature["properties"].items()
            }
            links = warning_links(warning.id, event.simulated, self._base)
            return {"warning": feature, "withdrawn": event.type == WITHDRAWN, "revision": event.revision, **links}
        if event.type == CONFIRMATION:
            return {"code": subscription.code, "url": confirmation_url(self._base, subscription)}
        if event.type == TEST:
            return {"text": "A test message of Hazecast. It asks for nothing."}
        if event.type == BULLETIN:
            places = cities_of(subscription, self._registry)
            return dict(content) | {
                "cities": places,
                "documents": [
                    {"language": language, "format": name, "url": bulletin_url(self._base, places, language, name)}
                    for language in subscription.languages
                    for name in FORMATS
                ],
            }
        return dict(content)


def public_event(event: OutboxEvent) -> str:
    """Return an event as everyone may read it, as JSON: what happened, and the address of the full content."""
    content = json.loads(event.payload)
    data: dict[str, Any]
    if event.type == FORECAST:
        data = content
    else:
        kept = ("id", "rule_set", "city", "level", "kind", "issued", "onset", "expires", "references")
        data = {name: content[name] for name in kept} | warning_links(content["id"], event.simulated, "")
        data |= {"withdrawn": event.type == WITHDRAWN, "revision": event.revision}
    body = {
        "id": event.id, "type": event.type, "timestamp": format_time(event.occurred_at), "simulated": event.simulated,
        "data": data,
    }  # fmt: skip
    return _as_json(body)


def _as_json(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def warning_links(warning_id: str, simulated: bool, base: str) -> dict[str, str]:
    """Return the addresses of a warning.

    Parameters
    ----------
    warning_id : str
    simulated : bool
    base : str
        Address of the service, without a slash at its end; empty for addresses that begin with its root.

    Returns
    -------
    dict of str to str
        ``url`` (GeoJSON), ``cap``, and ``page``, the one for people.
    """
    path = f"/warnings/{identifier(warning_id, simulated)}"
    return {"url": f"{base}/v1{path}", "cap": f"{base}/v1{path}.cap", "page": base + path}


def confirmation_url(base: str, subscription: Subscription) -> str:
    """Return the address at which a receiver confirms its subscription.

    Parameters
    ----------
    base : str
        Address of the service, without a slash at its end.
    subscription : Subscription

    Returns
    -------
    str
    """
    return f"{base}/v1/subscriptions/{subscription.id}/confirm?{urlencode({'code': subscription.code})}"


def bulletin_url(base: str, cities: Sequence[str], language: str, form: str) -> str:
    """Return the address of the newest bulletin.

    Parameters
    ----------
    base : str
        Address of the service, without a slash at its end.
    cities : sequence of str
        Ids; empty for all that are forecast.
    language : str
    form : str
        One of `FORMATS`.

    Returns
    -------
    str
    """
    asked = [("language", language), *(("city", city) for city in cities)]
    return f"{base}/v1/bulletins/latest.{form}?{urlencode(asked)}"


def cities_of(subscription: Subscription, registry: Registry) -> list[str]:
    """Return the cities of a subscription, with those of its regions.

    Parameters
    ----------
    subscription : Subscription
    registry : Registry

    Returns
    -------
    list of str
        Ids, in the registry's order; empty if the subscription is of all cities.
    """
    return [
        city.id
        for city in registry.cities.values()
        if city.id in subscription.cities or city.region in subscription.regions
    ]


def languages_of(subscription: Subscription) -> list[Language]:
    """Return the languages of a subscription, in its order."""
    return [known for name in subscription.languages for known in LANGUAGES if known == name]


def _in_languages(value: Any, languages: Sequence[str]) -> Any:
    if isinstance(value, Mapping) and set(value) == set(LANGUAGES):
        return {language: value[language] for language in languages}
    return value
