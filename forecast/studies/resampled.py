"""Intervals of resampled estimates."""

from __future__ import annotations

import numpy as np
from scipy import stats


def expanded_tail(level: float, blocks: float, fitted: int = 1) -> float:
    """Return the share of resampled estimates beyond each end of an interval, less than (1 - level) / 2.

    Percentiles of resampled estimates are too narrow for few observations, as a normal interval without Student's t is: the expanded
    percentile interval (Hesterberg 2015, Am. Stat. 69:371).

    Parameters
    ----------
    level : float
        Nominal coverage.
    blocks : float
        Independent observations: blocks of the resampling.
    fitted : int
        Coefficients estimated.

    Returns
    -------
    float
        0 to 0.5.

    Examples
    --------
    >>> round(expanded_tail(0.95, 10), 3), round(expanded_tail(0.95, 1e6), 3)
    (0.009, 0.025)
    """
    freedom = max(blocks - fitted, 1.0)
    wide = stats.t.ppf((1 - level) / 2, freedom) * np.sqrt((freedom + fitted) / freedom)
    return float(stats.norm.cdf(wide))
