"""The forecasts of a replay, each as the service would have issued it: combined on line, with the weather of the plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
import xarray as xr

from hazecast.forecast.evaluation.backtest import Memory
from hazecast.forecast.inputs import series_of, stacked, windows_at
from hazecast.forecast.produce import make_forecast
from hazecast.grids.contract import FORECAST_POLLUTANTS, LEAD_HOURS
from hazecast.grids.observations.collections import MonitorData
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import to_datetime64
from hazecast.models import checkpoint
from hazecast.models.background import LEVEL_HOURS
from hazecast.models.interface import Model, Prediction
from hazecast.models.registry import load_trained
from hazecast.models.series import HourlySeries, Windows
from hazecast.models.weather_errors import WeatherErrors
from hazecast.models.windows import only_until
from hazecast.models.zoo.combined import Combined
from hazecast.services.research.replay.result import ReplayPlan
from hazecast.services.work.inputs import NO_WEATHER, OBSERVED_WEATHER

ERRING_WEATHER = "erring"
# What the coming weather of a replay may be, and how it is called in a forecast.
WEATHER_LABELS = {
    NO_WEATHER: "none",
    OBSERVED_WEATHER: "observed weather in place of a forecast (perfect prog)",
    ERRING_WEATHER: "observed weather in place of a forecast, made to err as a forecast's",
}
Cycle = tuple[datetime, Sequence[City]]
_HOUR = np.timedelta64(1, "h")
_DAY = np.timedelta64(24, "h")
_AT_ONCE = 48


class Forecaster:
    """Issues the forecasts of a replay; what the service learns from verified ones, it learns here once a day.

    Parameters
    ----------
    plan : ReplayPlan
    data : MonitorData
        The collection.
    registry : Registry
    """

    def __init__(self, plan: ReplayPlan, data: MonitorData, registry: Registry) -> None:
        model, self.model_id = _model(plan)
        self._combined = model if isinstance(model, Combined) else Combined(model)
        self._memory = Memory(self._combined)
        self._learned: np.datetime64 | None = None
        self._plan, self._data = plan, data
        self.label = WEATHER_LABELS[plan.weather]
        self._series = _whole_series(plan, data, registry) if plan.weather == ERRING_WEATHER else None

    def issued(self, cycles: Sequence[Cycle]) -> Iterator[tuple[xr.Dataset, Windows]]:
        """Give the forecast of each cycle and what it was made from.

        Parameters
        ----------
        cycles : sequence of (datetime, sequence of City)
            Init times, aware and in order, with the cities that are forecast.

        Yields
        ------
        forecast : xarray.Dataset
            Contract "forecast".
        windows : Windows
            One a city.
        """
        for start in range(0, len(cycles), _AT_ONCE):
            some = cycles[start : start + _AT_ONCE]
            cut = [self._windows(to_datetime64(init_time), cities) for init_time, cities in some]
            # What the model gives depends on its windows alone: many cycles in one call are many times as fast.
            raw = self._combined.model.predict(Windows.join(cut))
            ends = np.cumsum([len(one) for one in cut])
            for (init_time, cities), windows, end in zip(some, cut, ends, strict=True):
                own = slice(int(end) - len(windows), int(end))
                prediction = Prediction(raw.quantiles[own], raw.mean[own])
                yield self._issue(to_datetime64(init_time), cities, windows, prediction), windows

    def _issue(self, init: np.datetime64, cities: Sequence[City], windows: Windows, raw: Prediction) -> xr.Dataset:
        if self._learned is None or init - self._learned >= _DAY:
            self._memory.learn(init)
            self._learned = init
        prediction = self._combined.combined(windows, raw)
        ids = [c.id for c in cities]
        times = init + np.arange(1, LEAD_HOURS + 1) * _HOUR
        coming = self._data.observations.sel(time=slice(times[0], times[-1]))
        self._memory.add(windows, stacked(coming, FORECAST_POLLUTANTS, "city", ids, times), prediction)
        return make_forecast(
            prediction, self.model_id, windows, ids, init, weather_source=self.label, observations_until=init,
            simulated=False, degraded=False,
        )  # fmt: skip

    def _windows(self, init: np.datetime64, cities: Sequence[City]) -> Windows:
        near = slice(init - 130 * _HOUR, init + (LEAD_HOURS + 1) * _HOUR)
        observations, weather = self._data.observations, self._data.weather
        air = None if weather is None else weather.sel(time=near)
        known = self._plan.weather != NO_WEATHER
        windows = windows_at(
            observations.sel(time=near), air, cities, init, future_weather=air if known else None,
            weather_observed=known, longer=observations.sel(time=slice(init - LEVEL_HOURS * _HOUR, init)),
        )  # fmt: skip
        return windows if self._series is None else _erring(windows, self._series, init)


def _model(plan: ReplayPlan) -> tuple[Model, str]:
    if plan.weights is None:
        return load_trained()
    model, card = checkpoint.load(plan.weights)
    return model, str(card["model_id"])


def _whole_series(plan: ReplayPlan, data: MonitorData, registry: Registry) -> HourlySeries:
    # Nothing after the period is read, neither as weather of another year nor in a season's mean.
    last = to_datetime64(plan.end) + LEAD_HOURS * _HOUR
    return only_until(series_of(replace(data, stations=None), registry, stations=False), last)


def _erring(windows: Windows, series: HourlySeries, init: np.datetime64) -> Windows:
    position = int(np.searchsorted(series.times, init))
    rows = [[0, int(np.flatnonzero(series.places == place)[0]), position] for place in windows.place]
    return WeatherErrors().applied(windows, series, np.array(rows, np.int64), len(series.times) - 1)
