"""Windows: what they hold of a place and its area, and which hours may be read."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from hazecast.forecast.inputs import series_of
from hazecast.grids.contract import HISTORY_HOURS, LEAD_HOURS
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import read_observations
from hazecast.grids.places.cities import load_registry
from hazecast.grids.places.stations import load_stations
from hazecast.models.windows import scoring_windows, window_set
from tests.support.training_data import made_series


def test_area_is_the_mean_of_the_citys_stations(shared_data: Path) -> None:
    series = series_of(read_observations(shared_data / "beijing-multisite", None), load_registry())
    stations = series.places != "beijing"
    assert stations.sum() == 12 and (series.area == 0).all()
    hours = slice(5_000, 5_500)
    own = np.ma.masked_invalid(series.observations[stations, hours]).mean(axis=0).filled(np.nan)
    np.testing.assert_allclose(series.area_observations[0, hours], own, rtol=1e-4)
    windows = window_set((series,), series.times[5_000], series.times[5_400], every=24)
    batch = windows.batch(np.arange(len(windows)), future_weather=True)
    city = batch.place == "beijing"
    np.testing.assert_array_equal(batch.area_obs[city], batch.history_obs[city])
    np.testing.assert_array_equal(batch.area_future_weather[city], batch.future_weather[city])
    huairou = batch.place == "Huairou"
    np.testing.assert_allclose(batch.latitude[huairou], 40.328)
    assert not np.array_equal(batch.area_obs[huairou], batch.history_obs[huairou], equal_nan=True)


def test_a_city_that_is_no_partner_can_be_read_for_a_backtest(shared_data: Path, tmp_path: Path) -> None:
    shutil.copy(shared_data / "five-cities" / "shanghai.csv.gz", tmp_path / "chengdu.csv.gz")
    with gzip.open(shared_data / "five-cities" / "shenyang.csv.gz", "rt") as lines:
        (tmp_path / "atlantis.csv").write_text("".join(lines.readline() for _ in range(400)))
    with pytest.raises(InputError, match=r"atlantis|chengdu"):
        read_observations(tmp_path, load_registry())
    series = series_of(read_observations(tmp_path, None), load_registry())
    at = {str(place): number for number, place in enumerate(series.places)}
    assert series.latitude[at["chengdu"]] == pytest.approx(30.66)
    assert np.isnan(series.latitude[at["atlantis"]]) and series.utc_offset[at["atlantis"]] == 8


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('station = [{ id = "a", city = "b", latitude = 91.0, longitude = 0.0 }]', "latitude"),
        ('station = [{ id = "a", city = "b", latitude = 1.0 }]', "longitude"),
        ('city = [{ id = "a", latitude = 1, longitude = 2, time_zone = "x" }, '
         '{ id = "a", latitude = 1, longitude = 2, time_zone = "x" }]', "twice"),
        ("station = 3 3", "TOML"),
    ],
)  # fmt: skip
def test_wrong_station_tables_are_named(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "stations.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=found):
        load_stations(path)


def test_scoring_windows_look_back_before_the_period_and_never_past_its_end() -> None:
    series = made_series()
    start, end = series.times[100], series.times[300]
    windows = scoring_windows((series,), start, end, every=3)
    now = windows.index[:, 2]
    assert now.min() == 100 and now.max() == 298 and ((now - 100) % 3 == 0).all()
    batch = windows.batch(np.arange(len(windows)), future_weather=True)
    late = batch.init_time[:, None] + np.arange(1, LEAD_HOURS + 1) * np.timedelta64(1, "h") > end
    assert late.any()
    for hidden in (batch.target, batch.future_weather, batch.area_future_weather):
        assert np.isnan(hidden[late]).all() and np.isfinite(hidden[~late]).all()
    np.testing.assert_array_equal(batch.history_obs[0], series.observations[0, 101 - HISTORY_HOURS : 101])


def test_scoring_windows_reach_the_end_of_the_series() -> None:
    series = made_series()
    windows = scoring_windows((series,), series.times[500], series.times[-1])
    batch = windows.batch(np.arange(len(windows)), future_weather=True)
    assert windows.index[:, 2].max() == len(series.times) - 2
    np.testing.assert_array_equal(batch.target[-1, 0], series.observations[1, -1, :2])
    assert np.isnan(batch.target[-1, 1:]).all()
