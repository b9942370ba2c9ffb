"""Coastlines, borders and provinces: those of the package, or a bureau's own in their place. No network is needed.

Policy on borders: the package's map shows Natural Earth's depiction as published, which is by de facto
control, and states on every map that boundaries are not authoritative. Provenance and licence
are in ``README.md`` beside this module. Whoever publishes where the law prescribes a depiction gives a file of their
own (`hazecast.alerts.geography.own_shapes`).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import shape

from hazecast.grids.places.cities import Country

Layer = Literal["land", "country", "province", "line"]
Box = tuple[float, float, float, float]
_FILE = Path(__file__).parent / "east_asia.geojson"
_NAMES = Path(__file__).parent / "provinces.csv"


@dataclass(frozen=True)
class Province:
    """A province of China or prefecture of Japan: names, code (GB/T 2260 or JIS X 0401) and shape in degrees."""

    country: Country
    code: str
    name_zh: str
    name_ja: str
    name_en: str
    geometry: shapely.Geometry


@dataclass(frozen=True, eq=False)
class OwnArea:
    """A bureau's own area of a city's warnings, with names where they are not the city's."""

    geometry: shapely.Geometry
    names: Mapping[str, str] = field(default_factory=dict)


# Compared by identity: what is drawn of it is kept for each.
@dataclass(frozen=True, eq=False)
class Shapes:
    """What maps and warnings draw.

    Attributes
    ----------
    land, country, line : tuple of shapely.Geometry
        Polygons of the land and of the countries, and further boundary lines, degrees (WGS 84).
    provinces : tuple of Province
        By country and code.
    areas : mapping of str to OwnArea
        A bureau's own areas by city id.
    credit : str or None
        Printed on every map in place of the package's own note: whose map it is and its review number.
    insets : tuple of (west, south, east, north)
        Parts of the map, degrees, that a picture shows in frames of their own, from the lower left on.
    """

    land: tuple[shapely.Geometry, ...]
    country: tuple[shapely.Geometry, ...]
    provinces: tuple[Province, ...]
    line: tuple[shapely.Geometry, ...] = ()
    areas: Mapping[str, OwnArea] = field(default_factory=dict)
    credit: str | None = None
    insets: tuple[Box, ...] = ()

    @cached_property
    def flat_provinces(self) -> tuple[shapely.Geometry, ...]:
        """The provinces in the equal-area plane, km."""
        return tuple(shapely.make_valid(equal_area(p.geometry)) for p in self.provinces)


@lru_cache
def _features() -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(_FILE.read_text(encoding="utf-8"))["features"])


def _layer(name: str) -> tuple[shapely.Geometry, ...]:
    return tuple(shape(f["geometry"]) for f in _features() if f["properties"]["layer"] == name)


@lru_cache
def shipped() -> Shapes:
    """Return the package's own shapes, 60-160 E and 5-65 N.

    Land and countries are at 1:50m; the provinces of China (31) and prefectures of Japan (47) at 1:10m, simplified to
    0.02 degrees.
    """
    names = [f["properties"]["name"] for f in _features() if f["properties"]["layer"] == "province"]
    shapes = dict(zip(names, _layer("province"), strict=True))
    with _NAMES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = [Province(geometry=shapes[row.pop("name")], **row) for row in rows]  # type: ignore[arg-type]
    provinces = tuple(sorted(found, key=lambda p: (p.country, p.code)))
    return Shapes(_layer("land"), _layer("country"), provinces)


_in_use: list[Shapes] = []


def use(shapes: Shapes | None) -> None:
    """Let everything that this process draws and sends have these shapes; None for the package's own."""
    _in_use[:] = [] if shapes is None else [shapes]


def current() -> Shapes:
    """Return the shapes in use: those that `use` was last given, or the package's own."""
    return _in_use[0] if _in_use else shipped()


def layer(name: Layer) -> tuple[shapely.Geometry, ...]:
    """Return the geometries of a layer in use, in degrees (WGS 84)."""
    shapes = current()
    if name == "province":
        return tuple(p.geometry for p in shapes.provinces)
    return {"land": shapes.land, "country": shapes.country, "line": shapes.line}[name]


def provinces() -> tuple[Province, ...]:
    """Return the provinces of China and the prefectures of Japan in use, by country and code."""
    return current().provinces


def country_shape(country: Country | None) -> shapely.Geometry:
    """Return the union of a country's provinces or prefectures in use, in degrees; of both countries' for None."""
    return _country_shape(country, current())


@lru_cache(maxsize=8)
def _country_shape(country: Country | None, shapes: Shapes) -> shapely.Geometry:
    return shapely.union_all([p.geometry for p in shapes.provinces if country in (None, p.country)])


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
