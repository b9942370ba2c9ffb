"""The forecasts that a bureau has without a model: persistence and climatology."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grids.contract import LEAD_HOURS, QUANTILES
from models.interface import TARGETS, Float, Prediction, Windows, WindowSet

_SAMPLE = 40_000


def _sample(train: WindowSet) -> NDArray[np.int64]:
    rows = np.arange(len(train))
    return np.random.default_rng(0).choice(rows, _SAMPLE, replace=False) if len(rows) > _SAMPLE else rows


def last_observed(history: Float) -> Float:
    """Return the newest valid value of each series.

    Parameters
    ----------
    history : float32 (n, hours, k)

    Returns
    -------
    float32 (n, k)
        NaN where all hours are missing.
    """
    valid = np.isfinite(history)
    newest = history.shape[1] - 1 - np.argmax(valid[:, ::-1], axis=1)
    return np.take_along_axis(history, newest[:, None], axis=1)[:, 0]


class Persistence:
    """The newest observation, for all lead times; quantiles from its errors in training."""

    name = "persistence"

    def __init__(self) -> None:
        self._errors: Float = np.zeros((LEAD_HOURS, 2, len(QUANTILES)), np.float32)
        self._default: Float = np.zeros(2, np.float32)

    def fit(self, train: WindowSet, *, progress: bool = False) -> None:
        """Learn the quantiles of the errors by lead time."""
        windows = train.batch(_sample(train), future_weather=False)
        assert windows.target is not None
        last = last_observed(windows.history_obs[..., list(TARGETS)])
        self._default = np.nanmean(last, axis=0)
        errors = windows.target - last[:, None]
        self._errors = np.moveaxis(np.nanquantile(errors, QUANTILES, axis=0), 0, -1).astype(np.float32)

    def predict(self, windows: Windows) -> Prediction:
        """Repeat the newest observation; where there is none, the training mean."""
        last = last_observed(windows.history_obs[..., list(TARGETS)])
        last = np.where(np.isfinite(last), last, self._default)
        mean = np.repeat(last[:, None], LEAD_HOURS, axis=1)
        quantiles = np.maximum(mean[..., None] + self._errors, 0.0)
        return Prediction(quantiles.astype(np.float32), mean.astype(np.float32))


class Climatology:
    """The distribution by place, month and local hour in training; pooled for new places."""

    name = "climatology"

    def __init__(self) -> None:
        self._tables: dict[str, Float] = {}

    def fit(self, train: WindowSet, *, progress: bool = False) -> None:
        """Learn the mean and quantiles of each month and local hour."""
        used: dict[str, list[tuple[NDArray[np.int64], Float]]] = {"": []}
        for number, series in enumerate(train.series):
            index = train.index[train.index[:, 0] == number]
            for place in np.unique(index[:, 1]):
                inside = np.zeros(len(series.times) + 1, bool)
                for hour in range(1, LEAD_HOURS + 1, 24):
                    inside[index[index[:, 1] == place, 2] + hour] = True
                hours = np.flatnonzero(inside[:-1])
                key = _month_and_hour(series.times[hours], series.utc_offset[place])
                values = series.observations[place, hours][:, list(TARGETS)]
                used.setdefault(str(series.places[place]), []).append((key, values))
                used[""].append((key, values))
        for name, parts in used.items():
            self._tables[name] = _table(np.concatenate([k for k, _ in parts]), np.concatenate([v for _, v in parts]))
        pooled = self._tables[""]
        for name, table in self._tables.items():
            self._tables[name] = np.where(np.isfinite(table), table, pooled)

    def predict(self, windows: Windows) -> Prediction:
        """Look each lead time's month and local hour up."""
        leads = np.arange(1, LEAD_HOURS + 1).astype("timedelta64[h]")
        times = windows.init_time[:, None] + leads
        key = _month_and_hour(times, windows.utc_offset[:, None])
        result = np.empty((*key.shape, 2, 1 + len(QUANTILES)), np.float32)
        for place in np.unique(windows.place):
            here = windows.place == place
            result[here] = self._tables.get(str(place), self._tables[""])[key[here]]
        return Prediction(result[..., 1:], result[..., 0])


def _month_and_hour(times: NDArray[np.datetime64], offset: Float | np.float32) -> NDArray[np.int64]:
    local = times + (np.asarray(offset) * 3600).astype("timedelta64[s]")
    month = local.astype("datetime64[M]").astype(np.int64) % 12
    hour = local.astype("datetime64[h]").astype(np.int64) % 24
    return np.asarray(month * 24 + hour)


def _table(key: NDArray[np.int64], values: Float) -> Float:
    table = np.full((12 * 24, 2, 1 + len(QUANTILES)), np.nan, np.float32)
    overall = np.stack([_summary(values[:, pollutant]) for pollutant in range(2)])
    for cell in range(12 * 24):
        for pollutant in range(2):
            table[cell, pollutant] = _summary(values[key == cell, pollutant])
    return np.where(np.isfinite(table), table, overall)


def _summary(values: Float) -> Float:
    valid = values[np.isfinite(values)]
    if valid.size == 0:
        return np.full(1 + len(QUANTILES), np.nan, np.float32)
    return np.concatenate([[valid.mean()], np.quantile(valid, QUANTILES)]).astype(np.float32)
