"""The interface that every forecast model stands behind, and the arrays that cross it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from grids.contract import FORECAST_POLLUTANTS, HISTORY_HOURS, LEAD_HOURS, POLLUTANTS, WEATHER

Float = NDArray[np.float32]

OBSERVED: tuple[str, ...] = tuple(POLLUTANTS)
WEATHER_NAMES: tuple[str, ...] = tuple(WEATHER)
TARGETS: tuple[int, ...] = tuple(OBSERVED.index(name) for name in FORECAST_POLLUTANTS)


@dataclass(frozen=True)
class Windows:
    """What a model may know at each of `n` init times, NaN where something is missing.

    Attributes
    ----------
    history_obs : float32 (n, 72, 6)
        Concentrations in ug m-3, in the order of `OBSERVED`; the last row is the init time.
    history_weather : float32 (n, 72, 9)
        Weather in the units and order of `grids.contract.WEATHER`, on the same hours.
    future_weather : float32 (n, 72, 9)
        Weather at the lead times 1 to 72 h; all NaN where no forecast is given.
    init_time : datetime64[ns] (n,)
        UTC.
    utc_offset : float32 (n,)
        Hours that local time is ahead of UTC.
    place : str (n,)
        City or station id.
    target : float32 (n, 72, 2), optional
        PM2.5 and O3 in ug m-3 at the lead times; only in training and scoring.
    """

    history_obs: Float
    history_weather: Float
    future_weather: Float
    init_time: NDArray[np.datetime64]
    utc_offset: Float
    place: NDArray[np.str_]
    target: Float | None = None

    def __len__(self) -> int:
        return len(self.init_time)


@dataclass(frozen=True)
class Prediction:
    """A forecast: quantiles (n, 72, 2, 5) and mean (n, 72, 2) of PM2.5 and O3, ug m-3."""

    quantiles: Float
    mean: Float


@dataclass(frozen=True)
class Series:
    """Hourly series of `p` places on one time axis, from which windows are cut.

    Attributes
    ----------
    observations : float32 (p, t, 6)
    weather : float32 (p, t, 9)
    times : datetime64[ns] (t,)
        Hourly without gaps, UTC.
    utc_offset : float32 (p,)
    places : str (p,)
    """

    observations: Float
    weather: Float
    times: NDArray[np.datetime64]
    utc_offset: Float
    places: NDArray[np.str_]


@dataclass(frozen=True)
class WindowSet:
    """Many windows, cut from their series only when a batch is asked for.

    Attributes
    ----------
    series : tuple of Series
    index : int64 (n, 3)
        For each window its series, its place and the position of its init time.
    """

    series: tuple[Series, ...]
    index: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.index)

    def batch(self, rows: NDArray[np.int64], *, future_weather: bool) -> Windows:
        """Cut the windows of `rows`; without `future_weather` it is all NaN."""
        parts = [(np.flatnonzero(self.index[rows, 0] == number), number) for number in np.unique(self.index[rows, 0])]
        order = np.argsort(np.concatenate([where for where, _ in parts]))
        cut = [self._cut(self.series[number], self.index[rows[where]], future_weather) for where, number in parts]

        def joined(name: str) -> NDArray[np.generic]:
            return np.asarray(np.concatenate([getattr(part, name) for part in cut])[order])

        return Windows(**{name: joined(name) for name in Windows.__dataclass_fields__})  # type: ignore[arg-type]

    @staticmethod
    def _cut(series: Series, index: NDArray[np.int64], future_weather: bool) -> Windows:
        place, now = index[:, 1:2], index[:, 2:3]
        past = now + np.arange(1 - HISTORY_HOURS, 1)
        ahead = now + np.arange(1, LEAD_HOURS + 1)
        coming = series.weather[place, ahead]
        return Windows(
            history_obs=series.observations[place, past],
            history_weather=series.weather[place, past],
            future_weather=coming if future_weather else np.full_like(coming, np.nan),
            init_time=series.times[now[:, 0]],
            utc_offset=series.utc_offset[place[:, 0]],
            place=series.places[place[:, 0]],
            target=series.observations[place, ahead][..., list(TARGETS)],
        )


def window_set(
    series: tuple[Series, ...],
    start: np.datetime64,
    end: np.datetime64,
    *,
    every: int = 1,
    without: tuple[tuple[np.datetime64, np.datetime64], ...] = (),
) -> WindowSet:
    """Index every window whose history and targets all lie in ``[start, end]``.

    Parameters
    ----------
    series : tuple of Series
    start, end : datetime64
        UTC; no hour outside them is read, neither as history nor as target.
    every : int
        Hours between init times.
    without : pairs of datetime64
        Periods held out: no window touches them.
    """
    rows: list[NDArray[np.int64]] = []
    for number, one in enumerate(series):
        now = np.arange(HISTORY_HOURS - 1, len(one.times) - LEAD_HOURS, every)
        first, last = one.times[now - HISTORY_HOURS + 1], one.times[now + LEAD_HOURS]
        keep = (first >= start) & (last <= end)
        for held_from, held_to in without:
            keep &= (last < held_from) | (first > held_to)
        now = now[keep]
        for place in range(len(one.places)):
            observed = np.isfinite(one.observations[place][:, list(TARGETS)]).any(axis=1)
            seen = np.concatenate([[0], np.cumsum(observed)])
            useful = now[(seen[now + LEAD_HOURS + 1] - seen[now + 1]) > 0]
            rows.append(np.stack([np.full_like(useful, number), np.full_like(useful, place), useful], axis=1))
    return WindowSet(series, np.concatenate(rows) if rows else np.empty((0, 3), np.int64))


class Model(Protocol):
    """A forecast model: learns from windows and gives quantiles and mean."""

    name: str

    def fit(self, train: WindowSet, *, progress: bool = False) -> None:
        """Learn from `train`; with `progress`, show a bar."""

    def predict(self, windows: Windows) -> Prediction:
        """Forecast every window; the target in `windows` is never read."""
