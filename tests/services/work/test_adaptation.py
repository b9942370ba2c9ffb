"""The combination in service follows its own verified forecasts, and nothing else."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.observations.collections import read_observations
from hazecast.grids.places.cities import load_registry
from hazecast.models.combination import POOL_HALF_LIFE, State
from hazecast.models.experts import LEAD_GROUPS
from hazecast.models.registry import load_trained
from hazecast.models.zoo.baselines import Persistence
from hazecast.models.zoo.combined import Combined
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from hazecast.services.work.adaptation import adapt, state_of, with_experts, with_state
from hazecast.services.work.cycle import run_cycle
from tests.support.forecasts import forecast_of
from tests.support.settings import make_settings
from tests.support.training_data import made_windows

FIRST = datetime(2014, 1, 10, 10, tzinfo=UTC)
DAY = timedelta(days=1)
# Groups of several lead times up to 24 h, so that a missing hour leaves others; and the one after, of which nothing has
# been observed a day after the first forecast.
FIRST_DAY = slice(LEAD_GROUPS.index((4, 6)), LEAD_GROUPS.index((25, 48)))
SECOND_DAY = LEAD_GROUPS.index((25, 48))


def run(settings: Settings, init_time: datetime) -> xr.Dataset:
    report = run_cycle(settings, init_time=init_time, cities=("beijing", "shanghai"))
    with xr.open_dataset(report.netcdf_path, decode_timedelta=True) as forecast:
        return forecast.load()


def serving() -> tuple[Combined, str]:
    model, model_id = load_trained()
    return Combined(model), model_id


def assert_same(one: State, other: State) -> None:
    assert one.places == other.places
    for name, value in one.arrays().items():
        np.testing.assert_array_equal(value, other.arrays()[name], err_msg=name)


@pytest.fixture
def settings(shared_data, tmp_path) -> Settings:
    return make_settings(data_dir=tmp_path, observations_dir=shared_data / "five-cities")


def test_a_state_comes_back_from_the_file_of_a_forecast(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    batch = made_windows().batch(np.array([0, -1]), future_weather=False)
    windows = dataclasses.replace(batch, place=np.array(["beijing", "seoul"]))
    model = Combined(Persistence())
    model.fit(made_windows())
    first = State.empty().with_places(["beijing", "seoul", "tokyo"])
    drawn = {name: random.normal(size=value.shape).astype(np.float32) for name, value in first.arrays().items()}
    # Moments are of errors, and days and squares are not negative.
    drawn["moments"] = first.moments * np.float32(1.7)
    drawn |= {name: np.abs(drawn[name]) for name in ("days", "bias_square", "guidance")}
    model.state = State(first.places, **drawn)
    prediction = model.predict(windows)
    forecast = with_state(
        with_experts(forecast_of(50.0, cities=("beijing", "seoul")), windows, prediction.experts), model
    )
    forecast.to_netcdf(tmp_path / "forecast.nc")
    with xr.open_dataset(tmp_path / "forecast.nc", decode_timedelta=True) as opened:
        kept = opened.load()
    assert_same(state_of(kept), model.state)
    np.testing.assert_array_equal(kept["informed"], windows.informed)
    np.testing.assert_array_equal(kept["long_level"], windows.long_level[:, :2])
    np.testing.assert_array_equal(
        kept["o3_expert"].transpose("city", "lead_time", "expert"), prediction.experts[:, :, 1]
    )


def test_the_combination_starts_as_trained_and_follows_from_run_to_run(settings) -> None:
    model, model_id = serving()
    runs = [run(settings, FIRST + number * DAY) for number in range(3)]
    states = [state_of(one) for one in runs]
    assert runs[0].attrs["model_id"] == model_id and not runs[0]["informed"].any()
    assert_same(states[0], model.state.with_places(["beijing", "shanghai"]))
    for number, (before, after) in enumerate(pairwise(states)):
        moved = np.abs(after.offsets - before.offsets)
        # Only forecasts without weather were made, and PM2.5 alone observed; a day moves little.
        assert 0 < moved[:, 0, :, 0].max() < 0.06
        assert not moved[:, 1].any() and not moved[:, :, :, 1].any()
        learned = after.moments != before.moments
        assert learned[:, 0, FIRST_DAY, 0].all() and not learned[:, 1].any()
        # On the first day only the first 24 lead times of one forecast had been observed.
        assert moved[:, 0, SECOND_DAY, 0].any() == (number > 0) and not moved[:, 0, SECOND_DAY + 1 :].any()
    assert (states[0].days[0] == POOL_HALF_LIFE).all() and not states[0].days[1:].any()
    np.testing.assert_allclose(states[1].days[1:, 0, FIRST_DAY, 0], 1.0, rtol=1e-5)


def test_a_cycle_run_again_learns_the_same_again(settings) -> None:
    run(settings, FIRST)
    once, again = run(settings, FIRST + DAY), run(settings, FIRST + DAY)
    assert_same(state_of(once), state_of(again))
    for name in ("pm25", "o3", "pm25_mean", "pm25_expert"):
        np.testing.assert_array_equal(once[name], again[name])


def test_nothing_observed_later_and_nothing_twice(settings) -> None:
    run(settings, FIRST)
    now = FIRST + DAY
    observations = read_observations(settings.inputs.observations_dir, load_registry()).observations
    known = observations.where(observations["time"] <= np.datetime64(now.replace(tzinfo=None)), 1.0)
    store = Store(settings.database_url)
    learned = []
    for given in (observations, known):
        model, model_id = serving()
        # Two cities, 24 h each, PM2.5 alone.
        assert 40 <= adapt(model, model_id, store, given, now) <= 48
        learned.append(model.state)
    assert_same(*learned)
    assert adapt(serving()[0], "another model", store, observations, now) == 0
    run(settings, now)
    model, model_id = serving()
    assert adapt(model, model_id, store, observations, now + timedelta(hours=1)) <= 4
    store.close()


def test_a_forecast_whose_file_is_gone_teaches_nothing(settings) -> None:
    report = run_cycle(settings, init_time=FIRST, cities=("beijing",))
    report.netcdf_path.unlink()
    forecast = run(settings, FIRST + DAY)
    assert_same(state_of(forecast), serving()[0].state.with_places(["beijing", "shanghai"]))
