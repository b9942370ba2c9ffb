"""Haze areas: the level of a rule set on a map, spread from the cities of a forecast.

A city's value stands for its surroundings only: cells too far from any city hold -1, no information.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import xarray as xr
from scipy import ndimage

from hazecast.alerts.geography.shapes import Province, as_geojson, country_shape, equal_area, provinces
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.forecast.products import HAZE_GRADES, haze_grade, valid_times
from hazecast.forecast.scenarios import MEDIAN, needed_scenario, trajectories
from hazecast.forecast.visibility import BEIJING_WINTER, VisibilityModel, visibility
from hazecast.grids.derived import relative_humidity
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Country, Registry
from hazecast.grids.weather.sampling import spread

_LOG = logging.getLogger(__name__)

# South, north, west, east in degrees: eastern Asia from Hainan to Hokkaido.
Domain = tuple[float, float, float, float]
DOMAIN: Domain = (15.0, 55.0, 95.0, 150.0)
UNCERTAIN = 0.8
# A province that an area covers by less than this share is not named: the area's edge is no better known.
_TOUCHED = 0.01


def haze_areas(
    forecast: xr.Dataset,
    registry: Registry,
    ruleset: RuleSet,
    window: tuple[datetime, datetime],
    *,
    step: float = 0.25,
    domain: Domain = DOMAIN,
    visibility_model: VisibilityModel = BEIJING_WINTER,
    weather: xr.Dataset | None = None,
) -> xr.Dataset:
    """Return the highest level of each grid cell over a window, with the visibility and haze grade behind it.

    The PM2.5 of all cities of the forecast (its logarithm, for concentrations spread by ratios) is spread
    over the grid hour by hour by optimal interpolation, and so is their humidity where no weather grid says
    it; visibility, grade and level are reckoned there. A level is met as a warning of it is raised: by the
    scenario that its ``raise_probability`` asks for, so that a city's warning and the area around it agree.
    Visibility and grade are those of the median. A cell counts where the land of the rule set's country
    reaches into it.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast", with ``relative_humidity`` (lead_time, city), %.
    registry, ruleset
        Places and rules.
    window : tuple of datetime
        Aware start and end; the hours that end after start and up to end are used.
    step : float
        Grid step, degrees.
    domain : tuple of float
        South, north, west, east, degrees.
    visibility_model : VisibilityModel
    weather : xarray.Dataset, optional
        Contract "weather_grid" with ``t2m`` and ``d2m``; its humidity is used in the hours and cells it covers.

    Returns
    -------
    xarray.Dataset
        On (latitude, longitude): ``level`` int8, -1 no information (relative spread above 0.8, or outside
        the country), 0 none, 1 and up the ranks; ``relative_std``, 0 to 1; ``visibility``, the least of the
        window, m, and ``haze_grade``, the highest (see `hazecast.forecast.products.HAZE_GRADES`), NaN and -1
        without information.

    Raises
    ------
    InputError
        If a time of the window has no zone, the forecast has no hour in it, or no city has values.
    """
    if any(t.tzinfo is None for t in window):
        raise InputError("haze areas: window", window, "times with a time zone")
    if "relative_humidity" not in forecast.data_vars:
        raise InputError("forecast: relative_humidity", "absent", "(lead_time, city) in %")
    start, end = (np.datetime64(int(t.timestamp()), "s") for t in window)
    times = valid_times(forecast)
    within = np.flatnonzero((times > start) & (times <= end))
    quantiles = forecast["pm25"].transpose("lead_time", "city", "quantile").values[within]
    scenarios = np.stack([trajectories(quantiles[:, c]) for c in range(quantiles.shape[1])], axis=-1)
    humidity = np.asarray(forecast["relative_humidity"].transpose("lead_time", "city").values, dtype=np.float64)[within]
    whole = np.isfinite(quantiles).all(axis=(0, 2)) & np.isfinite(humidity).all(axis=0)
    if within.size == 0 or not whole.any():
        raise InputError("haze areas", f"{within.size} hours, {int(whole.sum())} whole cities", "at least one of each")
    left_out = int((~whole).sum())
    if left_out:
        _LOG.warning("haze areas: %d cities with missing hours are left out", left_out)
    ids = [str(c) for c in forecast["city"].values[whole]]
    grid_lats, grid_lons = _axis(domain[0], domain[1], step), _axis(domain[2], domain[3], step)
    deciding = [needed_scenario(rule.raise_probability) for rule in ruleset.levels]
    needed = sorted({MEDIAN, *deciding})
    # In one go: the interpolation's weights and its uncertainty are the same for all.
    mass = np.concatenate([scenarios[scenario][:, whole] for scenario in needed])
    spread_mass, uncertainty = spread_cities(mass, ids, registry, grid_lats, grid_lons)
    fields = dict(zip(needed, np.split(spread_mass, len(needed)), strict=True))
    field_humidity, _ = spread_cities(humidity[:, whole], ids, registry, grid_lats, grid_lons, logarithm=False)
    field_humidity = np.clip(field_humidity, 0.0, 100.0)
    if weather is not None:
        known = _grid_humidity(weather, times[within], grid_lats, grid_lons)
        field_humidity = np.where(np.isnan(known), field_humidity, known)
    level = np.zeros(uncertainty.shape, dtype=np.int8)
    grade = np.zeros(uncertainty.shape, dtype=np.int8)
    least = np.full(uncertainty.shape, np.inf)
    for hour, moist in enumerate(field_humidity):
        for rule, scenario in zip(ruleset.levels, deciding, strict=True):
            mass = fields[scenario][hour]
            met = ruleset.level(mass, moist, visibility(mass, moist, visibility_model)) >= rule.rank
            level = np.where(met, np.maximum(level, rule.rank), level).astype(np.int8)
        median = fields[MEDIAN][hour]
        seen = visibility(median, moist, visibility_model)
        grade = np.maximum(grade, haze_grade(seen, moist, median))
        least = np.minimum(least, seen)
    unknown = ~(uncertainty <= UNCERTAIN) | ~country_cells(ruleset.country, tuple(grid_lats), tuple(grid_lons))
    level[unknown], grade[unknown], least[unknown] = -1, -1, np.nan
    dims = ("latitude", "longitude")
    level_flags = {
        "flag_values": [-1, 0, *(x.rank for x in ruleset.levels)],
        "flag_meanings": " ".join(["no_information", "none", *(x.id for x in ruleset.levels)]),
    }
    grade_flags = {
        "flag_values": list(HAZE_GRADES),
        "flag_meanings": " ".join(g["en"].replace(" ", "_") for g in HAZE_GRADES.values()),
    }
    return xr.Dataset(
        {
            "level": (dims, level, level_flags),
            "haze_grade": (dims, grade, grade_flags),
            "visibility": (dims, least.astype(np.float32), {"standard_name": "visibility_in_air", "units": "m"}),
            "relative_std": (dims, uncertainty.astype(np.float32), {"units": "1"}),
        },
        coords={
            "latitude": ("latitude", grid_lats, {"units": "degrees_north"}),
            "longitude": ("longitude", grid_lons, {"units": "degrees_east"}),
        },
        attrs={
            "rule_set": ruleset.id,
            "window_start": window[0].isoformat(),
            "window_end": window[1].isoformat(),
            "step": step,
            "cities": len(ids),
            "cities_left_out": left_out,
            "hours": int(within.size),
            "simulated": int(forecast.attrs["simulated"]),
            "weather_source": str(forecast.attrs["weather_source"]),
        },
    )


def spread_cities(
    values: npt.NDArray[np.float64],
    cities: Sequence[str],
    registry: Registry,
    lats: npt.NDArray[np.float64],
    lons: npt.NDArray[np.float64],
    *,
    logarithm: bool = True,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Spread values of cities over a grid, with how little is known there.

    Parameters
    ----------
    values : float (k, city)
        Without missing values.
    cities : sequence of str
        Ids.
    registry : Registry
    lats, lons : float (i,), (j,)
    logarithm : bool
        Spread ratios, as suits concentrations, and not differences.

    Returns
    -------
    field : float (k, i, j)
    relative_std : float (i, j)
        0 at a city, 1 without information.
    """
    places = [registry.city(c) for c in cities]
    at_lat, at_lon = np.array([c.latitude for c in places]), np.array([c.longitude for c in places])
    # 1 ug m-3 is below what a monitor resolves, and keeps the logarithm finite.
    given = np.log(np.maximum(values, 1.0)) if logarithm else values
    field, relative_std = spread(given, at_lat, at_lon, lats, lons)
    return np.asarray(np.exp(field) if logarithm else field), np.asarray(relative_std)


@lru_cache(maxsize=8)
def country_cells(country: Country, lats: tuple[float, ...], lons: tuple[float, ...]) -> npt.NDArray[np.bool_]:
    """Return where the land of a country reaches into the cells of an even grid, (latitude, longitude)."""
    half_lat, half_lon = abs(lats[1] - lats[0]) / 2.0, abs(lons[1] - lons[0]) / 2.0
    rows, columns = np.meshgrid(lats, lons, indexing="ij")
    shape = country_shape(country)
    shapely.prepare(shape)
    cells = shapely.box(columns - half_lon, rows - half_lat, columns + half_lon, rows + half_lat)
    return np.asarray(shapely.intersects(shape, cells))


def polygons(field: xr.Dataset, ruleset: RuleSet) -> list[dict[str, Any]]:
    """Return the areas of each level as GeoJSON features, lowest level first.

    Areas are valid and do not overlap: where two levels meet, their common border is smoothed as one (by at
    most about a cell). Specks and strips a single cell wide count as the next lower level; gaps and slits
    as narrow are filled where something is known of them.

    Parameters
    ----------
    field : xarray.Dataset
        As from `haze_areas`.
    ruleset : RuleSet
        Names and colours.
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
    """Return the ranks present from `lowest` up and the cleaned area of each, in degrees; see `polygons`."""
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
    for province, outline in zip(provinces(), _flat_provinces(), strict=True):
        share = float(shapely.area(shapely.intersection(flat, outline)) / shapely.area(outline))
        if share >= _TOUCHED:
            found.append((province, share))
    return sorted(found, key=lambda entry: -entry[1])


@lru_cache
def _flat_provinces() -> tuple[shapely.Geometry, ...]:
    return tuple(shapely.make_valid(equal_area(p.geometry)) for p in provinces())


def _grid_humidity(
    weather: xr.Dataset,
    times: npt.NDArray[np.datetime64],
    lats: npt.NDArray[np.float64],
    lons: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the weather grid's humidity, % (time, latitude, longitude); NaN where or when it has none."""
    if not {"t2m", "d2m"} <= set(weather.data_vars):
        return np.full((times.size, lats.size, lons.size), np.nan)
    moist = weather["t2m"].copy(data=relative_humidity(weather["t2m"], weather["d2m"])).reindex(time=times)
    return np.asarray(moist.sortby("latitude").interp(latitude=lats, longitude=lons).values, dtype=np.float64)


def _axis(low: float, high: float, step: float) -> npt.NDArray[np.float64]:
    if not (step > 0.0 and high > low):
        raise InputError("haze areas: grid", (low, high, step), "low < high and a positive step")
    return np.asarray(low + step * np.arange(round((high - low) / step) + 1))
