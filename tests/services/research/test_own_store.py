"""What a model learns from is what the service would have given it at the time."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from hazecast.forecast.inputs import windows_at
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.grids.times import to_datetime64
from hazecast.models.training.tuning import init_times
from hazecast.services.research.own_store import newest_measured, read_store
from hazecast.services.store.store import Store
from hazecast.services.store.weather_cycles import WeatherStore
from tests.support.learning_store import CITIES, START, observed_months, stored_cycles
from tests.support.settings import make_settings

READ = (
    "history_obs", "history_weather", "future_weather", "area_obs", "area_weather", "area_future_weather",
    "init_time", "utc_offset", "place", "latitude", "longitude", "weather_error",
)  # fmt: skip


@pytest.fixture
def settings(tmp_path):
    return make_settings(data_dir=tmp_path)


def test_a_window_holds_what_a_cycle_of_its_init_time_would_have_read(settings) -> None:
    data = observed_months(settings, 400)
    stored_cycles(settings, [START + timedelta(hours=h) for h in (0, 48, 66, 84, 90, 96, 108)])
    store = Store(settings.database_url)
    found = read_store(settings, store, START, START + timedelta(hours=399))
    store.close()
    assert found.cycles == 7
    # A cycle is there six hours after its init time: at 102 h that of 96 h, at 90 h that of 84 h.
    windows = found.training(START + timedelta(hours=399))
    cities = [load_registry().city(name) for name in CITIES]
    for hour, newest in ((102, 96), (90, 84)):
        at = START + timedelta(hours=hour)
        weather = WeatherStore(settings.weather_dir)
        known = weather.known(at, cities, ("gfs",))
        issued = weather.known(START + timedelta(hours=newest), cities, ("gfs",)).future
        served = windows_at(data, known.past, cities, to_datetime64(at), future_weather=issued)
        rows = np.flatnonzero(init_times(windows) == to_datetime64(at))
        batch = windows.batch(rows, future_weather=True)
        for name in READ:
            np.testing.assert_array_equal(getattr(batch, name), getattr(served, name), err_msg=f"{name} at {hour} h")


def test_no_hour_after_the_training_is_read(settings) -> None:
    observed_months(settings, 400)
    store = Store(settings.database_url)
    until = START + timedelta(hours=300)
    assert newest_measured(store) == START + timedelta(hours=399)
    found = read_store(settings, store, START - timedelta(days=900), until)
    store.close()
    assert found.series.times[-1] == to_datetime64(until) and found.issued is None
    assert not found.training(until).batch(np.arange(3), future_weather=True).informed.any()


def test_models_are_compared_at_the_widest_step_that_gives_plenty(settings) -> None:
    observed_months(settings, 24 * 60)
    store = Store(settings.database_url)
    found = read_store(settings, store, START, START + timedelta(days=60))
    store.close()
    windows, every = found.scoring(START + timedelta(days=3), START + timedelta(days=60))
    assert every == 1 and len(windows) == 2 * (57 * 24 - 1)
    # The same series in a hundred places.
    series = found.series
    by_place = ("observations", "weather", "area", "utc_offset", "latitude", "longitude")
    wide = {name: np.repeat(getattr(series, name), 50, axis=0) for name in by_place}
    many = dataclasses.replace(series, **wide, places=np.array([f"place{n}" for n in range(100)]))
    assert (
        dataclasses.replace(found, series=many).scoring(START + timedelta(days=3), START + timedelta(days=60))[1] == 12
    )


def test_an_empty_store_says_so(settings) -> None:
    store = Store(settings.database_url)
    store.migrate()
    with pytest.raises(InputError, match="the store: found no observed hours"):
        newest_measured(store)
    with pytest.raises(InputError, match="nothing measured"):
        read_store(settings, store, datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC))
    store.close()
