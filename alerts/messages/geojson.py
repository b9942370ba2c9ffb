"""Warnings as GeoJSON (RFC 7946): longitude before latitude, WGS 84."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.geography.city_areas import city_area
from hazecast.alerts.geography.shapes import as_geojson
from hazecast.alerts.messages.cap import cap_time, city_code, geocodes, parameters, terms
from hazecast.alerts.messages.causes import Causes
from hazecast.alerts.messages.texts import LANGUAGES
from hazecast.alerts.messages.warning_texts import compose
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.places.cities import Registry


def feature_collection(
    warnings: Sequence[HazeWarning],
    registry: Registry,
    book: RuleBook,
    *,
    areas: Sequence[Mapping[str, Any]] | None = None,
    why: Callable[[HazeWarning], Causes] | None = None,
) -> dict[str, Any]:
    """Return warnings as a FeatureCollection of their areas, with haze areas after them if given.

    Parameters
    ----------
    warnings : sequence of HazeWarning
    registry : Registry
        Gives names and places.
    book : RuleBook
        Holds the rule sets of the warnings, which give colours and names.
    areas : sequence of features, optional
        As from `hazecast.alerts.maps.polygons.polygons`.
    why : callable, optional
        Gives the causes that the descriptions name.

    Returns
    -------
    dict
        Ready for `json.dumps`. Properties are all fields of the warning, with times in UTC and ``kind`` the
        kind of message, ``feature`` "warning", ``colour``, names, and what weather services publish beside
        them (the names of the US NWS's API): ``sent``, ``effective`` (city's own time), ``status``,
        ``messageType``, ``category``, ``severity``, ``certainty``, ``urgency``, ``response``, ``geocode``,
        ``parameters``, and ``event``, ``areaDesc``, ``headline``, ``description`` and ``instruction`` by language.

    Raises
    ------
    InputError
        If a city, rule set or level is unknown.
    """
    features: list[dict[str, Any]] = [
        _feature(w, registry, book.rule_set(w.rule_set), why(w) if why else None) for w in warnings
    ]
    features.extend(dict(area) for area in areas or ())
    return {"type": "FeatureCollection", "features": features}


def _feature(warning: HazeWarning, registry: Registry, rules: RuleSet, why: Causes | None) -> dict[str, Any]:
    city = registry.city(warning.city)
    level = rules.level_of(warning.level)
    what = terms(warning, rules)
    texts = {language: compose(warning, rules, city, language, why=why, registry=registry) for language in LANGUAGES}
    # What a person edited is in the texts below.
    properties = warning.model_dump(mode="json", exclude={"wording"})
    if warning.approval is not None:
        # That a person approved it is public; who did and why is for the audit.
        properties["approval"] = {name: properties["approval"][name] for name in ("at", "amended")}
    properties.update(
        feature="warning",
        level_rank=level.rank,
        colour=level.colour,
        level_name={"zh": level.name_zh, "ja": level.name_ja, "en": level.name_en},
        haze={"zh": level.haze_zh, "ja": level.haze_ja, "en": level.haze_en},
        position=[city.longitude, city.latitude],
        sent=cap_time(warning.issued, city.time_zone),
        effective=cap_time(warning.issued, city.time_zone),
        status=what.status,
        messageType=what.message_type,
        category=["Env", "Met"],
        severity=what.severity,
        certainty=what.certainty,
        urgency=what.urgency,
        response=list(what.response),
        geocode=geocodes(city, registry),
        parameters=parameters(warning, rules) | city_code(city),
        event={language: text.event for language, text in texts.items()},
        areaDesc={language: text.area for language, text in texts.items()},
        headline={language: text.headline for language, text in texts.items()},
        description={language: text.description for language, text in texts.items()},
        instruction={language: text.instruction for language, text in texts.items()},
    )
    return {
        "type": "Feature",
        "id": warning.id,
        "geometry": as_geojson(city_area(city, registry).geometry),
        "properties": properties,
    }
