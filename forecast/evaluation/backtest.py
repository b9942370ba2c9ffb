"""Backtests: models scored on past windows, none of them seen in training."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from hazecast.forecast.evaluation.comparison import differences
from hazecast.forecast.evaluation.scoring import LEADS_SHOWN, Tally
from hazecast.grids.contract import FORECAST_POLLUTANTS, LEAD_HOURS, QUANTILES
from hazecast.models.interface import EVENTS, Adaptive, Float, Model, Prediction
from hazecast.models.series import Windows, WindowSet

HOUR = np.timedelta64(1, "h")
DAY_HOURS = 24
# Windows scored at once: about 6 KB a window and model.
_SCORED_AT_ONCE = 4_000
_SEASONS = {"winter": (12, 1, 2), "spring": (3, 4, 5), "summer": (6, 7, 8), "autumn": (9, 10, 11)}


def backtest(
    models: dict[str, Model],
    windows: WindowSet,
    *,
    future_weather: bool,
    change: Callable[[Windows], Windows] | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Score trained models on the same windows.

    Init times run in order, a day at a time with all places together. Before each day, models that
    are `hazecast.models.interface.Adaptive` are given the targets of their forecasts that were observed by
    its first init time.

    Parameters
    ----------
    models : dict of str to Model
        Trained on nothing that `windows` holds.
    windows : WindowSet
    future_weather : bool
        Whether models see the observed weather of the lead times (perfect prog).
    change : callable, optional
        Applied to every batch of windows before a model sees it, for example
        `hazecast.forecast.issued_weather.IssuedWeather.put_into`.
    progress : bool

    Returns
    -------
    dict
        ``models``, ``by_station``, ``by_season``, ``by_month`` and ``differences``, as docs/backtest.md says.
    """
    tallies, first_of_day = tally(models, windows, future_weather=future_weather, change=change, progress=progress)
    months = first_of_day.astype("datetime64[M]")
    month = (months.astype(int) % 12) + 1
    some = next(iter(tallies.values()))
    seasons = {name: np.flatnonzero(np.isin(month, months)) for name, months in _SEASONS.items()}
    return {
        "models": {name: one.table() for name, one in tallies.items()},
        "by_station": {
            str(place): {name: one.table(place=[number]) for name, one in tallies.items()}
            for number, place in enumerate(some.sums["place"].values)
        },
        "by_season": {
            season: {name: one.table(day=days) for name, one in tallies.items()}
            for season, days in seasons.items()
            if days.size
        },
        "by_month": {
            str(one): {name: tallies[name].table(day=np.flatnonzero(months == one)) for name in tallies}
            for one in np.unique(months)
        },
        "differences": differences(tallies),
    }


def tally(
    models: dict[str, Model],
    windows: WindowSet,
    *,
    future_weather: bool,
    change: Callable[[Windows], Windows] | None = None,
    progress: bool = False,
) -> tuple[dict[str, Tally], NDArray[np.datetime64]]:
    """Run the models over the windows and sum up their scores.

    Parameters
    ----------
    models, windows, future_weather, change, progress
        As in `backtest`.

    Returns
    -------
    tallies : dict of str to Tally
    first_of_day : datetime64[ns] (day,)
        Local time at which each day of init times begins.
    """
    grid = _Grid(windows)
    tallies = {name: Tally(grid.days, grid.places) for name in models}
    memories = {name: Memory(model) for name, model in models.items() if isinstance(model, Adaptive)}
    at_once = max(1, _SCORED_AT_ONCE // (len(grid.slots) * len(grid.places)))
    pending: _Pending | None = None
    for day in tqdm(range(grid.days), desc="backtest", unit="day", disable=not progress):
        rows, cells = grid.of_day(day)
        if pending is None:
            pending = _Pending(day, min(at_once, grid.days - day), grid, list(models))
        if len(rows):
            batch = windows.batch(rows, future_weather=future_weather)
            assert batch.target is not None
            pending.targets[day - pending.first, cells[0], cells[1]] = batch.target
            # No model is given what it is to forecast.
            known = dataclasses.replace(change(batch) if change else batch, target=None)
            for name, model in models.items():
                if name in memories:
                    memories[name].learn(batch.init_time.min())
                prediction = model.predict(known)
                pending.put(name, day, cells, prediction)
                if name in memories:
                    memories[name].add(known, batch.target, prediction)
        if day == pending.first + len(pending.targets) - 1:
            pending.score(tallies)
            pending = None
    return tallies, grid.first_of_day


class _Grid:
    """Where each window belongs: its day, its init time within the day (slot) and its place."""

    def __init__(self, windows: WindowSet) -> None:
        index = windows.index
        times = np.empty(len(index), "datetime64[ns]")
        for number, series in enumerate(windows.series):
            mine = index[:, 0] == number
            times[mine] = series.times[index[mine, 2]]
        start = times.min()
        hours = ((times - start) / HOUR).astype(np.int64)
        self._day, hour = np.divmod(hours, DAY_HOURS)
        self.days = int(self._day.max()) + 1
        self.slots, self._slot = np.unique(hour, return_inverse=True)
        pairs, self._place = np.unique(index[:, :2], axis=0, return_inverse=True)
        self.places = _labels([str(windows.series[s].places[p]) for s, p in pairs])
        offset = float(np.median([windows.series[s].utc_offset[p] for s, p in pairs]))
        local = start + np.timedelta64(round(offset * 60), "m")
        self.first_of_day: NDArray[np.datetime64] = local + np.arange(self.days) * DAY_HOURS * HOUR
        self._order = np.lexsort((self._place, hours))
        self._bounds = np.searchsorted(self._day[self._order], np.arange(self.days + 1))

    def of_day(self, day: int) -> tuple[NDArray[np.int64], tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return a day's rows of the window set, by init time and place, and their slots and places."""
        rows = self._order[self._bounds[day] : self._bounds[day + 1]]
        return rows, (self._slot[rows], self._place[rows])


def _labels(names: Sequence[str]) -> list[str]:
    """Return the names, repeated ones numbered."""
    seen: dict[str, int] = {}
    labels = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        labels.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return labels


class _Pending:
    """Forecasts of some days, collected to be scored together."""

    def __init__(self, first: int, days: int, grid: _Grid, names: Sequence[str]) -> None:
        shape = (days, len(grid.slots), len(grid.places), LEAD_HOURS)
        pollutants = len(FORECAST_POLLUTANTS)
        self.first = first
        self.targets: Float = np.full((*shape, pollutants), np.nan, np.float32)
        self._means = {name: np.full((*shape, pollutants), np.nan, np.float32) for name in names}
        self._quantiles = {name: np.full((*shape, pollutants, len(QUANTILES)), np.nan, np.float32) for name in names}
        self._events: dict[str, NDArray[np.bool_]] = {}

    def put(self, name: str, day: int, cells: tuple[Any, Any], prediction: Prediction) -> None:
        at = (day - self.first, *cells)
        self._means[name][at] = prediction.mean
        self._quantiles[name][at] = prediction.quantiles
        if prediction.events is not None:
            if name not in self._events:
                self._events[name] = np.zeros((*self.targets.shape[:4], len(EVENTS)), bool)
            self._events[name][at] = prediction.events

    def score(self, tallies: dict[str, Tally]) -> None:
        for name, one in tallies.items():
            one.add(self.first, self.targets, self._means[name], self._quantiles[name], self._events.get(name))


class Memory:
    """The forecasts of an adaptive model that it has not been given all targets of."""

    def __init__(self, model: Adaptive) -> None:
        self._model = model
        self._waiting: deque[tuple[Windows, Float, Prediction]] = deque()
        self._known_until: np.datetime64 = np.datetime64("1700-01-01T00", "ns")

    def add(self, windows: Windows, target: Float, prediction: Prediction) -> None:
        """Keep a forecast until its targets are known.

        Parameters
        ----------
        windows : Windows
        target : float32 (n, lead, 2)
            ug m-3; given to the model hour by hour as time goes on.
        prediction : Prediction
            What the model gave for `windows`.
        """
        self._waiting.append((windows, target, prediction))

    def learn(self, now: np.datetime64) -> None:
        """Give the model every target observed since the last call and up to `now`."""
        leads = np.arange(1, LEAD_HOURS + 1) * HOUR
        lessons = []
        for windows, target, prediction in self._waiting:
            valid = windows.init_time[:, None] + leads
            new = (valid > self._known_until) & (valid <= now)
            observed = np.where(new[..., None], target, np.float32(np.nan))
            if np.isfinite(observed).any():
                lessons.append((dataclasses.replace(windows, target=observed), prediction))
        if lessons:
            self._model.learn(Windows.join([w for w, _ in lessons]), Prediction.join([p for _, p in lessons]))
        while self._waiting and self._waiting[0][0].init_time.max() + leads[-1] <= now:
            self._waiting.popleft()
        self._known_until = now


def format_table(result: dict[str, Any], models: Sequence[str]) -> str:
    """Write RMSE, MAE and CSI by lead time as text.

    Parameters
    ----------
    result : dict
        ``result["models"]`` of `backtest`.
    models : sequence of str
        Which of them, in this order.

    Returns
    -------
    str
        A line for each pollutant, score and model.
    """
    width = max(len(name) for name in models)
    lines = [f"pollutant score    {'model':<{width}}" + "".join(f"{f'{lead} h':>8}" for lead in LEADS_SHOWN)]
    for pollutant, event in (("pm25", "csi_115"), ("o3", "csi_160")):
        for score in ("rmse", "mae", event):
            for model in models:
                values = result[model][pollutant][score]
                digits = 2 if score == event else 1
                cells = "".join(
                    f"{'-':>8}" if values[str(lead)] is None else f"{values[str(lead)]:8.{digits}f}"
                    for lead in LEADS_SHOWN
                )
                lines.append(f"{pollutant:<9} {score:<8} {model:<{width}}{cells}")
    return "\n".join(lines)


def score_table(result: Mapping[str, Any], pollutant: str = "pm25", score: str = "rmse") -> pd.DataFrame:
    """Return a score of a backtest as a table: a row for each model, a column for each lead time and band.

    Parameters
    ----------
    result : mapping
        As `backtest` returns it.
    pollutant : {"pm25", "o3"}
    score : str
        Such as ``"rmse"``, ``"mae"`` or ``"crps"``.

    Returns
    -------
    pandas.DataFrame (model, lead)

    Examples
    --------
    >>> result = {"models": {"persistence": {"pm25": {"rmse": {"1": 9.5, "24": 41.0}}}}}
    >>> score_table(result).loc["persistence", "24"].item()
    41.0
    """
    return pd.DataFrame({name: scores[pollutant][score] for name, scores in result["models"].items()}).T.astype(float)
