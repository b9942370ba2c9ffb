"""Haze areas: the level of a rule set on a map, spread from the cities of a forecast.

A city's value represents its surroundings only: cells too far from any city hold -1, no information. What lies between
cities goes over from one to the other and stays within what they have.
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
from hazecast.alerts.rules.calibration import WeatherClass, weather_class
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.forecast.dependence import MEDIAN
from hazecast.forecast.haze_grades import HAZE_GRADES
from hazecast.forecast.products import haze_grade, valid_times
from hazecast.forecast.scenarios import at_levels, needed_level
from hazecast.forecast.visibility import BEIJING, VisibilityModel, visibility
from hazecast.grids.derived import relative_humidity
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Country, Registry
from hazecast.grids.spreading import spread
from hazecast.grids.times import format_time, to_datetime64

Float = npt.NDArray[np.float64]

_LOG = logging.getLogger(__name__)

# South, north, west, east in degrees: eastern Asia from Hainan to Hokkaido.
Domain = tuple[float, float, float, float]
DOMAIN: Domain = (15.0, 55.0, 95.0, 150.0)
UNCERTAIN = 0.8
# How far beyond the domain a city still counts, degrees: more than a value reaches.
_MARGIN = 5.0
# Cells this far beyond the country are computed too, so that no edge of a cell shows at its border.
_BEYOND = 3


def haze_areas(
    forecast: xr.Dataset,
    registry: Registry,
    ruleset: RuleSet,
    window: tuple[datetime, datetime],
    *,
    step: float = 0.125,
    domain: Domain = DOMAIN,
    visibility_model: VisibilityModel = BEIJING,
    weather: xr.Dataset | None = None,
) -> xr.Dataset:
    """Return the highest level of each grid cell over a window, with the visibility and haze grade behind it.

    The PM2.5 of all cities of the forecast is spread between them hour by hour (`hazecast.grids.spreading`), and so is
    their humidity, or its difference from that of the weather grid where there is one: at a city both are the forecast's
    own. Visibility, grade and level are computed there. A level is met as a warning of it is raised: by the
    concentration that its ``raise_probability`` asks for (`hazecast.forecast.scenarios.needed_level`), for as many hours as
    its ``persistence``, so that a city's warning and the area around it agree.
    Visibility and grade are those of the median. A cell counts where its centre, or that of one at most
    three away, is in the rule set's country: at the border itself areas are cut, see `hazecast.alerts.maps.polygons`.

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
        Contract "weather_grid" with ``t2m`` and ``d2m``; its humidity leads from city to city in the hours and cells
        that it covers.

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
    cities = _city_values(_near(forecast, registry, domain), window)
    lats, lons = _axis(domain[0], domain[1], step), _axis(domain[2], domain[3], step)
    within = country_cells(ruleset.country, tuple(lats), tuple(lons))
    # Until a city tells something, nothing is known anywhere.
    level, grade = (np.full(within.shape, -1, dtype=np.int8) for _ in range(2))
    least, std = np.full(within.shape, np.nan), np.ones(within.shape)
    if cities.ids:
        rows, columns = np.nonzero(within)
        std[within], known = _unknown_share(cities.ids, registry, lats[rows], lons[columns])
        rows, columns = rows[known], columns[known]
        if rows.size:
            fields = _spread_hours(cities, registry, ruleset, lats[rows], lons[columns], weather)
            found = _highest(fields, ruleset, visibility_model)
            level[rows, columns], grade[rows, columns], least[rows, columns] = found
    dims = ("latitude", "longitude")
    return xr.Dataset(
        {
            "level": (dims, level, _level_flags(ruleset)),
            "haze_grade": (dims, grade, _GRADE_FLAGS),
            "visibility": (dims, least.astype(np.float32), {"standard_name": "visibility_in_air", "units": "m"}),
            "relative_std": (dims, std.astype(np.float32), {"units": "1"}),
        },
        coords={
            "latitude": ("latitude", lats, {"units": "degrees_north"}),
            "longitude": ("longitude", lons, {"units": "degrees_east"}),
        },
        attrs={
            "rule_set": ruleset.id,
            "country": ruleset.country or "",
            "window_start": format_time(window[0]),
            "window_end": format_time(window[1]),
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
    """The hours of a window in the cities that have all of them: PM2.5 (level, hour, city) and humidity, %.

    The levels of PM2.5 are `hazecast.forecast.dependence.LEVELS`, each hour by itself; `first` lead times lie before them.
    """

    ids: list[str]
    times: npt.NDArray[np.datetime64]
    pm25: Float
    humidity: Float
    left_out: int
    first: int
    weather: WeatherClass


def _near(forecast: xr.Dataset, registry: Registry, domain: Domain) -> xr.Dataset:
    """Leave out the cities so far outside the domain that they tell nothing of it."""
    south, north, west, east = domain
    places = [registry.city(str(city)) for city in forecast["city"].values]
    near = [
        south - _MARGIN <= place.latitude <= north + _MARGIN and west - _MARGIN <= place.longitude <= east + _MARGIN
        for place in places
    ]
    return forecast if all(near) else forecast.isel(city=np.flatnonzero(near))


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
        pm25=np.stack([at_levels(quantiles[:, c]) for c in np.flatnonzero(complete)] or [np.empty(0)], axis=-1),
        humidity=humidity[:, complete],
        left_out=left_out,
        first=int(within[0]),
        weather=weather_class(forecast.attrs),
    )


@dataclass(frozen=True)
class _Fields:
    """What is spread over the grid's cells: PM2.5 (hour, cell) by rank, the median's by 0, and humidity (hour, cell)."""

    pm25: dict[int, Float]
    humidity: Float


def _spread_hours(
    cities: _CityValues,
    registry: Registry,
    ruleset: RuleSet,
    lats: Float,
    lons: Float,
    weather: xr.Dataset | None,
) -> _Fields:
    needed = {0: cities.pm25[MEDIAN]}
    for rule in ruleset.levels:
        share, lasting = ruleset.share(cities.weather, rule.raise_probability), rule.persistence
        each = [
            needed_level(one, share, first=cities.first, hours=lasting.hours, of_hours=lasting.of_hours)
            for one in np.moveaxis(cities.pm25, -1, 0)
        ]
        needed[rule.rank] = cities.pm25[each, :, np.arange(len(each))].T
    mass = np.concatenate(list(needed.values()))
    spread_mass, _ = spread_cities(mass, cities.ids, registry, lats, lons)
    humidity, _ = spread_cities(cities.humidity, cities.ids, registry, lats, lons, root=False)
    if weather is not None:
        humidity = _led_by(weather, cities, registry, lats, lons, humidity)
    return _Fields(dict(zip(needed, np.split(spread_mass, len(needed)), strict=True)), humidity)


def _led_by(
    weather: xr.Dataset, cities: _CityValues, registry: Registry, lats: Float, lons: Float, otherwise: Float
) -> Float:
    """Return the weather grid's humidity, moved so that each city has its own; `otherwise` where there is no grid."""
    places = [registry.city(c) for c in cities.ids]
    at_cities = _grid_humidity(
        weather, cities.times, np.array([c.latitude for c in places]), np.array([c.longitude for c in places])
    )
    here = _grid_humidity(weather, cities.times, lats, lons)
    # Outside the grid, or its hours, a city moves nothing.
    moved, _ = spread_cities(np.nan_to_num(cities.humidity - at_cities), cities.ids, registry, lats, lons, root=False)
    return np.where(np.isnan(here), otherwise, np.clip(here + moved, 0.0, 100.0))


def _highest(
    fields: _Fields, ruleset: RuleSet, visibility_model: VisibilityModel
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8], Float]:
    """Return the highest level and haze grade and the lowest visibility of all hours, each (cell,)."""
    cells = fields.humidity.shape[1:]
    level, grade = np.zeros(cells, dtype=np.int8), np.zeros(cells, dtype=np.int8)
    least = np.full(cells, np.inf)
    for rule in ruleset.levels:
        mass = fields.pm25[rule.rank]
        met = [
            ruleset.level(m, h, visibility(m, h, visibility_model)) for m, h in zip(mass, fields.humidity, strict=True)
        ]
        level[rule.persistence.lasts(np.stack(met, axis=-1) >= rule.rank)] = rule.rank
    for hour, moist in enumerate(fields.humidity):
        median = fields.pm25[0][hour]
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
    root: bool = True,
) -> tuple[Float, Float]:
    """Spread values of cities to places between them, with how little is known there.

    Parameters
    ----------
    values : float (k, city)
        Without missing values.
    cities : sequence of str
        Ids.
    registry : Registry
    lats, lons : float (...)
        Degrees, of one shape.
    root : bool
        Spread the root of the values, as suits concentrations: their differences grow with them.

    Returns
    -------
    field : float (k, ...)
    relative_std : float (...)
        Near 0 at a city, 1 without information.
    """
    places = [registry.city(c) for c in cities]
    at_lat, at_lon = np.array([c.latitude for c in places]), np.array([c.longitude for c in places])
    given = np.sqrt(np.maximum(values, 0.0)) if root else values
    field, relative_std = spread(given, at_lat, at_lon, lats, lons)
    return np.square(field) if root else field, relative_std


def _unknown_share(
    cities: Sequence[str], registry: Registry, lats: Float, lons: Float
) -> tuple[Float, npt.NDArray[np.bool_]]:
    """Return the relative spread at places, and where it leaves a value known."""
    _, relative_std = spread_cities(np.zeros((1, len(cities))), cities, registry, lats, lons)
    return relative_std, relative_std <= UNCERTAIN


@lru_cache(maxsize=8)
def country_cells(country: Country | None, lats: tuple[float, ...], lons: tuple[float, ...]) -> npt.NDArray[np.bool_]:
    """Return the cells of an even grid whose centre is in a country, and those at most three away from one.

    Parameters
    ----------
    country : {"CN", "JP"} or None
        None for both.
    lats, lons : tuple of float
        Centres of the cells, degrees.

    Returns
    -------
    numpy.ndarray of bool, (latitude, longitude)
    """
    from scipy import ndimage

    shape = country_shape(country)
    shapely.prepare(shape)
    inside = shapely.contains_xy(shape, *np.meshgrid(lons, lats))
    return np.asarray(ndimage.binary_dilation(inside, np.ones((3, 3), dtype=bool), iterations=_BEYOND))


def _grid_humidity(weather: xr.Dataset, times: npt.NDArray[np.datetime64], lats: Float, lons: Float) -> Float:
    """Return the weather grid's humidity at places, % (time, place); NaN where or when it has none."""
    if not {"t2m", "d2m"} <= set(weather.data_vars):
        return np.full((times.size, lats.size), np.nan)
    moist = weather["t2m"].copy(data=relative_humidity(weather["t2m"], weather["d2m"])).reindex(time=times)
    at = {"latitude": xr.DataArray(lats, dims="place"), "longitude": xr.DataArray(lons, dims="place")}
    return np.asarray(moist.sortby("latitude").interp(at).transpose("time", "place").values, dtype=np.float64)


def _axis(low: float, high: float, step: float) -> Float:
    if not (step > 0.0 and high > low):
        raise InputError("haze areas: grid", (low, high, step), "low < high and a positive step")
    return np.asarray(low + step * np.arange(round((high - low) / step) + 1))
