"""Observed weather made to err as a forecast of it would, with the variance that weather has.

A forecast misplaces and mistimes weather, but it is weather: its wind is as often calm and its rain as heavy as
nature's. The anomaly of the truth is therefore mixed with that of another time of the same season at the same place,
an analog, whose share grows with lead time:

    forecast = mean + r * truth' + sqrt(1 - r**2) * analog'

where ' is the deviation from the place's mean of that season and hour of the day. With r the correlation of forecast
and truth, the variance stays that of the truth and the mean square error is 2 (1 - r) times it. Rain, cloud,
radiation, the mixing layer and the wind's speed, which are no sums, are taken whole from the truth or from the analog, hours at a time.
"""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtr

from hazecast.grids.contract import LEAD_HOURS
from hazecast.models.interface import Float
from hazecast.models.series import WEATHER_NAMES, HourlySeries, Windows

# Correlation of forecast and truth at 0 h and at 120 h. Temperature, humidity and wind: from the errors of a regional
# model over Beijing at 1-12 h and 25-36 h (2.3 and 2.6 K; 13.5 and 15.9 %; u 2.1 and 2.3 m/s) by r = 1 - mse / (2 variance)
# with the variances of Beijing's own anomalies, carried on linearly. The others are assumptions of that order.
CORRELATION: dict[str, tuple[float, float]] = {
    "t2m": (0.82, 0.52),
    "d2m": (0.82, 0.50),
    "u10": (0.68, 0.30),
    "v10": (0.68, 0.30),
    "sp": (0.97, 0.60),
    "blh": (0.60, 0.25),
    "tp": (0.60, 0.15),
    "tcc": (0.60, 0.25),
    "ssrd": (0.70, 0.40),
}
_WHOLE = np.array([name in ("blh", "tp", "tcc", "ssrd") for name in WEATHER_NAMES])
_T2M, _D2M, _U, _V = (WEATHER_NAMES.index(name) for name in ("t2m", "d2m", "u10", "v10"))
# Truth and analog are exchanged for about a day at a time, as weather systems pass.
_HOURLY_MEMORY = float(np.exp(-1 / 24))
_YEAR, _DAY = 365 * 24, 24
_SEASON_DAYS = 15
_TRIES = 6
_LEADS = np.arange(1, LEAD_HOURS + 1)


@dataclass(frozen=True)
class WeatherErrors:
    """Which windows' coming weather errs, and how much; the same for every model that is given the windows.

    All places of a series at one init time have the same analog: errors are coherent over hours, variables and places.
    They depend on the seed and the init time alone.

    Attributes
    ----------
    share : float
        Of the init times; the others keep the observed weather.
    smallest, largest : float
        Range of the errors' size: 1 for those of `CORRELATION`, 0 for none. Mean square errors grow with its square.
    seed : int
    """

    share: float = 1.0
    smallest: float = 1.0
    largest: float = 1.0
    seed: int = 2015

    def applied(self, windows: Windows, series: HourlySeries, index: NDArray[np.int64], last: int) -> Windows:
        """Return `windows` with weather that errs.

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
            With the size of each window's error as ``weather_error``.
        """
        now = index[:, 2]
        size, shift = np.zeros(len(index), np.float32), np.zeros(len(index), np.int64)
        mixing = np.zeros((len(index), LEAD_HOURS), np.float32)
        for position in np.unique(now):
            random = np.random.default_rng([self.seed, zlib.crc32(str(series.times[position]).encode())])
            rows = now == position
            if random.random() < self.share:
                size[rows] = random.uniform(self.smallest, self.largest)
                shift[rows] = _analog(series, int(position), last, random)
                mixing[rows] = _exchange(random)
        rows = np.flatnonzero((size > 0) & (shift != 0))
        if not len(rows):
            return windows
        own, area = windows.future_weather.copy(), windows.area_future_weather.copy()
        place, positions = index[rows, 1], now[rows, None] + _LEADS
        for result, weather, climate, which in (
            (own, series.weather, series.weather_climate, place),
            (area, series.area_weather, series.area_weather_climate, series.area[place]),
        ):
            analog = positions + shift[rows, None]
            other = np.where(
                (analog <= last)[..., None], weather[which[:, None], np.minimum(analog, last)], np.float32(np.nan)
            )
            season = _season(series.times[0], positions), _season(series.times[0], analog)
            means = tuple(climate[which[:, None], s] for s in season)
            result[rows] = _mixed(result[rows], other, means, size[rows], mixing[rows])
        given = np.where(shift != 0, size, 0.0).astype(np.float32)
        return dataclasses.replace(windows, future_weather=own, area_future_weather=area, weather_error=given)


def correlation(size: Float) -> Float:
    """Return the correlation of forecast and truth, float32 (n, lead, 9), of errors of each size (n,)."""
    start, end = (np.array([CORRELATION[name][k] for name in WEATHER_NAMES], np.float32) for k in (0, 1))
    full = start + (end - start) * (_LEADS[:, None] / np.float32(LEAD_HOURS))
    return np.clip(1.0 - (1.0 - full) * (size**2)[:, None, None], 0.0, 1.0).astype(np.float32)


def _mixed(truth: Float, analog: Float, means: tuple[Float, ...], size: Float, mixing: Float) -> Float:
    """Return weather (n, lead, 9) between truth and analog; NaN only where the truth is."""
    r = correlation(size)
    strange = np.nan_to_num(analog - means[1])
    mixture = means[0] + r * (truth - means[0]) + np.sqrt(1 - r**2) * strange
    exchanged = np.where((mixing[..., None] > r) & np.isfinite(analog), analog, truth)
    result = np.where(_WHOLE, exchanged, mixture)
    # The mixture's direction with a speed that is whole: a sum of two winds is calm less often than either.
    mixed, whole = (np.hypot(wind[..., _U], wind[..., _V]) for wind in (mixture, exchanged))
    stretch = whole / np.maximum(mixed, 1e-3)
    for column in (_U, _V):
        # Of one component alone no speed is known.
        result[..., column] *= np.where(np.isfinite(stretch), stretch, 1.0)
    result[..., _D2M] = np.fmin(result[..., _D2M], result[..., _T2M])
    return np.where(np.isfinite(truth), result, np.float32(np.nan)).astype(np.float32)


def _exchange(random: np.random.Generator) -> Float:
    """Return numbers uniform in 0 to 1, (lead,), that change slowly from hour to hour."""
    steps = random.normal(size=LEAD_HOURS)
    steps[1:] *= np.sqrt(1 - _HOURLY_MEMORY**2)
    return np.asarray(ndtr(lfilter([1.0], [1.0, -_HOURLY_MEMORY], steps)), np.float32)


def _analog(series: HourlySeries, now: int, last: int, random: np.random.Generator) -> int:
    """Return how many hours from `now` the analog's init time lies; 0 where there is none."""
    latest = last - LEAD_HOURS
    near = _SEASON_DAYS * _DAY
    years = [
        k for k in range(-(now // _YEAR) - 1, (latest - now) // _YEAR + 2)
        if k and -near <= now + k * _YEAR <= latest + near
    ]  # fmt: skip
    found = 0
    for _ in range(_TRIES):
        if years:
            shift = int(random.choice(years)) * _YEAR + int(random.integers(-_SEASON_DAYS, _SEASON_DAYS + 1)) * _DAY
        else:
            shift = int(random.choice((-1, 1)) * random.integers(_SEASON_DAYS, 3 * _SEASON_DAYS)) * _DAY
        if not 0 <= now + shift <= latest:
            continue
        found = shift
        if np.isfinite(series.area_weather[:, now + shift + 1 :: 24, 0][:, : LEAD_HOURS // 24]).mean() > 0.5:
            break
    return found


def _season(first: np.datetime64, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of a climate of the year's hours; see `hazecast.models.background.weather_climate`."""
    start = int(first.astype("datetime64[h]").astype(np.int64))
    return (start + positions) % _YEAR
