"""Homogeneity and stability of the samples of an interlaboratory comparison: ISO 13528:2015, annex B.

The text could not be read. The formulas of B.2 and B.3 are those of a public calculation sheet (M. Koch, University of Stuttgart), whose
worked example and critical factors are reproduced in the tests; those of stability (B.5) are from memory. The interval of the
standard deviation between samples is Williams' (Biometrika 49, 1962, 278), from memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from hazecast.grids.errors import InputError

# B.2: samples and results a sample; B.2.2 and B.5: share of the standard deviation for assessment.
MIN_SAMPLES, MIN_RESULTS = 10, 2
MIN_STABILITY = 2
_SHARE = 0.3
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Homogeneity:
    """Result of the check; standard deviations in the unit of the results.

    Attributes
    ----------
    samples, results : int
        Number of samples, and of results of each.
    mean, within, between : float
        Mean of all, standard deviation within samples (repeatability) and between them.
    between_low, between_high : float
        Interval of `between`, of at least 95 %.
    limit, expanded_limit : float
        0.3 times the deviation for assessment, and that with allowance for the error of the check itself.
    homogeneous, not_refuted : bool
        Whether `between` is within `limit`, and within `expanded_limit`.
    adjusted_deviation : float
        Deviation for assessment that includes `between`, for samples which are sent all the same.
    largest_spread, critical_spread : float
        Cochran's statistic: share of the most scattered sample in the variance within, and its critical value at 5 %.
    """

    samples: int
    results: int
    mean: float
    within: float
    between: float
    between_low: float
    between_high: float
    limit: float
    expanded_limit: float
    homogeneous: bool
    not_refuted: bool
    adjusted_deviation: float
    largest_spread: float
    critical_spread: float


@dataclass(frozen=True)
class Stability:
    """Difference of later results from those of the check of homogeneity, in their unit.

    Attributes
    ----------
    samples : int
        Number of later samples.
    difference, low, high : float
        Later mean less first, with its 95 % interval (Welch).
    limit, expanded_limit : float
        0.3 times the deviation for assessment, and that with twice the standard uncertainty of the difference.
    stable, not_refuted : bool
        Whether the difference is within `limit`, and within `expanded_limit`.
    """

    samples: int
    difference: float
    low: float
    high: float
    limit: float
    expanded_limit: float
    stable: bool
    not_refuted: bool


def homogeneity(results: NDArray[np.float64], deviation: float) -> Homogeneity:
    """Check that samples differ little beside what laboratories may differ by.

    With s_x the standard deviation of the samples' means and s_w that within samples, s_s^2 = max(0, s_x^2 - s_w^2 / m). Criterion
    s_s <= 0.3 sigma (B.2.2); with allowance for the error of the check s_s^2 <= F1 (0.3 sigma)^2 + F2 s_w^2, where
    F1 = chi2(0.95, g - 1) / (g - 1) and F2 = (F(0.95, g - 1, g (m - 1)) - 1) / m (B.2.3).

    Parameters
    ----------
    results : float (sample, result)
        g samples with m results each, in random order of measurement.
    deviation : float
        Standard deviation for proficiency assessment, sigma.

    Returns
    -------
    Homogeneity

    Raises
    ------
    InputError
        If there are fewer than ten samples or two results, one is missing, repeated results do not differ, or `deviation` is not above 0.
    """
    _check(results, deviation, MIN_SAMPLES, "homogeneity")
    g, m = results.shape
    variances = results.var(axis=1, ddof=1)
    within, means = float(variances.mean()), results.mean(axis=1)
    if within == 0:
        raise InputError("homogeneity: repeated results", "no difference", "some that differ; give more digits")
    of_means = float(means.var(ddof=1))
    between = max(0.0, of_means - within / m)
    limit = _SHARE * deviation
    f1 = stats.chi2.ppf(_CONFIDENCE, g - 1) / (g - 1)
    f2 = (stats.f.ppf(_CONFIDENCE, g - 1, g * (m - 1)) - 1) / m
    expanded = float(np.sqrt(f1 * limit**2 + f2 * within))
    low, high = _between_interval(m * of_means, within, g, m)
    return Homogeneity(
        g, m, float(results.mean()), float(np.sqrt(within)), float(np.sqrt(between)), low, high, limit, expanded,
        bool(np.sqrt(between) <= limit), bool(np.sqrt(between) <= expanded), float(np.sqrt(deviation**2 + between)),
        float(variances.max() / variances.sum()), _cochran(g, m),
    )  # fmt: skip


def stability(first: NDArray[np.float64], later: NDArray[np.float64], deviation: float) -> Stability:
    """Check that samples have not changed: |y2 - y1| <= 0.3 sigma, or that plus 2 sqrt(u1^2 + u2^2) (annex B.5).

    Parameters
    ----------
    first, later : float (sample, result)
        Results of the check of homogeneity, and those of other samples after storage, transport or the end of the round.
    deviation : float
        Standard deviation for proficiency assessment, sigma.

    Returns
    -------
    Stability

    Raises
    ------
    InputError
        If there are fewer than ten first and two later samples, a result is missing, none differ, or `deviation` is not above 0.
    """
    _check(first, deviation, MIN_SAMPLES, "homogeneity")
    _check(later, deviation, MIN_STABILITY, "stability")
    means = [one.mean(axis=1) for one in (first, later)]
    errors = np.array([one.var(ddof=1) / len(one) for one in means])
    if not (errors > 0).all():
        raise InputError("stability: means of samples", "no difference", "some that differ; give more digits")
    difference, error = float(means[1].mean() - means[0].mean()), float(np.sqrt(errors.sum()))
    degrees = errors.sum() ** 2 / (errors**2 / [len(one) - 1 for one in means]).sum()
    reach = float(stats.t.ppf(0.5 + _CONFIDENCE / 2, degrees)) * error
    limit = _SHARE * deviation
    expanded = limit + 2 * error
    return Stability(
        len(later), difference, difference - reach, difference + reach, limit, expanded,
        abs(difference) <= limit, abs(difference) <= expanded,
    )  # fmt: skip


def _check(results: NDArray[np.float64], deviation: float, fewest: int, name: str) -> None:
    if results.ndim != 2 or results.shape[0] < fewest or results.shape[1] < MIN_RESULTS:
        raise InputError(
            f"{name}: samples, results", results.shape, f"at least {fewest} samples of {MIN_RESULTS} results"
        )
    if not np.isfinite(results).all():
        at = int(np.argmax(~np.isfinite(results).all(axis=1))) + 1
        raise InputError(f"{name}: sample {at}", "a result without a number", "a number for each")
    if not (np.isfinite(deviation) and deviation > 0):
        raise InputError("deviation for assessment", deviation, "above 0")


def _between_interval(between_square: float, within_square: float, g: int, m: int) -> tuple[float, float]:
    """Return Williams' interval of the standard deviation between samples from the mean squares."""
    ends = []
    for tail in (0.5 + _CONFIDENCE / 2, 0.5 - _CONFIDENCE / 2):
        excess = between_square - stats.f.ppf(tail, g - 1, g * (m - 1)) * within_square
        ends.append(float(np.sqrt(max(0.0, (g - 1) * excess / (m * stats.chi2.ppf(tail, g - 1))))))
    return ends[0], ends[1]


def _cochran(g: int, m: int) -> float:
    """Return the critical value of Cochran's statistic at 5 % for g variances of m results (ISO 5725-2)."""
    f = stats.f.ppf(1 - (1 - _CONFIDENCE) / g, m - 1, (g - 1) * (m - 1))
    return float(1 / (1 + (g - 1) / f))
