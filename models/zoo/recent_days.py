"""What stands in where no trained model can be loaded: the last days of observations, without anything learned."""

from __future__ import annotations

import numpy as np

from hazecast.grids.contract import LEAD_HOURS, QUANTILES
from hazecast.models.interface import Float, Prediction
from hazecast.models.series import TARGETS, Windows, WindowSet
from hazecast.models.zoo.baselines import DiurnalPersistence

# Differences between two days that a spread is taken from; with fewer it is that of the values themselves.
_ENOUGH = 24


class RecentDays(DiurnalPersistence):
    """The newest observation at the same hour of the day, with the changes from day to day of the last 72 h around it.

    It needs no file and no training. Its spread is the same at all lead times, and a pollutant that was not observed
    stays NaN: it is for the cycle that has no trained model, not one to compare others with.

    Examples
    --------
    >>> RecentDays().name
    'recent_days'
    """

    name = "recent_days"

    def __init__(self) -> None:
        super().__init__()
        self._default = np.full(2, np.nan, np.float32)

    def fit(self, train: WindowSet, *, progress: bool = False) -> None:
        """Do nothing: there is nothing to learn.

        Parameters
        ----------
        train : WindowSet
            Not read.
        progress : bool
            Not used.
        """

    def predict(self, windows: Windows) -> Prediction:
        """Repeat the last day; NaN where a pollutant was not observed in the 72 h."""
        history = windows.history_obs[..., list(TARGETS)]
        mean = self._point(windows)
        spread = np.array([[_spread(history[n, :, k]) for k in range(len(TARGETS))] for n in range(len(history))])
        quantiles = np.maximum(mean[..., None] + spread[:, None], 0.0).astype(np.float32)
        return Prediction(quantiles.reshape(len(history), LEAD_HOURS, len(TARGETS), len(QUANTILES)), mean)


def _spread(values: Float) -> Float:
    """Return the quantiles of the differences between one day and the next of hourly values, or of their anomalies."""
    changes = values[24:] - values[:-24]
    changes = changes[np.isfinite(changes)]
    if changes.size < _ENOUGH:
        known = values[np.isfinite(values)]
        changes = known - known.mean() if known.size else np.zeros(1, np.float32)
    return np.asarray(np.quantile(changes, QUANTILES), np.float32)
