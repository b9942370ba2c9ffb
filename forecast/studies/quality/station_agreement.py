"""Agreement of a city's stations: each compared with the others by level, correlation, drift and steps."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import theilslopes

from hazecast.grids.errors import InputError
from hazecast.grids.quality.comparison import compare

MIN_STATIONS, MIN_DAYS = 3, 60
_MIN_HOURS = 18
# Robust standard deviations among stations beyond which a station is flagged. Chosen.
_UNLIKE = 3.0
_MIN_SHIFT_WEEKS, _BLOCK, _DRAWS, _CERTAIN = 104, 8, 999, 0.99
_MIN_STEP = 5.0


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
        distinguish it from the season), ``shift_size`` (%) and ``unlike``: the statistics in which the station is an
        outlier, empty if there are none.

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
    rows = {}
    for station in hourly.columns:
        others = hourly.drop(columns=station).median(axis=1)
        rows[station] = _row(str(station), hourly[station], others)
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "station"
    table["unlike"] = _unlike(table)
    return table


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
    found = compare(others.to_numpy(dtype=float), own.to_numpy(dtype=float))
    ratio = daily_ratio(own, others)
    if len(ratio) < MIN_DAYS:
        raise InputError(f"station {station}: days valid with the others", len(ratio), f"at least {MIN_DAYS}")
    years = (ratio.index - ratio.index[0]).days.to_numpy() / 365.25
    drift = float(np.expm1(theilslopes(ratio.to_numpy(), years).slope)) * 100
    day, size = _shift(ratio)
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
        "shift": day,
        "shift_size": size,
    }


def _shift(ratio: pd.Series) -> tuple[pd.Timestamp, float]:
    """Return day and size (%) of the single step that explains weekly ratios best; NaT and NaN if not significant.

    The season (the median of each calendar month) is removed first, so two years are needed. The largest
    cumulative sum is compared with those of block-resampled weeks: it counts if it exceeds 99 % of them.
    """
    none = pd.Timestamp("NaT"), float("nan")
    weekly = ratio.resample("7D").median().dropna()
    if len(weekly) < _MIN_SHIFT_WEEKS:
        return none
    months = pd.DatetimeIndex(weekly.index).month
    values = (weekly - weekly.groupby(months).transform("median")).to_numpy(dtype=float)
    values = values - values.mean()
    weights = np.random.default_rng(0).integers(0, len(values), size=(_DRAWS, -(-len(values) // _BLOCK)))
    drawn = values[(weights[:, :, None] + np.arange(_BLOCK)) % len(values)].reshape(_DRAWS, -1)[:, : len(values)]
    by_chance = np.abs((drawn - drawn.mean(axis=1, keepdims=True)).cumsum(axis=1)).max(axis=1)
    sums = np.abs(values.cumsum())
    at = int(sums[:-1].argmax()) + 1
    if sums.max() <= np.quantile(by_chance, _CERTAIN):
        return none
    size = float(np.expm1(np.median(values[at:]) - np.median(values[:at]))) * 100
    # A step at one station also shifts the median of the others slightly.
    return (weekly.index[at], size) if abs(size) >= _MIN_STEP else none


def _unlike(table: pd.DataFrame) -> list[str]:
    reasons: list[list[str]] = [[] for _ in range(len(table))]
    for column in ("ratio", "correlation", "drift"):
        values = np.log(table["ratio"]) if column == "ratio" else table[column]
        spread = 1.483 * float((values - values.median()).abs().median())
        for number, value in enumerate(values):
            if spread > 0 and abs(value - values.median()) > _UNLIKE * spread:
                reasons[number].append(column)
    return [", ".join(found) for found in reasons]
