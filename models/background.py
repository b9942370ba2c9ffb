"""What is usual at a place as known at each hour: the slowly varying level that forecasts are made relative to.

Concentrations differ by a factor of ten between the partner cities and have halved within a decade. A model
that is given ratios to the place's own level, in units of the place's own spread, meets the same problem
everywhere. All of it is a running statistic of the hours up to and including each stamp: nothing later is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hazecast.grids.contract import LEAD_HOURS

Float = npt.NDArray[np.float32]
_Double = npt.NDArray[np.float64]

DAY = 24
LEVEL_HOURS = 30 * DAY
LONG_HOURS = 365 * DAY
# Level of a place that nothing is known of, ug m-3, in the order of `hazecast.grids.contract.POLLUTANTS`: about the
# mean over the partner cities. A prior given for the place replaces it.
DEFAULT_LEVEL: Float = np.array([30.0, 60.0, 50.0, 30.0, 8.0, 500.0], np.float32)
# Valid hours that the prior level and spread weigh as much as.
_PRIOR_HOURS = 48.0
# Spread (standard deviation of the logarithm) of a typical place, and the least that is assumed.
_PRIOR_SPREAD, LEAST_SPREAD = 0.65, 0.1
# Fewer valid days leave a mean by hour of the day to the level.
_FEWEST_DAYS = 5
_FEWEST_WEATHER_HOURS = 12
# Half the width of the running mean over the days of the year.
_SEASON_DAYS = 15
_MONTHS = 12
# A month of earlier data counts from this many valid values of an hour of the day.
_FEWEST_IN_MONTH = 10


@dataclass(frozen=True)
class Background:
    """Running statistics of `p` places at `t` hours.

    Attributes
    ----------
    level : float32 (p, t, 6)
        Mean concentration of the last 30 days, ug m-3, drawn to the prior where few hours are valid.
    spread : float32 (p, t, 6)
        Standard deviation of the logarithm in the last 30 days, from the coefficient of variation of a
        log-normal distribution, sqrt(log(1 + (sd / mean)**2)).
    long_level : float32 (p, t, 6)
        Mean of the last 365 days, ug m-3.
    same_hour : float32 (p, t, 2)
        Mean of the forecast pollutants at each stamp's hour of the day in the last 30 days, ug m-3.
    weather_level : float32 (p, t, 10)
        Mean of each weather variable and of wind speed in the last 30 days, in contract units; NaN where unknown.
    first : int
        Position of its first stamp in the series.
    """

    level: Float
    spread: Float
    long_level: Float
    same_hour: Float
    weather_level: Float
    first: int = 0


def background(
    observations: Float,
    weather: Float,
    targets: tuple[int, ...],
    prior: Float | None = None,
    *,
    last: int | None = None,
) -> Background:
    """Compute the running statistics of hourly series.

    Parameters
    ----------
    observations : float32 (p, t, 6)
        ug m-3, NaN where missing.
    weather : float32 (p, t, 9)
        Contract units and order.
    targets : tuple of int
        Columns of the forecast pollutants.
    prior : float32 (p, 6), optional
        Long-term mean of each place where it is known, ug m-3; NaN or left out: `DEFAULT_LEVEL`.
    last : int, optional
        Compute only the day that ends at this position: a forecast reads no more, and its cost is a tenth.

    Returns
    -------
    Background
    """
    if last is not None:
        # Of the forecast's own day; what comes after it is not read.
        first = max(last + 1 - LONG_HOURS - DAY, 0)
        observations, weather = observations[:, first : last + 1], weather[:, first : last + 1]
    known = np.full((len(observations), observations.shape[-1]), np.nan, np.float32) if prior is None else prior
    start = np.where(np.isfinite(known), known, DEFAULT_LEVEL)[:, None].astype(np.float64)
    day = None if last is None else DAY
    count, total = running_sums(observations, LEVEL_HOURS, day=day)
    level = (total + _PRIOR_HOURS * start) / (count + _PRIOR_HOURS)
    squares = running_sums(observations**2, LEVEL_HOURS, day=day)[1]
    spread = _spread(count, total, squares)
    long_count, long_total = running_sums(observations, LONG_HOURS, day=day)
    long_level = (long_total + _PRIOR_HOURS * start) / (long_count + _PRIOR_HOURS)
    chosen = list(targets)
    days, by_hour = running_sums(observations[..., chosen], 30, lag=DAY, day=day)
    same_hour = np.where(days >= _FEWEST_DAYS, by_hour / np.maximum(days, 1), level[..., chosen])
    speed = np.hypot(weather[..., 2:3], weather[..., 3:4])
    hours, sums = running_sums(np.concatenate([weather, speed], axis=-1), LEVEL_HOURS, day=day)
    weather_level = np.where(hours >= _FEWEST_WEATHER_HOURS, sums / np.maximum(hours, 1), np.nan)
    first = 0 if last is None else last + 1 - DAY
    parts = (np.asarray(part, np.float32) for part in (level, spread, long_level, same_hour, weather_level))
    return Background(next(parts), next(parts), next(parts), next(parts), next(parts), first)


def _spread(count: _Double, total: _Double, squares: _Double) -> _Double:
    mean = total / np.maximum(count, 1)
    variance = np.maximum(squares / np.maximum(count, 1) - mean**2, 0.0)
    spread = np.sqrt(np.log1p(variance / np.maximum(mean, 1e-3) ** 2))
    weighted: _Double = (count * spread + _PRIOR_HOURS * _PRIOR_SPREAD) / (count + _PRIOR_HOURS)
    return np.maximum(weighted, LEAST_SPREAD)


def running_sums(values: Float, steps: int, lag: int = 1, *, day: int | None = None) -> tuple[_Double, _Double]:
    """Return count and sum of the valid values among the last stamps up to each.

    Parameters
    ----------
    values : float32 (p, t, k)
        Hourly; NaN where missing.
    steps : int
        How many stamps.
    lag : int
        Hours between them.
    day : int, optional
        Only for so many stamps at the end; `lag` is then 1 or as much.

    Returns
    -------
    count, total : float64 (p, t, k)
    """
    valid = np.isfinite(values)
    if day is not None:
        return _box_at_end(valid, steps, lag, day), _box_at_end(np.where(valid, values, np.float32(0)), steps, lag, day)
    return _box(valid.astype(np.float64), steps, lag), _box(np.where(valid, values, 0.0).astype(np.float64), steps, lag)


def _box(values: _Double, steps: int, lag: int) -> _Double:
    hours = values.shape[1]
    padded = np.pad(values, ((0, 0), (0, -hours % lag), (0, 0)))
    by_step = padded.reshape(len(values), -1, lag, values.shape[-1])
    total = np.cumsum(by_step, axis=1)
    total[:, steps:] -= total[:, :-steps].copy()
    return total.reshape(padded.shape)[:, :hours]


def _box_at_end(values: npt.NDArray[Any], steps: int, lag: int, day: int) -> _Double:
    """Return what `_box` does for the last `day` stamps, without the sums of all others."""
    hours, columns = values.shape[1], values.shape[-1]
    if lag == day:
        read = values[:, max(hours - steps * lag, 0) :]
        missing = -read.shape[1] % lag
        whole = np.pad(read, ((0, 0), (missing, 0), (0, 0)))
        return np.asarray(whole.reshape(len(read), -1, lag, columns).sum(axis=1, dtype=np.float64))
    # Hours before the series begins count nothing.
    before = max(day - hours, 0)
    total = np.zeros((len(values), day, columns))
    first = hours - day + before
    total[:, before] = values[:, max(first + 1 - steps, 0) : first + 1].sum(axis=1, dtype=np.float64)
    # Each later stamp gains an hour and, once there are so many, loses one.
    changes = values[:, first + 1 :].astype(np.float64)
    lost = values[:, max(first + 1 - steps, 0) : max(hours - steps, 0)]
    if lost.shape[1]:
        changes[:, changes.shape[1] - lost.shape[1] :] -= lost
    total[:, before + 1 :] = total[:, before : before + 1] + np.cumsum(changes, axis=1)
    return total


@dataclass(frozen=True)
class MonthlyClimate:
    """Means by calendar month and hour of the day (UTC) of all months that ended before a stamp's month.

    Attributes
    ----------
    first_month : int
        Months from 1970-01 to the first one.
    means : float32 (p, month, 12, 24, 2)
        ug m-3, as known at the start of each month; NaN where no earlier year had enough.
    """

    first_month: int
    means: Float

    def ahead(self, place: npt.NDArray[np.int64], init_time: npt.NDArray[np.datetime64]) -> Float:
        """Return the means at the valid times of forecasts.

        Parameters
        ----------
        place : int64 (n,)
        init_time : datetime64 (n,)
            UTC.

        Returns
        -------
        float32 (n, lead, 2)
        """
        valid = init_time[:, None] + np.arange(1, LEAD_HOURS + 1).astype("timedelta64[h]")
        now = np.clip(_month(init_time) - self.first_month, 0, self.means.shape[1] - 1)
        hour = valid.astype("datetime64[h]").astype(np.int64) % DAY
        found: Float = self.means[place[:, None], now[:, None], _month(valid) % 12, hour]
        return found


def monthly_climate(observations: Float, times: npt.NDArray[np.datetime64], targets: tuple[int, ...]) -> MonthlyClimate:
    """Compute the climate by month and hour, known at the start of each month.

    Parameters
    ----------
    observations : float32 (p, t, 6)
        ug m-3.
    times : datetime64[ns] (t,)
        UTC.
    targets : tuple of int
        Columns of the forecast pollutants.

    Returns
    -------
    MonthlyClimate
    """
    months = _month(times)
    number = months - months[0]
    values = observations[..., list(targets)]
    if number[-1] < _MONTHS - 1:
        # No month has come round again: nothing is known of any.
        nothing = np.broadcast_to(np.float32(np.nan), (len(values), int(number[-1]) + 1, _MONTHS, DAY, len(targets)))
        return MonthlyClimate(int(months[0]), nothing)
    valid = np.isfinite(values)
    hour = times.astype("datetime64[h]").astype(np.int64) % DAY
    shape = (len(values), int(number[-1]) + 1, DAY, len(targets))
    count, total = np.zeros(shape), np.zeros(shape)
    for place in range(len(values)):
        np.add.at(count[place], (number, hour), valid[place])
        np.add.at(total[place], (number, hour), np.where(valid[place], values[place], 0.0))
    means = np.full((shape[0], shape[1], 12, DAY, len(targets)), np.nan, np.float32)
    for month in range(12):
        own = (np.arange(shape[1]) + months[0]) % 12 == month
        # What the months before held: the running sum, shifted by one.
        sums = [np.cumsum(np.where(own[None, :, None, None], part, 0.0), axis=1) for part in (count, total)]
        n, s = (np.concatenate([np.zeros_like(part[:, :1]), part[:, :-1]], axis=1) for part in sums)
        means[:, :, month] = np.where(n >= _FEWEST_IN_MONTH, s / np.maximum(n, 1), np.nan)
    return MonthlyClimate(int(months[0]), means)


def _month(times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    return times.astype("datetime64[M]").astype(np.int64)


def weather_climate(weather: Float, times: npt.NDArray[np.datetime64]) -> Float:
    """Compute the mean weather of each hour of a 365-day year, smoothed over a month of days.

    The year is counted from 1970-01-01T00 UTC in hours, so that the same row is the same hour of the day and, within
    two weeks, the same season.

    Parameters
    ----------
    weather : float32 (p, t, 9)
    times : datetime64[ns] (t,)
        Hourly, UTC.

    Returns
    -------
    float32 (p, 8760, 9)
        NaN where nothing was observed in that season.
    """
    row = times.astype("datetime64[h]").astype(np.int64) % LONG_HOURS
    valid = np.isfinite(weather)
    shape = (len(weather), LONG_HOURS, weather.shape[-1])
    count, total = np.zeros(shape), np.zeros(shape)
    for place in range(len(weather)):
        np.add.at(count[place], row, valid[place])
        np.add.at(total[place], row, np.where(valid[place], weather[place], 0.0))
    sums = []
    for part in (count, total):
        by_day = part.reshape(shape[0], LONG_HOURS // DAY, DAY, shape[-1])
        around = np.concatenate([by_day[:, -_SEASON_DAYS:], by_day, by_day[:, :_SEASON_DAYS]], axis=1)
        box = _box(around.reshape(shape[0], -1, shape[-1]), 2 * _SEASON_DAYS + 1, DAY)
        sums.append(box[:, 2 * _SEASON_DAYS * DAY :])
    return np.where(sums[0] > 0, sums[1] / np.maximum(sums[0], 1), np.nan).astype(np.float32)
