"""The forecasts that a bureau has without a model: persistence and climatology."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hazecast.grids.contract import LEAD_HOURS, QUANTILES
from hazecast.models.events import EventDecision
from hazecast.models.experts import EXPERTS, expert_points, last_observed, newest_same_hour
from hazecast.models.files import load_arrays, save_arrays
from hazecast.models.interface import Float, Prediction
from hazecast.models.series import TARGETS, Windows, WindowSet

_SAMPLE = 10_000
_FILE = "arrays.safetensors"
# Before the name of a place; alone it is the table of all places.
_TABLE = "table:"


def _sample(train: WindowSet) -> NDArray[np.int64]:
    rows = np.arange(len(train))
    return np.random.default_rng(0).choice(rows, _SAMPLE, replace=False) if len(rows) > _SAMPLE else rows


class Persistence:
    """The newest observation, for all lead times; quantiles from its errors in training.

    Examples
    --------
    >>> from hazecast.models.interface import KeptModel
    >>> model = Persistence()
    >>> model.name, isinstance(model, KeptModel)
    ('persistence', True)
    """

    name = "persistence"

    def __init__(self) -> None:
        self._errors: Float = np.zeros((LEAD_HOURS, 2, len(QUANTILES)), np.float32)
        self._default: Float = np.zeros(2, np.float32)
        self._decision = EventDecision()

    def fit(self, train: WindowSet, *, progress: bool = False) -> None:
        """Learn the quantiles of the errors by lead time, and when to call an event.

        Parameters
        ----------
        train : WindowSet
        progress : bool
            Not used: this takes no time.
        """
        windows = train.batch(_sample(train), future_weather=False)
        assert windows.target is not None
        self._default = np.nanmean(windows.target, axis=(0, 1)).astype(np.float32)
        errors = windows.target - self._point(windows)
        self._errors = np.moveaxis(np.nanquantile(errors, QUANTILES, axis=0), 0, -1).astype(np.float32)
        self._errors = np.nan_to_num(self._errors)
        self._decision.fit(self.predict(windows).quantiles, windows.target)

    def predict(self, windows: Windows) -> Prediction:
        """Repeat what was observed; where nothing was, the training mean."""
        mean = self._point(windows)
        quantiles = np.maximum(mean[..., None] + self._errors, 0.0).astype(np.float32)
        return Prediction(quantiles, mean, self._decision.events(quantiles))

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the errors and event decisions into `folder`."""
        arrays = {"errors": self._errors, "default": self._default, "event_limits": self._decision.limits}
        save_arrays(arrays, folder / _FILE)
        return {}

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> Self:
        """Return the model that `save` wrote.

        Parameters
        ----------
        folder : Path
        card : dict
            Not used.

        Returns
        -------
        Persistence

        Raises
        ------
        InputError
            If the file is broken.
        """
        arrays = load_arrays(folder / _FILE, needed=("errors", "default", "event_limits"))
        model = cls()
        model._errors, model._default = arrays["errors"], arrays["default"]
        model._decision.limits = arrays["event_limits"]
        return model

    def _point(self, windows: Windows) -> Float:
        last = last_observed(windows.history_obs[..., list(TARGETS)])
        last = np.where(np.isfinite(last), last, self._default)
        return np.repeat(last[:, None], LEAD_HOURS, axis=1).astype(np.float32)


class DiurnalPersistence(Persistence):
    """The newest observation at the same hour of the day; quantiles from its errors in training."""

    name = "diurnal_persistence"

    def _point(self, windows: Windows) -> Float:
        return np.where(
            np.isfinite(same_hour := newest_same_hour(windows.history_obs[..., list(TARGETS)])),
            same_hour,
            super()._point(windows),
        ).astype(np.float32)


class RecentClimatology(Persistence):
    """The mean of the lead time's hour of the day in the last 30 days; quantiles from its errors in training."""

    name = "climatology_30d"

    def _point(self, windows: Windows) -> Float:
        return expert_points(windows, np.zeros_like(windows.same_hour))[..., EXPERTS.index("climatology")]


class MonthlyClimatology(Persistence):
    """The mean of the lead time's month and hour in the place's earlier years; that of the last 30 days without any."""

    name = "climatology_monthly"

    def _point(self, windows: Windows) -> Float:
        return expert_points(windows, np.zeros_like(windows.same_hour))[..., EXPERTS.index("monthly")]


class Climatology:
    """The distribution by place, month and local hour in training; pooled for new places."""

    name = "climatology"

    def __init__(self) -> None:
        self._tables: dict[str, Float] = {}
        self._decision = EventDecision()

    def fit(self, train: WindowSet, *, progress: bool = False) -> None:
        """Learn the mean and quantiles of each month and local hour, and when to call an event.

        Parameters
        ----------
        train : WindowSet
        progress : bool
            Not used: this takes no time.
        """
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
        windows = train.batch(_sample(train), future_weather=False)
        assert windows.target is not None
        self._decision.fit(self._look_up(windows)[..., 1:], windows.target)

    def predict(self, windows: Windows) -> Prediction:
        """Look each lead time's month and local hour up."""
        found = self._look_up(windows)
        quantiles = found[..., 1:]
        return Prediction(quantiles, found[..., 0], self._decision.events(quantiles))

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the tables and event decisions into `folder`."""
        tables = {f"{_TABLE}{place}": table for place, table in self._tables.items()}
        save_arrays(tables | {"event_limits": self._decision.limits}, folder / _FILE)
        return {}

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> Self:
        """Return the model that `save` wrote.

        Parameters
        ----------
        folder : Path
        card : dict
            Not used.

        Returns
        -------
        Climatology

        Raises
        ------
        InputError
            If the file is broken.
        """
        arrays = load_arrays(folder / _FILE, needed=(_TABLE, "event_limits"))
        model = cls()
        model._decision.limits = arrays.pop("event_limits")
        model._tables = {name.removeprefix(_TABLE): table for name, table in arrays.items()}
        return model

    def _look_up(self, windows: Windows) -> Float:
        leads = np.arange(1, LEAD_HOURS + 1).astype("timedelta64[h]")
        times = windows.init_time[:, None] + leads
        key = _month_and_hour(times, windows.utc_offset[:, None])
        result = np.empty((*key.shape, 2, 1 + len(QUANTILES)), np.float32)
        for place in np.unique(windows.place):
            here = windows.place == place
            result[here] = self._tables.get(str(place), self._tables[""])[key[here]]
        return result


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
