"""A made-up file of a bureau's own shapes, of a few corners."""

from __future__ import annotations

import json
from typing import Any

import shapely

BEIJING, SHIJIAZHUANG = (115.5, 39.5, 117.5, 41.0), (113.6, 37.5, 115.4, 38.7)
NUMBER = "GS(2026)0000"


def feature(geometry: shapely.Geometry | dict[str, Any] | None, **properties: Any) -> dict[str, Any]:
    if isinstance(geometry, shapely.Geometry):
        geometry = json.loads(shapely.to_geojson(geometry))
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def own_areas() -> list[dict[str, Any]]:
    return [
        feature(shapely.box(*BEIJING), kind="city", city="beijing"),
        feature(shapely.box(*SHIJIAZHUANG), kind="city", adcode=130100),
    ]


def own_map() -> list[dict[str, Any]]:
    return [
        feature(shapely.box(95, 15, 122, 55), kind="coast"),
        feature(shapely.LineString([(100, 20), (110, 45), (121, 50)]), kind="border"),
        feature(shapely.box(110, 30, 118, 40), kind="province"),
        feature(shapely.box(105, 3, 123, 24), kind="inset", position="lower_left"),
    ]


def collection(*features: Any, **members: Any) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": list(features), **members}).encode()


def complete() -> bytes:
    return collection(*own_areas(), *own_map(), review_number=NUMBER)
