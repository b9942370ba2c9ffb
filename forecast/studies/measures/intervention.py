"""Did a measure work: the change in a window of days, held against windows in which nothing was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from hazecast.forecast.studies.measures.deweather import GAP_DAYS, expected, windows
from hazecast.grids.errors import InputError

METHODS = ("before_after", "weather", "with_without")
_MIN_SHARE, _MIN_PLACEBOS = 0.6, 20
# Weight of the row that makes the donors' weights sum to one.
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
        Nominal rate at which the interval holds the truth.
    p_value : float
        Share of windows, this one included, that stand out as far as this one: placebo in time.
    placebos : pandas.Series (start)
        Logarithm of observed over expected in the other windows.
    """

    change: float
    low: float
    high: float
    level: float
    p_value: float
    placebos: pd.Series


def check_window(table: pd.DataFrame, start: pd.Timestamp, length: int) -> None:
    """Raise InputError unless the window lies inside the table and most of its days were observed."""
    days = pd.DatetimeIndex(table.index)
    if length < 1:
        raise InputError("last day", f"{length} days", "a last day not before the first")
    end = start + pd.Timedelta(days=length - 1)
    if start < days[0] or end > days[-1]:
        raise InputError("window", f"{start:%Y-%m-%d} to {end:%Y-%m-%d}", f"days in {days[0]:%F} to {days[-1]:%F}")
    share = float(table.loc[start:end, "concentration"].notna().mean())
    if share < _MIN_SHARE:
        raise InputError("days of the window with a concentration", f"{share:.0%}", f"at least {_MIN_SHARE:.0%}")


def ratios(observed: pd.Series, predicted: pd.Series, start: pd.Timestamp, length: int) -> pd.Series:
    """Return the logarithm of observed over expected mean of every window with 60 % of its days, by first day."""
    both = pd.DataFrame({"observed": observed, "expected": predicted}).dropna()
    number = windows(pd.DatetimeIndex(both.index), start, length)
    sums = both.groupby(number).agg(["sum", "count"])
    kept = sums[sums["observed", "count"] >= _MIN_SHARE * length]
    values = np.log(kept["observed", "sum"].to_numpy() / kept["expected", "sum"].to_numpy())
    starts = start + pd.to_timedelta(kept.index.to_numpy() * length, unit="D")
    return pd.Series(values, index=pd.DatetimeIndex(starts, name="start"), name="log_ratio")


def judge(found: pd.Series, start: pd.Timestamp, *, level: float = 0.9) -> Effect:
    """Estimate the change in the window that begins on `start` from the log ratios of all windows.

    The placebo windows' median is taken for the bias of the method; their quantiles, at the ranks that give the
    nominal rate for exchangeable windows (as in conformal prediction), for its error.

    Raises
    ------
    InputError
        If the window has no ratio, or fewer than 20 others (40 for a level of 0.95) have one.
    """
    if not 0.5 <= level < 1:
        raise InputError("level", level, "from 0.5 to below 1, such as 0.9")
    if start not in found.index:
        raise InputError("window", f"{start:%Y-%m-%d}", "one with observed and expected values")
    others = found.drop(start)
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
    """Return what each day would be if its window were like the ones before and after it (ug m-3)."""
    number = windows(pd.DatetimeIndex(observed.index), start, length)
    means = observed.groupby(number).mean().reindex(range(number.min() - 1, number.max() + 2))
    around = (means.shift(1) + means.shift(-1)) / 2
    return pd.Series(around.reindex(number).to_numpy(), index=observed.index)


def synthetic_control(
    places: pd.DataFrame, treated: str, start: pd.Timestamp, length: int
) -> tuple[pd.Series, pd.Series]:
    """Predict a place from others: convex weights that fit it best outside of each window.

    Abadie, Diamond and Hainmueller (2010, J. Am. Stat. Assoc. 105:493-505), on days as a share of each place's mean;
    the weights of every window come from the days of all other windows, GAP_DAYS around it left out.

    Parameters
    ----------
    places : pandas.DataFrame (day, place)
        Daily concentrations, ug m-3.
    treated : str
    start : pandas.Timestamp
    length : int

    Returns
    -------
    expected : pandas.Series (day)
    weights : pandas.Series (place)
        Of the studied window.
    """
    donors = [name for name in places if name != treated]
    if not donors:
        raise InputError("donors", "none", "at least one other place where the measure was not taken")
    whole = places.dropna()
    days = pd.DatetimeIndex(whole.index)
    number = windows(days, start, length)
    studied = (days >= start - pd.Timedelta(days=GAP_DAYS)) & (days < start + pd.Timedelta(days=length + GAP_DAYS))
    found, chosen = pd.Series(np.nan, index=places.index), pd.Series(np.nan, index=donors)
    for one in np.unique(number):
        first = start + pd.Timedelta(days=int(one) * length)
        gap = pd.Timedelta(days=GAP_DAYS)
        fit = whole[~((days >= first - gap) & (days < first + pd.Timedelta(days=length) + gap)) & ~studied]
        if len(fit) < 3 * length or len(fit) < 30:
            raise InputError("days with all places", len(fit), f"at least {max(30, 3 * length)} outside the window")
        scaled = fit / fit.mean()
        a = np.vstack([scaled[donors].to_numpy(), np.full(len(donors), _SUM_WEIGHT)])
        weights = nnls(a, np.append(scaled[treated].to_numpy(), _SUM_WEIGHT))[0]
        here = whole.index[number == one]
        share = (whole.loc[here, donors] / fit[donors].mean()).to_numpy() @ weights
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
        As `deweather.daily_table` gives it.
    start, length
        The window.
    donors : pandas.DataFrame (day, place), optional
        Daily concentrations of places where the measure was not taken; for `with_without`.
    level : float
    seed : int
    weather : pandas.Series (day), optional
        What `deweather.expected` gave for this window, if it is known already.

    Returns
    -------
    effects : dict of str to Effect
        By method.
    course : pandas.DataFrame (day)
        ``observed`` and what each method expected, ug m-3.
    weights : pandas.Series (place)
        Of the donors; empty without any.
    """
    check_window(table, start, length)
    observed = table["concentration"]
    course = pd.DataFrame({"observed": observed, "before_after": before_after(observed, start, length)})
    course["weather"] = expected(table, start, length, seed=seed) if weather is None else weather
    weights = pd.Series(dtype=float)
    if donors is not None:
        if "treated" in donors:
            raise InputError("donor", "treated", "a name other than the one kept for the studied place")
        places = donors.reindex(course.index).assign(treated=observed)
        course["with_without"], weights = synthetic_control(places, "treated", start, length)
    methods = [name for name in METHODS if name in course]
    effects = {name: judge(ratios(observed, course[name], start, length), start, level=level) for name in methods}
    return effects, course, weights


def in_space(donors: pd.DataFrame, start: pd.Timestamp, length: int, *, level: float = 0.9) -> dict[str, Effect]:
    """Take each donor for the treated place, the other donors for its own: placebo in space.

    A measure that worked should not be found where it was not taken. At least two donors are needed; else empty.
    """
    found = {}
    for name in donors if donors.shape[1] > 1 else ():
        predicted, _ = synthetic_control(donors, str(name), start, length)
        found[str(name)] = judge(ratios(donors[name], predicted, start, length), start, level=level)
    return found


def recovery(
    table: pd.DataFrame, length: int, *, cuts: Sequence[float] = (0.1, 0.2, 0.3), placements: int = 20,
    donors: pd.DataFrame | None = None, level: float = 0.9, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Put cuts into windows of a real series and see whether they are found: the check against a known answer.

    Windows are spread evenly over those in which 80 % of the days were observed, at the donors too.

    Returns
    -------
    pandas.DataFrame
        A row for each placement, cut and method: ``start``, ``cut``, ``method``, ``change``, ``low``, ``high``,
        ``covered`` (the interval holds the cut), ``detected`` (the interval lies below zero).
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
        # The model never sees the window, so what it expects there and elsewhere is the same for every cut.
        weather = expected(table, start, length, seed=seed)
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
