"""Comparison of two instruments or two networks at one place, as in the cooperation's joint studies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hazecast.grids.errors import InputError

_MIN_PAIRS = 30
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Line:
    """A straight line through pairs, second = slope x first + intercept, with 95 % limits of the slope."""

    slope: float
    intercept: float
    slope_low: float
    slope_high: float


@dataclass(frozen=True)
class Comparison:
    """How the second series compares with the first; concentrations in the unit of both.

    Attributes
    ----------
    pairs : int
        Hours at which both are valid.
    mean_first, mean_second : float
        Over the pairs.
    bias : float
        Mean of second - first.
    normalised_bias : float
        Bias over the mean of the first.
    rmse : float
        Root mean square difference.
    correlation, rank_correlation : float
        Pearson's and Spearman's coefficient.
    ordinary : Line
        Ordinary least squares: the first assumed free of error.
    deming : Line
        Deming regression with the given ratio of error variances: both in error.
    reduced_major_axis : Line
        Slope is the ratio of the standard deviations (geometric mean regression).
    limits_low, limits_high : float
        Bland and Altman's 95 % limits of agreement, bias -+ 1.96 standard deviations of the
        difference.
    limits_error : float
        Half the width of the 95 % confidence interval of each limit.
    proportional : float
        Slope of the difference on the mean of both: far from zero where the disagreement grows
        with the concentration, so that the limits don't apply over its whole range.
    """

    pairs: int
    mean_first: float
    mean_second: float
    bias: float
    normalised_bias: float
    rmse: float
    correlation: float
    rank_correlation: float
    ordinary: Line
    deming: Line
    reduced_major_axis: Line
    limits_low: float
    limits_high: float
    limits_error: float
    proportional: float


def compare(
    first: npt.NDArray[np.floating[Any]],
    second: npt.NDArray[np.floating[Any]],
    *,
    error_variance_ratio: float = 1.0,
) -> Comparison:
    """Compare two series hour by hour.

    Parameters
    ----------
    first, second : float (time,)
        On the same hours and in one unit, NaN where not valid.
    error_variance_ratio : float
        Variance of the second's error over that of the first's; 1 for instruments of the same type.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If the lengths differ, fewer than 30 pairs are valid, or one series doesn't vary.

    Notes
    -----
    Limits of agreement and their standard error, sqrt(3 s^2 / n): Bland and Altman (1986, Lancet
    327, 307; 1999, Stat. Methods Med. Res. 8, 135). Deming's slope and the geometric mean
    regression with its standard error, that of the ordinary slope: as in Ricker (1973, J. Fish.
    Res. Board Can. 30, 409); formulas from memory, checked against SciPy's least squares in the
    tests. Hourly values are autocorrelated, so the true confidence intervals are wider than those
    given here, which treat every hour as independent. Those of Deming's slope are by jackknife
    over days.
    """
    if first.shape != second.shape or first.ndim != 1:
        raise InputError("comparison", f"{first.shape} and {second.shape}", "two series on the same hours")
    both = np.isfinite(first) & np.isfinite(second)
    x, y = first[both].astype(float), second[both].astype(float)
    if len(x) < _MIN_PAIRS:
        raise InputError("comparison: pairs", len(x), f"{_MIN_PAIRS} hours valid in both")
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        raise InputError("comparison", "a series of one value", "two series that vary")
    # Loading scipy.stats takes longer than most comparisons.
    from scipy import stats

    difference = y - x
    spread = float(difference.std(ddof=1))
    fit = stats.linregress(x, y)
    margin = float(stats.t.ppf(0.5 + _CONFIDENCE / 2, len(x) - 2) * fit.stderr)
    ratio = float(np.sign(fit.rvalue) * y.std() / x.std())
    bias, reach = float(difference.mean()), float(stats.norm.ppf(0.5 + _CONFIDENCE / 2))
    return Comparison(
        pairs=len(x),
        mean_first=float(x.mean()),
        mean_second=float(y.mean()),
        bias=bias,
        normalised_bias=bias / float(x.mean()),
        rmse=float(np.sqrt((difference**2).mean())),
        correlation=float(fit.rvalue),
        rank_correlation=float(stats.spearmanr(x, y).statistic),
        ordinary=Line(float(fit.slope), float(fit.intercept), fit.slope - margin, fit.slope + margin),
        deming=_deming(x, y, np.flatnonzero(both) // 24, error_variance_ratio),
        reduced_major_axis=Line(ratio, float(y.mean() - ratio * x.mean()), ratio - margin, ratio + margin),
        limits_low=bias - reach * spread,
        limits_high=bias + reach * spread,
        limits_error=reach * spread * float(np.sqrt(3.0 / len(x))),
        proportional=float(stats.linregress((x + y) / 2, difference).slope),
    )


def _deming(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], day: npt.NDArray[np.integer[Any]], ratio: float
) -> Line:
    """Fit Deming's line, with limits of the slope by jackknife over days."""
    from scipy import stats

    days, position = np.unique(day, return_inverse=True)
    # Sums of 1, x, y, xx, yy, xy by day, so that leaving one out is cheap.
    parts = np.stack([np.bincount(position, weights=w) for w in (np.ones_like(x), x, y, x * x, y * y, x * y)])
    total = parts.sum(axis=1)
    slope = float(_deming_slope(total, ratio))
    intercept = float(total[2] / total[0] - slope * total[1] / total[0])
    if len(days) < 3:
        return Line(slope, intercept, float("nan"), float("nan"))
    without = _deming_slope(total[:, None] - parts, ratio)
    number = len(days)
    error = float(np.sqrt((number - 1) / number * ((without - without.mean()) ** 2).sum()))
    margin = float(stats.t.ppf(0.5 + _CONFIDENCE / 2, number - 1)) * error
    return Line(slope, intercept, slope - margin, slope + margin)


def _deming_slope(sums: npt.NDArray[np.float64], ratio: float) -> npt.NDArray[np.float64]:
    number, x, y, xx, yy, xy = sums
    sxx, syy, sxy = xx - x * x / number, yy - y * y / number, xy - x * y / number
    excess = syy - ratio * sxx
    return np.asarray((excess + np.sqrt(excess**2 + 4 * ratio * sxy**2)) / (2 * sxy))
