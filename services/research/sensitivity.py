"""For modelers: how much a model's PM2.5 depends on the direction of the wind. No part of a forecast or a warning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from hazecast.forecast.inputs import windows_at
from hazecast.grids.contract import LEAD_HOURS, POLLUTANTS
from hazecast.grids.errors import InputError
from hazecast.grids.times import parse_time, to_datetime64
from hazecast.models.interface import Model
from hazecast.models.sensitivity import transport_sensitivity as of_windows
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings
from hazecast.services.research.lab import Collection, Fitted


def transport_sensitivity(
    model: Model | Fitted, data: Collection, init_time: str, cities: Sequence[str] = ()
) -> xr.DataArray:
    """Return how much a model's PM2.5 exceeds that with the observed wind turned to the cleanest of eight directions.

    Parameters
    ----------
    model : Model or Fitted
    data : Collection
        With weather.
    init_time : str
    cities : sequence of str
        City ids; by default all of the collection.

    Returns
    -------
    xarray.DataArray (lead_time, city)
        ``pm25_transport_sensitivity``, ug m-3; see `hazecast.models.sensitivity`.

    Raises
    ------
    InputError
        If the collection has no weather, or a city isn't in it.

    Examples
    --------
    ::

        data = lab.load("DIR/five-cities")
        network, _ = load_trained()
        transport_sensitivity(network, data, "2013-01-12T00:00+08:00", ["beijing"]).mean("lead_time")
    """
    if data.weather is None:
        raise InputError(f"{data.name}: weather", "none", "a collection with weather, whose wind can be turned")
    known = [str(city) for city in data.observations["city"].values]
    for city in cities:
        if city not in known:
            raise InputError("city", city, f"one of {known}, which {data.name} holds")
    registry = city_registry(Settings())
    chosen = [registry.city(city) for city in cities or known]
    windows = windows_at(
        data.observations, data.weather, chosen, to_datetime64(parse_time(init_time, "init_time")),
        future_weather=data.weather, weather_observed=True,
    )  # fmt: skip
    plain = model.model if isinstance(model, Fitted) else model
    return xr.DataArray(
        of_windows(plain, windows).T,
        dims=("lead_time", "city"),
        coords={
            "lead_time": np.arange(1, LEAD_HOURS + 1).astype("timedelta64[h]").astype("timedelta64[ns]"),
            "city": [city.id for city in chosen],
        },
        name="pm25_transport_sensitivity",
        attrs={
            "units": POLLUTANTS["pm25"].units,
            "long_name": "sensitivity of the model's PM2.5 to the direction of the wind, not a share of emissions",
            "comment": "expected value less that with the wind turned to the cleanest of eight directions",
        },
    )
