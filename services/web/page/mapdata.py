"""What the page's map draws: coasts and borders once, and the values of all cities and hours of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.geography.city_areas import city_area
from hazecast.alerts.geography.shapes import Shapes, current, layer
from hazecast.alerts.maps.scales import AQI, O3, PM25, Scale
from hazecast.forecast.haze_grades import HAZE_GRADES
from hazecast.forecast.indices import categories
from hazecast.forecast.layers import LAYERS
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import format_time
from hazecast.services.store.station_values import StationValue
from hazecast.services.web.page.index_choice import Choice, us_hours
from hazecast.services.web.page.snapshot import Snapshot, severity_rank
from hazecast.services.web.page.warning_view import begins
from hazecast.services.web.page.words import Words

# West, south, east, north: what the map may be moved to.
BOX = (82.0, 6.0, 160.0, 62.0)
# A twentieth of a degree is a pixel or two at the nearest zoom that is allowed.
_TOLERANCE = 0.05
_SMALLEST = 0.02  # square degrees
# Of the wind, every third hour is enough to see it turn.
WIND_HOURS = 3
# Visibility: the bounds of the haze grades and of the CMA's signal. Dark is bad here: the least comes first.
VISIBILITY = Scale(
    (0, 1, 2, 3, 5, 10), ("#3f007d", "#6a51a3", "#807dba", "#9e9ac8", "#bcbddc", "#efedf5")
)  # ColorBrewer's Purples
HAZE = Scale((0, 1, 2, 3, 4, 5), ("#cfe6c8", "#fee391", "#fec44f", "#fe9929", "#cc4c02", "#662506"))  # YlOrBr from 1 on
AQI_US = Scale(
    (0, *(one.upto for one in categories("us")[:-1])), tuple(one.colour for one in categories("us")), closed=True
)
SCALES: dict[str, Scale] = {
    "pm25": PM25, "o3": O3, "aqi": AQI, "aqi_us": AQI_US, "visibility": VISIBILITY, "haze_grade": HAZE,
}  # fmt: skip


def legend(kind: str, words: Words, choice: Choice | None) -> list[tuple[str, str, str]]:
    """Return the classes of a layer, lowest first: colour, the figures that the map writes in it, and its name if it has one.

    Parameters
    ----------
    kind : str
        A layer.
    words : Words
    choice : {"china", "us", "japan", "europe"} or None
        The index of the reader's choice.

    Returns
    -------
    list of (str, str, str)
    """
    scale = SCALES["aqi_us" if kind == "aqi" and choice == "us" else kind]
    names = [""] * len(scale.colours)
    if kind == "haze_grade":
        names = [HAZE_GRADES[n][words.language] for n in HAZE_GRADES if n >= 0]
        figures = [str(n) for n in HAZE_GRADES if n >= 0]
    elif kind == "aqi":
        names = [words.of(one) for one in categories("us" if choice == "us" else "china")]
        figures = scale.labels()
    else:
        figures = _labels(scale, 0.1 if kind == "visibility" else 1.0)
    return list(zip(scale.colours, figures, names, strict=True))


def _labels(scale: Scale, step: float) -> list[str]:
    """Return the classes of a scale by the values that are written in them, in steps."""
    pairs = list(zip(scale.bounds, scale.bounds[1:], strict=False))[: len(scale.colours) - 1]
    return [*(f"{low:g}–{high - step:g}" for low, high in pairs), f"≥ {scale.bounds[len(pairs)]:g}"]


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
    """Return all hours of a snapshot's run, of all cities or of those that a snapshot holds, and the areas of the warnings in force.

    ``left_out`` is how many cities are not among them. ``cities`` hold a list of values by layer, one for each hour from ``first`` on, null where unknown: ``pm25`` and
    ``o3`` in whole ug m-3, ``aqi`` (China's), ``aqi_us``, ``visibility`` in km, ``haze_grade``; and ``wind``, every third hour,
    the direction that it blows from in tens of degrees and its speed in m s-1, where the weather has it. ``warnings`` are in
    force from ``from`` until ``until``, ``marks`` is their severity, 1 to 3. Rings are as in
    `shapes_json`.

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
    columns = _columns(snapshot)
    content: dict[str, Any] = {
        "init_time": None if run is None else format_time(run.init_time),
        "now": format_time(snapshot.now.replace(minute=0, second=0, microsecond=0)),
        "stale": snapshot.stale,
        "first": format_time(snapshot.times[0]) if snapshot.times else None,
        "hours": len(snapshot.times),
        "cities": [_city(registry.city(city), n, columns) for n, city in enumerate(snapshot.cities)],
        "left_out": snapshot.left_out,
        "warnings": [_warning(warning, snapshot, registry) for warning in reversed(_drawn(snapshot))],
        "scales": {
            kind: {"bounds": scale.bounds, "colours": scale.colours, "closed": scale.closed}
            for kind, scale in SCALES.items()
        },
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def stations_json(stations: Sequence[StationValue]) -> bytes:
    """Return stations as JSON: name, position, the end of the hour that was read, and its PM2.5 in whole ug m-3."""
    content = [
        {
            "name": one.name,
            "at": [round(one.latitude, 3), round(one.longitude, 3)],
            "time": format_time(one.time),
            "pm25": round(one.pm25),
        }
        for one in stations
    ]
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _warning(warning: HazeWarning, snapshot: Snapshot, registry: Registry) -> dict[str, Any]:
    level = snapshot.book.rule_set(warning.rule_set).level_of(warning.level)
    return {
        "id": warning.id,
        "city": warning.city,
        "name": {"zh": level.name_zh, "ja": level.name_ja, "en": level.name_en},
        "colour": level.colour,
        "marks": severity_rank(warning, snapshot.book),
        "from": format_time(begins(warning)),
        "until": format_time(warning.expires),
        "rings": _area_rings(warning.city, registry, current()),
    }


def _drawn(snapshot: Snapshot) -> list[HazeWarning]:
    """Return the warnings on the map: all or, where cities are left out, those of the cities that are not."""
    held = set(snapshot.cities)
    return [warning for warning in snapshot.warnings if not snapshot.left_out or warning.city in held]


def _columns(snapshot: Snapshot) -> dict[str, npt.NDArray[np.float64]]:
    """Return what the map writes, (hour, city), by layer."""
    if snapshot.forecast is None or snapshot.joined is None:
        return {}
    found = {kind: snapshot.layers[kind] for kind in LAYERS}
    pm25, o3 = (snapshot.joined[name].transpose("time", "city").values for name in ("pm25", "o3"))
    found["aqi_us"] = us_hours(pm25, o3)[-len(snapshot.times) :]
    if "u10" in snapshot.forecast and "v10" in snapshot.forecast:
        for name in ("u10", "v10"):
            values = snapshot.forecast[name].transpose("lead_time", "city").values
            found[name] = np.asarray(values[::WIND_HOURS], dtype=np.float64)
    return found


def _city(city: City, number: int, columns: dict[str, npt.NDArray[np.float64]]) -> dict[str, Any]:
    values: dict[str, Any] = {
        kind: _json_numbers(columns[kind][:, number] / 1000.0, 1)
        if kind == "visibility"
        else _json_numbers(columns[kind][:, number])
        for kind in (*LAYERS, "aqi_us")
    }
    if "u10" in columns:
        u, v = columns["u10"][:, number], columns["v10"][:, number]
        # Meteorology names the direction that the wind comes from.
        origin = (np.degrees(np.arctan2(-u, -v)) % 360.0) / 10.0
        values["wind"] = [_json_numbers(origin), _json_numbers(np.hypot(u, v))]
    return {
        "id": city.id,
        "name": {"zh": city.name_zh, "ja": city.name_ja, "en": city.name_en},
        "country": city.country,
        "at": [round(city.latitude, 3), round(city.longitude, 3)],
        **values,
    }


def _json_numbers(values: npt.NDArray[np.float64], decimals: int = 0) -> list[float | int | None]:
    rounded = np.round(values, decimals)
    found: list[float | int | None] = []
    for value in rounded:
        found.append(None if not np.isfinite(value) else float(value) if decimals and value < 10 else int(value))
    return found
