"""The shipped network in a place that it never saw, as it is and scaled to the concentrations of a Japanese city."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hazecast.grids.contract import LEAD_HOURS
from hazecast.models.interface import Prediction
from hazecast.models.series import WEATHER_NAMES, HourlySeries, WindowSet
from hazecast.models.trained import shipped_models
from hazecast.models.windows import scoring_windows
from hazecast.models.zoo.combined import Combined
from hazecast.services.research.experiments import read_series

SP = WEATHER_NAMES.index("sp")
CLEAN = 10.0
FIELDS = ("observations", "area_observations", "weather", "area_weather")


@pytest.fixture(scope="module")
def shanghai(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> HourlySeries:
    folder = tmp_path_factory.mktemp("shanghai")
    (folder / "shanghai.csv.gz").symlink_to(shared_data / "five-cities" / "shanghai.csv.gz")
    series = read_series(folder)
    city = series.places == "shanghai"
    return dataclasses.replace(
        series,
        **{name: getattr(series, name)[city] for name in ("observations", "weather", "utc_offset", "places")},
        latitude=series.latitude[city],
        longitude=series.longitude[city],
        area=series.area[city],
    )


@pytest.fixture(scope="module")
def service() -> Combined:
    unseen = [one for one in shipped_models() if "shanghai" in one.card["without"]]
    return Combined(unseen[0].load())


def windows(series: HourlySeries) -> WindowSet:
    return scoring_windows((series,), series.times[24 * 60], series.times[-LEAD_HOURS], every=101)


def forecast(service: Combined, series: HourlySeries, *, informed: bool = True) -> Prediction:
    some = windows(series)
    return service.predict(some.batch(np.arange(len(some)), future_weather=informed))


def scaled(series: HourlySeries, mean: float) -> tuple[HourlySeries, float]:
    factor = np.float32(mean / np.nanmean(series.observations[..., 0]))
    both = {name: getattr(series, name) * factor for name in ("observations", "area_observations")}
    return dataclasses.replace(series, **both), float(factor)


@pytest.mark.parametrize("informed", [False, True])
def test_a_clean_place_is_forecast_clean(shanghai: HourlySeries, service: Combined, informed: bool) -> None:
    clean, factor = scaled(shanghai, CLEAN)
    here, there = (forecast(service, one, informed=informed) for one in (clean, shanghai))
    # The level of a place that nothing is known of still weighs 48 of 720 hours.
    np.testing.assert_allclose(here.mean[..., 0].mean(), factor * there.mean[..., 0].mean(), rtol=0.05)
    days = here.mean[..., 0].reshape(len(here.mean), -1, 24).mean(axis=-1)
    assert len(days) > 100 and (days > 70.0).mean() < 0.002
    some = windows(clean)
    target = some.batch(np.arange(len(some)), future_weather=False).target
    assert target is not None
    inside = (target[..., 0] >= here.quantiles[..., 0, 0]) & (target[..., 0] <= here.quantiles[..., 0, -1])
    assert 0.70 < inside[np.isfinite(target[..., 0])].mean() < 0.90


def test_the_pressure_of_another_altitude_changes_nothing(shanghai: HourlySeries, service: Combined) -> None:
    some = windows(shanghai)
    batch = some.batch(np.arange(len(some)), future_weather=True)
    lower, later = [
        {name: getattr(batch, name).copy() for name in names}
        for names in (
            ("history_weather", "area_weather", "future_weather", "area_future_weather"),
            ("future_weather", "area_future_weather"),
        )
    ]
    for changed, by in ((lower, 4_000.0), (later, 1_500.0)):
        for weather in changed.values():
            weather[..., SP] -= by
    mean = service.predict(batch).mean
    for changed in (lower, later):
        other = service.predict(dataclasses.replace(batch, **changed)).mean
        np.testing.assert_allclose(other, mean, rtol=2e-3, atol=0.05)


@pytest.mark.parametrize("informed", [False, True])
def test_a_steady_concentration_stays(shanghai: HourlySeries, service: Combined, informed: bool) -> None:
    steady = {name: np.full_like(getattr(shanghai, name), CLEAN) for name in FIELDS[:2]}
    found = forecast(service, dataclasses.replace(shanghai, **steady), informed=informed)
    assert found.mean[..., 0].min() > 7.0 and found.mean[..., 0].max() < 14.0
