"""What a subscription may ask for: cities, regions, rule sets and levels that there are, and a time zone."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from hazecast.alerts.messages.texts import BEIJING
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Registry
from hazecast.services.delivery.subscription_fields import SubscriptionFields


def checked_fields(wanted: SubscriptionFields, registry: Registry, book: RuleBook) -> SubscriptionFields:
    """Return fields that name only what there is, each once, with a time zone.

    Parameters
    ----------
    wanted : SubscriptionFields
    registry : Registry
    book : RuleBook
        Rule sets and levels that may be asked for.

    Returns
    -------
    SubscriptionFields

    Raises
    ------
    InputError
        If a city, region, rule set, level or time zone is unknown.
    """
    for city in wanted.cities:
        registry.city(city)
    for region in wanted.regions:
        if region not in registry.regions:
            raise InputError("regions", region, f"one of {', '.join(registry.regions)}")
    for name in wanted.rule_sets:
        book.rule_set(name)
    levels = book.level_ids()
    for level in wanted.levels:
        if level not in levels:
            raise InputError("levels", level, f"one of {', '.join(levels)}")
    first = wanted.cities[0] if wanted.cities else None
    zone = wanted.time_zone or (registry.city(first).time_zone if first else BEIJING)
    if not re.fullmatch(r"[A-Za-z0-9_+/-]{1,64}", zone):
        raise InputError("time_zone", repr(zone), "an IANA time zone such as Asia/Tokyo")
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise InputError("time_zone", zone, "an IANA time zone such as Asia/Tokyo") from error
    once = {name: list(dict.fromkeys(value)) for name, value in wanted if isinstance(value, list)}
    return wanted.model_copy(update=once | {"time_zone": zone})
