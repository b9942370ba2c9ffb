"""Haze areas: the level of a rule set on a map, spread from the cities of a forecast.

A city's value stands for its surroundings only: cells too far from any city hold -1, no information.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import xarray as xr
from shapely.geometry import mapping

from alerts.ruleset import RuleSet
from forecast.products import median_series, valid_times
from forecast.visibility import BEIJING_WINTER, VisibilityModel, visibility
from grids.cities import Registry
from grids.errors import InputError
from grids.sampling import spread

_LOG = logging.getLogger(__name__)

# South, north, west, east in degrees: eastern Asia from Hainan to Hokkaido.
DOMAIN = (15.0, 55.0, 95.0, 150.0)
UNCERTAIN = 0.8


def haze_areas(
    forecast: xr.Dataset,
    registry: Registry,
    ruleset: RuleSet,
    window: tuple[datetime, datetime],
    *,
    step: float = 0.25,
    domain: tuple[float, float, float, float] = DOMAIN,
    visibility_model: VisibilityModel = BEIJING_WINTER,
) -> xr.Dataset:
    """Return the highest level of each grid cell over a window.

    The median PM2.5 (its logarithm, for concentrations spread by ratios) and the humidity of all cities
    of the forecast are spread over the grid hour by hour; visibility and level are reckoned there.
    A cell belongs to the rule set's country if the nearest city of the registry does: an approximation,
    good for a map and not for a boundary.

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

    Returns
    -------
    xarray.Dataset
        ``level`` (latitude, longitude) int8: -1 no information (relative spread above 0.8, or outside
        the country), 0 none, 1 and up the ranks; ``relative_std`` (latitude, longitude), 0 to 1.

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
    pm25 = np.asarray(median_series(forecast, "pm25").values, dtype=np.float64)[within]
    humidity = np.asarray(forecast["relative_humidity"].transpose("lead_time", "city").values, dtype=np.float64)[within]
    whole = np.isfinite(pm25).all(axis=0) & np.isfinite(humidity).all(axis=0)
    if within.size == 0 or not whole.any():
        raise InputError("haze areas", f"{within.size} hours, {int(whole.sum())} whole cities", "at least one of each")
    left_out = int((~whole).sum())
    if left_out:
        _LOG.warning("haze areas: %d cities with missing hours are left out", left_out)
    cities = [registry.city(str(c)) for c in forecast["city"].values[whole]]
    lats = np.array([c.latitude for c in cities])
    lons = np.array([c.longitude for c in cities])
    grid_lats, grid_lons = _axis(domain[0], domain[1], step), _axis(domain[2], domain[3], step)
    # 1 ug m-3 is below what a monitor resolves, and keeps the logarithm finite.
    log_mass, relative_std = spread(np.log(np.maximum(pm25[:, whole], 1.0)), lats, lons, grid_lats, grid_lons)
    field_humidity, _ = spread(humidity[:, whole], lats, lons, grid_lats, grid_lons)
    level = np.zeros((grid_lats.size, grid_lons.size), dtype=np.int8)
    for mass, moist in zip(np.exp(log_mass), np.clip(field_humidity, 0.0, 100.0), strict=True):
        level = np.maximum(level, ruleset.level(mass, moist, visibility(mass, moist, visibility_model)))
    uncertainty = np.asarray(relative_std, dtype=np.float32)
    uncertainty = uncertainty.max(axis=0) if uncertainty.ndim == 3 else uncertainty
    outside = _nearest_country(registry, grid_lats, grid_lons) != ruleset.country
    level[(uncertainty > UNCERTAIN) | ~np.isfinite(uncertainty) | outside] = -1
    return xr.Dataset(
        {
            "level": (
                ("latitude", "longitude"),
                level,
                {
                    "flag_values": [-1, 0, *(x.rank for x in ruleset.levels)],
                    "flag_meanings": " ".join(["no_information", "none", *(x.id for x in ruleset.levels)]),
                },
            ),
            "relative_std": (("latitude", "longitude"), uncertainty, {"units": "1"}),
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
            "cities": len(cities),
            "cities_left_out": left_out,
            "hours": int(within.size),
            "simulated": int(forecast.attrs["simulated"]),
            "weather_source": str(forecast.attrs["weather_source"]),
        },
    )


def polygons(field: xr.Dataset, ruleset: RuleSet) -> list[dict[str, Any]]:
    """Return the areas of each level as GeoJSON features, lowest level first.

    Cells are joined and their steps smoothed by at most half a cell, so that neighbouring areas may
    overlap by as much.

    Parameters
    ----------
    field : xarray.Dataset
        As from `haze_areas`.
    ruleset : RuleSet
        Names and colours.
    """
    half = float(field.attrs["step"]) / 2.0
    level = field["level"].transpose("latitude", "longitude").values
    features: list[dict[str, Any]] = []
    for rule in ruleset.levels:
        rows, columns = np.nonzero(level == rule.rank)
        if rows.size == 0:
            continue
        south, west = field["latitude"].values[rows], field["longitude"].values[columns]
        cells = shapely.box(west - half, south - half, west + half, south + half)
        shape = shapely.union_all(cells).simplify(half, preserve_topology=True)
        properties = {
            "feature": "haze_area",
            "kind": "haze_area",
            "rule_set": ruleset.id,
            "level": rule.id,
            "level_rank": rule.rank,
            "colour": rule.colour,
            "cells": int(rows.size),
            "haze": {"zh": rule.haze_zh, "ja": rule.haze_ja, "en": rule.haze_en},
            "onset": field.attrs["window_start"],
            "expires": field.attrs["window_end"],
            "simulated": bool(field.attrs["simulated"]),
            "weather_source": field.attrs["weather_source"],
        }
        features.append(
            {"type": "Feature", "geometry": mapping(shapely.orient_polygons(shape)), "properties": properties}
        )
    return features


def _axis(low: float, high: float, step: float) -> npt.NDArray[np.float64]:
    if not (step > 0.0 and high > low):
        raise InputError("haze areas: grid", (low, high, step), "low < high and a positive step")
    return np.asarray(low + step * np.arange(round((high - low) / step) + 1))


def _nearest_country(
    registry: Registry, lats: npt.NDArray[np.float64], lons: npt.NDArray[np.float64]
) -> npt.NDArray[np.str_]:
    """Return the country of the registry's city nearest to each cell, (latitude, longitude)."""
    cities = list(registry.cities.values())
    best = np.full((lats.size, lons.size), np.inf)
    country = np.full(best.shape, "", dtype="<U2")
    for city in cities:
        # Equirectangular: enough to say which of two cities is the nearer.
        east = (lons[None, :] - city.longitude) * np.cos(np.radians(lats))[:, None]
        distance = (lats[:, None] - city.latitude) ** 2 + east**2
        nearer = distance < best
        best[nearer] = distance[nearer]
        country[nearer] = city.country
    return country
