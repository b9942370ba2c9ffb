"""Equivalence of a candidate instrument to the reference: orthogonal regression and expanded uncertainty.

The Guide to the Demonstration of Equivalence of Ambient Air Monitoring Methods (EC working group, January
2010, sections 9.5 to 9.8), for particles at collocated samplers. Formulas from memory, checked against
the principal axis of the data and simulations in the tests. `hazecast.grids.quality.comparison` has a simpler
comparison of two hourly series.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hazecast.grids.errors import InputError

MIN_PAIRS = 40
# Data quality objective of Directive 2008/50/EC, annex I, for particles: 25 %.
OBJECTIVE = 0.25
# Largest uncertainty between two candidates, and between two references, ug m-3 (the Guide, section 9.5).
BETWEEN_CANDIDATES, BETWEEN_REFERENCES = 2.5, 2.0
_COVERAGE = 2.0


@dataclass(frozen=True)
class Equivalence:
    """Result of the test; concentrations in the unit of the data, standard uncertainties unless named expanded.

    Attributes
    ----------
    pairs : int
        Valid days.
    slope, slope_error, intercept, intercept_error : float
        Of candidate on reference.
    slope_differs, intercept_differs : bool
        From 1 and 0, by more than twice the error.
    random : float
        Scatter about the line that is not explained by the uncertainty of the reference.
    bias_at_limit : float
        a + (b - 1) L.
    expanded : float
        2 u / L, relative, at the limit value.
    between_candidates : float or None
        Uncertainty between two candidates of a kind.
    meets : bool
        Expanded uncertainty (and that between candidates, where known) within the objective.
    expanded_corrected : float
        After correction by the line: of the corrected values, fitted again, the errors of slope and intercept added.
    meets_corrected : bool
    """

    pairs: int
    slope: float
    slope_error: float
    intercept: float
    intercept_error: float
    slope_differs: bool
    intercept_differs: bool
    random: float
    bias_at_limit: float
    expanded: float
    between_candidates: float | None
    meets: bool
    expanded_corrected: float
    meets_corrected: bool


def equivalence(
    reference: NDArray[np.float64],
    candidate: NDArray[np.float64],
    *,
    limit: float,
    reference_error: float = 0.67,
    second: NDArray[np.float64] | None = None,
    objective: float = OBJECTIVE,
) -> Equivalence:
    """Test a candidate method against the reference method.

    Parameters
    ----------
    reference, candidate : float (day,)
        Daily concentrations of the same days, NaN where not valid.
    limit : float
        Limit value at which the uncertainty is evaluated: 30 ug m-3 for daily PM2.5, 50 for PM10 in the Guide.
    reference_error : float
        Uncertainty between two reference samplers; the Guide uses 0.67 ug m-3 where only one ran.
    second : float (day,), optional
        A second candidate of the same type; `candidate` is then averaged with it.
    objective : float
        Largest expanded uncertainty, relative.

    Returns
    -------
    Equivalence
        Line, uncertainties, and whether the objective is met.

    Raises
    ------
    InputError
        If lengths differ, fewer than 40 days are valid, or the reference does not vary.
    """
    columns = [reference, candidate] + ([] if second is None else [second])
    if len({len(column) for column in columns}) != 1:
        raise InputError("equivalence", f"{[len(column) for column in columns]} days", "the same days in all series")
    if not limit > 0 or not reference_error >= 0:
        raise InputError("limit, reference error", (limit, reference_error), "above 0, and 0 or more")
    valid = np.all([np.isfinite(column) for column in columns], axis=0)
    number = int(valid.sum())
    if number < MIN_PAIRS:
        raise InputError("equivalence: valid days", number, f"at least {MIN_PAIRS}")
    x = reference[valid]
    between = None if second is None else between_sampler(candidate[valid], second[valid])
    y = candidate[valid] if second is None else (candidate[valid] + second[valid]) / 2
    if np.ptp(x) == 0:
        raise InputError("reference", "a single value", "one that varies")
    slope, slope_error, intercept, intercept_error = orthogonal_line(x, y)
    if slope <= 0:
        raise InputError("candidate", f"a slope of {slope:.3g} on the reference", "one above 0")
    random, bias = _random(x, y, slope, intercept, reference_error), intercept + (slope - 1) * limit
    expanded = _COVERAGE * float(np.sqrt(random + bias**2)) / limit
    # The Guide, section 9.7: the corrected values are fitted again. Dividing by the slope scales the scatter too; the
    # errors of slope and intercept are those of the correction.
    mended = (y - intercept) / slope
    again, again_error, rest, rest_error = orthogonal_line(x, mended)
    left = rest + (again - 1) * limit
    variance = _random(x, mended, again, rest, reference_error) + left**2 + rest_error**2 + (limit * again_error) ** 2
    corrected = _COVERAGE * float(np.sqrt(variance)) / limit
    alike = between is None or between <= BETWEEN_CANDIDATES
    return Equivalence(
        number, slope, slope_error, intercept, intercept_error,
        abs(slope - 1) > 2 * slope_error, abs(intercept) > 2 * intercept_error,
        float(np.sqrt(random)), bias, expanded, between, alike and expanded <= objective,
        corrected, alike and corrected <= objective,
    )  # fmt: skip


def _random(
    x: NDArray[np.float64], y: NDArray[np.float64], slope: float, intercept: float, reference_error: float
) -> float:
    """Return the variance about a line that the reference's own uncertainty does not explain."""
    scatter = float(((y - intercept - slope * x) ** 2).sum()) / (len(x) - 2)
    return max(scatter - reference_error**2, 0.0)


def between_sampler(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the uncertainty between two samplers, sqrt(sum of squared differences / 2 n).

    Parameters
    ----------
    first, second : float (day,)
        Concentrations of the same days, all finite.

    Returns
    -------
    float
        In the unit of the data.
    """
    return float(np.sqrt(((first - second) ** 2).sum() / (2 * len(first))))


def orthogonal_line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Fit a line by orthogonal regression.

    Parameters
    ----------
    x, y : float (day,)
        Reference and candidate, all finite.

    Returns
    -------
    slope, slope_error, intercept, intercept_error : float
        With standard errors.

    Raises
    ------
    InputError
        If `x` and `y` are uncorrelated.
    """
    sxx, syy = ((x - x.mean()) ** 2).sum(), ((y - y.mean()) ** 2).sum()
    sxy = ((x - x.mean()) * (y - y.mean())).sum()
    if sxy == 0:
        raise InputError("reference and candidate", "no correlation at all", "series that go together")
    slope = float((syy - sxx + np.sqrt((syy - sxx) ** 2 + 4 * sxy**2)) / (2 * sxy))
    intercept = float(y.mean() - slope * x.mean())
    slope_error = float(np.sqrt(max(syy - sxy**2 / sxx, 0.0) / ((len(x) - 2) * sxx)))
    return slope, slope_error, intercept, slope_error * float(np.sqrt((x**2).mean()))
