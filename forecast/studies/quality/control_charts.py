"""Control charts of a measurement that should be constant: check standards, zero and span, blanks.

Shewhart charts detect large shifts at once, EWMA and CUSUM small persistent ones (Montgomery, Introduction to
Statistical Quality Control; NIST/SEMATECH e-Handbook of Statistical Methods, section 6.3.2).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hazecast.grids.errors import InputError

MIN_BASELINE = 10
# Expected range of two normal values, in standard deviations.
_D2 = 1.128


@dataclass(frozen=True)
class ControlChart:
    """A chart with its limits and the points that signal.

    Attributes
    ----------
    kind : str
        ``shewhart``, ``ewma`` or ``cusum``.
    center, spread : float
        Mean and standard deviation in control.
    statistic : pandas.DataFrame (point)
        ``value`` with ``low`` and ``high`` limits; for CUSUM ``up`` and ``down`` with ``high``; in the unit of the data.
    signals : pandas.Series (point)
        Rule that a point violates, for the points that do.
    """

    kind: str
    center: float
    spread: float
    statistic: pd.DataFrame
    signals: pd.Series


def baseline(values: pd.Series, points: int | None = None) -> tuple[float, float]:
    """Estimate mean and standard deviation in control, the latter from moving ranges (mean range / 1.128).

    Unlike the sample standard deviation, moving ranges are not inflated by a drift or step in the baseline.

    Parameters
    ----------
    values : pandas.Series (point)
        In order of time; NaN is skipped.
    points : int, optional
        Number of first points that are the baseline; all by default.

    Returns
    -------
    mean, spread : float
        In the unit of the values.

    Raises
    ------
    InputError
        If there are fewer than ten points, or they do not vary.
    """
    first = values.dropna().to_numpy(dtype=float)[:points]
    if len(first) < MIN_BASELINE:
        raise InputError("baseline: points", len(first), f"at least {MIN_BASELINE}")
    spread = float(np.abs(np.diff(first)).mean()) / _D2
    if spread == 0:
        raise InputError("baseline", "a single value", "points that vary")
    return float(first.mean()), spread


def shewhart(values: pd.Series, center: float, spread: float) -> ControlChart:
    """Chart single values with limits at 3 standard deviations, and the Western Electric rules.

    The rules (Western Electric 1956, as in the e-Handbook, 6.3.2): one point beyond 3 standard deviations;
    two of three beyond 2 on one side; four of five beyond 1 on one side; eight in a row on one side.

    Parameters
    ----------
    values : pandas.Series (point)
        In order of time; NaN where missing.
    center, spread : float
        Mean and standard deviation in control.

    Returns
    -------
    ControlChart
        Of kind ``shewhart``.

    Examples
    --------
    A check standard with one outlier:

    >>> import pandas as pd
    >>> chart = shewhart(pd.Series([20.1, 19.8, 20.2, 22.4, 20.0]), 20.0, 0.5)
    >>> chart.signals.to_dict()
    {3: 'beyond 3 s'}
    """
    z = ((values - center) / spread).to_numpy(dtype=float)
    table = pd.DataFrame({"value": values, "low": center - 3 * spread, "high": center + 3 * spread}, index=values.index)
    broken = [""] * len(z)
    for sign in (-1.0, 1.0):
        side = sign * z
        for rule, needed, window, limit in (
            ("8 of 8 on one side", 8, 8, 0.0),
            ("4 of 5 beyond 1 s", 4, 5, 1.0),
            ("2 of 3 beyond 2 s", 2, 3, 2.0),
            ("beyond 3 s", 1, 1, 3.0),
        ):
            over = side > limit
            for point in np.flatnonzero(over):
                if over[max(0, point - window + 1) : point + 1].sum() >= needed:
                    broken[point] = rule
    return ControlChart("shewhart", center, spread, table, _named(broken, values.index))


def ewma(values: pd.Series, center: float, spread: float, *, weight: float = 0.2, reach: float = 3.0) -> ControlChart:
    """Chart the exponentially weighted moving average (EWMA); a missing value leaves it unchanged.

    The limits follow its exact variance, s^2 w/(2 - w) (1 - (1 - w)^2t), narrower for the first points.

    Parameters
    ----------
    values : pandas.Series (point)
        In order of time; NaN where missing.
    center, spread : float
        Mean and standard deviation in control.
    weight : float
        Of the newest value, 0 to 1; usually 0.2 to 0.3.
    reach : float
        Limits in standard deviations of the average.

    Returns
    -------
    ControlChart
        Of kind ``ewma``.

    Raises
    ------
    InputError
        If `weight` or `reach` is out of range.
    """
    if not 0 < weight <= 1 or not reach > 0:
        raise InputError("EWMA: weight, reach", (weight, reach), "0 to 1, and above 0")
    level, seen = center, 0
    path = np.empty(len(values))
    width = np.empty(len(values))
    for number, value in enumerate(values.to_numpy(dtype=float)):
        if np.isfinite(value):
            level, seen = weight * value + (1 - weight) * level, seen + 1
        path[number] = level
        width[number] = reach * spread * np.sqrt(weight / (2 - weight) * (1 - (1 - weight) ** (2 * max(seen, 1))))
    table = pd.DataFrame({"value": path, "low": center - width, "high": center + width}, index=values.index)
    out = (np.abs(path - center) > width) & values.notna().to_numpy()
    return ControlChart(
        "ewma", center, spread, table, _named(["beyond the limit" if o else "" for o in out], values.index)
    )


def cusum(
    values: pd.Series, center: float, spread: float, *, slack: float = 0.5, decision: float = 5.0
) -> ControlChart:
    """Chart the cumulative sums (CUSUM) of upward and downward deviations; they are not reset by a signal.

    Parameters
    ----------
    values : pandas.Series (point)
        In order of time; NaN where missing.
    center, spread : float
        Mean and standard deviation in control.
    slack, decision : float
        k and h in standard deviations. With 0.5 and 5 the average run length is 465 points in control and 10.4
        after a shift of one standard deviation (Montgomery; simulated in the tests).

    Returns
    -------
    ControlChart
        Of kind ``cusum``.

    Raises
    ------
    InputError
        If `slack` or `decision` is out of range.
    """
    if slack < 0 or not decision > 0:
        raise InputError("CUSUM: slack, decision", (slack, decision), "0 or more, and above 0")
    up, down = np.zeros(len(values)), np.zeros(len(values))
    high, low = 0.0, 0.0
    for number, value in enumerate(((values - center) / spread).to_numpy(dtype=float)):
        if np.isfinite(value):
            high, low = max(0.0, high + value - slack), max(0.0, low - value - slack)
        up[number], down[number] = high, low
    table = pd.DataFrame({"up": up * spread, "down": down * spread, "high": decision * spread}, index=values.index)
    names = [
        "shift up" if u > decision else "shift down" if d > decision else "" for u, d in zip(up, down, strict=True)
    ]
    return ControlChart("cusum", center, spread, table, _named(names, values.index))


def shift_began(chart: ControlChart) -> Hashable | None:
    """Return the estimated start of the first shift that a CUSUM chart signals: the point after its last zero."""
    if chart.kind != "cusum" or chart.signals.empty:
        return None
    side = "up" if chart.signals.iloc[0] == "shift up" else "down"
    sums: NDArray[np.float64] = chart.statistic[side].to_numpy(dtype=float)
    at = int(np.flatnonzero(chart.statistic.index == chart.signals.index[0])[0])
    zeros = np.flatnonzero(sums[: at + 1] == 0)
    start: Hashable = chart.statistic.index[int(zeros[-1]) + 1 if len(zeros) else 0]
    return start


def _named(rules: list[str], index: pd.Index) -> pd.Series:
    series = pd.Series(rules, index=index, dtype=object)
    return series[series != ""]
