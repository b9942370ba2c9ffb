"""Comparison with the reference by a regression line and the correlation, as HJ 653-2021 and Japan's evaluation have it.

HJ 653-2021, table 3, asks for slope, intercept and correlation coefficient of the comparison with the reference method that clause
7.11 describes. Japan's Ministry of the Environment judges automatic PM2.5 monitors by its rules of 20 March 2015
(微小粒子状物質(PM2.5)自動測定機の等価性評価実施要項, annex 3 on test and evaluation). Neither text could be read: their limits,
numbers of samples and seasons are not here, and the limits are given by whoever has the text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hazecast.grids.errors import InputError

_FEWEST = 10


@dataclass(frozen=True)
class LinearCriteria:
    """Limits of a comparison.

    Attributes
    ----------
    slope : float
        Largest difference of the slope from 1.
    intercept : float
        Largest absolute intercept, in the unit of the data.
    correlation : float
        Smallest correlation coefficient.
    """

    slope: float
    intercept: float
    correlation: float


@dataclass(frozen=True)
class LinearComparison:
    """Line of the candidate on the reference by least squares.

    Attributes
    ----------
    pairs : int
        Valid days.
    slope, intercept : float
        Intercept in the unit of the data.
    correlation : float
        Pearson's coefficient.
    slope_meets, intercept_meets, correlation_meets, meets : bool
        Each limit, and all.
    """

    pairs: int
    slope: float
    intercept: float
    correlation: float
    slope_meets: bool
    intercept_meets: bool
    correlation_meets: bool
    meets: bool


def compare_linear(
    reference: NDArray[np.float64], candidate: NDArray[np.float64], criteria: LinearCriteria
) -> LinearComparison:
    """Compare a candidate with the reference by ordinary least squares.

    Parameters
    ----------
    reference, candidate : float (day,)
        Concentrations of the same days, NaN where not valid.
    criteria : LinearCriteria
        Limits; what equals one meets it.

    Returns
    -------
    LinearComparison

    Raises
    ------
    InputError
        If lengths differ, fewer than 10 days are valid, a series does not vary, or a limit is out of range.
    """
    if len(reference) != len(candidate):
        raise InputError("reference, candidate", (len(reference), len(candidate)), "the same days in both")
    if not (criteria.slope > 0 and criteria.intercept >= 0 and 0 < criteria.correlation <= 1):
        raise InputError("criteria", criteria, "a slope above 0, an intercept of 0 or more, a correlation above 0 to 1")
    valid = np.isfinite(reference) & np.isfinite(candidate)
    x, y = reference[valid], candidate[valid]
    if len(x) < _FEWEST:
        raise InputError("valid days", len(x), f"at least {_FEWEST}")
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        raise InputError("reference, candidate", "a single value", "ones that vary")
    slope = float(np.cov(x, y)[0, 1] / np.var(x, ddof=1))
    intercept = float(y.mean() - slope * x.mean())
    correlation = float(np.corrcoef(x, y)[0, 1])
    # Rounding of the last digit is not to fail what lies at a limit.
    met = (
        abs(slope - 1) <= criteria.slope + 1e-9,
        abs(intercept) <= criteria.intercept + 1e-9,
        correlation >= criteria.correlation - 1e-9,
    )
    return LinearComparison(len(x), slope, intercept, correlation, *met, all(met))
