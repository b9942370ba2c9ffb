"""What the page's map draws: coasts and borders once, and the values of all cities and hours of a run."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from hazecast.alerts.geography.city_areas import city_area
from hazecast.alerts.geography.shapes import Shapes, current, layer
from hazecast.alerts.maps.scales import AQI, O3, PM25, Scale
from hazecast.forecast.haze_grades import HAZE_GRADES
from hazecast.forecast.layers import LAYERS
from hazecast.grids.places.cities import City, Registry
from hazecast.services.web.page.snapshot import Snapshot, severity_rank

# West, south, east, north: what the map may be moved to.
BOX = (82.0, 6.0, 160.0, 62.0)
# A twentieth of a degree is a pixel or two at the nearest zoom that is allowed.
_TOLERANCE = 0.05
_SMALLEST = 0.02  # square degrees
# Visibility: the bounds of the haze grades and of the CMA's signal. Dark is bad here: the least comes first.
VISIBILITY = Scale(
    (0, 1, 2, 3, 5, 10), ("#3f007d", "#6a51a3", "#807dba", "#9e9ac8", "#bcbddc", "#efedf5")
)  # ColorBrewer's Purples
HAZE = Scale((0, 1, 2, 3, 4, 5), ("#cfe6c8", "#fee391", "#fec44f", "#fe9929", "#cc4c02", "#662506"))  # YlOrBr from 1 on
SCALES: dict[str, Scale] = {"pm25": PM25, "o3": O3, "aqi": AQI, "visibility": VISIBILITY, "haze_grade": HAZE}


def legend(kind: str, language: str) -> list[tuple[str, str]]:
    """Return colour and label of each class of a layer, lowest first.

    Parameters
    ----------
    kind : str
        A layer, a key of `SCALES`.
    language : str
        Of the labels of haze grades; the others are figures.

    Returns
    -------
    list of (str, str)
    """
    scale = SCALES[kind]
    labels = [HAZE_GRADES[n][language] for n in HAZE_GRADES if n >= 0] if kind == "haze_grade" else scale.labels()
    return list(zip(scale.colours, labels, strict=True))


def shapes_json() -> bytes:
    """Return land, borders and province borders within `BOX` for the map, simplified.

    ``land`` are rings, ``borders`` and ``provinces`` lines, each a flat list of whole hundredths of a degree: the
    first longitude and latitude, then the steps to the next.
    """
    return _shapes_json(current())


@lru_cache(maxsize=2)
def _shapes_json(shapes: Shapes) -> bytes:
    content = _own_map(shapes) if shapes.own_map else _shipped_map(shapes)
    return json.dumps(content, separators=(",", ":")).encode()


def _own_map(shapes: Shapes) -> dict[str, list[list[int]]]:
    """Return a bureau's base map, simplified, every line of it kept."""
    box = shapely.box(*BOX)
    land, borders, provinces = (
        shapely.simplify(shapely.intersection(shapely.union_all(layer(name, shapes)), box), _TOLERANCE / 2)
        for name in ("land", "country", "province")
    )
    return {
        "land": [_steps(part.exterior) for part in shapely.get_parts(land) if part.geom_type == "Polygon"],
        "borders": [_steps(line) for line in _lines(borders)],
        "provinces": [_steps(line) for line in _lines(provinces)],
    }


def _lines(geometry: shapely.Geometry) -> list[shapely.Geometry]:
    parts = shapely.get_parts(geometry)
    # Where lines touch the edge of the box alone, a point is left.
    lines = shapely.multilinestrings(parts[~shapely.is_empty(parts) & (shapely.get_dimensions(parts) == 1)])
    return [] if shapely.is_empty(lines) else list(shapely.get_parts(shapely.line_merge(lines)))


def _shipped_map(shapes: Shapes) -> dict[str, list[list[int]]]:
    box = shapely.box(*BOX)
    countries = shapely.coverage_simplify(
        np.array([shapely.intersection(shapely.make_valid(s), box) for s in shapes.country], dtype=object), _TOLERANCE
    )
    areas = shapely.coverage_simplify(np.array(layer("province", shapes), dtype=object), _TOLERANCE)
    land = shapely.union_all(countries)
    rings = [p.exterior for p in shapely.get_parts(land) if p.geom_type == "Polygon" and p.area >= _SMALLEST]
    return {
        "land": [_steps(ring) for ring in rings],
        "borders": [_steps(line) for line in _inner_lines(countries)],
        "provinces": [_steps(line) for line in _inner_lines(areas)],
    }


def _inner_lines(areas: npt.NDArray[np.object_]) -> list[shapely.Geometry]:
    """Return the lines at which neighbouring areas meet."""
    edges = shapely.union_all([shapely.boundary(area) for area in areas])
    inner = shapely.difference(edges, shapely.boundary(shapely.union_all(areas)))
    return [part for part in shapely.get_parts(shapely.line_merge(inner)) if part.length > _TOLERANCE]


def _steps(line: shapely.Geometry) -> list[int]:
    points = np.round(shapely.get_coordinates(line) * 100).astype(int)
    steps = np.diff(points, axis=0)
    return [*points[0].tolist(), *steps[(steps != 0).any(axis=1)].ravel().tolist()]


@lru_cache(maxsize=256)
def _area_rings(name: str, registry: Registry, shapes: Shapes) -> list[list[int]]:
    area = city_area(registry.city(name), registry)
    return [_steps(part.exterior) for part in shapely.get_parts(area.geometry)]


def map_json(snapshot: Snapshot, registry: Registry) -> bytes:
    """Return all cities and hours of the newest run, and the areas of the warnings in force.

    ``cities`` hold a list of values by layer, one for each hour from ``first`` on, null where unknown: ``pm25`` and
    ``o3`` in whole ug m-3, ``aqi``, ``visibility`` in km, ``haze_grade``. ``marks`` is the highest severity of a city's
    warnings, 0 (none) to 3. Rings are as in `shapes_json`.

    Parameters
    ----------
    snapshot : Snapshot
    registry : Registry

    Returns
    -------
    bytes
        JSON.
    """
    run = snapshot.run
    marks: dict[str, int] = {}
    for warning in snapshot.warnings:
        marks[warning.city] = max(marks.get(warning.city, 0), severity_rank(warning, snapshot.book))
    content: dict[str, Any] = {
        "init_time": None if run is None else run.init_time.isoformat(),
        "now": snapshot.now.replace(minute=0, second=0, microsecond=0).isoformat(),
        "stale": snapshot.stale,
        "first": snapshot.times[0].isoformat() if snapshot.times else None,
        "hours": len(snapshot.times),
        "cities": [_city(snapshot, registry.city(name), n, marks) for n, name in enumerate(snapshot.cities)],
        "warnings": [
            {
                "id": warning.id,
                "city": warning.city,
                "colour": snapshot.book.rule_set(warning.rule_set).level_of(warning.level).colour,
                "marks": severity_rank(warning, snapshot.book),
                "rings": _area_rings(warning.city, registry, current()),
            }
            for warning in reversed(snapshot.warnings)
        ],
        "scales": {
            kind: {"bounds": scale.bounds, "colours": scale.colours, "closed": scale.closed}
            for kind, scale in SCALES.items()
        },
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _city(snapshot: Snapshot, city: City, number: int, marks: dict[str, int]) -> dict[str, Any]:
    layers = snapshot.layers
    values = {
        kind: _json_numbers(layers[kind][:, number] / 1000.0, 1)
        if kind == "visibility"
        else _json_numbers(layers[kind][:, number])
        for kind in LAYERS
    }
    return {
        "id": city.id,
        "name": {"zh": city.name_zh, "ja": city.name_ja, "en": city.name_en},
        "at": [round(city.latitude, 3), round(city.longitude, 3)],
        "zone": city.time_zone,
        "marks": marks.get(city.id, 0),
        **values,
    }


def _json_numbers(values: npt.NDArray[np.float64], decimals: int = 0) -> list[float | int | None]:
    rounded = np.round(values, decimals)
    found: list[float | int | None] = []
    for value in rounded:
        found.append(None if not np.isfinite(value) else float(value) if decimals and value < 10 else int(value))
    return found
