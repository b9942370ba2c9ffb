"""Polygons of haze areas: the levels of a grid, or of warnings, as shapes, and the provinces that they touch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import xarray as xr

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.geography.city_areas import city_area
from hazecast.alerts.geography.shapes import Province, as_geojson, country_shape, current, equal_area
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.places.cities import Registry
from hazecast.grids.times import format_time

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
    ranks, shapes = level_shapes(field, lowest=0, within=country_shape(field.attrs["country"] or None))
    start, end = (datetime.fromisoformat(field.attrs[name]) for name in ("window_start", "window_end"))
    return LevelAreas(ranks, shapes, (start, end), bool(field.attrs["simulated"]), str(field.attrs["weather_source"]))


def warned_areas(
    warnings: Sequence[HazeWarning],
    registry: Registry,
    ruleset: RuleSet,
    window: tuple[datetime, datetime],
    *,
    simulated: bool,
    weather_source: str,
) -> LevelAreas:
    """Return the areas of warnings: what may be shown where a person must approve what is issued.

    Parameters
    ----------
    warnings : sequence of HazeWarning
        In force; those of other rule sets, or that do not hold within the window, are left out.
    registry : Registry
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
    for warning in warnings:
        # A city whose file is gone has no area.
        known = registry.knows(warning.city)
        if known and warning.rule_set == ruleset.id and warning.onset < end and warning.expires > start:
            area = city_area(registry.city(warning.city), registry)
            cities.setdefault(ruleset.level_of(warning.level).rank, []).append(area.geometry)
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
                    "share": round(share, 3),
                }
                for p, share in _touched(shape, _TOUCHED_BY_CITY if areas.warned else _TOUCHED)
            ],
            "onset": format_time(start),
            "expires": format_time(end),
            "simulated": areas.simulated,
            "weather_source": areas.weather_source,
        }
        features.append({"type": "Feature", "geometry": as_geojson(shape), "properties": properties})
    return features


def provinces_touched(areas: LevelAreas) -> list[tuple[Province, int, float]]:
    """Return the provinces and prefectures that each level reaches, with the share of the province.

    Those of which a level covers less than 1 % are left out, of areas of warnings those below 0.1 %; of a level that covers
    no province to that share the one that most of it lies in is named.
    """
    least = _TOUCHED_BY_CITY if areas.warned else _TOUCHED
    return [(province, rank, share) for rank, shape in areas.levels() for province, share in _touched(shape, least)]


def level_shapes(
    field: xr.Dataset, *, lowest: int = 1, within: shapely.Geometry | None = None
) -> tuple[list[int], list[shapely.Geometry]]:
    """Return the ranks present and the area of each, bounded by smooth contours; see `polygons`.

    Where a level or a higher one is met in a cell counts 1, else 0, smoothed by a Gaussian a cell wide: the contour at
    one half is the edge. Specks and gaps up to two cells wide vanish by that, and of what is not known nothing is
    taken in.

    Parameters
    ----------
    field : xarray.Dataset
        As from `hazecast.alerts.maps.areas.haze_areas`.
    lowest : int
        The lowest rank wanted.
    within : shapely.Geometry, optional
        What the areas are cut at, degrees.

    Returns
    -------
    ranks : list of int
    shapes : list of shapely.Geometry
        In degrees; none overlaps another.
    """
    level, lats, lons = _cropped(field["level"].transpose("latitude", "longitude"))
    step = float(field["latitude"][1] - field["latitude"][0])
    known = _smoothed(level >= 0)
    bounds = _outline(known, lats, lons, step)
    if within is not None:
        bounds = shapely.intersection(bounds, within)
    found: list[tuple[int, shapely.Geometry]] = []
    above: shapely.Geometry = shapely.MultiPolygon()
    for rank in sorted({int(r) for r in np.unique(level) if r >= 0}, reverse=True):
        # Beside what is not known the share is one of what is.
        share = np.divide(_smoothed(level >= rank), known, out=np.zeros_like(known), where=known > 0.01)
        whole = shapely.union(shapely.intersection(_outline(share, lats, lons, step), bounds), above)
        found.insert(0, (rank, _without_slivers(shapely.difference(whole, above), 0.5 * step**2)))
        above = shapely.union(above, found[0][1])
    shown = [(rank, shape) for rank, shape in found if rank >= lowest and not shapely.is_empty(shape)]
    return [rank for rank, _ in shown], [shape for _, shape in shown]


def _cropped(level: xr.DataArray) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """Return the part of a grid that holds all that is known, with its latitudes and longitudes."""
    rows, columns = (np.flatnonzero((level.values >= 0).any(axis=axis)) for axis in (1, 0))
    part = level[:0, :0] if not rows.size else level[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return part.values, part["latitude"].values, part["longitude"].values


# Each cell is parted in as many, each way, so that a contour is a curve and no stairs.
_FINE = 2


def _smoothed(met: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return the share of the surroundings of each half of a cell that is met; nothing is beyond the grid."""
    from scipy import ndimage

    fine = np.pad(met, 2).repeat(_FINE, axis=0).repeat(_FINE, axis=1).astype(np.float32)
    return np.asarray(ndimage.gaussian_filter(fine, _FINE, mode="constant", truncate=3.0))


def _outline(
    share: npt.NDArray[np.float32], lats: npt.NDArray[np.floating], lons: npt.NDArray[np.floating], step: float
) -> shapely.Geometry:
    """Return where a share that `_smoothed` gave is at least one half, in degrees."""
    from contourpy import FillType, contour_generator

    if not lats.size:
        return shapely.MultiPolygon()
    y, x = (
        first - step * (2.0 + (_FINE - 1) / (2.0 * _FINE)) + step / _FINE * np.arange(n)
        for first, n in zip((lats[0], lons[0]), share.shape, strict=True)
    )
    lines = contour_generator(x, y, share, fill_type=FillType.OuterOffset).filled(0.5, np.inf)
    parts = []
    for points, offsets in zip(*lines, strict=True):
        rings = [points[start:end] for start, end in pairwise(offsets)]
        parts.append(shapely.Polygon(rings[0], rings[1:]))
    # Well below what can be seen: a tenth of a cell.
    return shapely.simplify(shapely.make_valid(shapely.union_all(parts)), 0.03 * step)


def _without_slivers(shape: shapely.Geometry, smallest: float) -> shapely.Geometry:
    """Leave out parts and holes smaller than `smallest`."""
    parts = []
    for part in shapely.get_parts(shape):
        if part.geom_type != "Polygon" or shapely.area(part) < smallest:
            continue
        holes = [ring for ring in part.interiors if shapely.area(shapely.Polygon(ring)) >= smallest]
        parts.append(shapely.Polygon(part.exterior, holes))
    return shapely.MultiPolygon(parts)


def _touched(shape: shapely.Geometry, least: float) -> list[tuple[Province, float]]:
    flat = shapely.make_valid(equal_area(shape))
    covered = shapely.area(shapely.intersection(flat, current().flat_provinces))
    shares = covered / shapely.area(current().flat_provinces)
    chosen = np.flatnonzero(shares >= least)
    if not chosen.size and covered.any():
        # What is drawn is named.
        chosen = np.array([covered.argmax()])
    return [(current().provinces[k], float(shares[k])) for k in chosen[np.argsort(-shares[chosen], kind="stable")]]
