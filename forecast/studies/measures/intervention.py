"""Intervention analysis: the change in a window of days, compared with placebo windows without a measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from hazecast.forecast.studies.measures.deweather import GAP_DAYS, expected_concentration, window_numbers
from hazecast.grids.errors import InputError

METHODS = ("before_after", "weather", "with_without")
_MIN_SHARE, _MIN_PLACEBOS = 0.6, 20
# Weight of the row that constrains the donors' weights to sum to one.
_SUM_WEIGHT = 1e4


@dataclass(frozen=True)
class Effect:
    """Change of the mean concentration in the window.

    Attributes
    ----------
    change : float
        Relative: -0.3 is 30 % less than without the measure.
    low, high : float
        Interval from the placebo windows.
    level : float
        Nominal coverage of the interval.
    p_value : float
        Share of windows, this one included, whose deviation is at least as large: placebo in time.
    placebos : pandas.Series (start)
        Logarithm of observed over expected in the other windows, but those next to this one.
    """

    change: float
    low: float
    high: float
    level: float
    p_value: float
    placebos: pd.Series


def check_window(table: pd.DataFrame, start: pd.Timestamp, length: int) -> None:
    """Check that a window lies inside the table and that at least 60 % of its days were observed.

    Parameters
    ----------
    table : pandas.DataFrame (day)
        From `hazecast.forecast.studies.measures.deweather.daily_table`.
    start : pandas.Timestamp
        First day of the window.
    length : int
        Days in the window.

    Raises
    ------
    InputError
        If it does not.
    """
    days = pd.DatetimeIndex(table.index)
    if length < 1:
        raise InputError("last day", f"{length} days", "a last day not before the first")
    end = start + pd.Timedelta(days=length - 1)
    if start < days[0] or end > days[-1]:
        raise InputError("window", f"{start:%Y-%m-%d} to {end:%Y-%m-%d}", f"days in {days[0]:%F} to {days[-1]:%F}")
    share = float(table.loc[start:end, "concentration"].notna().mean())
    if share < _MIN_SHARE:
        raise InputError("days of the window with a concentration", f"{share:.0%}", f"at least {_MIN_SHARE:.0%}")


def window_log_ratios(observed: pd.Series, predicted: pd.Series, start: pd.Timestamp, length: int) -> pd.Series:
    """Return the log ratio of observed to expected mean concentration of each window.

    Parameters
    ----------
    observed, predicted : pandas.Series (day)
        Observed and expected concentration, ug m-3.
    start : pandas.Timestamp
        First day of the studied window; the other windows precede and follow it.
    length : int
        Days in a window.

    Returns
    -------
    pandas.Series (start)
        By first day; windows with fewer than 60 % of their days are absent.
    """
    both = pd.DataFrame({"observed": observed, "expected": predicted}).dropna()
    number = window_numbers(pd.DatetimeIndex(both.index), start, length)
    sums = both.groupby(number).agg(["sum", "count"])
    valid = sums[sums["observed", "count"] >= _MIN_SHARE * length]
    values = np.log(valid["observed", "sum"].to_numpy() / valid["expected", "sum"].to_numpy())
    starts = start + pd.to_timedelta(valid.index.to_numpy() * length, unit="D")
    return pd.Series(values, index=pd.DatetimeIndex(starts, name="start"), name="log_ratio")


def estimate_effect(found: pd.Series, start: pd.Timestamp, length: int, *, level: float = 0.9) -> Effect:
    """Estimate the change in the window that begins on `start` from the log ratios of all windows.

    Windows next to the studied one are no placebos: the measure may have begun to act, or its effect be made up for, in
    them, and before and after they are judged by the studied window itself. The median of the placebo windows estimates the bias of the method; their quantiles, at the ranks that give the
    nominal coverage for exchangeable windows (as in conformal prediction), estimate its error.

    Parameters
    ----------
    found : pandas.Series (start)
        Log ratios by first day of the window, from `window_log_ratios`.
    start : pandas.Timestamp
        First day of the studied window.
    length : int
        Days in a window.
    level : float
        Nominal coverage of the interval.

    Returns
    -------
    Effect
        Relative change with interval and p-value.

    Raises
    ------
    InputError
        If the level is out of range, the window has no ratio, or fewer than 20 others (40 for a level of 0.95) have
        one.
    """
    if not 0.5 <= level < 1:
        raise InputError("level", level, "from 0.5 to below 1, such as 0.9")
    if start not in found.index:
        raise InputError("window", f"{start:%Y-%m-%d}", "one with observed and expected values")
    apart = np.abs((pd.DatetimeIndex(found.index) - start).days)
    others = found[apart > max(length, GAP_DAYS)]
    n = len(others)
    needed = max(_MIN_PLACEBOS, round(2 / (1 - level)))
    if n < needed:
        raise InputError("placebo windows", n, f"at least {needed}: a longer series or a shorter window")
    errors = np.sort(others.to_numpy() - float(others.median()))
    rank = int(np.floor((n + 1) * (1 - level) / 2))
    here = float(found[start]) - float(others.median())
    low, high = np.expm1([here - errors[n - rank], here - errors[rank - 1]])
    p = (1 + int((np.abs(errors) >= abs(here)).sum())) / (n + 1)
    return Effect(float(np.expm1(here)), float(low), float(high), level, p, others)


def before_after(observed: pd.Series, start: pd.Timestamp, length: int) -> pd.Series:
    """Predict each day by the mean of the windows before and after its own.

    Parameters
    ----------
    observed : pandas.Series (day)
        ug m-3.
    start : pandas.Timestamp
        First day of the studied window.
    length : int
        Days in a window.

    Returns
    -------
    pandas.Series (day)
        ug m-3; NaN where a neighbouring window has no value.
    """
    number = window_numbers(pd.DatetimeIndex(observed.index), start, length)
    means = observed.groupby(number).mean().reindex(range(number.min() - 1, number.max() + 2))
    around = (means.shift(1) + means.shift(-1)) / 2
    return pd.Series(around.reindex(number).to_numpy(), index=observed.index)


def synthetic_control(
    places: pd.DataFrame, treated: str, start: pd.Timestamp, length: int
) -> tuple[pd.Series, pd.Series]:
    """Predict a place from other places with the convex weights that fit best outside each window.

    Abadie, Diamond and Hainmueller (2010, J. Am. Stat. Assoc. 105:493-505), on days as a share of each place's mean;
    the weights of each window come from the days of all other windows, without GAP_DAYS around it.

    Parameters
    ----------
    places : pandas.DataFrame (day, place)
        Daily concentrations, ug m-3.
    treated : str
        Column of the studied place; the other columns are donors.
    start : pandas.Timestamp
        First day of the studied window.
    length : int
        Days in a window.

    Returns
    -------
    expected : pandas.Series (day)
        ug m-3.
    weights : pandas.Series (place)
        Of the donors, for the studied window.

    Raises
    ------
    InputError
        If there are no donors, or too few days outside the window have values at all places.
    """
    donors = [name for name in places if name != treated]
    if not donors:
        raise InputError("donors", "none", "at least one other place where the measure was not taken")
    complete = places.dropna()
    days = pd.DatetimeIndex(complete.index)
    number = window_numbers(days, start, length)
    studied = (days >= start - pd.Timedelta(days=GAP_DAYS)) & (days < start + pd.Timedelta(days=length + GAP_DAYS))
    found, chosen = pd.Series(np.nan, index=places.index), pd.Series(np.nan, index=donors)
    for one in np.unique(number):
        first = start + pd.Timedelta(days=int(one) * length)
        gap = pd.Timedelta(days=GAP_DAYS)
        fit = complete[~((days >= first - gap) & (days < first + pd.Timedelta(days=length) + gap)) & ~studied]
        if len(fit) < 3 * length or len(fit) < 30:
            raise InputError("days with all places", len(fit), f"at least {max(30, 3 * length)} outside the window")
        scaled = fit / fit.mean()
        a = np.vstack([scaled[donors].to_numpy(), np.full(len(donors), _SUM_WEIGHT)])
        weights = nnls(a, np.append(scaled[treated].to_numpy(), _SUM_WEIGHT))[0]
        here = complete.index[number == one]
        share = (complete.loc[here, donors] / fit[donors].mean()).to_numpy() @ weights
        found[here] = share * float(fit[treated].mean())
        if one == 0:
            chosen[:] = weights
    return found, chosen


def assess(
    table: pd.DataFrame, start: pd.Timestamp, length: int, *, donors: pd.DataFrame | None = None, level: float = 0.9,
    seed: int = 0, weather: pd.Series | None = None,
) -> tuple[dict[str, Effect], pd.DataFrame, pd.Series]:  # fmt: skip
    """Estimate the change in a window by each method.

    Parameters
    ----------
    table : pandas.DataFrame (day)
        From `hazecast.forecast.studies.measures.deweather.daily_table`.
    start : pandas.Timestamp
        First day of the window.
    length : int
        Days in the window.
    donors : pandas.DataFrame (day, place), optional
        Daily concentrations of places where the measure was not taken, ug m-3; for `with_without`.
    level : float
        Nominal coverage of the intervals.
    seed : int
        Of the weather model.
    weather : pandas.Series (day), optional
        Result of `expected_concentration` for this window, if known already.

    Returns
    -------
    effects : dict of str to Effect
        By method.
    course : pandas.DataFrame (day)
        ``observed`` and the concentration expected by each method, ug m-3.
    weights : pandas.Series (place)
        Of the donors; empty without any.

    Raises
    ------
    InputError
        If the window is not covered by observations, a donor is named ``treated``, or there are too few placebo
        windows.
    MissingExtraError
        If the package ``lightgbm`` (extra ``studies``) is not installed.
    """
    check_window(table, start, length)
    observed = table["concentration"]
    course = pd.DataFrame({"observed": observed, "before_after": before_after(observed, start, length)})
    course["weather"] = expected_concentration(table, start, length, seed=seed) if weather is None else weather
    weights = pd.Series(dtype=float)
    if donors is not None:
        if "treated" in donors:
            raise InputError("donor", "treated", "a name other than the one reserved for the studied place")
        places = donors.reindex(course.index).assign(treated=observed)
        course["with_without"], weights = synthetic_control(places, "treated", start, length)
    methods = [name for name in METHODS if name in course]
    effects = {
        name: estimate_effect(window_log_ratios(observed, course[name], start, length), start, length, level=level)
        for name in methods
    }
    return effects, course, weights


def placebo_in_space(
    donors: pd.DataFrame, start: pd.Timestamp, length: int, *, level: float = 0.9
) -> dict[str, Effect]:
    """Apply the synthetic control to each donor with the other donors: placebo in space.

    No effect should be found where the measure was not taken.

    Parameters
    ----------
    donors : pandas.DataFrame (day, place)
        Daily concentrations of places where the measure was not taken, ug m-3.
    start : pandas.Timestamp
        First day of the window.
    length : int
        Days in the window.
    level : float
        Nominal coverage of the intervals.

    Returns
    -------
    dict of str to Effect
        By donor; empty with fewer than two donors.
    """
    found = {}
    for name in donors if donors.shape[1] > 1 else ():
        predicted, _ = synthetic_control(donors, str(name), start, length)
        found[str(name)] = estimate_effect(
            window_log_ratios(donors[name], predicted, start, length), start, length, level=level
        )
    return found


def recover_known_cuts(
    table: pd.DataFrame, length: int, *, cuts: Sequence[float] = (0.1, 0.2, 0.3), placements: int = 20,
    donors: pd.DataFrame | None = None, level: float = 0.9, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Impose known reductions on windows of a real series and estimate them: validation against a known answer.

    Windows are spread evenly over those in which 80 % of the days were observed, at the donors too.

    Parameters
    ----------
    table : pandas.DataFrame (day)
        From `hazecast.forecast.studies.measures.deweather.daily_table`.
    length : int
        Days in a window.
    cuts : sequence of float
        Relative reductions, 0.1 for 10 %.
    placements : int
        Windows that the reductions are imposed on.
    donors : pandas.DataFrame (day, place), optional
        Daily concentrations of places where the measure was not taken, ug m-3.
    level : float
        Nominal coverage of the intervals.
    seed : int
        Of the weather model.

    Returns
    -------
    pandas.DataFrame
        A row for each placement, cut and method: ``start``, ``cut``, ``method``, ``change``, ``low``, ``high``,
        ``covered`` (the interval contains the cut), ``detected`` (the interval lies below zero).

    Raises
    ------
    InputError
        If fewer windows were observed than `placements`.
    """
    days = pd.DatetimeIndex(table.index)
    observed = table["concentration"].notna()
    if donors is not None:
        observed &= donors.reindex(days).notna().all(axis=1)
    share = observed.rolling(length).mean().shift(1 - length)
    possible = days[(share >= 0.8).to_numpy()]
    if len(possible) < placements:
        raise InputError("placements", placements, f"at most {len(possible)}, the windows observed")
    chosen = possible[np.linspace(length, len(possible) - 1 - length, placements).round().astype(int)]
    rows: list[Mapping[str, object]] = []
    for start in chosen:
        inside = (days >= start) & (days < start + pd.Timedelta(days=length))
        # The model is never fitted to the window, so its prediction is the same for every cut.
        weather = expected_concentration(table, start, length, seed=seed)
        for cut in cuts:
            changed = table.copy()
            changed.loc[inside, "concentration"] *= 1 - cut
            effects, _, _ = assess(changed, start, length, donors=donors, level=level, weather=weather)
            rows += [
                {"start": start, "cut": cut, "method": name, "change": one.change, "low": one.low, "high": one.high,
                 "covered": one.low <= -cut <= one.high, "detected": one.high < 0}
                for name, one in effects.items()
            ]  # fmt: skip
    return pd.DataFrame(rows)
