"""Haze areas: the level of a rule set on a map, spread from the cities of a forecast.

A city's value represents its surroundings only: cells too far from any city hold -1, no information.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import shapely
import xarray as xr

from hazecast.alerts.geography.shapes import country_shape
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.forecast.haze_grades import HAZE_GRADES
from hazecast.forecast.products import haze_grade, valid_times
from hazecast.forecast.scenarios import MEDIAN, needed_scenario, trajectories
from hazecast.forecast.visibility import BEIJING, VisibilityModel, visibility
from hazecast.grids.derived import relative_humidity
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Country, Registry
from hazecast.grids.times import to_datetime64
from hazecast.grids.weather.sampling import spread

Float = npt.NDArray[np.float64]

_LOG = logging.getLogger(__name__)

# South, north, west, east in degrees: eastern Asia from Hainan to Hokkaido.
Domain = tuple[float, float, float, float]
DOMAIN: Domain = (15.0, 55.0, 95.0, 150.0)
UNCERTAIN = 0.8


def haze_areas(
    forecast: xr.Dataset,
    registry: Registry,
    ruleset: RuleSet,
    window: tuple[datetime, datetime],
    *,
    step: float = 0.25,
    domain: Domain = DOMAIN,
    visibility_model: VisibilityModel = BEIJING,
    weather: xr.Dataset | None = None,
) -> xr.Dataset:
    """Return the highest level of each grid cell over a window, with the visibility and haze grade behind it.

    The PM2.5 of all cities of the forecast (its logarithm, for concentrations spread by ratios) is spread
    over the grid hour by hour by optimal interpolation, and so is their humidity where no weather grid gives
    it; visibility, grade and level are computed there. A level is met as a warning of it is raised: by the
    scenario that its ``raise_probability`` asks for, for as many hours as its ``persistence``, so that a city's warning
    and the area around it agree.
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
        window, m, and ``haze_grade``, the highest (see `hazecast.forecast.haze_grades.HAZE_GRADES`), NaN and -1
        without information; all of it is where no city has PM2.5 and humidity.

    Raises
    ------
    InputError
        If a time of the window has no zone, or the forecast has no hour in it.
    """
    cities = _city_values(forecast, window)
    lats, lons = _axis(domain[0], domain[1], step), _axis(domain[2], domain[3], step)
    scenarios = [needed_scenario(rule.raise_probability) for rule in ruleset.levels]
    shape = (len(lats), len(lons))
    # Until a city tells something, nothing is known anywhere.
    level, grade = np.zeros(shape, np.int8), np.zeros(shape, np.int8)
    least, relative_std = np.full(shape, np.nan), np.ones(shape)
    if cities.ids:
        fields = _spread_hours(cities, registry, scenarios, lats, lons, weather)
        level, grade, least = _highest(fields, ruleset, scenarios, visibility_model)
        relative_std = fields.relative_std
    unknown = ~(relative_std <= UNCERTAIN) | ~country_cells(ruleset.country, tuple(lats), tuple(lons))
    level[unknown], grade[unknown], least[unknown] = -1, -1, np.nan
    dims = ("latitude", "longitude")
    return xr.Dataset(
        {
            "level": (dims, level, _level_flags(ruleset)),
            "haze_grade": (dims, grade, _GRADE_FLAGS),
            "visibility": (dims, least.astype(np.float32), {"standard_name": "visibility_in_air", "units": "m"}),
            "relative_std": (dims, relative_std.astype(np.float32), {"units": "1"}),
        },
        coords={
            "latitude": ("latitude", lats, {"units": "degrees_north"}),
            "longitude": ("longitude", lons, {"units": "degrees_east"}),
        },
        attrs={
            "rule_set": ruleset.id,
            "window_start": window[0].isoformat(),
            "window_end": window[1].isoformat(),
            "step": step,
            "cities": len(cities.ids),
            "cities_left_out": cities.left_out,
            "hours": int(cities.times.size),
            "simulated": int(forecast.attrs["simulated"]),
            "weather_source": str(forecast.attrs["weather_source"]),
        },
    )


@dataclass(frozen=True)
class _CityValues:
    """The hours of a window in the cities that have all of them: PM2.5 (scenario, hour, city) and humidity, %."""

    ids: list[str]
    times: npt.NDArray[np.datetime64]
    pm25: Float
    humidity: Float
    left_out: int


def _city_values(forecast: xr.Dataset, window: tuple[datetime, datetime]) -> _CityValues:
    if any(t.tzinfo is None for t in window):
        raise InputError("haze areas: window", window, "times with a time zone")
    if "relative_humidity" not in forecast.data_vars:
        raise InputError("forecast: relative_humidity", "absent", "(lead_time, city) in %")
    start, end = map(to_datetime64, window)
    times = valid_times(forecast)
    within = np.flatnonzero((times > start) & (times <= end))
    quantiles = forecast["pm25"].transpose("lead_time", "city", "quantile").values[within]
    humidity = np.asarray(forecast["relative_humidity"].transpose("lead_time", "city").values, dtype=np.float64)[within]
    complete = np.isfinite(quantiles).all(axis=(0, 2)) & np.isfinite(humidity).all(axis=0)
    if within.size == 0:
        raise InputError("haze areas", "no hour of the window", "a forecast with at least one")
    left_out = int((~complete).sum())
    if left_out:
        _LOG.warning("haze areas: %d cities with missing hours are left out", left_out)
    return _CityValues(
        ids=[str(c) for c in forecast["city"].values[complete]],
        times=times[within],
        pm25=np.stack([trajectories(quantiles[:, c]) for c in np.flatnonzero(complete)] or [np.empty(0)], axis=-1),
        humidity=humidity[:, complete],
        left_out=left_out,
    )


@dataclass(frozen=True)
class _Fields:
    """What is spread over the grid: PM2.5 (hour, lat, lon) by scenario, humidity (hour, lat, lon), relative spread."""

    pm25: dict[int, Float]
    humidity: Float
    relative_std: Float


def _spread_hours(
    cities: _CityValues,
    registry: Registry,
    scenarios: Sequence[int],
    lats: Float,
    lons: Float,
    weather: xr.Dataset | None,
) -> _Fields:
    needed = sorted({MEDIAN, *scenarios})
    # In one call: the interpolation's weights and its uncertainty are the same for all.
    mass = np.concatenate([cities.pm25[scenario] for scenario in needed])
    spread_mass, relative_std = spread_cities(mass, cities.ids, registry, lats, lons)
    humidity, _ = spread_cities(cities.humidity, cities.ids, registry, lats, lons, logarithm=False)
    humidity = np.clip(humidity, 0.0, 100.0)
    if weather is not None:
        known = _grid_humidity(weather, cities.times, lats, lons)
        humidity = np.where(np.isnan(known), humidity, known)
    return _Fields(dict(zip(needed, np.split(spread_mass, len(needed)), strict=True)), humidity, relative_std)


def _highest(
    fields: _Fields, ruleset: RuleSet, scenarios: Sequence[int], visibility_model: VisibilityModel
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8], Float]:
    """Return the highest level and haze grade and the lowest visibility of all hours, each (latitude, longitude)."""
    level = np.zeros(fields.relative_std.shape, dtype=np.int8)
    grade = np.zeros(fields.relative_std.shape, dtype=np.int8)
    least = np.full(fields.relative_std.shape, np.inf)
    for rule, scenario in zip(ruleset.levels, scenarios, strict=True):
        mass = fields.pm25[scenario]
        met = [
            ruleset.level(m, h, visibility(m, h, visibility_model)) for m, h in zip(mass, fields.humidity, strict=True)
        ]
        level[rule.persistence.lasts(np.stack(met, axis=-1) >= rule.rank)] = rule.rank
    for hour, moist in enumerate(fields.humidity):
        median = fields.pm25[MEDIAN][hour]
        seen = visibility(median, moist, visibility_model)
        grade = np.maximum(grade, haze_grade(seen, moist, median))
        least = np.minimum(least, seen)
    return level, grade, least


_GRADE_FLAGS = {
    "flag_values": list(HAZE_GRADES),
    "flag_meanings": " ".join(g["en"].replace(" ", "_") for g in HAZE_GRADES.values()),
}


def _level_flags(ruleset: RuleSet) -> dict[str, object]:
    return {
        "flag_values": [-1, 0, *(x.rank for x in ruleset.levels)],
        "flag_meanings": " ".join(["no_information", "none", *(x.id for x in ruleset.levels)]),
    }


def spread_cities(
    values: Float,
    cities: Sequence[str],
    registry: Registry,
    lats: Float,
    lons: Float,
    *,
    logarithm: bool = True,
) -> tuple[Float, Float]:
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
    """Return where the land of a country reaches into the cells of an even grid.

    Parameters
    ----------
    country : {"CN", "JP"}
    lats, lons : tuple of float
        Centres of the cells, degrees.

    Returns
    -------
    numpy.ndarray of bool, (latitude, longitude)
    """
    half_lat, half_lon = abs(lats[1] - lats[0]) / 2.0, abs(lons[1] - lons[0]) / 2.0
    rows, columns = np.meshgrid(lats, lons, indexing="ij")
    shape = country_shape(country)
    shapely.prepare(shape)
    cells = shapely.box(columns - half_lon, rows - half_lat, columns + half_lon, rows + half_lat)
    return np.asarray(shapely.intersects(shape, cells))


def _grid_humidity(
    weather: xr.Dataset,
    times: npt.NDArray[np.datetime64],
    lats: Float,
    lons: Float,
) -> Float:
    """Return the weather grid's humidity, % (time, latitude, longitude); NaN where or when it has none."""
    if not {"t2m", "d2m"} <= set(weather.data_vars):
        return np.full((times.size, lats.size, lons.size), np.nan)
    moist = weather["t2m"].copy(data=relative_humidity(weather["t2m"], weather["d2m"])).reindex(time=times)
    return np.asarray(moist.sortby("latitude").interp(latitude=lats, longitude=lons).values, dtype=np.float64)


def _axis(low: float, high: float, step: float) -> Float:
    if not (step > 0.0 and high > low):
        raise InputError("haze areas: grid", (low, high, step), "low < high and a positive step")
    return np.asarray(low + step * np.arange(round((high - low) / step) + 1))
