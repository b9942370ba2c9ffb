"""Coastlines, borders and provinces of East Asia, read from the package: no network is needed.

Policy on borders: the map shows Natural Earth's depiction as published, which is by de facto
control, and states on every map that boundaries are not authoritative. Provenance and licence
are in ``README.md`` beside this module.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import shape

from hazecast.grids.places.cities import City, Country

Layer = Literal["land", "country", "province"]
_FILE = Path(__file__).parent / "east_asia.geojson"
_NAMES = Path(__file__).parent / "provinces.csv"

# How far from its centre a city's value applies, km: this service's choice, about the width of a large city.
CITY_RADIUS_KM = 50.0
_KM_PER_DEGREE = 111.195


@dataclass(frozen=True)
class Province:
    """A province of China or prefecture of Japan: names, code (GB/T 2260 or JIS X 0401) and shape in degrees."""

    country: Country
    code: str
    name_zh: str
    name_ja: str
    name_en: str
    geometry: shapely.Geometry


@lru_cache
def _features() -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(_FILE.read_text(encoding="utf-8"))["features"])


@lru_cache
def layer(name: Layer) -> tuple[shapely.Geometry, ...]:
    """Return the polygons of a layer in degrees (WGS 84), 60-160 E and 5-65 N.

    ``land`` and ``country`` are at 1:50m; ``province`` holds the provinces of China and the
    prefectures of Japan at 1:10m, simplified to 0.02 degrees.
    """
    return tuple(shape(f["geometry"]) for f in _features() if f["properties"]["layer"] == name)


@lru_cache
def provinces() -> tuple[Province, ...]:
    """Return the 31 provinces of China and the 47 prefectures of Japan, by country and code."""
    names = [f["properties"]["name"] for f in _features() if f["properties"]["layer"] == "province"]
    shapes = dict(zip(names, layer("province"), strict=True))
    with _NAMES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = [Province(geometry=shapes[row.pop("name")], **row) for row in rows]  # type: ignore[arg-type]
    return tuple(sorted(found, key=lambda p: (p.country, p.code)))


@lru_cache
def country_shape(country: Country) -> shapely.Geometry:
    """Return the union of a country's provinces or prefectures, in degrees."""
    return shapely.union_all([p.geometry for p in provinces() if p.country == country])


def as_geojson(geometry: shapely.Geometry) -> dict[str, Any]:
    """Return a geometry as GeoJSON, outer rings counterclockwise (RFC 7946)."""
    found: dict[str, Any] = json.loads(shapely.to_geojson(shapely.orient_polygons(geometry)))
    return found


def equal_area(geometry: shapely.Geometry) -> shapely.Geometry:
    """Project degrees to Lambert's cylindrical equal-area plane, in km, for areas and shares."""

    def project(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        lon, lat = np.radians(points).T
        return np.stack([6371.0 * lon, 6371.0 * np.sin(lat)], axis=-1)

    return shapely.transform(geometry, project)


def city_area(city: City, radius_km: float = CITY_RADIUS_KM) -> shapely.Geometry:
    """Return the area that a city's warning is for.

    Parameters
    ----------
    city : City
    radius_km : float
        Only land within this distance of the city centre.

    Returns
    -------
    shapely.Geometry
        In degrees, valid, counterclockwise, without holes: within the city's own province or prefecture (land or
        not where the registry gives no code).
    """
    angles = np.radians(np.arange(0.0, 360.0, 10.0))
    north = radius_km / _KM_PER_DEGREE
    east = north / np.cos(np.radians(city.latitude))
    disc = shapely.Polygon(
        np.stack([city.longitude + east * np.cos(angles), city.latitude + north * np.sin(angles)], axis=-1)
    )
    own = [p.geometry for p in provinces() if p.country == city.country and p.code == city.province_code]
    area = shapely.intersection(disc, own[0]) if own else disc
    # Islets smaller than a few km2 make a message longer and warn nobody else.
    parts = [shapely.Polygon(part.exterior) for part in shapely.get_parts(area) if part.geom_type == "Polygon"]
    kept = [part for part in parts if shapely.area(equal_area(part)) >= 5.0] or [disc]
    joined = shapely.union_all(kept)
    thinned = shapely.set_precision(shapely.simplify(joined, 0.01, preserve_topology=True), 0.001)
    return shapely.orient_polygons(thinned if thinned.is_valid and not thinned.is_empty else joined)
