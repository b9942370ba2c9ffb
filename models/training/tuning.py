"""What the peers share: holding back the newest training windows, and learning from errors on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from hazecast.grids.contract import FORECAST_POLLUTANTS, LEAD_HOURS, QUANTILES
from hazecast.grids.errors import InputError
from hazecast.models.events import LEAD_GROUPS, EventDecision
from hazecast.models.files import load_arrays, save_arrays
from hazecast.models.interface import Float, Prediction
from hazecast.models.series import Windows, WindowSet

_HOUR = np.timedelta64(1, "h")
_TUNING_SPAN = np.timedelta64(365, "D")
_TUNING_TIMES = 700
_BINS = 12
_BATCH = 256
_FILE = "dressing.safetensors"


def init_times(windows: WindowSet) -> NDArray[np.datetime64]:
    """Return the init time of every window, datetime64[ns] (n,)."""
    times = np.empty(len(windows), "datetime64[ns]")
    for number, series in enumerate(windows.series):
        mine = windows.index[:, 0] == number
        times[mine] = series.times[windows.index[mine, 2]]
    return times


def subset(windows: WindowSet, rows: NDArray[np.int64] | NDArray[np.bool_]) -> WindowSet:
    """Return some windows of a set.

    Parameters
    ----------
    windows : WindowSet
    rows : int64 (k,) or bool (n,)

    Returns
    -------
    WindowSet
    """
    return dataclasses.replace(windows, index=windows.index[rows])


def split(train: WindowSet) -> tuple[WindowSet, WindowSet]:
    """Divide training windows into earlier ones to learn from and the newest, to tune on.

    The newest are those of the last year, or of the last half of a shorter period. No target of
    the earlier ones lies within it.

    Raises
    ------
    InputError
        If either part would be empty.
    """
    times = init_times(train)
    if len(times) == 0:
        raise InputError("training windows", 0, "at least one")
    span = times.max() - times.min()
    border = times.max() - min(_TUNING_SPAN, span / 2)
    early, late = times + LEAD_HOURS * _HOUR <= border, times >= border
    if not early.any() or not late.any():
        raise InputError("training period", f"{times.min()} to {times.max()}", f"longer than {3 * LEAD_HOURS} h")
    return subset(train, early), subset(train, late)


# One block of days in so many is held back.
_BLOCK_DAYS, _BLOCKS = 20, 12
_HELD_BLOCK = 5


def hold_back(train: WindowSet) -> tuple[WindowSet, WindowSet]:
    """Divide training windows into those to learn from and blocks of days, spread over the years, to calibrate on.

    Of every 240 days 20 are held back; no target of a window to learn from lies within them, and no target of those
    held back outside them.

    Parameters
    ----------
    train : WindowSet

    Returns
    -------
    learn, held : WindowSet
        `held` is empty where the period is shorter than the first block's end.
    """
    times = init_times(train)

    def held(hours: int) -> NDArray[np.bool_]:
        days = (times + hours * _HOUR).astype("datetime64[D]").astype(np.int64)
        return np.asarray(days // _BLOCK_DAYS % _BLOCKS == _HELD_BLOCK)

    begins, ends = held(0), held(LEAD_HOURS)
    return subset(train, ~begins & ~ends & ~held(LEAD_HOURS // 2)), subset(train, begins & ends)


def sample_times(windows: WindowSet, count: int, seed: int) -> WindowSet:
    """Return the windows of some init times drawn at random, all places of each.

    Parameters
    ----------
    windows : WindowSet
    count : int
        Init times at most.
    seed : int

    Returns
    -------
    WindowSet
        The same one if it has no more init times.
    """
    times = init_times(windows)
    unique = np.unique(times)
    if len(unique) <= count:
        return windows
    chosen = np.random.default_rng(seed).choice(unique, count, replace=False)
    return subset(windows, np.isin(times, chosen))


def sample_windows(windows: WindowSet, count: int, seed: int) -> WindowSet:
    """Return `count` of the windows, drawn at random, or all where there are no more.

    Parameters
    ----------
    windows : WindowSet
    count, seed : int

    Returns
    -------
    WindowSet
    """
    if len(windows) <= count:
        return windows
    return subset(windows, np.sort(np.random.default_rng(seed).choice(len(windows), count, replace=False)))


def conformal_offsets(errors: Float, groups: Sequence[tuple[int, int]], fewest: int) -> Float:
    """Return what to add to quantiles so that the right share of observations falls below each.

    Each quantile is moved by the corresponding quantile of its own errors, by lead group (split conformal prediction;
    Romano, Patterson and Candes 2019, arXiv:1905.03222, section 2.2, for quantiles one at a time).

    Parameters
    ----------
    errors : float32 (n, lead, 2, 5)
        Observation less quantile, on the scale that is calibrated; NaN where not observed.
    groups : sequence of (int, int)
        First and last lead time of each group, h.
    fewest : int
        With fewer errors a group's quantiles are not moved.

    Returns
    -------
    float32 (group, 2, 5)
    """
    offsets = np.zeros((len(groups), *errors.shape[2:]), np.float32)
    for group, (first, last) in enumerate(groups):
        for pollutant in range(errors.shape[2]):
            for number, level in enumerate(QUANTILES):
                here = errors[:, first - 1 : last, pollutant, number]
                valid = here[np.isfinite(here)]
                if len(valid) >= fewest:
                    offsets[group, pollutant, number] = np.quantile(valid, level)
    return offsets


class ErrorDressing:
    """Quantiles around a point forecast, from its errors by lead group and size of the forecast."""

    def __init__(self) -> None:
        self.centres: Float = np.zeros((len(LEAD_GROUPS), len(FORECAST_POLLUTANTS), _BINS), np.float32)
        self.errors: Float = np.zeros((*self.centres.shape, len(QUANTILES)), np.float32)

    def fit(self, mean: Float, target: Float) -> None:
        """Learn from verified forecasts.

        Parameters
        ----------
        mean, target : float32 (n, lead, 2)
            ug m-3.
        """
        for g, (first, last) in enumerate(LEAD_GROUPS):
            for p in range(len(FORECAST_POLLUTANTS)):
                forecast, observed = (a[:, first - 1 : last, p].ravel() for a in (mean, target))
                valid = np.isfinite(observed) & np.isfinite(forecast)
                if valid.any():
                    self._learn(g, p, forecast[valid], (observed - forecast)[valid])

    def _learn(self, group: int, pollutant: int, forecast: Float, error: Float) -> None:
        order = np.argsort(forecast, kind="stable")
        for number, part in enumerate(np.array_split(order, _BINS)):
            # A handful of pairs leaves bins empty: those take all of them.
            rows = part if part.size else order
            self.centres[group, pollutant, number] = forecast[rows].mean()
            self.errors[group, pollutant, number] = np.quantile(error[rows], QUANTILES)
        self.centres[group, pollutant] = np.maximum.accumulate(self.centres[group, pollutant])

    def quantiles(self, mean: Float) -> Float:
        """Return float32 (n, lead, 2, 5), ug m-3, ascending and not negative."""
        result = np.empty((*mean.shape, len(QUANTILES)), np.float32)
        for g, (first, last) in enumerate(LEAD_GROUPS):
            for p in range(len(FORECAST_POLLUTANTS)):
                forecast = mean[:, first - 1 : last, p]
                for q in range(len(QUANTILES)):
                    error = np.interp(forecast, self.centres[g, p], self.errors[g, p, :, q])
                    result[:, first - 1 : last, p, q] = forecast + error
        return np.sort(np.maximum(result, 0.0), axis=-1)


class PointForecaster(Protocol):
    """A model that forecasts the mean only."""

    def learn_point(self, train: WindowSet, tune: WindowSet | None, *, progress: bool) -> None:
        """Learn from `train`.

        Parameters
        ----------
        train : WindowSet
        tune : WindowSet, optional
            Chooses how long or how much is learned.
        progress : bool
            Show a bar.
        """

    def point(self, windows: Windows) -> Float:
        """Return the mean, float32 (n, lead, 2), ug m-3."""

    def save(self, folder: Path) -> dict[str, Any]:
        """Write what was learned into `folder`; see `hazecast.models.interface.KeptModel.save`."""

    def restore(self, folder: Path, card: dict[str, Any]) -> None:
        """Take on what `save` wrote.

        Parameters
        ----------
        folder : Path
        card : dict
            The model card.

        Raises
        ------
        InputError
            If the files are broken.
        """


class Peer:
    """A model of the mean with what it lacks: intervals and event decisions, learned from its errors.

    It is trained twice. First without the newest windows, which show when to stop, how large its
    errors are and from which probability an event is best called; then on all of them.

    Parameters
    ----------
    forecaster : PointForecaster
    seed : int
    """

    name = "peer"

    def __init__(self, forecaster: PointForecaster, seed: int = 0) -> None:
        self._forecaster = forecaster
        self._seed = seed
        self._dressing, self._decision = ErrorDressing(), EventDecision()

    def fit(self, train: WindowSet, *, progress: bool = False) -> None:
        """Learn, tune on the newest training windows, then learn from all.

        Parameters
        ----------
        train : WindowSet
        progress : bool
            Show a bar.

        Raises
        ------
        InputError
            If the training period is too short to divide.
        """
        early, late = split(train)
        self._forecaster.learn_point(early, late, progress=progress)
        tuning = sample_times(late, _TUNING_TIMES, self._seed)
        # Windows of one init time lie together: some models look at all places at once.
        order = np.argsort(init_times(tuning), kind="stable")
        parts = [subset(tuning, rows) for rows in np.array_split(order, max(1, len(order) // _BATCH))]
        means, targets = [], []
        for part in parts:
            windows = part.batch(np.arange(len(part)), future_weather=True)
            assert windows.target is not None
            means.append(self._mean(windows))
            targets.append(windows.target)
        mean, target = np.concatenate(means), np.concatenate(targets)
        self._dressing.fit(mean, target)
        self._decision.fit(self._dressing.quantiles(mean), target)
        self._forecaster.learn_point(train, None, progress=progress)

    def predict(self, windows: Windows) -> Prediction:
        """Forecast every window."""
        mean = self._mean(windows)
        quantiles = self._dressing.quantiles(mean)
        return Prediction(quantiles, mean, self._decision.events(quantiles))

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the forecaster, the distribution of its errors and the event decisions into `folder`."""
        dressing = {"centres": self._dressing.centres, "errors": self._dressing.errors}
        save_arrays(dressing | {"event_limits": self._decision.limits}, folder / _FILE)
        return self._forecaster.save(folder)

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> Self:
        """Return the model that `save` wrote.

        Parameters
        ----------
        folder : Path
        card : dict
            The model card.

        Returns
        -------
        Peer

        Raises
        ------
        InputError
            If the files are broken.
        """
        # Each kind of peer has defaults for all that its own constructor takes.
        model = cls()  # type: ignore[call-arg]
        arrays = load_arrays(folder / _FILE, needed=("centres", "errors", "event_limits"))
        model._dressing.centres, model._dressing.errors = arrays["centres"], arrays["errors"]
        model._decision.limits = arrays["event_limits"]
        model._forecaster.restore(folder, card)
        return model

    def _mean(self, windows: Windows) -> Float:
        return np.maximum(self._forecaster.point(windows), 0.0).astype(np.float32)
