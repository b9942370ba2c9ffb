"""Windows: what they hold of a place and its area, and which hours may be read."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from hazecast.forecast.inputs import series_of, windows_at
from hazecast.grids.contract import HISTORY_HOURS, LEAD_HOURS
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import read_observations
from hazecast.grids.places.cities import load_registry
from hazecast.grids.places.stations import load_stations
from hazecast.models.windows import scoring_windows, window_set
from tests.support.forecasts import HOUR, INIT, observations_of
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


def test_a_citys_level_is_computed_from_the_longer_observations_and_reads_nothing_later() -> None:
    beijing = [load_registry().city("beijing")]
    pm25 = np.random.default_rng(0).gamma(2.0, 40.0, 900)
    everything = observations_of(pm25, INIT + 60 * HOUR)
    recent = everything.sel(time=slice(INIT - 80 * HOUR, None))
    longer = everything.sel(time=slice(None, INIT - 10 * HOUR))
    whole, joined, bare = (
        windows_at(seen, None, beijing, INIT, longer=earlier)
        for seen, earlier in ((everything, None), (recent, longer), (recent, None))
    )
    assert joined.target is None and not joined.informed.any()
    for name in ("level", "spread", "same_hour", "history_obs", "long_level"):
        np.testing.assert_allclose(getattr(joined, name), getattr(whole, name), rtol=1e-5, err_msg=name)
    assert not np.allclose(bare.level[:, 0], whole.level[:, 0], rtol=1e-2)
    known = everything["pm25"].sel(time=slice(None, INIT)).values[-720:, 0]
    assert whole.level[0, 0] == pytest.approx((known.sum() + 48 * 38.0) / 768, rel=1e-4)
    changed = everything.where(everything["time"] <= INIT, 999.0)
    np.testing.assert_array_equal(windows_at(changed, None, beijing, INIT).level, whole.level)


def test_guidance_and_whether_the_weather_was_observed_are_said_of_a_forecast() -> None:
    beijing = [load_registry().city("beijing")]
    seen = observations_of(np.full(100, 50.0), INIT)
    guidance = np.full((1, LEAD_HOURS, 2), 33.0, np.float32)
    given = windows_at(seen, None, beijing, INIT, guidance=guidance)
    np.testing.assert_array_equal(given.guidance, guidance)
    plain = windows_at(seen, None, beijing, INIT, weather_observed=True)
    assert np.isnan(plain.guidance).all() and np.isnan(plain.monthly).all()
    assert given.weather_error == [1.0] and plain.weather_error == [0.0]
    with pytest.raises(InputError, match="whole hour"):
        windows_at(seen, None, beijing, INIT + np.timedelta64(5, "m"))
