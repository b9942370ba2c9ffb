"""Rolling calibration: intervals that stay honest while emissions, seasons and instruments change.

Each quantile carries an offset on the network's logarithmic scale that follows how often
observations have fallen below it: quantile tracking, the proportional part of conformal PID
control (Angelopoulos, Candes and Tibshirani 2023, "Conformal PID Control for Time Series
Prediction", arXiv:2307.16895, section 2.1). Its long-run coverage is right whatever the data do.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hazecast.grids.contract import FORECAST_POLLUTANTS, LEAD_HOURS, QUANTILES
from hazecast.models.events import LEAD_GROUPS
from hazecast.models.interface import TARGETS, Float
from hazecast.models.scaling import decode_concentration, encode_concentration

# Chosen on 2014-03 to 2015-02 of beijing-multisite with the network trained on the year before. The mean
# of ozone drifts with its precursors and gains from following its errors; that of PM2.5 doesn't.
_QUANTILE_RATE = 0.07
_MEAN_RATE = np.array([{"pm25": 0.0, "o3": 0.04}[name] for name in FORECAST_POLLUTANTS], np.float32)
_FEWEST_PAIRS = 10
_LEVELS = np.array(QUANTILES, np.float32)


class RollingCalibration:
    """Offsets of quantiles and mean by lead group and pollutant, learned from verified forecasts.

    Parameters
    ----------
    offsets : float32 (lead, 2, 5)
        On the network's scale.
    shifts : float32 (lead, 2)
        Of the mean, ug m-3.
    """

    def __init__(self, offsets: Float | None = None, shifts: Float | None = None) -> None:
        count = len(FORECAST_POLLUTANTS)
        self.offsets = np.zeros((LEAD_HOURS, count, len(QUANTILES)), np.float32) if offsets is None else offsets.copy()
        self.shifts = np.zeros((LEAD_HOURS, count), np.float32) if shifts is None else shifts.copy()

    def apply(self, quantiles: Tensor, mean: Tensor) -> tuple[Float, Float]:
        """Calibrate a forecast.

        Parameters
        ----------
        quantiles : Tensor (n, lead, 2, 5)
            On the network's scale.
        mean : Tensor (n, lead, 2)
            ug m-3.

        Returns
        -------
        quantiles, mean : float32
            Both in ug m-3, ascending and not negative.
        """
        moved = torch.sort(quantiles + torch.from_numpy(self.offsets), dim=-1).values
        shifted = (mean + torch.from_numpy(self.shifts)).clamp(min=0.0)
        return decode_concentration(moved).clamp(min=0.0).numpy(), shifted.numpy()

    def learn(self, target: Float, quantiles: Float, mean: Float, days: float = 1.0) -> None:
        """Follow the errors of verified forecasts, in one step.

        Parameters
        ----------
        target : float32 (n, lead, 2)
            Observed, ug m-3; NaN where not yet known or missing.
        quantiles : float32 (n, lead, 2, 5)
            As they were forecast, ug m-3.
        mean : float32 (n, lead, 2)
        days : float
            Time over which they were verified, in days; the step is proportional, at most that of a day.
        """
        step = min(days, 1.0)
        valid = np.isfinite(target)
        below = (target[..., None] <= quantiles) & valid[..., None]
        error = np.where(valid, target - mean, 0.0)
        for first, last in LEAD_GROUPS:
            group = slice(first - 1, last)
            count = valid[:, group].sum(axis=(0, 1))
            for pollutant in np.flatnonzero(count >= _FEWEST_PAIRS):
                share = below[:, group, pollutant].sum(axis=(0, 1)) / count[pollutant]
                self.offsets[group, pollutant] += step * _QUANTILE_RATE * (_LEVELS - share)
                bias = error[:, group, pollutant].sum() / count[pollutant]
                self.shifts[group, pollutant] += step * _MEAN_RATE[pollutant] * bias


def calibrated_over(
    target: Float, quantiles: Float, mean: Float, days: NDArray[np.int64]
) -> tuple[RollingCalibration, Float]:
    """Run a calibration through a past period, as it would have gone in service.

    Parameters
    ----------
    target : float32 (n, lead, 2)
    quantiles : float32 (n, lead, 2, 5)
        Not calibrated, ug m-3.
    mean : float32 (n, lead, 2)
    days : int64 (n,)
        Number of the day of each init time, ascending.

    Returns
    -------
    calibration : RollingCalibration
        With the mean of the offsets over the period: where to begin the next.
    quantiles : float32 (n, lead, 2, 5)
        As they would have been forecast.
    """
    rolling = RollingCalibration()
    scale = encode_concentration(torch.from_numpy(quantiles.swapaxes(-1, -2)), TARGETS).swapaxes(-1, -2)
    result = np.empty_like(quantiles)
    offsets, shifts = [], []
    for day in np.unique(days):
        rows = np.flatnonzero(days == day)
        result[rows], shifted = rolling.apply(scale[rows], torch.from_numpy(mean[rows]))
        rolling.learn(target[rows], result[rows], shifted)
        offsets.append(rolling.offsets.copy())
        shifts.append(rolling.shifts.copy())
    return RollingCalibration(np.mean(offsets, axis=0), np.mean(shifts, axis=0)), result
