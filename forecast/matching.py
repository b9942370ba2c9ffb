"""Weather of a forecast's grid brought to a station's own: past and coming weather of a model are to be of one kind.

A grid cell has another altitude, another wind and another humidity than the station that the past was measured at.
Where both are known for the same hours, the grid's values are mapped onto the station's distribution.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hazecast.grids.contract import WEATHER

# Fewer common hours match nothing; from so many on the whole distribution is mapped, between them its mean alone.
_FEWEST_HOURS, _HOURS_OF_A_DISTRIBUTION = 24, 240
_PROBABILITIES = np.linspace(0.05, 0.95, 10)
# What differs by an offset; wind differs by a factor. Rain, cloud and radiation are left as they are.
_SHIFTED = ("t2m", "d2m", "sp", "blh")
_LEAST_SPEED = 0.1


def matched_to(own: xr.Dataset, grid: xr.Dataset, until: np.datetime64) -> tuple[xr.Dataset, dict[str, int]]:
    """Map a grid's weather onto that of a station, city by city.

    Quantile mapping of temperature, dew point, pressure and mixing height (Panofsky and Brier 1968, Some Applications of
    Statistics to Meteorology); wind by the ratio of mean speeds, its direction unchanged.

    Parameters
    ----------
    own : xarray.Dataset (time, city)
        Contract "city_weather", measured.
    grid : xarray.Dataset (time, city)
        Contract "city_weather", from the forecast's grid.
    until : datetime64
        The init time, UTC: common hours up to it are compared.

    Returns
    -------
    matched : xarray.Dataset (time, city)
        `grid`, mapped where enough hours are common.
    hours : dict of str to int
        Common hours of temperature by city; fewer than 24: that city is left as it is.
    """
    result = grid.copy(deep=True)
    times = np.intersect1d(own["time"].values, grid["time"].values)
    times = times[times <= until]
    cities = [str(city) for city in grid["city"].values if city in own["city"].values]
    hours: dict[str, int] = {}
    for city in cities:
        here = {name: own[name].sel(city=city, time=times).values for name in own.data_vars if name in WEATHER}
        there = {name: grid[name].sel(city=city, time=times).values for name in grid.data_vars if name in WEATHER}
        common = {n: np.isfinite(here[n]) & np.isfinite(there[n]) for n in here if n in there}
        hours[city] = int(common["t2m"].sum()) if "t2m" in common else 0
        at = {"city": city}
        for name in _SHIFTED:
            if name in common and common[name].sum() >= _FEWEST_HOURS:
                valid = common[name]
                values = _mapped(grid[name].sel(at).values, there[name][valid], here[name][valid])
                result[name].loc[at] = np.clip(values, WEATHER[name].low, WEATHER[name].high)
        if {"u10", "v10"} <= set(common):
            valid = common["u10"] & common["v10"]
            speeds = [np.hypot(one["u10"][valid], one["v10"][valid]) for one in (here, there)]
            if valid.sum() >= _FEWEST_HOURS and speeds[1].mean() > _LEAST_SPEED:
                for name in ("u10", "v10"):
                    result[name].loc[at] = grid[name].sel(at).values * (speeds[0].mean() / speeds[1].mean())
        if "t2m" in result and "d2m" in result:
            result["d2m"].loc[at] = np.fmin(result["d2m"].sel(at).values, result["t2m"].sel(at).values)
    return result, hours


def _mapped(values: NDArray[np.float32], grid: NDArray[np.float32], own: NDArray[np.float32]) -> NDArray[np.float64]:
    if len(own) < _HOURS_OF_A_DISTRIBUTION:
        return np.asarray(values + (own.mean() - grid.mean()), float)
    source, target = np.quantile(grid, _PROBABILITIES), np.quantile(own, _PROBABILITIES)
    # Beyond the outermost quantiles their own offset holds.
    offset = np.interp(values, np.maximum.accumulate(source), target - source)
    return np.asarray(values + offset, float)
