"""Steps of a weekly series: how many, when, how large, with intervals that allow for the search and for autocorrelation.

The dates are those of least squares for their number (Bai and Perron, 1998, Econometrica 66:47-78, found exactly by dynamic
programming). How many: one after another, or two at once where they cancel each other, as long as the sum of squares falls by
more than in series without them whose noise has the same autocorrelation. Confidence sets of the dates are those of the
likelihood ratio (Hansen, 2000, Econometrica 68:575-603; Eo and Morley, 2015, Quantitative Economics 6:463-497). Formulas from
memory, checked by the coverage of the intervals in simulations: docs/studies/did_it_work.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires

# Fewest weeks between steps and at either end. Chosen.
SIDE_WEEKS = 13
# Share of series without a further step in which one is found, for each test. Chosen: two tests make one decision.
_SIGNIFICANCE = 0.02
_MOST_CORRELATION = 0.95


@dataclass(frozen=True)
class Step:
    """One step of the mean of the logarithm.

    Attributes
    ----------
    date : pandas.Timestamp
        First week after the step.
    earliest, latest : pandas.Timestamp
        First and last week of the confidence set of the date.
    change : float
        Relative change across the step, to the next step.
    low, high : float
        Its interval at any date of the set, so that it allows for the choice of the date.
    """

    date: pd.Timestamp
    earliest: pd.Timestamp
    latest: pd.Timestamp
    change: float
    low: float
    high: float


@dataclass(frozen=True)
class Steps:
    """The steps found in a series.

    Attributes
    ----------
    steps : tuple of Step
        In order of time; empty where none is distinguishable from noise.
    level : float
        Nominal coverage of the intervals.
    p_first : float
        Share of simulated series without any step that show one, or two, as clearly.
    p_next : float
        The same for a further step beside those found; NaN where the series is too short for it.
    correlation : float
        Of a week's noise with the next week's.
    """

    steps: tuple[Step, ...]
    level: float
    p_first: float
    p_next: float
    correlation: float


def find_steps(log: pd.Series, *, most: int = 5, level: float = 0.9, draws: int = 99, seed: int = 0) -> Steps:
    """Find the steps of the mean, at least 13 weeks apart and from either end.

    A slope looks like a flight of steps: compare with `hazecast.forecast.studies.measures.changes.trend`.

    Parameters
    ----------
    log : pandas.Series (week)
        Logarithms, as from `hazecast.forecast.studies.measures.changes.weekly`.
    most : int
        Largest number of steps.
    level : float
        Nominal coverage of the intervals.
    draws : int
        Simulated series for each test.
    seed : int
        Of the simulation.

    Returns
    -------
    Steps
        Dates, relative changes and their intervals.

    Raises
    ------
    InputError
        If `most` is below 1, there are fewer than 49 draws (none could be significant), the level is out of range, or the series
        is shorter than 26 weeks.
    MissingExtraError
        If the package ``ruptures`` (extra ``studies``) is not installed.

    Examples
    --------
    Three years of weeks that fall by 30 % after the 80th:

    >>> import numpy as np
    >>> import pandas as pd
    >>> noise = np.random.default_rng(1).normal(0.0, 0.2, 157)
    >>> weeks = pd.date_range("2013-03-01", periods=157, freq="7D")
    >>> found = find_steps(pd.Series(noise + np.log(0.7) * (np.arange(157) >= 80), index=weeks))
    >>> [(step.earliest <= weeks[80] <= step.latest, round(step.change, 1)) for step in found.steps]
    [(True, -0.3)]
    """
    _check(log, most, level, draws)
    values = log.to_numpy(dtype=float)
    at: tuple[int, ...] = ()
    p_first, p_next = np.nan, np.nan
    while True:
        more, p_next = _further(values, at, most, draws, seed)
        p_first = p_next if np.isnan(p_first) else p_first
        if more is None:
            break
        at = more
    residuals = values - _means(values, at)
    steps = tuple(_step(log, values, at, i, level) for i in range(len(at)))
    return Steps(steps, level, p_first, p_next, _correlation(residuals, len(at)))


def _check(log: pd.Series, most: int, level: float, draws: int) -> None:
    if most < 1:
        raise InputError("largest number of steps", most, "at least 1")
    if draws < round(1 / _SIGNIFICANCE) - 1:
        raise InputError("draws", draws, f"at least {round(1 / _SIGNIFICANCE) - 1}")
    if not 0.5 <= level < 1:
        raise InputError("level", level, "from 0.5 to below 1, such as 0.9")
    if len(log) < 2 * SIDE_WEEKS:
        raise InputError("weeks with a value", len(log), f"at least {2 * SIDE_WEEKS}")


def _further(
    values: NDArray[Any], at: tuple[int, ...], most: int, draws: int, seed: int
) -> tuple[tuple[int, ...] | None, float]:
    """Return the positions with one more step, or two that cancel each other, if significant; and the lowest p-value."""
    room = min(most, len(values) // SIDE_WEEKS - 1) - len(at)
    if room < 1:
        return None, np.nan
    one = _best(values, len(at) + 1)
    p_one = _p_value(values, at, one, draws, seed)
    if p_one <= _SIGNIFICANCE or room < 2:
        return (one if p_one <= _SIGNIFICANCE else None), p_one
    two = _best(values, len(at) + 2)
    p_two = _p_value(values, at, two, draws, seed)
    # Both are needed: beside a single step too small to be seen, two would be found that hold it and some noise.
    both = p_two <= _SIGNIFICANCE and _p_value(values, one, two, draws, seed) <= _SIGNIFICANCE
    return (two if both else None), min(p_one, p_two)


def _p_value(values: NDArray[Any], at: tuple[int, ...], more: tuple[int, ...], draws: int, seed: int) -> float:
    """Return the share of simulated series with the steps `at` in which as many as `more` explain at least as much."""
    gain = _squares(values, at) - _squares(values, more)
    # The noise is what the larger number of steps leaves: a real step would make it look correlated.
    noise = _noise(values - _means(values, more), len(more), draws, seed)
    null = [_squares(y, _best(y, len(at))) - _squares(y, _best(y, len(more))) for y in _means(values, at) + noise]
    return (1 + sum(one >= gain for one in null)) / (draws + 1)


def _step(log: pd.Series, values: NDArray[Any], at: tuple[int, ...], which: int, level: float) -> Step:
    """Return a step with the dates whose likelihood ratio is not rejected, between its neighbours."""
    variance = _long_run_variance(values - _means(values, at), len(at))
    # Quantile of the likelihood ratio at the true date: its distribution function is (1 - exp(-x / 2)) squared (Hansen, 2000).
    critical = -2 * np.log(1 - np.sqrt(level)) * variance
    edges, best, z = (0, *at, len(values)), _squares(values, at), norm.ppf((1 + level) / 2)
    first, here, last = edges[which : which + 3]
    dates, lows, highs = [], [], []
    for date in range(first + 1, last):
        if _squares(values, (*at[:which], date, *at[which + 1 :])) - best > critical:
            continue
        jump = values[date:last].mean() - values[first:date].mean()
        error = np.sqrt(variance * (1 / (date - first) + 1 / (last - date)))
        dates.append(date)
        lows.append(jump - z * error)
        highs.append(jump + z * error)
    change = values[here:last].mean() - values[first:here].mean()
    index = log.index
    return Step(
        index[here], index[dates[0]], index[dates[-1]],
        float(np.expm1(change)), float(np.expm1(min(lows))), float(np.expm1(max(highs))),
    )  # fmt: skip


def _best(values: NDArray[Any], number: int) -> tuple[int, ...]:
    """Return the positions of a number of steps that leave the least sum of squares."""
    if number == 0:
        return ()
    search = requires("ruptures", "studies").KernelCPD(kernel="linear", min_size=SIDE_WEEKS)
    return tuple(int(one) for one in search.fit(values[:, None]).predict(n_bkps=number)[:-1])


def _means(values: NDArray[Any], at: tuple[int, ...]) -> NDArray[Any]:
    pieces = np.split(values, at)
    return np.repeat([piece.mean() for piece in pieces], [len(piece) for piece in pieces])


def _squares(values: NDArray[Any], at: tuple[int, ...]) -> float:
    return float(((values - _means(values, at)) ** 2).sum())


def _correlation(residuals: NDArray[Any], steps: int) -> float:
    """Return the correlation of neighbours, less the bias that each mean fitted brings (Kendall, 1954, Biometrika 41:403)."""
    found = float(np.corrcoef(residuals[:-1], residuals[1:])[0, 1])
    return float(np.clip(found + (steps + 1) * (1 + 3 * found) / len(residuals), 0.0, _MOST_CORRELATION))


def _variance(residuals: NDArray[Any], steps: int) -> float:
    return float((residuals**2).sum() / (len(residuals) - steps - 1))


def _long_run_variance(residuals: NDArray[Any], steps: int) -> float:
    """Return the variance of a long mean times its length, for noise whose neighbours correlate (first order)."""
    rho = _correlation(residuals, steps)
    return _variance(residuals, steps) * (1 + rho) / (1 - rho)


def _noise(residuals: NDArray[Any], steps: int, draws: int, seed: int) -> NDArray[Any]:
    """Return noise (draws, weeks) of the variance and correlation of the residuals."""
    rho = _correlation(residuals, steps)
    drawn = np.random.default_rng(seed).normal(0.0, 1.0, (draws, len(residuals)))
    for week in range(1, len(residuals)):
        drawn[:, week] = rho * drawn[:, week - 1] + np.sqrt(1 - rho**2) * drawn[:, week]
    return np.asarray(drawn * np.sqrt(_variance(residuals, steps)))
