"""Polygons of haze areas: the levels of a grid as smooth shapes, and the provinces that they touch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import xarray as xr

from hazecast.alerts.geography.shapes import Province, as_geojson, current, equal_area
from hazecast.alerts.rules.ruleset import RuleSet

# A province that an area covers by less than this share is not named: the area's edge is no better known.
_TOUCHED = 0.01


def polygons(field: xr.Dataset, ruleset: RuleSet) -> list[dict[str, Any]]:
    """Return the areas of each level as GeoJSON features.

    Areas are valid and do not overlap: where two levels meet, their common border is smoothed as one (by at
    most about a cell). Specks and strips a single cell wide count as the next lower level; gaps and slits
    as narrow are filled where their level is known.

    Parameters
    ----------
    field : xarray.Dataset
        As from `hazecast.alerts.maps.areas.haze_areas`.
    ruleset : RuleSet
        Gives names and colours.

    Returns
    -------
    list of dict
        Lowest level first.
    """
    ranks, shapes = level_shapes(field)
    features: list[dict[str, Any]] = []
    for rank, shape in zip(ranks, shapes, strict=True):
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
                for p, share in _touched(shape)
            ],
            "onset": field.attrs["window_start"],
            "expires": field.attrs["window_end"],
            "simulated": bool(field.attrs["simulated"]),
            "weather_source": field.attrs["weather_source"],
        }
        features.append({"type": "Feature", "geometry": as_geojson(shape), "properties": properties})
    return features


def provinces_touched(field: xr.Dataset) -> list[tuple[Province, int, float]]:
    """Return the provinces and prefectures that each level reaches, with the share of the province.

    Those of which a level covers less than 1 % are left out.
    """
    ranks, shapes = level_shapes(field)
    return [
        (province, rank, share)
        for rank, shape in zip(ranks, shapes, strict=True)
        for province, share in _touched(shape)
    ]


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


def _touched(shape: shapely.Geometry) -> list[tuple[Province, float]]:
    flat = equal_area(shape)
    found = []
    for province, outline in zip(current().provinces, current().flat_provinces, strict=True):
        share = float(shapely.area(shapely.intersection(flat, outline)) / shapely.area(outline))
        if share >= _TOUCHED:
            found.append((province, share))
    return sorted(found, key=lambda entry: -entry[1])
