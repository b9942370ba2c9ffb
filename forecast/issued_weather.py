"""Weather forecasts of the past, given to a backtest or a training as they were known at each init time."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hazecast.grids.contract import LEAD_HOURS
from hazecast.grids.errors import InputError
from hazecast.models.interface import Float
from hazecast.models.series import WEATHER_NAMES, HourlySeries, Windows, WindowSet

_ALWAYS = np.datetime64("1700-01-01T00", "ns")


class IssuedWeather:
    """Weather of one or several issue times at the places of a series.

    Parameters
    ----------
    forecasts : sequence of (datetime64 or None, xarray.Dataset)
        When each was issued (UTC; None for an analysis, which is used for any init time) and its contract
        "city_weather" with the series' places as ``city``.
    series : HourlySeries

    Raises
    ------
    InputError
        If there is no forecast, or a place is absent.
    """

    def __init__(self, forecasts: Sequence[tuple[np.datetime64 | None, xr.Dataset]], series: HourlySeries) -> None:
        if not forecasts:
            raise InputError("weather", "no forecast", "at least one")
        places = [str(place) for place in series.places]
        self.analysis = any(time is None for time, _ in forecasts)
        ordered = sorted(forecasts, key=lambda one: _ALWAYS if one[0] is None else one[0])
        self.issued: NDArray[np.datetime64] = np.array([_ALWAYS if t is None else t for t, _ in ordered], "M8[ns]")
        self._times: list[NDArray[np.datetime64]] = [data["time"].values for _, data in ordered]
        self._values = [_values(data, places) for _, data in ordered]
        self._row = {place: row for row, place in enumerate(places)}
        self._area = series.area

    def put_into(self, windows: Windows) -> Windows:
        """Return `windows` with the newest weather issued by each init time; NaN where there is none."""
        shape = (len(windows), LEAD_HOURS, len(WEATHER_NAMES))
        own, area = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
        rows = np.array([self._row[str(place)] for place in windows.place], np.int64)
        for time in np.unique(windows.init_time):
            newest = int(np.searchsorted(self.issued, time, side="right")) - 1
            if newest < 0:
                continue
            here = np.flatnonzero(windows.init_time == time)
            # A batch of training has a window here and there: only the places of its areas are looked at.
            places = np.flatnonzero(np.isin(self._area, self._area[rows[here]]))
            ahead = self._ahead(newest, time, places)
            own[here] = ahead[np.searchsorted(places, rows[here])]
            for number in np.unique(self._area[rows[here]]):
                of_area = here[self._area[rows[here]] == number]
                area[of_area] = _mean(ahead[self._area[places] == number])
        error = np.full(len(windows), 0.0 if self.analysis else 1.0, np.float32)
        return dataclasses.replace(windows, future_weather=own, area_future_weather=area, weather_error=error)

    def _ahead(self, number: int, time: np.datetime64, places: NDArray[np.int64]) -> Float:
        """Return (place, lead, 9) of one forecast at some places for the hours after `time`."""
        times = self._times[number]
        wanted = time + np.arange(1, LEAD_HOURS + 1) * np.timedelta64(1, "h")
        at = np.minimum(np.searchsorted(times, wanted), len(times) - 1)
        known = times[at] == wanted
        return np.where(known[None, :, None], self._values[number][np.ix_(places, at)], np.float32(np.nan))


@dataclass(frozen=True)
class IssuedWindowSet(WindowSet):
    """Windows of one series whose coming weather is what was issued by each init time, errors included.

    Attributes
    ----------
    issued : IssuedWeather, optional
        Of the series; without it the windows have no coming weather.
    """

    issued: IssuedWeather | None = None

    @classmethod
    def of(cls, windows: WindowSet, issued: IssuedWeather | None) -> IssuedWindowSet:
        """Return `windows` with other coming weather.

        Parameters
        ----------
        windows : WindowSet
            Of one series.
        issued : IssuedWeather or None

        Returns
        -------
        IssuedWindowSet
        """
        kept = {field.name: getattr(windows, field.name) for field in dataclasses.fields(WindowSet)}
        return cls(**kept, issued=issued)

    def batch(self, rows: NDArray[np.int64], *, future_weather: bool) -> Windows:
        """Cut the windows of `rows`, with the weather that was issued by their init times.

        Parameters
        ----------
        rows : int64 (k,)
        future_weather : bool
            Whether to give it.

        Returns
        -------
        Windows
            In the order of `rows`, with targets.
        """
        windows = super().batch(rows, future_weather=False)
        if self.issued is None or not (future_weather and self.weather_known):
            return windows
        return self.issued.put_into(windows)


def _values(data: xr.Dataset, places: list[str]) -> Float:
    absent = sorted(set(places) - {str(c) for c in data["city"].values})
    if absent:
        raise InputError("weather: city", absent, f"weather at all of {places}")
    values = np.full((len(places), data.sizes["time"], len(WEATHER_NAMES)), np.nan, np.float32)
    for column, name in enumerate(WEATHER_NAMES):
        if name in data:
            values[..., column] = data[name].sel(city=places).transpose("city", "time").values
    return values


def _mean(values: Float) -> Float:
    """Return the mean over the first axis of what isn't NaN."""
    valid = np.isfinite(values)
    total, count = np.where(valid, values, 0.0).sum(axis=0), valid.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
