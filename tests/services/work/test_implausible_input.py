"""Observations that are wrong as a whole: stored as published, used for nothing, and said."""

from __future__ import annotations

import numpy as np
import pytest

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation
from hazecast.grids.places.cities import load_registry
from hazecast.grids.quality import MEASURED_ZERO
from hazecast.services.sources.monitors.interface import Batch
from hazecast.services.store.monitors import save_readings, stored_monitors
from hazecast.services.store.store import Store
from hazecast.services.work.cycle import run_cycle
from hazecast.services.work.ingest import monitors
from hazecast.services.work.inputs import CycleInputs, forecast_cities
from hazecast.services.work.shortcomings import shortcomings
from tests.support.monitor_publishers import HOUR, LAST, NOW
from tests.support.settings import make_settings

REGISTRY = load_registry()
CITIES = ("beijing", "tianjin", "shijiazhuang", "tangshan")
HOURS, STATIONS = 96, 12


class Network:
    """A source of which nothing but its name is used."""

    name, kind, reporting = "cnemc", "measurement", MEASURED_ZERO


@pytest.fixture
def store(tmp_path):
    made = Store(make_settings(data_dir=tmp_path).database_url)
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def usual() -> np.ndarray:
    """Four days of PM2.5 around 60 ug m-3 at three stations each of four cities."""
    rng = np.random.default_rng(7)
    day = 12.0 * np.sin(2 * np.pi * np.arange(HOURS) / 24)[:, None]
    return np.round(np.clip(60 + day + rng.normal(0, 8, (HOURS, STATIONS)), 8, 200), 1)


def save(store: Store, values: np.ndarray, cities=CITIES) -> None:
    save_readings(store, Network(), batch_of(values, cities), REGISTRY, NOW)  # type: ignore[arg-type]


def batch_of(values: np.ndarray, cities=CITIES) -> Batch:
    batch = Batch()
    for number in range(values.shape[1]):
        station = NetworkStation("cnemc", str(number), str(number), cities[number % len(cities)])
        for hour, value in enumerate(values[:, number]):
            given = None if np.isnan(value) else float(value)
            batch.add(station, LAST - (len(values) - 1 - hour) * HOUR, [("pm25", given, "ug/m3")])
    return batch


def said(store: Store) -> tuple[list[str], np.ndarray]:
    """Return why a forecast is degraded, and the PM2.5 that it reads, (time, city)."""
    found = stored_monitors(store, REGISTRY, LAST, preference=["cnemc"])
    cities, skipped = forecast_cities(found, REGISTRY, LAST)
    inputs = CycleInputs(found, None, None, "none", False, ("no weather here",))
    reasons = shortcomings(inputs, cities, LAST, skipped=skipped)
    return [reason for reason in reasons if reason != "no weather here"], found.observations["pm25"].values


def test_usual_observations_have_no_faults(store, usual) -> None:
    save(store, usual)
    reasons, read = said(store)
    assert reasons == [] and np.isfinite(read).all()


@pytest.mark.parametrize("factor", [10, 100])
def test_values_that_are_ten_or_a_hundred_times_too_high(store, usual, factor) -> None:
    usual[-9:] *= factor
    save(store, usual)
    reasons, read = said(store)
    assert "observations: 9 hours in which a network fails as a whole are not used" in reasons
    assert all(f"{city}: newest PM2.5 is 9 h old" in reasons for city in CITIES) and np.nanmax(read) < 150


def test_a_source_that_repeats_yesterday_for_ever(store, usual) -> None:
    usual[-40:] = np.tile(usual[-64:-40], (2, 1))[:40]
    save(store, usual)
    reasons, read = said(store)
    assert "observations: 40 hours repeat the day before and are not used" in reasons
    assert sum("newest PM2.5 is 40 h old" in reason for reason in reasons) == 4 and np.isnan(read[-40:]).all()


def test_stations_without_a_value_and_no_station_at_all(store, usual) -> None:
    with pytest.raises(InputError, match="no PM2.5 from"):
        said(store)
    save(store, np.full_like(usual, np.nan))
    with pytest.raises(InputError, match="a city observed in"):
        said(store)


def test_when_39_of_40_cities_are_silent(store, usual) -> None:
    cities = list(REGISTRY.cities)[:40]
    values = np.repeat(usual[:, :1], 40, axis=1) + np.arange(40.0)
    save(store, values[:24], cities)
    with store.writing() as connection:
        connection.exec_driver_sql("update station_observation set time = datetime(time, '-7 days')")
    save(store, usual[:, :1], cities)
    reasons, _ = said(store)
    assert reasons == ["no PM2.5 in the last 72 h in 39 of 40 cities"]


def test_one_hour_of_900_everywhere_is_stored_and_not_used(store, usual) -> None:
    usual[-1] = 900.0
    save(store, usual)
    reasons, read = said(store)
    assert reasons == ["observations: 1 hours in which a network fails as a whole are not used"]
    assert np.isnan(read[-1]).all() and np.isfinite(read[:-1]).all()
    found = stored_monitors(store, REGISTRY, LAST)
    assert found.counts["distrusted"] == STATIONS and (found.stations["pm25_raw"].values[-1] == 900.0).all()


@pytest.mark.parametrize(("fault", "status"), [(None, "done"), ("units", "partial"), ("repeats", "partial")])
def test_the_ingest_names_the_source(store, usual, tmp_path, fault, status) -> None:
    if fault == "units":
        usual[-9:] *= 10
    if fault == "repeats":
        usual[-24:] = usual[-48:-24]
    batch = batch_of(usual)
    newest = [reading for reading in batch.readings if reading.time > LAST - 9 * HOUR]
    batch.readings = [reading for reading in batch.readings if reading.time <= LAST - 9 * HOUR]
    save_readings(store, Network(), batch, REGISTRY, NOW)  # type: ignore[arg-type]
    batch.readings = newest
    source = Network()
    source.fetch = lambda _: batch  # type: ignore[attr-defined]
    settings = make_settings(data_dir=tmp_path)
    outcome = monitors._ingest(source, store, settings, REGISTRY, NOW)  # type: ignore[arg-type]
    assert outcome.status == status and outcome.new == 9 * STATIONS
    words = f"{9 * STATIONS} of {9 * STATIONS} new values are not used: the network fails as a whole"
    assert any(words in problem for problem in outcome.problems) == (fault is not None)


@pytest.mark.slow
@pytest.mark.slowest
def test_a_cycle_warns_of_nothing_that_is_not_believed(store, usual, tmp_path) -> None:
    usual[-9:] *= 10
    usual[-1] = 900.0
    save(store, usual)
    settings = make_settings(data_dir=tmp_path, observations_dir="live", weather="none", monitor_sources=["cnemc"])
    report = run_cycle(settings, init_time=LAST, cities=CITIES)
    assert report.status == "degraded" and report.warnings == () and max(x.pm25_mean_24h for x in report.lines) < 150
