"""From grid to cities and back: bilinear sampling, and optimal interpolation of city values onto a grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.grids.contract import WEATHER, check, describe
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.weather.timeline import step_variables

EARTH_RADIUS_KM = 6371.0
Array = npt.NDArray[np.floating]


def at_cities(grid: xr.Dataset, cities: Sequence[City], *, some_outside: bool = False) -> xr.Dataset:
    """Sample a weather grid bilinearly at cities.

    Parameters
    ----------
    grid : xarray.Dataset
        Contract "weather_grid"; latitude in either order, longitude -180 to 180 or 0 to 360.
    cities : sequence of City
    some_outside : bool
        Whether some of the cities, not all, may lie outside the grid. They have no values then, and are named in the
        attribute ``places_outside``.

    Returns
    -------
    xarray.Dataset
        Contract "city_weather" (time, city); NaN where a corner of the cell is NaN.

    Raises
    ------
    InputError
        If `grid` breaks the contract or a city lies outside it.

    Examples
    --------
    >>> import xarray as xr
    >>> from hazecast.grids.places.cities import load_registry
    >>> grid = xr.Dataset(
    ...     {"t2m": (("time", "latitude", "longitude"), [[[270.0, 271.0], [272.0, 273.0]]])},
    ...     coords={"time": [np.datetime64("2013-01-12", "ns")], "latitude": [39.0, 41.0], "longitude": [115.0, 118.0]},
    ...     attrs={"source": "example"},
    ... )
    >>> sampled = at_cities(describe(grid, "weather_grid"), [load_registry().city("beijing")])
    >>> sampled["t2m"].dims, round(float(sampled["t2m"][0, 0]), 1)
    (('time', 'city'), 271.4)
    """
    check(grid, "weather_grid", name="weather grid")
    grid = grid.sortby("latitude").sortby("longitude")
    lat, lon = grid["latitude"].values, grid["longitude"].values
    outside = [c for c in cities if not (lat[0] <= c.latitude <= lat[-1] and lon[0] <= c.longitude <= lon[-1])]
    if outside and not (some_outside and len(outside) < len(cities)):
        raise InputError(
            f"weather grid: city {outside[0].id}",
            f"{outside[0].latitude} N {outside[0].longitude} E",
            f"a place within {lat[0]:g} to {lat[-1]:g} N, {lon[0]:g} to {lon[-1]:g} E",
        )
    ids = [city.id for city in cities]
    points = {
        "latitude": xr.DataArray([city.latitude for city in cities], dims="city", coords={"city": ids}),
        "longitude": xr.DataArray([city.longitude for city in cities], dims="city", coords={"city": ids}),
    }
    names = [name for name in WEATHER if name in grid]
    sampled = grid[names].interp(points, method="linear").drop_vars(["latitude", "longitude"])
    sampled = sampled.astype(np.float32).transpose("time", "city").assign_attrs(grid.attrs)
    sampled = sampled.assign(grid[step_variables(grid)].data_vars)
    if outside:
        sampled.attrs["places_outside"] = ", ".join(city.id for city in outside)
    return check(describe(sampled, "city_weather"), "city_weather", name="weather at cities")


def spread(
    values: Array,
    latitude: Array,
    longitude: Array,
    grid_latitude: Array,
    grid_longitude: Array,
    *,
    length_km: float = 300.0,
    noise: float = 0.02,
) -> tuple[Array, Array]:
    """Interpolate values at places onto a grid by optimal interpolation (Gaussian-process regression).

    The covariance is exponential in the chord distance, with a fixed length; far from every
    place the field tends to the mean of the places and its deviation to 1.

    Parameters
    ----------
    values : float (k, n)
        `k` fields at `n` places. A place where any field is NaN is left out.
    latitude, longitude : float (n,)
        Of the places, degrees.
    grid_latitude : float (i,)
        Degrees.
    grid_longitude : float (j,)
        Degrees.
    length_km : float
        Distance at which the correlation has fallen to 1/e.
    noise : float
        Error variance of a value, as a fraction of the field's variance.

    Returns
    -------
    field : float (k, i, j)
    deviation : float (i, j)
        Posterior standard deviation as a fraction of the prior's: 0 at a place, 1 without
        information.

    Raises
    ------
    InputError
        If no place has valid values.

    Examples
    --------
    >>> field, deviation = spread(
    ...     np.array([[20.0, 80.0]]), np.array([39.9, 31.2]), np.array([116.4, 121.5]),
    ...     np.array([31.2, 39.9]), np.array([116.4, 121.5]),
    ... )
    >>> field.shape, deviation.shape
    ((1, 2, 2), (2, 2))
    """
    # Loading scikit-learn takes seconds, and most users of this module don't spread.
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Matern, WhiteKernel

    known = np.isfinite(values).all(axis=0)
    if not known.any():
        raise InputError("values to spread", "no valid place", "at least one place with all values")
    rows, columns = np.meshgrid(grid_latitude, grid_longitude, indexing="ij")
    mean = values[:, known].mean(axis=1)
    kernel = Matern(length_km / EARTH_RADIUS_KM, "fixed", nu=0.5) + WhiteKernel(noise, "fixed")
    process = GaussianProcessRegressor(kernel, optimizer=None)
    process.fit(_on_sphere(latitude[known], longitude[known]), (values[:, known] - mean[:, None]).T)
    field, deviation = process.predict(_on_sphere(rows.ravel(), columns.ravel()), return_std=True)
    field = field.reshape(len(field), -1).T + mean[:, None]
    share = np.sqrt(np.maximum(deviation.reshape(len(deviation), -1)[:, 0] ** 2 - noise, 0.0))
    return field.reshape(len(values), *rows.shape), np.clip(share, 0.0, 1.0).reshape(rows.shape)


def _on_sphere(latitude: Array, longitude: Array) -> Array:
    lat, lon = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
