"""A bureau's own shapes: areas of cities and an approved base map, from one GeoJSON file (RFC 7946)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, NoReturn, cast, get_args

import numpy as np
import shapely
from shapely.geometry import shape

from hazecast.alerts.geography.shapes import Corner, Inset, OwnArea, Shapes, equal_area
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City

KINDS = ("city", "coast", "border", "province", "inset")
# What areas of two cities may share, km2: neighbours traced apart. The earlier of the file keeps it.
_SHARED_KM2 = 1.0
_SMALLEST_KM2 = 1.0
# As far as the shipped shapes reach, and south to the equator for an inset: beyond it nothing is drawn.
_DRAWN = shapely.box(60.0, 0.0, 160.0, 65.0)
_POLYGONS = ("Polygon", "MultiPolygon")
_LINES = ("LineString", "MultiLineString", *_POLYGONS)


@dataclass(frozen=True)
class _Feature:
    where: str
    kind: str
    geometry: shapely.Geometry
    properties: Mapping[str, Any]


@dataclass
class _Found:
    areas: dict[str, OwnArea] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    insets: list[Inset] = field(default_factory=list)
    lines: dict[str, list[shapely.Geometry]] = field(
        default_factory=lambda: {name: [] for name in ("coast", "border", "province")}
    )


def own_shapes(content: bytes, name: str, cities: Mapping[str, City], shipped: Shapes) -> Shapes:
    """Read a bureau's file of shapes.

    Parameters
    ----------
    content : bytes
        GeoJSON, a feature collection in degrees (WGS 84). Property `kind` of a feature: ``city`` (with `city`, an id, or
        `adcode`), ``coast`` (polygons of the land), ``border`` and ``province`` (lines or polygons), ``inset`` (a
        polygon whose bounds are shown, with `position`). Property `review_number` of the collection.
    name : str
        Of the file, for errors.
    cities : mapping of str to City
        Those that an area may be of, by id.
    shipped : Shapes
        What the file doesn't replace.

    Returns
    -------
    Shapes

    Raises
    ------
    InputError
        Naming file, number of the feature (from 1), what was found and what was expected.
    """
    collection = _collection(content, name)
    found = _Found()
    for number, raw in enumerate(collection["features"], 1):
        feature = _feature(raw, f"{name}, feature {number}")
        if feature.kind == "city":
            _take_area(feature, cities, found)
        elif feature.kind == "inset":
            found.insets.append(_inset(feature))
        else:
            found.lines[feature.kind].append(_drawn(feature))
    _check_overlaps(found)
    own = replace(shipped, areas=found.areas, digest=hashlib.sha256(content).hexdigest())
    return _with_map(own, found, _review_number(collection, name), name)


def _collection(content: bytes, name: str) -> dict[str, Any]:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    try:
        found = json.loads(content.decode("utf-8-sig"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(name, f"{type(error).__name__}: {error}", "GeoJSON in UTF-8") from error
    if not isinstance(found, dict) or found.get("type") != "FeatureCollection":
        kind = found.get("type") if isinstance(found, dict) else type(found).__name__
        raise InputError(name, f"type {kind!r}", "a FeatureCollection")
    if not isinstance(found.get("features"), list) or not found["features"]:
        raise InputError(f"{name}, features", "none", "a list with at least one feature")
    return found


def _feature(raw: Any, where: str) -> _Feature:
    properties = raw.get("properties") if isinstance(raw, dict) else None
    if not isinstance(properties, dict) or raw.get("type") != "Feature":
        raise InputError(where, "no feature with properties", "a Feature with the property kind")
    kind = properties.get("kind")
    if kind not in KINDS:
        raise InputError(f"{where}, kind", repr(kind), f"one of {', '.join(KINDS)}")
    return _Feature(where, str(kind), _geometry(raw.get("geometry"), where, str(kind)), properties)


def _geometry(raw: Any, where: str, kind: str) -> shapely.Geometry:
    allowed = _LINES if kind in ("border", "province") else _POLYGONS
    where = f"{where}, geometry"
    named = raw.get("type") if isinstance(raw, dict) else None
    if named not in allowed:
        raise InputError(where, f"type {named!r}", f"for {kind} one of {', '.join(allowed)}")
    try:
        found = shapely.force_2d(shape(raw))
    except (ValueError, TypeError, LookupError, AttributeError, shapely.GEOSException) as error:
        raise InputError(where, f"{type(error).__name__}: {error}", f"coordinates of a {named}") from error
    if found.is_empty:
        raise InputError(where, "empty", f"coordinates of a {named}")
    corners = shapely.get_coordinates(found)
    outside = ~((np.abs(corners[:, 0]) <= 180.0) & (np.abs(corners[:, 1]) <= 90.0))
    if outside.any():
        lon, lat = corners[outside][0]
        raise InputError(where, f"a corner at {lon:g}, {lat:g}", "longitude -180 to 180, then latitude -90 to 90")
    if not shapely.is_valid(found):
        raise InputError(where, shapely.is_valid_reason(found), "a geometry whose lines don't cross or collapse")
    return found


def _take_area(feature: _Feature, cities: Mapping[str, City], found: _Found) -> None:
    city = _city(feature, cities)
    where = f"{feature.where}, {city.id}"
    if city.id in found.areas:
        raise InputError(where, f"a second area, after {found.places[city.id]}", "one feature a city")
    size = shapely.area(equal_area(feature.geometry))
    if size < _SMALLEST_KM2:
        raise InputError(where, f"an area of {size:.2g} km2", f"at least {_SMALLEST_KM2:g} km2")
    inside = {c.id for c in cities.values() if shapely.intersects_xy(feature.geometry, c.longitude, c.latitude)}
    if city.id not in inside:
        raise InputError(
            where,
            f"an area without its city's centre at {city.longitude:g}, {city.latitude:g}",
            "an area that contains it",
        )
    if len(inside) > 1:
        raise InputError(where, f"the centre of {min(inside - {city.id})} inside", "no other city's centre inside")
    found.areas[city.id] = OwnArea(feature.geometry, "adcode" in feature.properties)
    found.places[city.id] = where


def _city(feature: _Feature, cities: Mapping[str, City]) -> City:
    name, code = feature.properties.get("city"), feature.properties.get("adcode")
    if name is None and code is None:
        raise InputError(feature.where, "neither city nor adcode", "one of them")
    fits = [
        city
        for city in cities.values()
        if (name is None or city.id == name) and (code is None or (city.country, city.code) == ("CN", str(code)))
    ]
    if len(fits) != 1:
        given = ", ".join(f"{key} {value!r}" for key, value in (("city", name), ("adcode", code)) if value is not None)
        raise InputError(feature.where, given, "a city of the registry (its id, or its code by GB/T 2260)")
    return fits[0]


def _inset(feature: _Feature) -> Inset:
    position = feature.properties.get("position")
    if position not in get_args(Corner):
        raise InputError(
            f"{feature.where}, position",
            repr(position),
            f"one of {', '.join(get_args(Corner))} (the legend is at the lower right)",
        )
    if not shapely.covers(_DRAWN, feature.geometry):
        raise InputError(feature.where, f"bounds {_bounds(feature.geometry)}", f"bounds within {_bounds(_DRAWN)}")
    return Inset(_bounds(feature.geometry), cast(Corner, position))


def _bounds(geometry: shapely.Geometry) -> tuple[float, float, float, float]:
    west, south, east, north = shapely.bounds(geometry).tolist()
    return west, south, east, north


def _drawn(feature: _Feature) -> shapely.Geometry:
    """Return what of a base map's feature is drawn: land as polygons, all else as lines."""
    polygons = shapely.get_dimensions(feature.geometry) == 2
    geometry = shapely.boundary(feature.geometry) if polygons and feature.kind != "coast" else feature.geometry
    # What lies on the edge of the box alone may leave points or lines beside the polygons.
    parts = shapely.get_parts(shapely.intersection(geometry, _DRAWN))
    kept = parts[~shapely.is_empty(parts) & (shapely.get_dimensions(parts) == (2 if feature.kind == "coast" else 1))]
    if not kept.size:
        raise InputError(feature.where, f"bounds {_bounds(feature.geometry)}", f"a part within {_bounds(_DRAWN)}")
    return shapely.union_all(kept) if feature.kind == "coast" else shapely.multilinestrings(list(kept))


def _check_overlaps(found: _Found) -> None:
    for one, other in combinations(found.areas, 2):
        first, second = found.areas[one].geometry, found.areas[other].geometry
        if not shapely.intersects(first, second):
            continue
        shared = shapely.area(equal_area(shapely.intersection(first, second)))
        if shared > _SHARED_KM2:
            raise InputError(
                found.places[other],
                f"{shared:.1f} km2 shared with {found.places[one]}",
                f"areas that don't overlap (up to {_SHARED_KM2:g} km2 along an edge)",
            )


def _review_number(collection: Mapping[str, Any], name: str) -> str:
    """Return the property of the collection: a member of its own, or within `properties`."""
    inner = collection.get("properties")
    given = [m["review_number"] for m in (collection, inner) if isinstance(m, dict) and "review_number" in m]
    if not given:
        return ""
    number = given[0].strip() if isinstance(given[0], str) else ""
    if len(given) > 1 or not number or len(number) > 60 or not number.isprintable():
        raise InputError(f"{name}, review_number", repr(given), "one line of text of 1 to 60 characters, once")
    return number


def _with_map(own: Shapes, found: _Found, review_number: str, name: str) -> Shapes:
    """Put the base map of the file in place of the shipped one: as a whole, for an approved map is not mixed."""
    lacking = [kind for kind in ("coast", "border") if not found.lines[kind]]
    wanted = [kind for kind, shapes in found.lines.items() if shapes]
    wanted += ["inset"] * bool(found.insets) + ["review_number"] * bool(review_number)
    if not wanted:
        return own
    if lacking:
        raise InputError(
            name, f"{', '.join(wanted)} without {' and '.join(lacking)}", "a base map with coast and border"
        )
    return replace(
        own,
        land=tuple(found.lines["coast"]),
        country=tuple(found.lines["border"]),
        province_lines=tuple(found.lines["province"]),
        insets=tuple(found.insets),
        review_number=review_number,
        own_map=True,
    )
