"""Resampling of observations that follow each other, and intervals of what is estimated of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats


def block_rows(
    rows: int, block: int, random: np.random.Generator, *, draws: int = 1, length: int | None = None
) -> NDArray[np.int64]:
    """Draw rows in blocks of consecutive ones, which keep their correlation; the first follows the last.

    Parameters
    ----------
    rows : int
        From how many is drawn.
    block : int
        Rows in a block.
    random : numpy.random.Generator
    draws : int
    length : int, optional
        Rows of a draw, by default as many as there are.

    Returns
    -------
    int64 (draw, length)
        Row numbers, with repetition.

    Examples
    --------
    >>> block_rows(10, 5, np.random.default_rng(0), draws=2).tolist()
    [[8, 9, 0, 1, 2, 6, 7, 8, 9, 0], [5, 6, 7, 8, 9, 2, 3, 4, 5, 6]]
    """
    length = rows if length is None else length
    first = random.integers(0, rows, size=(draws, -(-length // block)))
    return np.asarray((first[:, :, None] + np.arange(block)).reshape(draws, -1)[:, :length] % rows)


def neighbours_correlation(found: float, length: int, fitted: int, most: float) -> float:
    """Return the correlation of neighbours in noise by that of residuals, less the bias that each coefficient fitted brings.

    Kendall (1954, Biometrika 41:403), of a mean.

    Parameters
    ----------
    found : float
        Of neighbouring residuals, -1 to 1.
    length : int
        Of the series.
    fitted : int
        Coefficients.
    most : float
        Highest one assumed.

    Returns
    -------
    float
        0 to `most`.

    Examples
    --------
    >>> round(neighbours_correlation(0.5, 100, 6, 0.95), 2), neighbours_correlation(-0.5, 100, 6, 0.95)
    (0.59, 0.0)
    """
    return min(max(found + fitted * (1 + found) / length, 0.0), most)


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
