"""A measured visibility stands beside a city's pollutants, without the hours in which it isn't haze that takes the sight."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.contract import check, describe
from hazecast.grids.errors import InputError
from hazecast.grids.observations.measured_visibility import with_measured_visibility

TIMES = np.datetime64("2013-01-12T00", "ns") + np.arange(6) * np.timedelta64(1, "h")


def observations() -> xr.Dataset:
    values = {"pm25": (("time", "city"), np.full((6, 2), 80.0))}
    coords = {"time": TIMES, "city": ["beijing", "shanghai"]}
    return describe(xr.Dataset(values, coords=coords, attrs={"source": "test"}), "observations")


def station(**weather: int) -> xr.Dataset:
    """Six reports an hour later than the observations, of 1000 to 6000 m; one hour has each weather."""
    seen = {name: ("time", np.zeros(6)) for name in ("rain", "snow", "dust", "smoke")}
    for name, at in weather.items():
        seen[name][1][at] = 1.0
    seen["visibility"] = ("time", 1000.0 * np.arange(1, 7))
    return xr.Dataset(seen, coords={"time": TIMES + np.timedelta64(1, "h")})


def test_hours_of_rain_snow_dust_and_smoke_are_left_out() -> None:
    found = with_measured_visibility(observations(), "beijing", station(rain=1, dust=2))
    np.testing.assert_array_equal(found["visibility"].sel(city="beijing"), [np.nan, 1000, np.nan, np.nan, 4000, 5000])
    assert np.isnan(found["visibility"].sel(city="shanghai")).all()
    again = with_measured_visibility(found, "shanghai", station())
    assert again["visibility"].sel(city="beijing").equals(found["visibility"].sel(city="beijing"))
    assert found["visibility"].attrs["units"] == "m" and "visibility" not in observations()


def test_what_cannot_be_joined_is_named() -> None:
    with pytest.raises(InputError, match="city: found tokyo"):
        with_measured_visibility(observations(), "tokyo", station())
    with pytest.raises(InputError, match="also rain"):
        with_measured_visibility(observations(), "beijing", station().drop_vars("rain"))
    late = station().assign_coords(time=TIMES + np.timedelta64(99, "h"))
    with pytest.raises(InputError, match="no hour in common"):
        with_measured_visibility(observations(), "beijing", late)
    kilometres = with_measured_visibility(observations(), "beijing", station())
    kilometres["visibility"].attrs["units"] = "km"
    with pytest.raises(InputError, match="visibility units: found km"):
        check(kilometres, "observations")
