"""Days of a forecast by scenario: the same rules as for days that were observed, and ranges of the day's own."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from hazecast.forecast.daily import daily_outlook
from hazecast.forecast.day_values import at_quantile, day_levels
from hazecast.forecast.days import forecast_days, joined_hours
from hazecast.forecast.dependence import COUNT, Variable
from hazecast.forecast.products import daily_mean, mda8
from hazecast.grids.contract import QUANTILES
from hazecast.grids.places.cities import load_registry

REGISTRY = load_registry()
CITIES = ["beijing", "tokyo", "kobe"]
INIT = np.datetime64("2026-02-26T05:00", "ns")
HOUR = np.timedelta64(1, "h")
SPREAD = np.array([0.5, 0.75, 1.0, 1.4, 2.0])


def made(spread: np.ndarray) -> tuple[xr.Dataset, xr.Dataset]:
    """A forecast of 72 h whose hours differ, spread about its median, and 30 h observed before; some are missing."""
    random = np.random.default_rng(4)
    ahead, past = (random.uniform(20.0, 160.0, (2, hours, len(CITIES))) for hours in (72, 30))
    past[0, 20:, 1] = np.nan
    dims = ("lead_time", "city", "quantile")
    forecast = xr.Dataset(
        {name: (dims, values[..., None] * spread) for name, values in zip(("pm25", "o3"), ahead, strict=True)},
        coords={
            "lead_time": (np.arange(1, 73) * HOUR).astype("timedelta64[ns]"),
            "city": CITIES,
            "quantile": list(QUANTILES),
            "init_time": INIT,
        },
    )
    forecast["relative_humidity"] = (dims[:2], np.full((72, len(CITIES)), 50.0))
    observed = xr.Dataset(
        {name: (("time", "city"), values) for name, values in zip(("pm25", "o3"), past, strict=True)},
        coords={"time": INIT + (np.arange(30) - 29) * HOUR, "city": CITIES},
    )
    return forecast, observed


def test_a_certain_forecast_has_the_daily_values_of_its_hours() -> None:
    forecast, observed = made(np.ones(5))
    hours, days = joined_hours(forecast, observed, 0.5), forecast_days(forecast, REGISTRY)
    for name, reduction in (("pm25", daily_mean), ("o3", mda8)):
        found = day_levels(forecast, observed, REGISTRY, name, days)
        expected = reduction(hours, REGISTRY, name)[name].reindex(date=days).values
        assert np.isnan(expected).any() and np.isfinite(expected).sum() >= 7
        for level in (0, COUNT // 2, COUNT - 1):
            np.testing.assert_allclose(found[level], expected, rtol=1e-6)
    # Without the hours before, today is unknown.
    assert np.isnan(day_levels(forecast, None, REGISTRY, "pm25", days)[:, 0]).all()


def test_the_range_of_a_mean_is_narrower_than_of_its_hours_together_and_a_highest_mean_is_higher() -> None:
    forecast, observed = made(SPREAD)
    days = forecast_days(forecast, REGISTRY)

    def together(name: Variable, quantile: float) -> np.ndarray:
        reduction = daily_mean if name == "pm25" else mda8
        return reduction(joined_hours(forecast, observed, quantile), REGISTRY, name)[name].reindex(date=days).values

    for name in ("pm25", "o3"):
        values = day_levels(forecast, observed, REGISTRY, name, days)
        known = np.isfinite(values[0])
        assert (np.diff(values[:, known], axis=0) >= 0.0).all()
        width = at_quantile(values, 0.9) - at_quantile(values, 0.1)
        widest = together(name, 0.9) - together(name, 0.1)
        assert (width[known] > 0.5 * widest[known]).all()
        if name == "pm25":
            assert (width[known] < widest[known]).all() and width[0, 0] < 0.6 * width[1, 0]
        else:
            assert (at_quantile(values, 0.5)[known] > together(name, 0.5)[known]).all()
    outlook = daily_outlook(forecast, observed, REGISTRY)["o3_mda8"].sel(city="kobe", quantile=0.5)
    assert float(outlook[1]) == pytest.approx(float(at_quantile(values, 0.5)[1, 2]))


def test_the_highest_hour_counts_where_the_8_hour_mean_does() -> None:
    forecast, observed = made(np.ones(5))
    days = forecast_days(forecast, REGISTRY)
    means, hours = (day_levels(forecast, observed, REGISTRY, "o3", days, highest=h)[0] for h in (False, True))
    assert (np.isfinite(hours) == np.isfinite(means)).all() and (hours > means)[np.isfinite(means)].all()


def test_quantiles_lie_between_the_levels() -> None:
    levels = np.arange(COUNT, dtype=np.float64)
    assert [at_quantile(levels, q) for q in (0.0, 0.5, 1.0)] == [0.0, COUNT // 2, COUNT - 1.0]
    assert at_quantile(levels, 0.1) == pytest.approx(9.6)
