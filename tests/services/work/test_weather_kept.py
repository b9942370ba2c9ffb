"""Old weather cycles: removed, or kept at the cities where the service learns from them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import xarray as xr

from hazecast.grids.places.cities import load_registry
from hazecast.services.sources.weather.interface import Cycle
from hazecast.services.store.weather_cycles import WeatherStore
from hazecast.services.work.ingest.weather import remove_old
from tests.support.settings import make_settings
from tests.support.weather_samples import hourly_weather

NOW = datetime(2026, 5, 1, tzinfo=UTC)
CITIES = [load_registry().city(name) for name in ("beijing", "tianjin")]


def saved(store: WeatherStore, days: float) -> Cycle:
    """Store a grid that was issued so many days before NOW."""
    init_time = NOW - timedelta(days=days)
    stamp = f"{init_time:%Y-%m-%dT%H:%M:%SZ}"
    store.save("gfs", hourly_weather(f"{init_time:%Y-%m-%dT%H}", 3, names=("t2m", "blh"), init_time=stamp, late="1"))
    return Cycle("gfs", init_time)


def sizes(store: WeatherStore, cycle: Cycle) -> set[str]:
    with xr.open_dataset(store.path(cycle)) as opened:
        return set(opened.sizes)


@pytest.fixture
def store(tmp_path):
    return WeatherStore(tmp_path / "weather")


def test_where_nothing_is_learned_old_cycles_go(store, tmp_path) -> None:
    old, new = saved(store, 11), saved(store, 9)
    assert remove_old(make_settings(data_dir=tmp_path), store, NOW) == 1
    assert not store.has(old) and sizes(store, new) == {"time", "latitude", "longitude"}


def test_where_the_service_learns_they_stay_at_the_cities(store, tmp_path, caplog) -> None:
    settings = make_settings(data_dir=tmp_path, retrain="register", retrain_reach_days=90)
    ancient, older, old, new = (saved(store, days) for days in (91, 12, 11, 9))
    (_, before), *_ = store.issued(old.init_time, old.init_time, CITIES, ())
    assert remove_old(settings, store, NOW) == 1 and not store.has(ancient)
    assert sizes(store, old) == sizes(store, older) == {"time", "city"} and "latitude" in sizes(store, new)
    (init_time, after), *_ = store.issued(old.init_time, old.init_time, CITIES, ())
    xr.testing.assert_allclose(before, after)
    assert init_time == old.init_time and after.attrs["init_time"] == before.attrs["init_time"] and after.attrs["late"]
    written = store.path(old).stat().st_mtime_ns
    assert remove_old(settings, store, NOW) == 0 and store.path(old).stat().st_mtime_ns == written

    fresh = saved(store, 10.5)
    store.path(fresh).write_bytes(b"damaged")
    assert remove_old(settings, store, NOW) == 0 and "of no use to learn from" in caplog.text
