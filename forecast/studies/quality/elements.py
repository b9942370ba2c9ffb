"""Elements by hourly XRF against filters: York's line for each element, with both methods' detection limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from hazecast.grids.errors import InputError

Array = NDArray[np.float64]
MIN_PAIRS = 10
# Share of a filter's hours that must be measured. Chosen.
COMPLETE = 0.75
_ROUNDS, _CLOSE = 100, 1e-10
_SUBSTITUTES = (0.0, 0.5, 1 / np.sqrt(2), 1.0)


@dataclass(frozen=True)
class YorkLine:
    """A line through points with errors in both coordinates, with standard errors and the reduced chi-square."""

    slope: float
    slope_error: float
    intercept: float
    intercept_error: float
    chi2: float


def york_line(x: Array, y: Array, x_error: Array, y_error: Array) -> YorkLine:
    """Fit a line where each point has its own error in both coordinates.

    Parameters
    ----------
    x, y : float (point,)
        Finite, in one unit or two.
    x_error, y_error : float (point,)
        Standard uncertainties, above 0, independent of each other.

    Returns
    -------
    YorkLine
        Errors are multiplied by the square root of the reduced chi-square where that is above 1.

    Raises
    ------
    InputError
        If there are fewer than three points, an error is not above 0, or `x` does not vary.

    Notes
    -----
    York, Evensen, Lopez Martinez and De Basabe Delgado (2004, Am. J. Phys. 72:367), equations 13; from memory, checked by simulation. With
    equal errors it is Deming's line.
    """
    if len(x) < 3 or np.ptp(x) == 0:
        raise InputError("points", len(x), "at least three, of different x")
    if not ((x_error > 0) & (y_error > 0)).all():
        raise InputError("errors of the points", float(min(x_error.min(), y_error.min())), "above 0")
    wx, wy = x_error**-2.0, y_error**-2.0
    slope = float(y.std() / x.std() * (1 if np.corrcoef(x, y)[0, 1] >= 0 else -1))
    for _ in range(_ROUNDS):
        weight = wx * wy / (wx + slope**2 * wy)
        u, v = x - np.average(x, weights=weight), y - np.average(y, weights=weight)
        beta = weight * (u / wy + slope * v / wx)
        new = float((weight * beta * v).sum() / (weight * beta * u).sum())
        done, slope = abs(new - slope) <= _CLOSE * abs(new), new
        if done:
            break
    weight = wx * wy / (wx + slope**2 * wy)
    middle_x, middle_y = np.average(x, weights=weight), np.average(y, weights=weight)
    beta = weight * ((x - middle_x) / wy + slope * (y - middle_y) / wx)
    adjusted = middle_x + beta
    centre = np.average(adjusted, weights=weight)
    slope_error = float((weight * (adjusted - centre) ** 2).sum() ** -0.5)
    intercept = float(middle_y - slope * middle_x)
    chi2 = float((weight * (y - intercept - slope * x) ** 2).sum() / (len(x) - 2))
    wider = max(chi2, 1.0) ** 0.5
    intercept_error = float(np.sqrt(1 / weight.sum() + (centre * slope_error) ** 2))
    return YorkLine(slope, slope_error * wider, intercept, intercept_error * wider, chi2)


def filter_means(hourly: pd.DataFrame, periods: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Average hourly values over the periods of filters.

    Parameters
    ----------
    hourly : pandas.DataFrame (time, element)
        Stamped with the end of the hour, UTC; NaN where missing.
    periods : pandas.DataFrame (filter)
        ``start`` and ``end``, UTC.

    Returns
    -------
    means : pandas.DataFrame (filter, element)
        NaN where less than 75 % of the period's hours were measured.
    hours : pandas.DataFrame (filter, element)
        Hours measured.

    Raises
    ------
    InputError
        If a period does not end after its start, or an hour is there twice.
    """
    if hourly.index.has_duplicates:
        raise InputError("hourly", f"{hourly.index[hourly.index.duplicated()][0]} twice", "each hour once")
    means, hours = {}, {}
    for label, start, end in zip(periods.index, periods["start"], periods["end"], strict=True):
        if not end > start:
            raise InputError(f"filter {label}", f"{start} to {end}", "an end after the start")
        part = hourly[(hourly.index > start) & (hourly.index <= end)]
        hours[label] = part.notna().sum()
        enough = hours[label] >= COMPLETE * ((end - start) / pd.Timedelta(hours=1))
        means[label] = part.mean().where(enough)
    return pd.DataFrame(means).T, pd.DataFrame(hours).T


def compare_elements(
    filters: pd.DataFrame,
    xrf: pd.DataFrame,
    hours: pd.DataFrame,
    limits: pd.DataFrame,
    *,
    relative: tuple[float, float] = (0.10, 0.10),
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Compare XRF with filters, element by element.

    Parameters
    ----------
    filters, xrf, hours : pandas.DataFrame (filter, element)
        Concentrations in one unit, the XRF's from `filter_means` with its hours.
    limits : pandas.DataFrame (element)
        Detection limits ``filter`` (of a sample) and ``xrf`` (of an hour), in the same unit.
    relative : tuple of float
        Relative standard uncertainty of filters and of XRF, shares of 1.
    confidence : float
        Of the intervals.

    Returns
    -------
    pandas.DataFrame (element)
        ``pairs`` used, ``substituted``, ``below_filter``, ``below_xrf``; York's ``slope`` and ``intercept`` of XRF on filters with ``_low`` and
        ``_high``, ``chi2``, ``correlation``, ``ratio`` (median, of pairs above both limits), and ``verdict``: ``agrees`` (the intervals hold 1
        and 0), ``differs``, or ``too few`` (pairs, or pairs above both limits, fewer than 10).

    Raises
    ------
    InputError
        If no element is in all tables, or a limit or uncertainty is not above 0.

    Notes
    -----
    A mean of n hours has the limit of an hour over sqrt(n). Uncertainty of a value: the root of the squares of the relative part and of
    half the limit, as equation 5-2 of the EPA PMF 5.0 guide (EPA/600/R-14/108). Values below a limit that are reported as measured are
    used: leaving them out would bend the line. Zeros and the limit, its half or its 0.71 were put in their place and are left out.
    """
    names = [name for name in filters.columns if name in xrf.columns and name in limits.index]
    if not names:
        raise InputError("elements", list(filters.columns), "some that filters, XRF and limits all have")
    if not all(share > 0 for share in relative):
        raise InputError("relative uncertainties", relative, "above 0")
    for column in ("filter", "xrf"):
        bad = ~(limits.loc[names, column] > 0)
        if bad.any():
            raise InputError(
                f"limit of {bad.index[bad][0]}: {column}", limits.loc[bad.index[bad][0], column], "above 0"
            )
    rows = {
        name: _compare(
            filters[name].to_numpy(dtype=float),
            xrf[name].reindex(filters.index).to_numpy(dtype=float),
            hours[name].reindex(filters.index).to_numpy(dtype=float),
            (float(limits["filter"][name]), float(limits["xrf"][name])), relative, confidence,
        )
        for name in names
    }  # fmt: skip
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "element"
    return table


def _compare(
    x: Array, y: Array, hours: Array, limit: tuple[float, float], relative: tuple[float, float], confidence: float
) -> dict[str, object]:
    both = np.isfinite(x) & np.isfinite(y)
    x, y, hours = x[both], y[both], hours[both]
    low_x, low_y = np.full(len(x), limit[0]), limit[1] / np.sqrt(hours)
    put = _substituted(x, low_x) | _substituted(y, np.full(len(y), limit[1]))
    row: dict[str, object] = {
        "pairs": int((~put).sum()),
        "substituted": int(put.sum()),
        "below_filter": int((x < low_x)[~put].sum()),
        "below_xrf": int((y < low_y)[~put].sum()),
    }
    x, y, low_x, low_y = x[~put], y[~put], low_x[~put], low_y[~put]
    above = (x >= low_x) & (y >= low_y)
    if above.sum() < MIN_PAIRS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return row | {"verdict": "too few"}
    errors = [
        np.hypot(share * np.abs(v), 0.5 * low) for v, low, share in zip((x, y), (low_x, low_y), relative, strict=True)
    ]
    line = york_line(x, y, *errors)
    factor = float(stats.t.ppf(0.5 + confidence / 2, len(x) - 2))
    for name in ("slope", "intercept"):
        value, error = getattr(line, name), getattr(line, f"{name}_error")
        row |= {name: value, f"{name}_low": value - factor * error, f"{name}_high": value + factor * error}
    alike = row["slope_low"] <= 1 <= row["slope_high"] and row["intercept_low"] <= 0 <= row["intercept_high"]  # type: ignore[operator]
    return row | {
        "chi2": line.chi2,
        "correlation": float(np.corrcoef(x, y)[0, 1]),
        "ratio": float(np.median(y[above] / x[above])),
        "verdict": "agrees" if alike else "differs",
    }


def _substituted(values: Array, limit: Array) -> NDArray[np.bool_]:
    near = [np.isclose(values, share * limit, rtol=1e-3, atol=0) for share in _SUBSTITUTES]
    return np.asarray(np.any(near, axis=0), dtype=np.bool_)
