"""The observed hours that a model learns from: measured ones only, on an hourly axis without gaps."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from hazecast.grids.quality.flags import MODELLED
from hazecast.services.store import city_hours
from hazecast.services.store.city_hours import measured_hours, observed_span
from tests.support.learning_store import HOUR, START, observed_months
from tests.support.observations import store_observations
from tests.support.settings import make_settings


@pytest.fixture
def store(databases, tmp_path):
    store = databases.store(tmp_path)
    yield store
    store.close()


def test_what_was_measured_is_read_and_nothing_else(store, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(city_hours, "_AT_ONCE", timedelta(hours=20))
    data = observed_months(make_settings(data_dir=tmp_path / "other"), 60)
    data["pm25_flag"][:, 1] = MODELLED
    store_observations(store, data.drop_isel(time=[30]), False)
    store_observations(store, data.assign_coords(city=["osaka", "kobe"]), True)
    assert observed_span(store) == (START, START + timedelta(hours=59))
    found, counts = measured_hours(store, START, START + timedelta(hours=50))
    assert list(found["city"].values) == ["beijing"] and counts == {"modelled_hours": 50}
    assert found.sizes["time"] == 51 and (np.diff(found["time"].values) == HOUR).all()
    wanted = data["pm25"].values[:51, 0].copy()
    wanted[30] = np.nan
    np.testing.assert_array_equal(found["pm25"].values[:, 0], wanted)
    assert found["no2"].isnull().all()


def test_an_empty_store_holds_nothing(store) -> None:
    assert observed_span(store) is None
    assert measured_hours(store, START, START + timedelta(hours=5)) == (None, {})
