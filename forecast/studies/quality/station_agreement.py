"""Agreement of a city's stations: each compared with the others by level, correlation, drift and steps."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.stats import theilslopes

from hazecast.forecast.studies.estimate import Estimate
from hazecast.forecast.studies.resampled import block_rows, neighbours_correlation
from hazecast.grids.errors import InputError
from hazecast.grids.quality.comparison import compare

MIN_STATIONS, MIN_DAYS = 3, 60
_MIN_HOURS = 18
# Robust standard deviations among stations beyond which a station is flagged. Chosen.
_UNLIKE = 3.0
_MIN_SHIFT_WEEKS, _BLOCK, _DRAWS, _CERTAIN = 104, 8, 999, 0.99
_MIN_STEP, _ROUNDS = 5.0, 3
_LEVEL, _MOST = 0.95, 0.9


def consistency(hourly: pd.DataFrame) -> pd.DataFrame:
    """Compare each station with the median of the others.

    Parameters
    ----------
    hourly : pandas.DataFrame (time, station)
        One pollutant, NaN where not valid; hours may be absent.

    Returns
    -------
    pandas.DataFrame (station)
        ``hours`` valid in both, ``mean``, ``ratio`` (median ratio of daily means), ``bias``, ``rmse``,
        ``correlation``, ``slope`` (Deming) with ``slope_low`` and ``slope_high``, ``drift`` (% per year of the ratio,
        Theil-Sen), ``shift`` (day of a lasting step of 5 % or more, NaT if there is none; two years are needed to
        distinguish it from the season), ``shift_size`` (%) with ``shift_low`` and ``shift_high`` (95 %) and ``unlike``: the
        statistics in which the station is an outlier, empty if there are none. Steps are found beside the median of the others without
        their own steps, the other statistics beside the median as it is.

    Raises
    ------
    InputError
        If there are fewer than three stations or sixty days.

    Notes
    -----
    A station in a different environment (suburb, street) differs for good reason: the table identifies stations to
    examine, not faulty ones. A drift or shift that the others do not have suggests a problem of the instrument.
    """
    if hourly.shape[1] < MIN_STATIONS:
        raise InputError("stations", hourly.shape[1], f"at least {MIN_STATIONS}")
    rows: dict[object, dict[str, object]] = {}
    for station in hourly.columns:
        others = hourly.drop(columns=station).median(axis=1)
        rows[station] = _row(str(station), hourly[station], others)
    for name, (day, size) in _shifts(hourly).items():
        rows[name] |= {"shift": day, "shift_size": size.value, "shift_low": size.low, "shift_high": size.high}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "station"
    table["unlike"] = _unlike(table)
    return table


def too_few_days(hourly: pd.DataFrame) -> list[str]:
    """Return the stations (columns) with fewer than `MIN_DAYS` valid days of their own, as for `daily_ratio`."""
    hours = hourly.where(hourly > 0).groupby(pd.DatetimeIndex(hourly.index).normalize()).count()
    days = (hours >= _MIN_HOURS).sum()
    return [str(name) for name in days.index[days < MIN_DAYS]]


def daily_ratio(own: pd.Series, others: pd.Series) -> pd.Series:
    """Return the logarithm of the ratio of daily means.

    Parameters
    ----------
    own, others : pandas.Series (time)
        Hourly concentrations of a station and of its comparison, in one unit; NaN where not valid.

    Returns
    -------
    pandas.Series (day)
        Of days with at least 18 hours valid in both.
    """
    both = pd.DataFrame({"own": own, "others": others}).dropna()
    days = both.groupby(pd.DatetimeIndex(both.index).normalize())
    means, counts = days.mean(), days.size()
    valid = means[(counts >= _MIN_HOURS) & (means["own"] > 0) & (means["others"] > 0)]
    return pd.Series(np.log((valid["own"] / valid["others"]).to_numpy()), index=valid.index)


def _row(station: str, own: pd.Series, others: pd.Series) -> dict[str, object]:
    ratio = daily_ratio(own, others)
    if len(ratio) < MIN_DAYS:
        raise InputError(f"station {station}: days valid with the others", len(ratio), f"at least {MIN_DAYS}")
    found = compare(others.to_numpy(dtype=float), own.to_numpy(dtype=float))
    years = (ratio.index - ratio.index[0]).days.to_numpy() / 365.25
    drift = float(np.expm1(theilslopes(ratio.to_numpy(), years).slope)) * 100
    return {
        "hours": found.pairs,
        "mean": found.mean_second,
        "ratio": float(np.exp(ratio.median())),
        "bias": found.bias,
        "rmse": found.rmse,
        "correlation": found.correlation,
        "slope": found.deming.slope,
        "slope_low": found.deming.slope_low,
        "slope_high": found.deming.slope_high,
        "drift": drift,
    }


def _shifts(hourly: pd.DataFrame) -> dict[object, tuple[pd.Timestamp, Estimate]]:
    """Return day and size of the step of each station, as `_shift`.

    A station that steps shifts the median that the others are compared with. So the largest step is taken out of its station before
    the others are examined again, until no other is found; one that is no more found beside the others so levelled is dropped.
    """
    levelled, taken = hourly, set[object]()
    found: dict[object, tuple[pd.Timestamp, Estimate]] = {}
    for _ in range(hourly.shape[1]):
        found = {
            station: _shift(daily_ratio(hourly[station], levelled.drop(columns=station).median(axis=1)))
            for station in hourly.columns
        }
        sizes = {station: abs(np.log1p(size.value / 100)) for station, (day, size) in found.items() if pd.notna(day)}
        more = set(sizes) - taken
        if not more:
            break
        taken = (taken & set(sizes)) | {max(more, key=lambda station: sizes[station])}
        levelled = hourly.copy()
        for station in taken:
            day, size = found[station]
            own = hourly[station]
            levelled[station] = own.where(hourly.index < day, own / (1 + size.value / 100))
    return found


def _shift(ratio: pd.Series) -> tuple[pd.Timestamp, Estimate]:
    """Return day and size (%) of the single step that explains weekly ratios best; NaT and NaN if not significant.

    The season (the median of each calendar month) is removed first, so two years are needed. The largest
    cumulative sum is compared with those of block-resampled weeks: it counts if it exceeds 99 % of them. The interval of the size is that
    at the day found.
    """
    none = pd.Timestamp("NaT"), Estimate(float("nan"), float("nan"), float("nan"))
    weekly = ratio.resample("7D").median().dropna()
    if len(weekly) < _MIN_SHIFT_WEEKS:
        return none
    values = _without_season(weekly, np.zeros(len(weekly)))
    drawn = values[block_rows(len(values), _BLOCK, np.random.default_rng(0), draws=_DRAWS)]
    by_chance = np.abs((drawn - drawn.mean(axis=1, keepdims=True)).cumsum(axis=1)).max(axis=1)
    if np.abs(values.cumsum()).max() <= np.quantile(by_chance, _CERTAIN):
        return none
    for _ in range(_ROUNDS):
        # The medians of the months took a part of the step: find both anew, each without the other.
        at = _place(values)
        step = np.where(np.arange(len(values)) >= at, np.median(values[at:]) - np.median(values[:at]), 0.0)
        values = _without_season(weekly, step)
    at = _place(values)
    size = _size(values, at, pd.DatetimeIndex(weekly.index).month.to_numpy())
    return (weekly.index[at], size) if abs(size.value) >= _MIN_STEP else none


def _without_season(weekly: pd.Series, step: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weekly ratios less the median of their calendar month, found beside a step; centred."""
    season = (weekly - step).groupby(pd.DatetimeIndex(weekly.index).month).transform("median")
    values = (weekly - season).to_numpy(dtype=float)
    return np.asarray(values - values.mean())


def _place(values: NDArray[np.float64]) -> int:
    return int(np.abs(values.cumsum())[:-1].argmax()) + 1


def _size(values: NDArray[np.float64], at: int, months: NDArray[np.int64]) -> Estimate:
    """Return the step, %, with the interval of a difference of medians beside medians of months, in noise of correlated weeks.

    The noise's long-run variance is that of a first-order process. Medians have the variance of means times pi / 2 (of normal noise).
    """
    n, after = len(values), np.arange(len(values)) >= at
    step = float(np.median(values[after]) - np.median(values[~after]))
    noise = values - step * after
    noise = noise - noise.mean()
    fitted = len(np.unique(months)) + 1
    found = float(np.corrcoef(noise[:-1], noise[1:])[0, 1])
    correlation = neighbours_correlation(found, n, fitted, _MOST)
    variance = (noise**2).sum() / (n - fitted) * (1 + correlation) / (1 - correlation)
    # What the months leave of the step to be seen.
    seen = pd.Series(after.astype(float)).groupby(months).transform(lambda one: one - one.mean())
    error = np.sqrt(np.pi / 2 * variance / float((seen**2).sum()))
    half = stats.t.ppf((1 + _LEVEL) / 2, max(n * (1 - correlation) / (1 + correlation) - fitted, 2.0)) * error
    return Estimate(*(float(one) for one in 100 * np.expm1([step, step - half, step + half])))


def _unlike(table: pd.DataFrame) -> list[str]:
    reasons: list[list[str]] = [[] for _ in range(len(table))]
    for column in ("ratio", "correlation", "drift"):
        values = np.log(table["ratio"]) if column == "ratio" else table[column]
        spread = 1.483 * float((values - values.median()).abs().median())
        for number, value in enumerate(values):
            if spread > 0 and abs(value - values.median()) > _UNLIKE * spread:
                reasons[number].append(column)
    return [", ".join(found) for found in reasons]
