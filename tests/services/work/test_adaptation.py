"""The model in service follows its own verified forecasts, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.observations.collections import read_observations
from hazecast.grids.places.cities import load_registry
from hazecast.models.registry import load_trained
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from hazecast.services.work.adaptation import adapt
from hazecast.services.work.cycle import run_cycle
from tests.support.settings import make_settings

FIRST = datetime(2014, 1, 10, 10, tzinfo=UTC)
DAY = timedelta(days=1)
CALIBRATION = ("calibration_offset", "calibration_shift")


def run(settings: Settings, init_time: datetime) -> xr.Dataset:
    report = run_cycle(settings, init_time=init_time, cities=("beijing", "shanghai"))
    with xr.open_dataset(report.netcdf_path, decode_timedelta=True) as forecast:
        return forecast.load()


@pytest.fixture
def settings(shared_data, tmp_path) -> Settings:
    return make_settings(data_dir=tmp_path, observations_dir=shared_data / "five-cities")


def test_calibration_starts_as_trained_and_follows_from_run_to_run(settings) -> None:
    model, model_id = load_trained()
    runs = [run(settings, FIRST + number * DAY) for number in range(3)]
    assert runs[0].attrs["model_id"] == model_id and not runs[0]["informed"].any()
    np.testing.assert_array_equal(runs[0]["calibration_offset"], model.calibration[0])
    moved = [np.abs(b["calibration_offset"] - a["calibration_offset"]) for a, b in pairwise(runs)]
    for change in moved:
        by_ensemble = change.max(["lead_time", "pollutant", "quantile"]).values
        # Only the blind ensemble forecast, so only it learns; a day moves it a little.
        assert 0 < by_ensemble[0] < 0.1 and by_ensemble[1] == 0
    # On the first day only the first 24 lead times of one forecast had been observed.
    assert not moved[0].sel(lead_time=slice(np.timedelta64(25, "h"), None)).any()


def test_a_cycle_run_again_learns_the_same_again(settings) -> None:
    run(settings, FIRST)
    once, again = run(settings, FIRST + DAY), run(settings, FIRST + DAY)
    for name in (*CALIBRATION, "pm25", "o3"):
        np.testing.assert_array_equal(once[name], again[name])


def test_nothing_observed_later_and_nothing_twice(settings) -> None:
    run(settings, FIRST)
    now = FIRST + DAY
    observations = read_observations(settings.inputs.observations_dir, load_registry()).observations
    known = observations.where(observations["time"] <= np.datetime64(now.replace(tzinfo=None)), 1.0)
    store = Store(settings.database_url)
    learned = []
    for given in (observations, known):
        model, model_id = load_trained()
        # Two cities, 24 h each, PM2.5 alone.
        assert 40 <= adapt(model, model_id, store, given, now) <= 48
        learned.append(model.calibration)
    np.testing.assert_array_equal(learned[0][0], learned[1][0])
    assert adapt(load_trained()[0], "another model", store, observations, now) == 0
    run(settings, now)
    model, model_id = load_trained()
    assert adapt(model, model_id, store, observations, now + timedelta(hours=1)) <= 4
    store.close()


def test_a_forecast_whose_file_is_gone_teaches_nothing(settings) -> None:
    report = run_cycle(settings, init_time=FIRST, cities=("beijing",))
    report.netcdf_path.unlink()
    forecast = run(settings, FIRST + DAY)
    np.testing.assert_array_equal(forecast["calibration_offset"], load_trained()[0].calibration[0])
