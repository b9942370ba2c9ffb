"""The forecast of a cycle: what it is made from, by which model, and with what it is labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import xarray as xr

from hazecast.alerts.messages.causes import CAUSE_WEATHER
from hazecast.forecast.composition import composition_ahead, with_composition
from hazecast.forecast.inputs import windows_at
from hazecast.forecast.produce import in_chunks, make_forecast
from hazecast.forecast.products import valid_times
from hazecast.grids.contract import HISTORY_HOURS, WEATHER
from hazecast.grids.places.cities import City
from hazecast.grids.times import to_datetime64
from hazecast.models.familiarity import unfamiliar
from hazecast.models.interface import Described, Familiar, Model
from hazecast.models.series import Windows
from hazecast.models.zoo.combined import Combined
from hazecast.services.work.adaptation import with_experts, with_state
from hazecast.services.work.inputs import CycleInputs

# Inputs that lie outside what training saw: so many are named, the rest counted.
_NAMED = 20


@dataclass(frozen=True)
class Given:
    """What a forecast is made from: the inputs, the init time and the cities.

    `skipped` gives why other cities are left out; `longer`, contract "observations", reaches further back where the
    inputs hold the last days alone.
    """

    inputs: CycleInputs
    init_time: datetime
    cities: list[City]
    skipped: dict[str, str]
    longer: xr.Dataset | None

    @property
    def city_ids(self) -> list[str]:
        """The ids of the cities."""
        return [city.id for city in self.cities]

    @property
    def history(self) -> xr.Dataset:
        """The observations of the cities in the 72 h up to the init time."""
        init = to_datetime64(self.init_time)
        times = slice(init - np.timedelta64(HISTORY_HOURS - 1, "h"), init)
        return self.inputs.monitors.observations.sel(city=self.city_ids, time=times)


@dataclass(frozen=True)
class Served:
    """The model in service, its id, and why it is not the one that was chosen, if so."""

    model: Model
    model_id: str
    faults: list[str]

    @cached_property
    def combined(self) -> Combined:
        """The model with the experts it is combined with, as it was trained until it learns from what is stored."""
        return Combined(self.model)


def weather_used(model: Model) -> tuple[str, ...]:
    """Return the weather variables that a model saw in its training; all, where it doesn't say."""
    features = model.describe().get("features", {}) if isinstance(model, Described) else {}
    return tuple(features.get("weather", WEATHER))


def _windows(given: Given, cities: Sequence[City]) -> Windows:
    init, inputs = to_datetime64(given.init_time), given.inputs
    return windows_at(
        inputs.monitors.observations, inputs.past, cities, init,
        future_weather=inputs.future, weather_observed=inputs.weather_observed, longer=given.longer,
        guidance=composition_ahead(inputs.composition, [city.id for city in cities], init),
    )  # fmt: skip


def forecast_from(given: Given, served: Served) -> tuple[xr.Dataset, list[str]]:
    """Make the forecast of a cycle, some cities at a time (`hazecast.forecast.produce.in_chunks`).

    Parameters
    ----------
    given : Given
    served : Served

    Returns
    -------
    forecast : xarray.Dataset
        Contract "forecast", with the state that the combination has learned.
    strange : list of str
        Which inputs lie outside what training saw, in words.
    """
    strange: list[str] = []
    pm25 = given.inputs.monitors.observations["pm25"]
    pm25 = pm25.sel(city=given.city_ids, time=slice(None, to_datetime64(given.init_time)))
    newest = pm25["time"].values[pm25.notnull().any("city").values][-1]

    def part(cities: Sequence[City]) -> xr.Dataset:
        windows = _windows(given, cities)
        if isinstance(served.model, Familiar):
            strange.extend(map(str, unfamiliar(windows, served.model.familiar)))
        return _part(given, served, windows, newest)

    inputs = given.inputs
    forecast = with_composition(
        _with_weather(in_chunks(given.cities, part), inputs.future), inputs.composition, inputs.composition_source
    )
    more = [f"{len(strange) - _NAMED} more inputs lie outside what training saw"] if len(strange) > _NAMED else []
    return with_state(forecast, served.combined), strange[:_NAMED] + more


def _part(given: Given, served: Served, windows: Windows, newest: np.datetime64) -> xr.Dataset:
    init, inputs = to_datetime64(given.init_time), given.inputs
    ids = [str(place) for place in windows.place]
    prediction = served.combined.predict(windows)
    assert prediction.experts is not None
    forecast = make_forecast(
        prediction,
        served.model_id,
        windows,
        ids,
        init,
        weather_source=inputs.weather_source,
        observations_until=newest,
        simulated=inputs.simulated,
        degraded=False,
        measured_humidity=_measured_humidity(given, ids),
    )
    return with_experts(forecast, windows, prediction.experts)


def _measured_humidity(given: Given, cities: Sequence[str]) -> np.ndarray | None:
    """Return the humidity that cities' stations measured in the 72 h up to the init time, (city, hour), %."""
    history = given.history.sel(city=list(cities))
    if "relative_humidity" not in history:
        return None
    init = to_datetime64(given.init_time)
    hours = init - np.arange(HISTORY_HOURS - 1, -1, -1) * np.timedelta64(1, "h")
    return np.asarray(history["relative_humidity"].transpose("city", "time").reindex(time=hours).values)


def _with_weather(forecast: xr.Dataset, future: xr.Dataset | None) -> xr.Dataset:
    """Add the wind, mixing layer and moisture that the forecast is based on: warnings name them."""
    names = [name for name in CAUSE_WEATHER if future is not None and name in future]
    if future is None or not names:
        return forecast
    air = future[names].sel(city=forecast["city"].values).reindex(time=valid_times(forecast))
    return forecast.assign({name: (("lead_time", "city"), air[name].values, air[name].attrs) for name in names})
