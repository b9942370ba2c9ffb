"""The sensitivity to the wind for modelers: labelled as one, and refused where there is no wind to turn."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.contract import describe
from hazecast.grids.errors import InputError
from hazecast.models.kinds import create
from hazecast.services.research.lab import Collection
from hazecast.services.research.sensitivity import transport_sensitivity
from tests.support.forecasts import HOUR, INIT, observations_of
from tests.support.training_data import made_series


def collection(*, weather: bool) -> Collection:
    observations = observations_of(np.linspace(10.0, 90.0, 300), INIT + 150 * HOUR)
    wind = {name: (("time", "city"), np.full((300, 1), 3.0)) for name in ("u10", "v10")}
    air = describe(xr.Dataset(wind, observations.coords, {"source": "made"}), "city_weather")
    return Collection("made", observations, None, air if weather else None, made_series(), {})


def test_it_is_labelled_as_a_sensitivity_and_a_model_without_wind_has_none() -> None:
    found = transport_sensitivity(create("persistence"), collection(weather=True), "2013-01-31T22:00Z")
    assert found.name == "pm25_transport_sensitivity" and found.attrs["units"] == "ug m-3"
    assert "not a share of emissions" in found.attrs["long_name"]
    assert found.sizes == {"lead_time": 120, "city": 1}
    xr.testing.assert_allclose(found, xr.zeros_like(found))


def test_bad_input_is_named() -> None:
    with pytest.raises(InputError, match="made: weather: found none"):
        transport_sensitivity(create("persistence"), collection(weather=False), "2013-01-31T22:00Z")
    with pytest.raises(InputError, match="tokyo"):
        transport_sensitivity(create("persistence"), collection(weather=True), "2013-01-31T22:00Z", ["tokyo"])
