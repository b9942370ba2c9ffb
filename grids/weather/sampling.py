"""From grid to cities: bilinear sampling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from hazecast.grids.contract import WEATHER, check, describe
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.weather.timeline import step_variables

EARTH_RADIUS_KM = 6371.0


def at_cities(
    grid: xr.Dataset, cities: Sequence[City], *, some_outside: bool = False, name: str = "weather grid"
) -> xr.Dataset:
    """Sample a weather grid bilinearly at cities.

    Parameters
    ----------
    grid : xarray.Dataset
        Contract "weather_grid"; latitude in either order, longitude -180 to 180 or 0 to 360.
    cities : sequence of City
    some_outside : bool
        Whether some of the cities, not all, may lie outside the grid. They have no values then, and are named in the
        attribute ``places_outside``.
    name : str
        What errors call the grid, such as its file.

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
    check(grid, "weather_grid", name=name)
    grid = _in_one_piece(grid.sortby("latitude").sortby("longitude"))
    lat, lon = grid["latitude"].values, grid["longitude"].values
    # Counted eastward from the grid's edge, whichever way its longitudes are counted.
    east = {city.id: lon[0] + (city.longitude - lon[0]) % 360.0 for city in cities}
    outside = [c for c in cities if not (lat[0] <= c.latitude <= lat[-1] and east[c.id] <= lon[-1])]
    if outside and not (some_outside and len(outside) < len(cities)):
        raise InputError(
            f"{name}: city {outside[0].id}",
            f"{outside[0].latitude} N {outside[0].longitude} E",
            f"a place within {lat[0]:g} to {lat[-1]:g} N, {lon[0]:g} to {lon[-1]:g} E",
        )
    ids = [city.id for city in cities]
    points = {
        "latitude": xr.DataArray([city.latitude for city in cities], dims="city", coords={"city": ids}),
        "longitude": xr.DataArray([east[name] for name in ids], dims="city", coords={"city": ids}),
    }
    names = [name for name in WEATHER if name in grid]
    sampled = grid[names].interp(points, method="linear").drop_vars(["latitude", "longitude"])
    sampled = sampled.astype(np.float32).transpose("time", "city").assign_attrs(grid.attrs)
    sampled = sampled.assign(grid[step_variables(grid)].data_vars)
    if outside:
        sampled.attrs["places_outside"] = ", ".join(city.id for city in outside)
    return check(describe(sampled, "city_weather"), "city_weather", name="weather at cities")


def _in_one_piece(grid: xr.Dataset) -> xr.Dataset:
    """Begin a grid across 180 degrees at its west; repeat the first column in the east where it goes around the globe."""
    lon = grid["longitude"].values
    if lon.size < 2:
        return grid
    gaps = np.diff(lon, append=lon[0] + 360.0)
    widest = int(np.argmax(gaps))
    if gaps[widest] < 1.5 * np.median(gaps):
        first = grid.isel(longitude=[0]).assign_coords(longitude=[lon[0] + 360.0])
        return xr.concat([grid, first], "longitude", data_vars="minimal")
    longitude = np.where(np.arange(lon.size) <= widest, lon + 360.0, lon) if widest < lon.size - 1 else lon
    return grid.assign_coords(longitude=longitude).sortby("longitude")
