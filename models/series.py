"""The arrays that models read: hourly series of places, and the windows that are cut from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hazecast.grids.contract import FORECAST_POLLUTANTS, HISTORY_HOURS, LEAD_HOURS, POLLUTANTS, WEATHER
from hazecast.models.background import Background, MonthlyClimate, background, monthly_climate, weather_climate

Float = NDArray[np.float32]

OBSERVED: tuple[str, ...] = tuple(POLLUTANTS)
WEATHER_NAMES: tuple[str, ...] = tuple(WEATHER)
TARGETS: tuple[int, ...] = tuple(OBSERVED.index(name) for name in FORECAST_POLLUTANTS)


@dataclass(frozen=True)
class Windows:
    """What a model may know at each of `n` init times, NaN where something is missing.

    "Area" is the mean over all stations of the place's city; for a city it is its own value.
    `lead` is `hazecast.grids.contract.LEAD_HOURS`.

    Attributes
    ----------
    history_obs : float32 (n, 72, 6)
        Concentrations in ug m-3, in the order of `OBSERVED`; the last row is the init time.
    history_weather : float32 (n, 72, 9)
        Weather in the units and order of `hazecast.grids.contract.WEATHER`, on the same hours.
    future_weather : float32 (n, lead, 9)
        Weather at the lead times 1 to `lead` h; all NaN where no forecast is given.
    init_time : datetime64[ns] (n,)
        UTC.
    utc_offset : float32 (n,)
        Hours that local time is ahead of UTC.
    place : str (n,)
        City or station id.
    latitude, longitude : float32 (n,)
        Degrees; NaN where the place's position isn't known.
    area_obs : float32 (n, 72, 6)
    area_weather : float32 (n, 72, 9)
    area_future_weather : float32 (n, lead, 9)
        As `history_obs`, `history_weather` and `future_weather`, of the area.
    weather_error : float32 (n,)
        Size of the error that is expected of the future weather: 0 where it is what was observed, 1 for a
        forecast that errs as `hazecast.models.weather_errors.CORRELATION` says.
    level, spread, long_level, area_level, area_spread : float32 (n, 6)
        What is usual at the place and in its area, as known at the init time; see `hazecast.models.background.Background`.
    same_hour : float32 (n, lead, 2)
        30-day mean at the lead time's hour of the day, ug m-3.
    monthly : float32 (n, lead, 2)
        Mean of the lead time's month and hour in earlier years, ug m-3; NaN where there are none.
    weather_level, area_weather_level : float32 (n, 10)
        30-day mean of the weather variables and of wind speed.
    guidance : float32 (n, lead, 2)
        Forecast of a chemistry model, ug m-3; NaN where there is none.
    target : float32 (n, lead, 2), optional
        PM2.5 and O3 in ug m-3 at the lead times; only in training and scoring.
    """

    history_obs: Float
    history_weather: Float
    future_weather: Float
    init_time: NDArray[np.datetime64]
    utc_offset: Float
    place: NDArray[np.str_]
    latitude: Float
    longitude: Float
    area_obs: Float
    area_weather: Float
    area_future_weather: Float
    weather_error: Float
    level: Float
    spread: Float
    long_level: Float
    area_level: Float
    area_spread: Float
    same_hour: Float
    monthly: Float
    weather_level: Float
    area_weather_level: Float
    guidance: Float
    target: Float | None = None

    def __len__(self) -> int:
        return len(self.init_time)

    @property
    def informed(self) -> NDArray[np.bool_]:
        """Whether each window holds any weather of its lead times, bool (n,)."""
        given = [np.isfinite(w).any(axis=(1, 2)) for w in (self.future_weather, self.area_future_weather)]
        return np.asarray(given[0] | given[1])

    def rows(self, rows: slice | NDArray[np.int64]) -> Windows:
        """Return some of the windows."""
        parts: dict[str, Any] = {name: getattr(self, name) for name in Windows.__dataclass_fields__}
        cut: dict[str, Any] = {name: None if value is None else value[rows] for name, value in parts.items()}
        return Windows(**cut)

    @staticmethod
    def join(parts: Sequence[Windows]) -> Windows:
        """Return the windows of several, one after the other; all of them with targets, or none."""
        columns = {name: [getattr(part, name) for part in parts] for name in Windows.__dataclass_fields__}
        joined: dict[str, Any] = {n: None if c[0] is None else np.concatenate(c) for n, c in columns.items()}
        return Windows(**joined)


@dataclass(frozen=True)
class HourlySeries:
    """Hourly series of `p` places on one time axis, from which windows are cut.

    Attributes
    ----------
    observations : float32 (p, t, 6)
    weather : float32 (p, t, 9)
    times : datetime64[ns] (t,)
        Hourly without gaps, UTC.
    utc_offset : float32 (p,)
    places : str (p,)
    latitude, longitude : float32 (p,)
        Degrees; NaN where unknown.
    area : int64 (p,)
        Which row of the area means is the place's.
    area_observations : float32 (a, t, 6)
    area_weather : float32 (a, t, 9)
        Means over all stations of each city.
    prior : float32 (p, 6), optional
        Long-term mean concentrations of the places where known, ug m-3; see `hazecast.models.background`.
    issued_at : int, optional
        The only position that windows are cut at, where there is but one: what is usual is computed for it alone.
    """

    observations: Float
    weather: Float
    times: NDArray[np.datetime64]
    utc_offset: Float
    places: NDArray[np.str_]
    latitude: Float
    longitude: Float
    area: NDArray[np.int64]
    area_observations: Float
    area_weather: Float
    prior: Float | None = None
    issued_at: int | None = None

    @cached_property
    def background(self) -> Background:
        """What is usual at each place and hour."""
        return background(self.observations, self.weather, TARGETS, self.prior, last=self.issued_at)

    @cached_property
    def area_background(self) -> Background:
        """The same of the area means."""
        if self.area_observations is self.observations and self.area_weather is self.weather:
            # Cities that are their own area.
            return self.background
        prior = None if self.prior is None else self.prior[np.unique(self.area, return_index=True)[1]]
        return background(self.area_observations, self.area_weather, TARGETS, prior, last=self.issued_at)

    @cached_property
    def weather_climate(self) -> Float:
        """Mean weather by hour of the year, (p, 8760, 9)."""
        return weather_climate(self.weather, self.times)

    @cached_property
    def area_weather_climate(self) -> Float:
        """The same of the area means."""
        return weather_climate(self.area_weather, self.times)

    @cached_property
    def monthly(self) -> MonthlyClimate:
        """Means by month and hour of earlier years."""
        return monthly_climate(self.observations, self.times, TARGETS)


class ErringWeather(Protocol):
    """Makes the coming weather of windows err as a forecast's does; see `hazecast.models.weather_errors`."""

    def applied(self, windows: Windows, series: HourlySeries, index: NDArray[np.int64], last: int) -> Windows:
        """Return windows with weather that errs.

        Parameters
        ----------
        windows : Windows
            Cut from `series` with the observed weather of the lead times.
        series : HourlySeries
        index : int64 (n, 3)
            Series, place and position of each window's init time.
        last : int
            Last position that may be read.

        Returns
        -------
        Windows
        """


@dataclass(frozen=True)
class WindowSet:
    """Many windows, cut from their series only when a batch is asked for.

    Attributes
    ----------
    series : tuple of HourlySeries
    index : int64 (n, 3)
        For each window its series, its place and the position of its init time.
    until : datetime64[ns], optional
        Lead times after it are NaN, both weather and target.
    weather_known : bool
        Whether a model may be given the weather of the lead times; if not, `batch` never shows it.
    errors : ErringWeather, optional
        Makes the weather of the lead times err as a forecast's does, in all windows or a share of them.
    """

    series: tuple[HourlySeries, ...]
    index: NDArray[np.int64]
    until: np.datetime64 | None = None
    weather_known: bool = True
    errors: ErringWeather | None = None

    def __len__(self) -> int:
        return len(self.index)

    def batch(self, rows: NDArray[np.int64], *, future_weather: bool) -> Windows:
        """Cut the windows of `rows`; without `future_weather` it is all NaN.

        Parameters
        ----------
        rows : int64 (k,)
        future_weather : bool
            Whether to give the weather of the lead times, where `weather_known`.

        Returns
        -------
        Windows
            In the order of `rows`, with targets.
        """
        parts = [(np.flatnonzero(self.index[rows, 0] == number), number) for number in np.unique(self.index[rows, 0])]
        order = np.argsort(np.concatenate([where for where, _ in parts]))
        cut = [self._cut(self.series[number], self.index[rows[where]], future_weather) for where, number in parts]
        return Windows.join(cut).rows(order)

    def _cut(self, series: HourlySeries, index: NDArray[np.int64], future_weather: bool) -> Windows:
        place, now = index[:, 1:2], index[:, 2:3]
        area = series.area[place]
        past = now + np.arange(1 - HISTORY_HOURS, 1)
        ahead = now + np.arange(1, LEAD_HOURS + 1)
        last = len(series.times) - 1
        if self.until is not None:
            last = min(last, int(np.searchsorted(series.times, self.until, side="right")) - 1)

        def coming(values: Float, row: NDArray[np.int64]) -> Float:
            found = values[row, np.minimum(ahead, last)]
            return np.where((ahead <= last)[..., None], found, np.float32(np.nan))

        given = future_weather and self.weather_known
        nothing = np.full((*ahead.shape, series.weather.shape[-1]), np.nan, np.float32)
        own, around = series.background, series.area_background
        # The stamp of the last day that has the lead time's hour of the day.
        same_hour = now - own.first - 23 + np.arange(LEAD_HOURS) % 24
        at = now[:, 0] - own.first
        windows = Windows(
            history_obs=series.observations[place, past],
            history_weather=series.weather[place, past],
            future_weather=coming(series.weather, place) if given else nothing,
            init_time=series.times[now[:, 0]],
            utc_offset=series.utc_offset[place[:, 0]],
            place=series.places[place[:, 0]],
            latitude=series.latitude[place[:, 0]],
            longitude=series.longitude[place[:, 0]],
            area_obs=series.area_observations[area, past],
            area_weather=series.area_weather[area, past],
            area_future_weather=coming(series.area_weather, area) if given else nothing,
            weather_error=np.zeros(len(index), np.float32),
            level=own.level[place[:, 0], at],
            spread=own.spread[place[:, 0], at],
            long_level=own.long_level[place[:, 0], at],
            area_level=around.level[area[:, 0], at],
            area_spread=around.spread[area[:, 0], at],
            same_hour=own.same_hour[place, same_hour],
            monthly=series.monthly.ahead(place[:, 0], series.times[now[:, 0]]),
            weather_level=own.weather_level[place[:, 0], at],
            area_weather_level=around.weather_level[area[:, 0], at],
            guidance=np.full((len(index), LEAD_HOURS, len(TARGETS)), np.nan, np.float32),
            target=coming(series.observations, place)[..., list(TARGETS)],
        )
        if self.errors is None or not given:
            return windows
        return self.errors.applied(windows, series, index, last)
