"""Polygons of haze areas: the levels of a grid, or of warnings, as shapes, and the provinces that they touch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import xarray as xr

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.geography.city_areas import city_area
from hazecast.alerts.geography.shapes import Province, as_geojson, current, equal_area
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.places.cities import City

# A province that an area covers by less than this share is not named: the area's edge is no better known.
_TOUCHED = 0.01
# The area of one city is less than that of a large province; a simplified edge strays less than this over the border.
_TOUCHED_BY_CITY = 0.001


@dataclass(frozen=True)
class LevelAreas:
    """The areas of the levels of a window, which do not overlap.

    Attributes
    ----------
    ranks : sequence of int
        Rising; 0 is where it is known that no level is met.
    shapes : sequence of shapely.Geometry
        One for each rank, degrees.
    window : tuple of datetime
        Aware start and end.
    simulated : bool
    weather_source : str
    warned : bool
        Whether they are the areas of warnings in force, and not of what is forecast.
    """

    ranks: Sequence[int]
    shapes: Sequence[shapely.Geometry]
    window: tuple[datetime, datetime]
    simulated: bool
    weather_source: str
    warned: bool = False

    def levels(self) -> Iterable[tuple[int, shapely.Geometry]]:
        """Return rank and shape of each level that is met, lowest first."""
        return [(rank, shape) for rank, shape in zip(self.ranks, self.shapes, strict=True) if rank > 0]


def forecast_areas(field: xr.Dataset) -> LevelAreas:
    """Return the areas of a forecast's levels; `field` is as from `hazecast.alerts.maps.areas.haze_areas`."""
    ranks, shapes = level_shapes(field, lowest=0)
    start, end = (datetime.fromisoformat(field.attrs[name]) for name in ("window_start", "window_end"))
    return LevelAreas(ranks, shapes, (start, end), bool(field.attrs["simulated"]), str(field.attrs["weather_source"]))


def warned_areas(
    warnings: Sequence[tuple[HazeWarning, City]],
    ruleset: RuleSet,
    window: tuple[datetime, datetime],
    *,
    simulated: bool,
    weather_source: str,
) -> LevelAreas:
    """Return the areas of warnings: what may be shown where a person must approve what is issued.

    Parameters
    ----------
    warnings : sequence of (HazeWarning, City)
        In force, each with its city; those of other rule sets, or that do not hold within the window, are left out.
    ruleset : RuleSet
    window : tuple of datetime
        Aware start and end.
    simulated : bool
    weather_source : str

    Returns
    -------
    LevelAreas
        Where areas of two levels meet, the higher one counts.
    """
    start, end = window
    cities: dict[int, list[shapely.Geometry]] = {}
    for warning, city in warnings:
        if warning.rule_set == ruleset.id and warning.onset < end and warning.expires > start:
            cities.setdefault(ruleset.level_of(warning.level).rank, []).append(city_area(city).geometry)
    ranks = sorted(cities)
    shapes: list[shapely.Geometry] = []
    above: shapely.Geometry = shapely.MultiPolygon()
    for rank in reversed(ranks):
        whole = shapely.union_all(cities[rank])
        shapes.insert(0, shapely.difference(whole, above))
        above = shapely.union(above, whole)
    shown = [(rank, shape) for rank, shape in zip(ranks, shapes, strict=True) if not shapely.is_empty(shape)]
    return LevelAreas(
        [rank for rank, _ in shown], [shape for _, shape in shown], window, simulated, weather_source, warned=True
    )


def polygons(areas: LevelAreas, ruleset: RuleSet) -> list[dict[str, Any]]:
    """Return the areas of each level as GeoJSON features.

    Areas are valid and do not overlap: where two levels meet, their common border is smoothed as one (by at
    most about a cell). Specks and strips a single cell wide count as the next lower level; gaps and slits
    as narrow are filled where their level is known.

    Parameters
    ----------
    areas : LevelAreas
    ruleset : RuleSet
        Gives names and colours.

    Returns
    -------
    list of dict
        Lowest level first.
    """
    features: list[dict[str, Any]] = []
    start, end = areas.window
    for rank, shape in areas.levels():
        rule = ruleset.level_of(rank)
        properties = {
            "feature": "haze_area",
            "kind": "haze_area",
            "rule_set": ruleset.id,
            "level": rule.id,
            "level_rank": rule.rank,
            "colour": rule.colour,
            "area_km2": round(float(shapely.area(equal_area(shape)))),
            "haze": {"zh": rule.haze_zh, "ja": rule.haze_ja, "en": rule.haze_en},
            "provinces": [
                {
                    "code": p.code,
                    "country": p.country,
                    "name": {"zh": p.name_zh, "ja": p.name_ja, "en": p.name_en},
                    "share": round(share, 2),
                }
                for p, share in _touched(shape, _TOUCHED_BY_CITY if areas.warned else _TOUCHED)
            ],
            "onset": start.isoformat(),
            "expires": end.isoformat(),
            "simulated": areas.simulated,
            "weather_source": areas.weather_source,
        }
        features.append({"type": "Feature", "geometry": as_geojson(shape), "properties": properties})
    return features


def provinces_touched(areas: LevelAreas) -> list[tuple[Province, int, float]]:
    """Return the provinces and prefectures that each level reaches, with the share of the province.

    Those of which a level covers less than 1 % are left out, of areas of warnings those below 0.1 %.
    """
    least = _TOUCHED_BY_CITY if areas.warned else _TOUCHED
    return [(province, rank, share) for rank, shape in areas.levels() for province, share in _touched(shape, least)]


def level_shapes(field: xr.Dataset, *, lowest: int = 1) -> tuple[list[int], list[shapely.Geometry]]:
    """Return the ranks present and the cleaned area of each; see `polygons`.

    Parameters
    ----------
    field : xarray.Dataset
        As from `hazecast.alerts.maps.areas.haze_areas`.
    lowest : int
        The lowest rank wanted.

    Returns
    -------
    ranks : list of int
    shapes : list of shapely.Geometry
        In degrees.
    """
    level = _cleaned(field["level"].transpose("latitude", "longitude").values)
    lats, lons = field["latitude"].values, field["longitude"].values
    step = float(lats[1] - lats[0])
    ranks = [int(r) for r in np.unique(level) if r >= lowest]
    areas = []
    for rank in ranks:
        rows, columns = np.nonzero(level == rank)
        south, west = lats[rows] - step / 2.0, lons[columns] - step / 2.0
        areas.append(shapely.coverage_union_all(shapely.box(west, south, west + step, south + step)))
    if not areas:
        return [], []
    # The tolerance is the square root of the area that may be cut at a corner: stairs of one and two cells go.
    smooth = shapely.coverage_simplify(np.array(areas), 1.1 * step)
    return ranks, [_without_slivers(shape, 0.5 * step**2) for shape in smooth]


def _without_slivers(shape: shapely.Geometry, smallest: float) -> shapely.Geometry:
    """Leave out parts and holes smaller than `smallest`; what is left out of one shape fills the hole of the other."""
    parts = []
    for part in shapely.get_parts(shape):
        if shapely.area(part) < smallest:
            continue
        holes = [ring for ring in part.interiors if shapely.area(shapely.Polygon(ring)) >= smallest]
        parts.append(shapely.Polygon(part.exterior, holes))
    return shapely.MultiPolygon(parts)


def _cleaned(level: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Return levels without specks and strips, or known gaps and slits, that are a single cell wide."""
    from scipy import ndimage

    level = level.copy()
    two_by_two = np.ones((2, 2), dtype=bool)
    for rank in sorted({int(r) for r in np.unique(level) if r > 0}, reverse=True):
        met = level >= rank
        level[met & ~ndimage.binary_opening(met, two_by_two)] = rank - 1
        closed = ndimage.binary_closing(level >= rank, two_by_two)
        level[closed & (level < rank) & (level >= 0)] = rank
    return level


def _touched(shape: shapely.Geometry, least: float) -> list[tuple[Province, float]]:
    flat = equal_area(shape)
    found = []
    for province, outline in zip(current().provinces, current().flat_provinces, strict=True):
        share = float(shapely.area(shapely.intersection(flat, outline)) / shapely.area(outline))
        if share >= least:
            found.append((province, share))
    return sorted(found, key=lambda entry: -entry[1])
