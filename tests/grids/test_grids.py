"""Derived weather, the spreading of city values, and the contract's own check."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from hazecast.grids.contract import check, describe
from hazecast.grids.derived import dew_point, relative_humidity, wind_components
from hazecast.grids.errors import InputError

kelvin = st.floats(240, 315)


@given(kelvin, st.floats(1, 100))
def test_dew_point_and_humidity_invert_each_other(t2m: float, humidity: float) -> None:
    assert float(relative_humidity(t2m, dew_point(t2m, humidity))) == pytest.approx(humidity, abs=1e-6)


@given(kelvin)
def test_humidity_is_100_at_the_dew_point_and_never_above(t2m: float) -> None:
    assert float(relative_humidity(t2m, t2m)) == pytest.approx(100)
    assert float(relative_humidity(t2m, t2m + 1)) == 100


def test_humidity_against_a_table() -> None:
    # WMO No. 8, saturation vapour pressure: 23.37 hPa at 20 degC, 12.27 hPa at 10 degC.
    assert float(relative_humidity(293.15, 283.15)) == pytest.approx(100 * 12.27 / 23.37, abs=0.15)


@given(st.floats(0.1, 60), st.floats(0, 360))
def test_wind_components_keep_the_speed(speed: float, direction: float) -> None:
    assert float(np.hypot(*wind_components(speed, direction))) == pytest.approx(speed)


def test_wind_from_the_west_blows_east() -> None:
    u10, v10 = wind_components(5.0, 270.0)
    assert float(u10) == pytest.approx(5) and float(v10) == pytest.approx(0, abs=1e-9)


def observations() -> xr.Dataset:
    time = np.datetime64("2013-01-01", "ns") + np.arange(3).astype("timedelta64[h]")
    data = xr.Dataset({"pm25": (("time", "city"), np.ones((3, 1)))}, coords={"time": time, "city": ["beijing"]})
    return describe(data.assign_attrs(source="test"), "observations")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.rename(city="town"), "city"),
        (lambda d: d.isel(time=[1, 0, 2]), "time.*unsorted"),
        (lambda d: d.drop_attrs(deep=False), "source"),
        (lambda d: d.assign(pm25=d["pm25"].assign_attrs(units="kg m-3")), "pm25 units: found kg m-3"),
        (lambda d: d.assign(pm25=d["pm25"].astype(int).assign_attrs(d["pm25"].attrs)), "pm25 type"),
        (lambda d: d.rename(pm25="dust"), "variables"),
        (lambda d: d.assign_coords(time=[0, 1, 2]), "time"),
        (lambda d: d.transpose("city", "time"), "dimensions"),
    ],
)
def test_every_breach_of_the_contract_is_named(change, message) -> None:
    check(observations(), "observations")
    with pytest.raises(InputError, match=message):
        check(change(observations()), "observations", name="test")
