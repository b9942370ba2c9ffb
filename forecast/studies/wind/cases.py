"""Synthetic case with a known answer: arrivals in a synthetic wind, polluted by a source at a known location."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hazecast.forecast.studies.wind.trajectories import trajectories
from hazecast.grids.contract import describe
from hazecast.grids.observations.station_cities import great_circle_km

Array = NDArray[np.float64]
SHANGHAI = (31.23, 121.47)
_BOX = ((22.0, 41.0), (108.0, 134.0))


class Arrivals(NamedTuple):
    """Trajectories (36 h backward), their arrival times and their day numbers from 0."""

    paths: xr.Dataset
    times: NDArray[np.datetime64]
    day: NDArray[np.int64]


def turning_wind(days: int, seed: int) -> xr.Dataset:
    """Return hourly, spatially uniform wind on a grid around Shanghai whose direction is a random walk.

    Speed varies between 3 and 7 m s-1, direction by about 34 degrees a day.

    Parameters
    ----------
    days : int
        Length, from 2015-01-01.
    seed : int
        Of the random walk.

    Returns
    -------
    xarray.Dataset
        Contract "weather_grid" with ``u10`` and ``v10``, m s-1, on 1 degree.
    """
    hours = 24 * days
    random = np.random.default_rng(seed)
    angle = np.cumsum(random.normal(0.0, 0.12, hours + 1))
    speed = 5.0 + 2.0 * np.sin(np.arange(hours + 1) / 31.0)
    lats, lons = (np.arange(low, high + 0.01, 1.0) for low, high in _BOX)
    shape, dims = (hours + 1, len(lats), len(lons)), ("time", "latitude", "longitude")

    def everywhere(values: Array) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        return dims, np.broadcast_to(values[:, None, None], shape).astype(np.float32)

    wind = xr.Dataset(
        {"u10": everywhere(speed * np.cos(angle)), "v10": everywhere(speed * np.sin(angle))},
        coords={
            "time": np.datetime64("2015-01-01T00", "ns") + np.arange(hours + 1) * np.timedelta64(1, "h"),
            "latitude": lats,
            "longitude": lons,
        },
        attrs={"source": "synthetic"},
    )
    return describe(wind, "weather_grid")


def arrivals(days: int = 120, seed: int = 3) -> Arrivals:
    """Return synthetic arrivals in Shanghai every three hours.

    Parameters
    ----------
    days : int
        Length of the synthetic wind.
    seed : int
        Of the synthetic wind.

    Returns
    -------
    Arrivals
        From the third day on.
    """
    wind = turning_wind(days, seed)
    times = wind["time"].values[48::3]
    count = len(times)
    paths = trajectories(
        wind, np.full(count, SHANGHAI[0]), np.full(count, SHANGHAI[1]), times, hours=-36, step_minutes=60
    )
    return Arrivals(paths, times, (times - times[0]).astype("timedelta64[D]").astype(np.int64))


def arrival_concentrations(
    paths: xr.Dataset, source: tuple[float, float], *, reach_km: float = 60.0, seed: int = 8
) -> Array:
    """Return synthetic concentrations at arrival: 30 ug m-3, plus 25 per hour near the source, plus noise of 8.

    Parameters
    ----------
    paths : xarray.Dataset
        Trajectories with hourly steps.
    source : tuple of float
        Latitude and longitude, degrees.
    reach_km : float
        Distance from the source within which air is polluted.
    seed : int
        Of the noise.

    Returns
    -------
    float64 (parcel,)
        ug m-3.
    """
    near = great_circle_km(paths["latitude"].values, paths["longitude"].values, *source) < reach_km
    noise = np.random.default_rng(seed).normal(0.0, 8.0, paths.sizes["parcel"])
    return np.asarray(30.0 + 25.0 * near.sum(axis=1) + noise)
