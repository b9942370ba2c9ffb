"""Coastlines, borders and provinces of East Asia, read from the package, or a bureau's own in their place.

Policy on borders: the map shows Natural Earth's depiction as published, which is by de facto
control, and states on every map that boundaries are not authoritative. Provenance and licence
are in ``README.md`` beside this module.
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

Layer = Literal["land", "country", "province"]
Corner = Literal["upper_left", "upper_right", "lower_left"]
_FILE = Path(__file__).parent / "east_asia.geojson"
_NAMES = Path(__file__).parent / "provinces.csv"
# Of degrees in GeoJSON.
_DECIMALS = 4


@dataclass(frozen=True)
class Province:
    """A province of China or prefecture of Japan: names, code (GB/T 2260 or JIS X 0401) and shape in degrees."""

    country: Country
    code: str
    name_zh: str
    name_ja: str
    name_en: str
    geometry: shapely.Geometry


@dataclass(frozen=True)
class OwnArea:
    """The area that a bureau gives a city's warnings, in degrees; `administrative` where it is what the city's code names."""

    geometry: shapely.Geometry
    administrative: bool


@dataclass(frozen=True)
class Inset:
    """A part of the base map shown in a corner of every map: west, south, east, north in degrees."""

    bounds: tuple[float, float, float, float]
    position: Corner


# Compared by identity: what is drawn of it is kept for each.
@dataclass(frozen=True, eq=False)
class Shapes:
    """What maps and warnings draw.

    Attributes
    ----------
    land, country : tuple of shapely.Geometry
        Polygons of the land and of the countries, degrees (WGS 84); of a bureau's own map the countries are lines.
    provinces : tuple of Province
        By country and code. Texts, shares and the edge of haze areas follow these, whatever is drawn.
    province_lines : tuple of shapely.Geometry
        Drawn in place of the provinces where `own_map`.
    own_map : bool
        Whether the base map is a bureau's own.
    insets : tuple of Inset
    review_number : str
        Of the base map, as its approval gives it; empty without one.
    areas : mapping of str to OwnArea
        Areas of cities that a bureau gives, by id.
    digest : str
        SHA-256 of the bureau's file; empty for the package's shapes.
    """

    land: tuple[shapely.Geometry, ...]
    country: tuple[shapely.Geometry, ...]
    provinces: tuple[Province, ...]
    province_lines: tuple[shapely.Geometry, ...] = ()
    own_map: bool = False
    insets: tuple[Inset, ...] = ()
    review_number: str = ""
    areas: Mapping[str, OwnArea] = field(default_factory=dict)
    digest: str = ""

    @cached_property
    def flat_provinces(self) -> tuple[shapely.Geometry, ...]:
        """The provinces in the equal-area plane, km."""
        return tuple(shapely.make_valid(equal_area(p.geometry)) for p in self.provinces)


@lru_cache
def _features() -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(_FILE.read_text(encoding="utf-8"))["features"])


def _layer(name: str) -> tuple[shapely.Geometry, ...]:
    return tuple(shape(f["geometry"]) for f in _features() if f["properties"]["layer"] == name)


class _InUse:
    shapes: Shapes | None = None


def use(shapes: Shapes | None) -> None:
    """Have all maps and warnings of this process follow these shapes, or the package's for None."""
    _InUse.shapes = shapes


def current() -> Shapes:
    """Return the shapes in use: those given to `use`, else the package's."""
    return _InUse.shapes or shipped()


@lru_cache
def shipped() -> Shapes:
    """Return the package's shapes, 60-160 E and 5-65 N.

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


def layer(name: Layer, shapes: Shapes | None = None) -> tuple[shapely.Geometry, ...]:
    """Return the geometries of a layer of the base map.

    Parameters
    ----------
    name : {"land", "country", "province"}
    shapes : Shapes, optional
        By default those in use.

    Returns
    -------
    tuple of shapely.Geometry
        In degrees (WGS 84).
    """
    shapes = shapes or current()
    if name == "province":
        if shapes.own_map:
            return shapes.province_lines
        return tuple(p.geometry for p in shapes.provinces)
    return shapes.land if name == "land" else shapes.country


def provinces() -> tuple[Province, ...]:
    """Return the provinces of China and the prefectures of Japan, by country and code."""
    return current().provinces


def country_shape(country: Country | None) -> shapely.Geometry:
    """Return the union of a country's provinces or prefectures, in degrees; of both countries' for None."""
    return _country_shape(country, current())


@lru_cache(maxsize=8)
def _country_shape(country: Country | None, shapes: Shapes) -> shapely.Geometry:
    return shapely.union_all([p.geometry for p in shapes.provinces if country in (None, p.country)])


def as_geojson(geometry: shapely.Geometry) -> dict[str, Any]:
    """Return a geometry as GeoJSON, outer rings counterclockwise (RFC 7946), to 0.0001 degrees, 11 m.

    It stays valid, and what had a border in common has it still.
    """
    # Snapped first, so that rounding makes no ring cross itself; then without what the grid's doubles add.
    snapped = shapely.set_precision(geometry, 10.0**-_DECIMALS)
    rounded = shapely.transform(shapely.orient_polygons(snapped), lambda points: np.round(points, _DECIMALS))
    found: dict[str, Any] = json.loads(shapely.to_geojson(rounded))
    return found


def equal_area(geometry: shapely.Geometry) -> shapely.Geometry:
    """Project degrees to Lambert's cylindrical equal-area plane, in km, for areas and shares."""

    def project(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        lon, lat = np.radians(points).T
        return np.stack([6371.0 * lon, 6371.0 * np.sin(lat)], axis=-1)

    return shapely.transform(geometry, project)
