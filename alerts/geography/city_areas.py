"""The area that a city's warning is for: one place, which polygon, text and code name alike.

Beijing, Tianjin and Shanghai have their whole municipality. Of other cities no shape with a free licence is in the package:
their area is the land of their province or prefecture within 50 km of the centre, cut at the
midline to the next city. A bureau's own area of a city takes the place of that, and is left out of all others.
Areas share edges and never overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import shapely

from hazecast.alerts.geography.kinds import AreaKind
from hazecast.alerts.geography.shapes import Shapes, current, equal_area
from hazecast.grids.places.cities import City, Registry, load_registry

Points = npt.NDArray[np.float64]

# How far from its centre a city's value applies, km: this service's choice, about the width of a large city.
CITY_RADIUS_KM = 50.0
# A municipality larger than this is more than a value at its centre says anything of: Chongqing has 82,000 km2.
LARGEST_MUNICIPALITY_KM2 = 20_000.0
# Islets smaller than this make a message longer and warn nobody else.
_ISLET_KM2 = 5.0
# Degrees: what a message writes.
_GRID = 0.001
_KM_PER_DEGREE = 111.195
# Half of the surroundings of a place, in degrees across and along the way to another from the middle between them: beyond every
# disc, and with points on the midline, as a straight line of the projection is a curve in degrees.
_HALF = np.array([(across, 0.0) for across in np.arange(2.0, -2.25, -0.25)] + [(-2.0, -2.0), (2.0, -2.0)])
# Degrees: a corner that lies no farther beyond a midline is on it.
_TOUCHING = 1e-6
# Degrees: what is farther away shares no border with a city's area, a municipality's included.
_NEAR = 6.0


@dataclass(frozen=True, eq=False)
class CityArea:
    """A city's area in degrees, valid, counterclockwise.

    `kind` says what it is: a whole municipality, what lies around the centre, or what the bureau gives. `cut` is true
    where a neighbour's midline or area takes a part of it. `administrative` says whether it is what the city's code names.
    """

    geometry: shapely.Geometry
    kind: AreaKind
    cut: bool = False
    administrative: bool = False


def city_area(city: City, registry: Registry | None = None) -> CityArea:
    """Return the area that a city's warning is for.

    Parameters
    ----------
    city : City
    registry : Registry, optional
        The cities that it shares the land with, by default those shipped. A city that isn't among them is taken beside
        them.

    Returns
    -------
    CityArea
    """
    registry = registry or load_registry()
    if registry.cities.get(city.id) == city:
        return _areas_of(registry, current())[city.id]
    near = (c for c in registry.cities.values() if abs(c.latitude - city.latitude) < _NEAR and _apart(c, city) < _NEAR)
    return city_areas((*near, city), current())[city.id]


def _apart(one: City, other: City) -> float:
    """Return the difference of two longitudes, degrees."""
    return abs((one.longitude - other.longitude + 180.0) % 360.0 - 180.0)


@lru_cache(maxsize=4)
def _areas_of(registry: Registry, shapes: Shapes) -> Mapping[str, CityArea]:
    return city_areas(tuple(registry.cities.values()), shapes)


@lru_cache(maxsize=8)
def city_areas(cities: tuple[City, ...], shapes: Shapes) -> Mapping[str, CityArea]:
    """Return the areas of all cities, none of which overlaps another.

    Parameters
    ----------
    cities : tuple of City
        Of two with one id the later counts.
    shapes : Shapes

    Returns
    -------
    mapping of str to CityArea
        By id; corners in whole thousandths of a degree.
    """
    by_id = {city.id: city for city in cities}
    provinces: dict[tuple[str, str | None], shapely.Geometry] = {
        (p.country, p.code): p.geometry for p in reversed(shapes.provinces)
    }
    own = _own_areas(shapes)
    whole = _without_own(own | {n: _whole(c, provinces) for n, c in by_id.items() if n not in shapes.areas})
    areas = [whole[name] for name in by_id]
    centres = _mercator(np.array([[city.longitude, city.latitude] for city in by_id.values()]).reshape(-1, 2))
    tree = shapely.STRtree([area.geometry for area in areas])
    cut = {
        name: _cut(number, areas, centres, np.sort(tree.query(areas[number].geometry)))
        if areas[number].kind == "around"
        else areas[number]
        for number, name in enumerate(by_id)
    }
    return _on_one_grid(cut)


def rings(geometry: shapely.Geometry) -> list[npt.NDArray[np.float64]]:
    """Return closed rings that cover a geometry with polygons: one with a hole is parted through the hole.

    Each is (point, 2), longitude before latitude, counterclockwise.
    """
    found: list[npt.NDArray[np.float64]] = []
    for part in shapely.get_parts(geometry):
        if not part.interiors:
            found.append(shapely.get_coordinates(shapely.orient_polygons(part).exterior))
            continue
        west, south, east, north = part.bounds
        middle = shapely.Polygon(part.interiors[0]).centroid.x
        for half in (shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)):
            pieces = shapely.get_parts(shapely.intersection(part, half))
            found.extend(rings(shapely.MultiPolygon([p for p in pieces if p.geom_type == "Polygon"])))
    return found


def _own_areas(shapes: Shapes) -> dict[str, CityArea]:
    """Return the bureau's areas; the sliver that two may share is the earlier one's."""
    found: dict[str, CityArea] = {}
    for name, own in shapes.areas.items():
        left = own.geometry
        for other in found.values():
            if shapely.intersects(left, other.geometry):
                left = _polygons(shapely.difference(left, other.geometry))
        found[name] = CityArea(left, "own", administrative=own.administrative)
    return found


def _without_own(areas: Mapping[str, CityArea]) -> dict[str, CityArea]:
    """Leave the bureau's areas out of whole municipalities: the bureau's border counts."""
    own = [area.geometry for area in areas.values() if area.kind == "own"]
    taken = shapely.union_all(own)
    return {
        name: replace(area, geometry=_polygons(shapely.difference(area.geometry, taken)))
        if own and area.kind == "municipality"
        else area
        for name, area in areas.items()
    }


def _polygons(geometry: shapely.Geometry) -> shapely.Geometry:
    parts = shapely.get_parts(geometry)
    return shapely.union_all(parts[shapely.get_dimensions(parts) == 2])


def _whole(city: City, provinces: Mapping[tuple[str, str | None], shapely.Geometry]) -> CityArea:
    own = provinces.get((city.country, city.province_code))
    if own is None:
        return CityArea(_disc(city), "around")
    if city.code == city.province_code and shapely.area(equal_area(own)) <= LARGEST_MUNICIPALITY_KM2:
        return CityArea(own, "municipality", administrative=True)
    return CityArea(shapely.intersection(_disc(city), own), "around")


def _disc(city: City) -> shapely.Geometry:
    angles = np.radians(np.arange(0.0, 360.0, 10.0))
    north = CITY_RADIUS_KM / _KM_PER_DEGREE
    east = north / np.cos(np.radians(city.latitude))
    return shapely.Polygon(
        np.stack([city.longitude + east * np.cos(angles), city.latitude + north * np.sin(angles)], axis=-1)
    )


def _cut(number: int, areas: Sequence[CityArea], centres: Points, near: npt.NDArray[np.int64]) -> CityArea:
    """Cut an area at the midlines to other such areas, and leave out what belongs to a whole one.

    `centres` are in Mercator's projection; `near` are the numbers of the areas that may touch it.
    """
    before = left = areas[number].geometry
    here, near = centres[number], near[near != number]
    around = np.array([areas[other].kind == "around" for other in near], dtype=bool)
    for other in near[~around]:
        if shapely.intersects(before, areas[other].geometry):
            left = shapely.difference(left, areas[other].geometry)
    rivals = near[around]
    apart = np.hypot(*(centres[rivals] - here).T)
    corners = _seen_from(here, left)
    # The nearest first: where places are close to each other, they leave nothing to those beyond.
    order = np.argsort(apart, kind="stable")
    order = order[apart[order] / 2.0 < _reach(corners)]
    for other, distance, nearer in zip(rivals[order], apart[order], _nearer(here, centres[rivals[order]]), strict=True):
        if distance / 2.0 >= _reach(corners):
            break
        beyond = corners @ (centres[other] - here) > distance * (distance / 2.0 + _TOUCHING)
        if beyond.any() and shapely.intersects(before, areas[other].geometry):
            left = shapely.intersection(left, nearer)
            corners = _seen_from(here, left)
    return CityArea(left, "around", cut=bool(shapely.area(left) < 0.999 * shapely.area(before)))


def _seen_from(here: Points, geometry: shapely.Geometry) -> Points:
    """Return the corners of a geometry as they lie from a point, both in Mercator's projection."""
    return _mercator(shapely.get_coordinates(geometry)) - here


def _reach(corners: Points) -> float:
    """Return how far away the farthest corner is; 0 where there is none."""
    return float(np.hypot(corners[:, 0], corners[:, 1]).max(initial=0.0))


def _nearer(here: Points, others: Points) -> npt.NDArray[np.object_]:
    """Return the parts of the surroundings of a place that are nearer to it than to each of others, in degrees.

    In Mercator's projection, which is conformal: over the 100 km that matter its scale is constant to 0.5 %. All places
    are given in it, (2,) and (place, 2).
    """
    along = (others - here) / np.hypot(*(others - here).T)[:, None]
    across, middle = np.stack([-along[:, 1], along[:, 0]], axis=-1), (here + others) / 2.0
    corners = middle[:, None] + _HALF[:, :1] * across[:, None] + _HALF[:, 1:] * along[:, None]
    return np.asarray(shapely.polygons(_from_mercator(corners)), dtype=np.object_)


def _mercator(degrees: Points) -> Points:
    return np.stack([degrees[..., 0], np.degrees(np.arcsinh(np.tan(np.radians(degrees[..., 1]))))], axis=-1)


def _from_mercator(points: Points) -> Points:
    return np.stack([points[..., 0], np.degrees(np.arctan(np.sinh(np.radians(points[..., 1]))))], axis=-1)


def _on_one_grid(rough: Mapping[str, CityArea]) -> dict[str, CityArea]:
    """Round all areas together: what they share stays shared, as rounding each by itself would not keep it."""
    lines = shapely.union_all([shapely.boundary(area.geometry) for area in rough.values()], grid_size=_GRID)
    faces = shapely.get_parts(shapely.polygonize([lines]))
    inside = shapely.STRtree(shapely.point_on_surface(faces))
    found = {}
    for name, area in rough.items():
        shapely.prepare(area.geometry)
        own = shapely.get_parts(
            shapely.coverage_union_all(faces[np.sort(inside.query(area.geometry, predicate="contains"))])
        )
        least = 0.0 if area.kind == "own" else _ISLET_KM2
        large = [part for part in own if shapely.area(equal_area(part)) >= least] or list(own)
        kept = large[0] if len(large) == 1 else shapely.MultiPolygon(large)
        found[name] = replace(area, geometry=shapely.orient_polygons(kept))
    return found
