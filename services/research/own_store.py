"""What an installation has stored, as a model learns from it and is scored on it.

Observed hours are those that the cycles stored; the past weather of an hour is of the newest cycle issued by then, as
in service; the coming weather is the newest that was there by the init time, with its errors.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import xarray as xr

from hazecast.forecast.inputs import series_of
from hazecast.forecast.issued_weather import IssuedWeather, IssuedWindowSet
from hazecast.grids.contract import HISTORY_HOURS, LEAD_HOURS, WEATHER, describe
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import MonitorData
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import to_datetime, to_datetime64
from hazecast.models.series import HourlySeries, WindowSet
from hazecast.models.windows import scoring_windows
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings
from hazecast.services.research.experiments import training_windows
from hazecast.services.store.city_hours import measured_hours, observed_span
from hazecast.services.store.store import Store
from hazecast.services.store.weather_cycles import WeatherStore

log = logging.getLogger(__name__)

NAME = "the store"
_HOUR = timedelta(hours=1)
# When a cycle is there for forecasts, after its init time: GFS is published 5 h after it and fetched within the hour.
_PUBLISHED_AFTER = np.timedelta64(6, "h")
# Hours between the init times that models are compared on: the widest that gives plenty of windows. 12 h are
# the distance of the service's own cycles.
_STEPS = (12, 6, 3, 2, 1)
_PLENTY = 2_000


@dataclass(frozen=True)
class StoreData:
    """A period of the store.

    Attributes
    ----------
    series : HourlySeries
        The cities that were measured; their past weather.
    issued : IssuedWeather or None
        The weather forecasts; None where the store has none.
    cycles : int
        How many weather cycles were read.
    counts : dict of str to int
        What was left out.
    """

    series: HourlySeries
    issued: IssuedWeather | None
    cycles: int
    counts: dict[str, int]

    def training(self, until: datetime) -> IssuedWindowSet:
        """Return the windows to train on, none of which reads an hour after `until`.

        Raises
        ------
        InputError
            If there is none.
        """
        return self._with_issued(replace(training_windows([self.series], until), errors=None))

    def scoring(self, start: datetime, end: datetime) -> tuple[IssuedWindowSet, int]:
        """Return the windows to compare models on, and the hours between their init times.

        Parameters
        ----------
        start, end : datetime
            Aware. Init times lie in ``[start, end)``, targets end at `end`.

        Returns
        -------
        windows : IssuedWindowSet
        every : int
        """
        for every in _STEPS:
            found = scoring_windows((self.series,), to_datetime64(start), to_datetime64(end), every=every)
            if len(found) >= _PLENTY:
                break
        return self._with_issued(found), every

    def _with_issued(self, windows: WindowSet) -> IssuedWindowSet:
        return IssuedWindowSet.of(windows, self.issued)


def newest_measured(store: Store) -> datetime:
    """Return the last hour that was measured in any city.

    Raises
    ------
    InputError
        If none was.
    """
    span = observed_span(store)
    if span is None:
        raise InputError(
            NAME, "no observed hours", "hours that forecast cycles have stored; simulated ones do not count"
        )
    return span[1]


def read_store(
    settings: Settings, store: Store, first: datetime, last: datetime, *, weather_from: datetime | None = None
) -> StoreData:
    """Read a period of the store.

    Parameters
    ----------
    settings : Settings
    store : Store
        Migrated.
    first, last : datetime
        Aware, whole hours, both included; an earlier `first` than anything stored costs nothing.
    weather_from : datetime, optional
        The first hour of past weather; by default `first`. Months of cycles take minutes to read.

    Returns
    -------
    StoreData

    Raises
    ------
    InputError
        If nothing was measured, or a stored weather file is damaged.
    """
    span = observed_span(store)
    first = max(first, span[0]) if span is not None else first
    observations, counts = measured_hours(store, first, last)
    registry = city_registry(settings)
    known = [] if observations is None else [str(c) for c in observations["city"].values if str(c) in registry.cities]
    if observations is None or not known:
        raise InputError(
            NAME, f"nothing measured from {first:%Y-%m-%d} to {last:%Y-%m-%d}", "observed hours of known cities"
        )
    if len(known) < observations.sizes["city"]:
        counts["unknown_cities"] = observations.sizes["city"] - len(known)
    observations = observations.sel(city=known)
    weather, forecasts = _weather(settings, registry, known, observations["time"].values, weather_from or first)
    data = MonitorData(observations, None, weather, None, counts, NAME)
    series = series_of(data, registry, stations=False)
    issued = IssuedWeather(forecasts, series) if forecasts else None
    log.info(
        "the store: %d cities, %d hours, %d weather cycles; left out: %s",
        len(known),
        len(series.times),
        len(forecasts),
        counts,
    )
    return StoreData(series, issued, len(forecasts), counts)


def _weather(
    settings: Settings, registry: Registry, ids: Sequence[str], times: np.ndarray, start: datetime
) -> tuple[xr.Dataset | None, list[tuple[np.datetime64 | None, xr.Dataset]]]:
    """Return the past weather of each hour, and the forecasts with the time from which each was there."""
    cities: list[City] = [registry.city(name) for name in ids]
    first, last = start - (LEAD_HOURS + HISTORY_HOURS) * _HOUR, to_datetime(times[-1])
    past = {name: np.full((len(times), len(ids)), np.nan, np.float32) for name in WEATHER}
    forecasts: list[tuple[np.datetime64 | None, xr.Dataset]] = []
    for init_time, whole in WeatherStore(settings.weather_dir).issued(
        first, last, cities, settings.ingest.weather_sources
    ):
        init = to_datetime64(init_time)
        cycle = whole.sel(time=slice(init, None))
        at = np.searchsorted(times, cycle["time"].values)
        inside = (at < len(times)) & np.isin(cycle["time"].values, times)
        for name in WEATHER:
            if name in cycle:
                values = cycle[name].transpose("time", "city").values[inside]
                past[name][at[inside]] = np.where(np.isfinite(values), values, past[name][at[inside]])
        forecasts.append((init + _PUBLISHED_AFTER, cycle))
    if not forecasts:
        return None, []
    weather = xr.Dataset(
        {name: (("time", "city"), values) for name, values in past.items()},
        coords={"time": times, "city": list(ids)},
        attrs={"source": "forecasts as issued"},
    )
    return describe(weather, "city_weather"), forecasts
