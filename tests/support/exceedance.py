"""The probability that an hour exceeds a value, from its quantiles in closed form: what shares of scenarios are checked by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from hazecast.grids.contract import QUANTILES


def exceedance_probability(values: npt.ArrayLike, threshold: npt.ArrayLike) -> np.ndarray:
    """Return it for values (..., quantile); between quantiles log(1 + value) is linear in the normal deviate."""
    logs, bound = np.sort(np.log1p(np.asarray(values, dtype=np.float64)), axis=-1), np.log1p(threshold)
    z = ndtri(np.array(QUANTILES))
    deviate = np.full(logs.shape[:-1], np.nan)
    for low in range(len(z) - 1):
        first, second = logs[..., low], logs[..., low + 1]
        rise = second - first
        share = np.where(rise > 1e-9, (bound - first) / np.maximum(rise, 1e-9), np.where(bound >= first, 1e3, -1e3))
        here = z[low] + share * (z[low + 1] - z[low])
        inside = (bound >= first) if low else np.ones(first.shape, bool)
        deviate = np.where(inside, here, deviate)
    return np.where(np.isnan(logs).any(axis=-1), np.nan, 1.0 - ndtr(deviate))
