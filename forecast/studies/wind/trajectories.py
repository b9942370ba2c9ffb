"""Air trajectories through gridded wind, and their clusters.

The scheme is Petterssen's (1940, "Weather Analysis and Forecasting"): the mean of the wind at both ends
of a step, found by iteration; second order. Wind is interpolated linearly in time, latitude and longitude. With the
contract's wind at 10 m the paths indicate direction, not distance, since air that transports pollution over days moves
higher and faster; with wind on a pressure level they keep that pressure. Vertical motion is in neither.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import Geod
from scipy.interpolate import RegularGridInterpolator
from sklearn.cluster import KMeans

from hazecast.grids.contract import check
from hazecast.grids.errors import InputError

Array = NDArray[np.float64]

# Mean radius of the Earth, m (IUGG R1).
EARTH_RADIUS = 6_371_008.8
_GEOD = Geod(a=EARTH_RADIUS, b=EARTH_RADIUS)
# Beyond a month nothing of an air mass is left to follow.
LONGEST_HOURS = 720
_ITERATIONS = 5
# Metres: the iteration of a step stops when positions change by less.
_CONVERGED = 1.0


def trajectories(
    weather: xr.Dataset,
    latitude: Sequence[float] | Array,
    longitude: Sequence[float] | Array,
    start: NDArray[np.datetime64] | np.datetime64,
    *,
    hours: float = -72.0,
    step_minutes: float = 30.0,
    wind: tuple[str, str] = ("u10", "v10"),
) -> xr.Dataset:
    """Compute trajectories of air parcels, backward or forward.

    Parameters
    ----------
    weather : xarray.Dataset
        Contract "weather_grid" with ``u10`` and ``v10``; or with another `wind`, as from
        `hazecast.grids.weather.pressure_levels.read_level_wind`.
    latitude, longitude : float (parcel,)
        Starting position of each parcel, degrees.
    start : datetime64 (parcel,)
        Starting time, UTC; one for all, or one for each.
    hours : float
        Length, at most `LONGEST_HOURS` either way; negative for backward trajectories.
    step_minutes : float
        Time step, at most 180.
    wind : tuple of str
        Names of the eastward and the northward wind, m s-1.

    Returns
    -------
    xarray.Dataset (parcel, age)
        ``latitude`` and ``longitude`` (degrees) at every step; ``age`` in hours, negative backward. NaN
        after a parcel leaves the grid or its period; attribute ``left_early`` counts these parcels.

    Raises
    ------
    InputError
        If the weather violates the contract or lacks wind, or a number is out of range.
    """
    _check_parameters(weather, hours, step_minutes, wind)
    lat0, lon0 = np.broadcast_arrays(np.atleast_1d(np.asarray(latitude, float)), np.asarray(longitude, float))
    field = _Wind(weather, wind)
    begin = np.broadcast_to(field.seconds(np.atleast_1d(start)), lat0.shape)
    step = np.sign(hours) * step_minutes * 60.0
    count = round(abs(hours) * 3600.0 / abs(step))
    lats, lons = np.full((len(lat0), count + 1), np.nan), np.full((len(lat0), count + 1), np.nan)
    inside = np.isfinite(field.at(begin, lat0, lon0)).all(axis=-1)
    lats[:, 0], lons[:, 0] = np.where(inside, lat0, np.nan), np.where(inside, lon0, np.nan)
    for number in range(count):
        alive = np.flatnonzero(np.isfinite(lats[:, number]))
        if not len(alive):
            break
        time = begin[alive] + number * step
        lats[alive, number + 1], lons[alive, number + 1] = _step(
            field, time, step, lats[alive, number], lons[alive, number]
        )
    return xr.Dataset(
        {
            "latitude": (("parcel", "age"), lats, {"units": "degrees_north"}),
            "longitude": (("parcel", "age"), lons, {"units": "degrees_east"}),
        },
        coords={"age": ("age", np.arange(count + 1) * step / 3600.0, {"units": "h"})},
        attrs={"source": str(weather.attrs["source"]), "left_early": int((~np.isfinite(lats[:, -1])).sum())},
    )


def _check_parameters(weather: xr.Dataset, hours: float, step_minutes: float, wind: tuple[str, str]) -> None:
    if wind == ("u10", "v10"):
        check(weather, "weather_grid", name="weather")
    missing = [name for name in wind if name not in weather]
    if missing:
        raise InputError("weather", f"no {missing}", " and ".join(wind))
    if not 0 < step_minutes <= 180:
        raise InputError("step_minutes", step_minutes, "above 0, at most 180")
    if not 0 < abs(hours) <= LONGEST_HOURS:
        raise InputError("hours", hours, f"not 0, at most {LONGEST_HOURS} either way")


class _Wind:
    """Wind on a grid as angular speed at any time and place; NaN outside."""

    def __init__(self, weather: xr.Dataset, wind: tuple[str, str]) -> None:
        ordered = weather[list(wind)].sortby(["time", "latitude", "longitude"])
        self._first: np.datetime64 = ordered["time"].values[0]
        axes = (
            self.seconds(ordered["time"].values),
            ordered["latitude"].values.astype(float),
            ordered["longitude"].values.astype(float),
        )
        short = [n for n, a in zip(("time", "latitude", "longitude"), axes, strict=True) if len(a) < 2]
        if short:
            raise InputError("weather", f"one {short[0]}", "at least two of each of time, latitude and longitude")
        values = np.stack([ordered[name].transpose("time", "latitude", "longitude").values for name in wind], axis=-1)
        self._field = RegularGridInterpolator(axes, values.astype(float), bounds_error=False, fill_value=np.nan)

    def seconds(self, time: NDArray[np.datetime64]) -> Array:
        return np.asarray((time - self._first) / np.timedelta64(1, "ms"), float) / 1000.0

    def at(self, time: Array, latitude: Array, longitude: Array) -> Array:
        """Return (n, 2): u and v in m s-1."""
        return np.asarray(self._field(np.stack([time, latitude, longitude], axis=-1)))


def _step(wind: _Wind, time: Array, step: float, latitude: Array, longitude: Array) -> tuple[Array, Array]:
    here = wind.at(time, latitude, longitude)
    new_lat, new_lon = _moved(latitude, longitude, here, step)
    for _ in range(_ITERATIONS):
        mean = 0.5 * (here + wind.at(time + step, new_lat, new_lon))
        before = new_lat, new_lon
        new_lat, new_lon = _moved(latitude, longitude, mean, step)
        moved = np.hypot(new_lat - before[0], new_lon - before[1]) * np.deg2rad(EARTH_RADIUS)
        if not (moved > _CONVERGED).any():
            break
    return new_lat, new_lon


def _moved(latitude: Array, longitude: Array, wind: Array, step: float) -> tuple[Array, Array]:
    """Move along the great circle in the direction of the wind, in its components at the start."""
    bearing = np.degrees(np.arctan2(wind[:, 0], wind[:, 1]))
    distance = np.hypot(wind[:, 0], wind[:, 1]) * step
    known = np.isfinite(distance)
    lat, lon = np.full_like(latitude, np.nan), np.full_like(longitude, np.nan)
    if known.any():
        lon[known], lat[known], _ = _GEOD.fwd(longitude[known], latitude[known], bearing[known], distance[known])
    return lat, lon


def cluster(paths: xr.Dataset, *, groups: int | None = None, most: int = 6, seed: int = 0) -> xr.DataArray:
    """Group trajectories with similar paths.

    K-means on the positions at every sixth hour, in km east and north of the start. Without a number of
    groups, the smallest number is used at which one more explains less than a tenth of the remaining variance
    (the bend of the total spatial variance; a choice, not a standard).

    Parameters
    ----------
    paths : xarray.Dataset (parcel, age)
        From `trajectories`. Those that left early belong to no group (-1).
    groups : int, optional
        Number of groups; by default determined as above.
    most : int
        Largest number tried.
    seed : int
        Of k-means.

    Returns
    -------
    xarray.DataArray of int (parcel,)
        Largest group first; attributes ``explained`` (share of the variance that the groups explain), ``groups``.

    Raises
    ------
    InputError
        If there are fewer complete trajectories than groups, or none has a position at a sixth hour.
    """
    complete = np.flatnonzero(np.isfinite(paths["latitude"].values[:, -1]))
    wanted = groups or most
    if not 1 <= wanted <= len(complete):
        raise InputError("groups", wanted, f"1 to {len(complete)}, the number of trajectories that stay on the grid")
    points = _displacements(paths, complete)
    if not points.size:
        raise InputError("age", paths["age"].values.tolist()[:3], "positions at every sixth hour")
    spread = float(((points - points.mean(axis=0)) ** 2).sum())
    distinct = len(np.unique(points.round(3), axis=0))
    tried = [groups] if groups else list(range(1, min(most, distinct) + 1))
    fits = [KMeans(number, n_init=10, random_state=seed).fit(points) for number in tried]
    chosen = fits[-1]
    if groups is None:
        left = np.array([fit.inertia_ for fit in fits])
        gains = (left[:-1] - left[1:]) / np.maximum(left[:-1], 1e-9)
        small = np.flatnonzero(gains < 0.1)
        chosen = fits[int(small[0])] if len(small) else fits[-1]
    order = np.argsort(-np.bincount(chosen.labels_))
    labels = np.full(paths.sizes["parcel"], -1)
    labels[complete] = np.argsort(order)[chosen.labels_]
    explained = 1.0 - float(chosen.inertia_) / spread if spread > 0 else 1.0
    return xr.DataArray(labels, dims="parcel", attrs={"explained": explained, "groups": len(order)})


def _displacements(paths: xr.Dataset, rows: NDArray[np.int64]) -> Array:
    ages = np.abs(paths["age"].values)
    every = np.flatnonzero(np.isclose(ages % 6.0, 0.0) & (ages > 0))
    lat, lon = (paths[name].values[rows] for name in ("latitude", "longitude"))
    north = np.deg2rad(lat[:, every] - lat[:, :1]) * EARTH_RADIUS / 1000.0
    east = np.deg2rad(lon[:, every] - lon[:, :1]) * EARTH_RADIUS / 1000.0 * np.cos(np.deg2rad(lat[:, every]))
    return np.concatenate([east, north], axis=1)
