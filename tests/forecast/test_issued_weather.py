"""Windows that see the weather as it was issued by their init times, errors included."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hazecast.forecast.issued_weather import IssuedWeather, IssuedWindowSet
from hazecast.grids.contract import LEAD_HOURS
from hazecast.models.series import WEATHER_NAMES
from hazecast.models.training.tuning import subset
from tests.support.training_data import made_series, made_windows

SERIES = made_series(400)
HOUR = np.timedelta64(1, "h")


def issued_at(hour: int, value: float) -> tuple[np.datetime64, xr.Dataset]:
    time = SERIES.times[0] + hour * HOUR
    values = np.full((LEAD_HOURS + 24, 2), value) + np.arange(2)
    data = xr.Dataset(
        {"t2m": (("time", "city"), values)},
        coords={"time": time + np.arange(LEAD_HOURS + 24) * HOUR, "city": ["place0", "place1"]},
    )
    return time, data


def windows() -> IssuedWindowSet:
    return IssuedWindowSet.of(
        made_windows(SERIES), IssuedWeather([issued_at(100, 270.0), issued_at(130, 290.0)], SERIES)
    )


def test_each_window_sees_the_newest_forecast_by_its_init_time_and_no_observed_weather() -> None:
    found = windows()
    batch = found.batch(np.arange(len(found)), future_weather=True)
    plain = made_windows(SERIES).batch(np.arange(len(found)), future_weather=True)
    hour = (batch.init_time - SERIES.times[0]) / HOUR
    t2m = batch.future_weather[..., WEATHER_NAMES.index("t2m")]
    place = (batch.place == "place1").astype(float)
    assert np.isnan(batch.future_weather[hour < 100]).all()
    early, late = (hour >= 100) & (hour < 124), (hour >= 130) & (hour < 154)
    assert early.any() and late.any()
    np.testing.assert_array_equal(t2m[early], np.broadcast_to(270.0 + place[early, None], t2m[early].shape))
    np.testing.assert_array_equal(t2m[late], np.broadcast_to(290.0 + place[late, None], t2m[late].shape))
    np.testing.assert_allclose(batch.area_future_weather[late][..., WEATHER_NAMES.index("t2m")], 290.5)
    np.testing.assert_array_equal(batch.weather_error, 1.0)
    np.testing.assert_array_equal(batch.history_weather, plain.history_weather)
    np.testing.assert_array_equal(batch.target, plain.target)


def test_some_of_the_windows_and_windows_without_weather() -> None:
    found = windows()
    some = subset(found, np.arange(len(found)) % 3 == 1)
    assert isinstance(some, IssuedWindowSet)
    np.testing.assert_array_equal(
        some.batch(np.arange(len(some)), future_weather=True).future_weather,
        found.batch(np.flatnonzero(np.arange(len(found)) % 3 == 1), future_weather=True).future_weather,
    )
    assert not found.batch(np.arange(5), future_weather=False).informed.any()
    without = IssuedWindowSet.of(made_windows(SERIES), None)
    assert not without.batch(np.arange(5), future_weather=True).informed.any()
