"""Warnings as GeoJSON (RFC 7946): longitude before latitude, WGS 84."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alerts.ruleset import RuleSet, load_ruleset
from alerts.warning import HazeWarning
from grids.cities import Registry


def feature_collection(
    warnings: Sequence[HazeWarning],
    registry: Registry,
    *,
    areas: Sequence[Mapping[str, Any]] | None = None,
    ruleset: RuleSet | None = None,
) -> dict[str, Any]:
    """Return warnings as a FeatureCollection of points, with haze areas after them if given.

    Parameters
    ----------
    warnings : sequence of HazeWarning
    registry : Registry
        Gives the coordinates.
    areas : sequence of features, optional
        As from `alerts.areas.polygons`.
    ruleset : RuleSet, optional
        Where colours and names come from; each warning's own rule set if None.

    Returns
    -------
    dict
        Ready for `json.dumps`; times as ISO 8601 in UTC. Properties are all fields of the warning,
        ``kind`` of which is the kind of message, plus ``feature`` "warning", ``colour`` and names.

    Raises
    ------
    InputError
        If a city, rule set or level is unknown.
    """
    features: list[dict[str, Any]] = [_feature(w, registry, ruleset or load_ruleset(w.rule_set)) for w in warnings]
    features.extend(dict(area) for area in areas or ())
    return {"type": "FeatureCollection", "features": features}


def _feature(warning: HazeWarning, registry: Registry, rules: RuleSet) -> dict[str, Any]:
    city = registry.city(warning.city)
    level = rules.level_of(warning.level)
    properties = warning.model_dump(mode="json")
    properties.update(
        feature="warning",
        level_rank=level.rank,
        colour=level.colour,
        level_name={"zh": level.name_zh, "ja": level.name_ja, "en": level.name_en},
        haze={"zh": level.haze_zh, "ja": level.haze_ja, "en": level.haze_en},
    )
    return {
        "type": "Feature",
        "id": warning.id,
        "geometry": {"type": "Point", "coordinates": [city.longitude, city.latitude]},
        "properties": properties,
    }
