"""Steps of several hours become hours, and parts of one source one series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.contract import describe
from hazecast.grids.errors import InputError
from hazecast.grids.weather.timeline import joined, to_hourly

START = np.datetime64("2014-02-20T00", "ns")
NAN = np.nan


def series(hours: list[float], **values: list[float]) -> xr.Dataset:
    times = START + (np.array(hours) * 60).astype("timedelta64[m]")
    columns = {name: ("time" if "step" in name else ("time", "city"), np.array(v)) for name, v in values.items()}
    columns = {n: (d, v if d == "time" else v[:, None]) for n, (d, v) in columns.items()}
    dataset = xr.Dataset(columns, coords={"time": times, "city": ["beijing"]}, attrs={"source": "test"})
    return describe(dataset, "city_weather")


@pytest.mark.parametrize(
    ("hours", "values", "expected"),
    [
        ([0, 3, 9], [0, 3, 9], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ([0, 6, 13], [0, 6, 13], [0, 1, 2, 3, 4, 5, 6, NAN, NAN, NAN, NAN, NAN, NAN, 13]),
        ([0, 1, 2, 3], [0, NAN, NAN, 3], [0, 1, 2, 3]),
        ([0, 0.5, 1, 1.5], [0, 7, 1, 7], [0, 1]),
        ([0, 1, 2], [NAN, 1, NAN], [NAN, 1, NAN]),
    ],
)
def test_instants_are_interpolated_over_gaps_of_up_to_six_hours(hours, values, expected) -> None:
    hourly = to_hourly(series(hours, t2m=values))
    np.testing.assert_allclose(hourly["t2m"].values[:, 0], expected)
    filled = bool(np.isfinite(expected).sum() > np.isfinite(values).sum())
    assert bool(hourly.attrs.get("time_interpolated")) is filled
    assert ("linear" in hourly["t2m"].attrs.get("time_interpolation", "")) is filled


@pytest.mark.parametrize(
    ("hours", "rates", "steps", "expected"),
    [
        ([0, 6, 12], [NAN, 2, 4], [NAN, 6, 6], [NAN, *[2] * 6, *[4] * 6]),
        # The bucket of hour 12 is of 3 h: of hours 7 to 9 nothing is known.
        ([0, 6, 12], [NAN, 2, 4], [NAN, 6, 3], [NAN, *[2] * 6, *[NAN] * 3, *[4] * 3]),
        # Without a known step a rate holds since the time before, whether that one has a value or not.
        ([0, 1, 2, 3], [1, NAN, 3, 4], None, [1, NAN, 3, 4]),
        ([0, 3, 6], [1, 2, 3], None, [1, 2, 2, 2, 3, 3, 3]),
        ([0, 0.5, 1, 1.5, 2], [0, 2, 4, 1, 3], None, [0, 3, 2]),
        ([0, 24], [0, 2], [1, 24], [0, *[NAN] * 24]),
    ],
)
def test_rates_are_spread_over_their_own_step(hours, rates, steps, expected) -> None:
    given = {} if steps is None else {"tp_step_hours": steps}
    hourly = to_hourly(series(hours, tp=rates, **given))
    np.testing.assert_allclose(hourly["tp"].values[:, 0], expected)
    assert ("mean of its step" in hourly["tp"].attrs.get("time_interpolation", "")) is (hours[1] in (3, 6))


def test_hours_that_overlap_with_equal_values_are_merged() -> None:
    parts = [series([0, 1, 2], t2m=[1, 2, NAN]), series([1, 2, 3], t2m=[2, 3, 4]), series([0, 1], sp=[5, 6])]
    whole = joined(parts, Path("folder"))
    np.testing.assert_array_equal(whole["t2m"].values[:, 0], [1, 2, 3, 4])
    np.testing.assert_array_equal(whole["sp"].values[:, 0], [5, 6, NAN, NAN])


def test_hours_that_overlap_with_unequal_values_are_named() -> None:
    parts = [series([0, 1], t2m=[1, 2]), series([1, 2], t2m=[2.5, 3])]
    with pytest.raises(InputError, match=r"folder: t2m at 2014-02-20T01:00Z: found two values, 2 and 2.5"):
        joined(parts, Path("folder"))
    with pytest.raises(InputError, match="a.nc: t2m at .*two values, 1 and 9"):
        joined([series([0, 1, 0], t2m=[1, 2, 9])], Path("a.nc"))
    with pytest.raises(InputError, match="one forecast"):
        joined([parts[0].assign_attrs(init_time="2014-02-20T00:00:00Z"), parts[1]], Path("folder"))
