"""Choice of monitoring sites: which stations keep the field, what a station's removal costs, and where new ones cover most.

Three criteria, each with its own question:

- ``error``: the variance of the removed stations that the kept ones leave unexplained (linear prediction, kriging with the observed
  covariance).
- ``entropy``: the sites whose values tell most by themselves, the largest determinant of their covariance (Caselton and Zidek, 1984, Stat.
  Probab. Lett. 2:223-227; Shewry and Wynn, 1987, J. Appl. Stat. 14:165-170). It likes the outskirts.
- ``information``: the mutual information between kept and removed sites (Krause, Singh and Guestrin, 2008, J. Mach. Learn. Res. 9:235-284).

Sites are taken one after another, each the best beside those taken (greedy). For cover and, nearly, for mutual information that reaches
at least 1 - 1/e of the best choice (Nemhauser, Wolsey and Fisher, 1978, Math. Program. 14:265-294).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import great_circle_km

CRITERIA = ("error", "entropy", "information")
MIN_DAYS = 200
_MIN_HOURS = 18
# Every second block of four weeks is withheld from the covariance: neighbouring days are no independent test. Chosen.
_BLOCK_DAYS = 28
# So many choices are compared outright; more are only approached one site after another.
MOST_CHOICES = 20_000
# Added to the diagonal, as a share of the mean variance, so that sites that repeat each other can be inverted.
_NUGGET = 1e-6


@dataclass(frozen=True)
class Choice:
    """The stations kept, and what they tell of the others.

    Attributes
    ----------
    kept : tuple of str
        In the order in which they were taken, or of the table where all choices were compared.
    compared : int
        Choices compared; 0 where sites were taken one after another.
    removed : pandas.DataFrame (station)
        Of each removed station in the withheld days: ``days``, ``mean``, ``rmse`` of its daily mean predicted from the kept ones (ug m-3),
        ``relative`` (of its mean) and ``correlation``.
    mean_rmse : float
        Of the mean over all stations predicted from the kept ones, in the withheld days, ug m-3.
    """

    kept: tuple[str, ...]
    compared: int
    removed: pd.DataFrame
    mean_rmse: float


def daily_means(hourly: pd.DataFrame) -> pd.DataFrame:
    """Return daily means of days at which every station has at least 18 hours and a mean above zero.

    Parameters
    ----------
    hourly : pandas.DataFrame (time, station)
        One pollutant, ug m-3; NaN where not valid.

    Returns
    -------
    pandas.DataFrame (day, station)
        ug m-3.

    Raises
    ------
    InputError
        If there are fewer than three stations or 200 such days; the station with most days missing is named.
    """
    if hourly.shape[1] < 3:
        raise InputError("stations", hourly.shape[1], "at least 3")
    days = hourly.groupby(pd.DatetimeIndex(hourly.index).normalize())
    means = days.mean().where((days.count() >= _MIN_HOURS) & (days.mean() > 0))
    complete = means.dropna()
    if len(complete) < MIN_DAYS:
        worst = means.isna().sum().idxmax()
        expected = f"at least {MIN_DAYS}; most are missing at {worst}"
        raise InputError("days with a value at every station", len(complete), expected)
    return complete


def choose(daily: pd.DataFrame, number: int, criterion: str = "error") -> Choice:
    """Choose the stations to keep.

    Parameters
    ----------
    daily : pandas.DataFrame (day, station)
        From `daily_means`.
    number : int
        Stations to keep, at least 1 and fewer than all.
    criterion : str
        One of `CRITERIA`, evaluated on the logarithms.

    Returns
    -------
    Choice
        Of all choices where there are at most 20,000, else taken one after another. Errors are those of days that were withheld from
        the covariance.

    Raises
    ------
    InputError
        If the number or the criterion is out of range.
    """
    if criterion not in CRITERIA:
        raise InputError("criterion", criterion, f"one of {', '.join(CRITERIA)}")
    names = [str(name) for name in daily.columns]
    if not 1 <= number < len(names):
        raise InputError("stations to keep", number, f"1 to {len(names) - 1}")
    log, learned = np.log(daily.to_numpy(dtype=float)), _learned(daily)
    covariance = _covariance(log[learned])
    if comb(len(names), number) <= MOST_CHOICES:
        compared = comb(len(names), number)
        kept = max(combinations(range(len(names)), number), key=lambda one: score(covariance, one, criterion))
    else:
        compared, kept = 0, greedy(covariance, number, criterion)
    removed, mean_rmse = _errors(daily, learned, kept)
    return Choice(tuple(names[one] for one in kept), compared, removed, mean_rmse)


def removal(daily: pd.DataFrame) -> pd.DataFrame:
    """Estimate what the removal of each station by itself would cost.

    Parameters
    ----------
    daily : pandas.DataFrame (day, station)
        From `daily_means`.

    Returns
    -------
    pandas.DataFrame (station)
        As `Choice.removed`, each predicted from all others, the station that is missed least first; ``mean_rmse`` is the error of the mean over all
        stations without it.
    """
    rows, learned = [], _learned(daily)
    for one in range(daily.shape[1]):
        kept = tuple(other for other in range(daily.shape[1]) if other != one)
        removed, mean_rmse = _errors(daily, learned, kept)
        rows.append(removed.assign(mean_rmse=mean_rmse))
    return pd.concat(rows).sort_values("relative")


def score(covariance: NDArray[Any], kept: Sequence[int], criterion: str) -> float:
    """Return how good a choice is by a criterion: the larger the better.

    Parameters
    ----------
    covariance : float (station, station)
        Of the logarithms.
    kept : sequence of int
        Positions of the stations kept, at least one.
    criterion : str
        One of `CRITERIA`.

    Returns
    -------
    float
        ``error``: minus the variance left at the removed stations; ``entropy``: the logarithm of the determinant of the covariance of the kept
        ones; ``information``: that, plus the one of the removed ones, less the one of all (twice the mutual information).
    """
    inside = np.asarray(kept, dtype=int)
    outside = np.setdiff1d(np.arange(len(covariance)), inside)
    own = covariance[np.ix_(inside, inside)]
    if criterion == "entropy":
        return float(np.linalg.slogdet(own)[1])
    if criterion == "information":
        rest = covariance[np.ix_(outside, outside)]
        parts = [np.linalg.slogdet(one)[1] if len(one) else 0.0 for one in (own, rest)]
        return float(sum(parts) - np.linalg.slogdet(covariance)[1])
    across = covariance[np.ix_(inside, outside)]
    left = covariance[outside, outside].sum() - (across * np.linalg.solve(own, across)).sum()
    return -float(left)


def greedy(covariance: NDArray[Any], number: int, criterion: str) -> tuple[int, ...]:
    """Take sites one after another, each the best beside those taken.

    Parameters
    ----------
    covariance : float (station, station)
        Of the logarithms.
    number : int
        Sites to take.
    criterion : str
        One of `CRITERIA`.

    Returns
    -------
    tuple of int
        Positions, in the order taken.
    """
    return _taken(len(covariance), number, lambda kept: score(covariance, kept, criterion))


def cover(candidates: pd.DataFrame, demand: pd.DataFrame, number: int, radius_km: float) -> pd.DataFrame:
    """Take the candidate sites that have most of the demand (people, say) within a radius, one after another.

    Parameters
    ----------
    candidates : pandas.DataFrame (site)
        ``latitude`` and ``longitude``, degrees.
    demand : pandas.DataFrame (point)
        ``latitude``, ``longitude`` and ``weight``, such as the people of a cell of a grid.
    number : int
        Most sites to take; fewer are where nothing is left to cover.
    radius_km : float
        Within which a site stands for its surroundings. HJ 664-2013 gives scales of representation; 0.5 to 4 km is its neighbourhood
        scale (number from memory, not verified).

    Returns
    -------
    pandas.DataFrame (site)
        In the order taken: ``gained``, the weight that no site before covers, and ``share`` of all weight covered with it.

    Raises
    ------
    InputError
        If the number or the radius is not above zero, a cell is empty, a place is not on the Earth, a weight is negative, or all are zero.
    """
    for table, columns in ((candidates, ["latitude", "longitude"]), (demand, ["latitude", "longitude", "weight"])):
        empty = table[columns].isna().any(axis=1)
        if empty.any():
            raise InputError(
                f"row {table.index[int(empty.to_numpy().argmax())]}",
                "an empty cell",
                f"numbers in {', '.join(columns)}",
            )
        off = ~(table["latitude"].abs().le(90) & table["longitude"].abs().le(180))
        if off.any():
            at = table.index[int(off.to_numpy().argmax())]
            found = tuple(map(float, table.loc[off, ["latitude", "longitude"]].iloc[0]))
            raise InputError(f"row {at}: latitude, longitude", found, "-90 to 90 and -180 to 180 degrees")
    if number < 1 or not radius_km > 0:
        raise InputError("number of sites, radius", (number, radius_km), "at least 1, and above 0 km")
    weight = demand["weight"].to_numpy(dtype=float)
    if (weight < 0).any() or not weight.sum() > 0:
        raise InputError("weights of the demand", float(weight.min()), "none below 0, some above")
    within = _distances(candidates, demand) <= radius_km
    taken = _taken(
        len(candidates), min(number, len(candidates)), lambda kept: float(weight[within[list(kept)].any(0)].sum())
    )
    covered = np.zeros(len(weight), dtype=bool)
    rows: dict[object, dict[str, float]] = {}
    for one in taken:
        gained = float(weight[within[one] & ~covered].sum())
        if gained == 0:
            break
        covered |= within[one]
        rows[candidates.index[one]] = {"gained": gained, "share": float(weight[covered].sum() / weight.sum())}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["gained", "share"]).rename_axis("site")


def _taken(count: int, number: int, value: Callable[[tuple[int, ...]], float]) -> tuple[int, ...]:
    kept: tuple[int, ...] = ()
    while len(kept) < number:
        kept = max(((*kept, one) for one in range(count) if one not in kept), key=value)
    return kept


def _learned(daily: pd.DataFrame) -> NDArray[np.bool_]:
    days = pd.DatetimeIndex(daily.index)
    return np.asarray((days - days[0]).days // _BLOCK_DAYS % 2 == 0)


def _covariance(log: NDArray[Any]) -> NDArray[Any]:
    found = np.cov(log, rowvar=False)
    return np.asarray(found + _NUGGET * np.trace(found) / len(found) * np.eye(len(found)))


def _errors(daily: pd.DataFrame, learned: NDArray[np.bool_], kept: Sequence[int]) -> tuple[pd.DataFrame, float]:
    """Return the errors at the removed stations and of the mean, in the days not learned from."""
    values = daily.to_numpy(dtype=float)
    log = np.log(values)
    inside = list(kept)
    outside = [one for one in range(values.shape[1]) if one not in inside]
    design = np.column_stack([np.ones(len(log)), log[:, inside]])
    fitted = np.linalg.lstsq(design[learned], log[learned][:, outside], rcond=None)[0]
    # The mean of the exponentiated residuals corrects the bias of the logarithm (smearing, Duan 1983, J. Am. Stat. Assoc. 78:605).
    smear = np.exp(log[learned][:, outside] - design[learned] @ fitted).mean(axis=0)
    test = ~learned
    predicted = smear * np.exp(design[test] @ fitted)
    truth = values[test][:, outside]
    rows = {
        str(daily.columns[one]): {
            "days": int(test.sum()),
            "mean": float(truth[:, i].mean()),
            "rmse": float(np.sqrt(((predicted[:, i] - truth[:, i]) ** 2).mean())),
            "relative": float(np.sqrt(((predicted[:, i] - truth[:, i]) ** 2).mean()) / truth[:, i].mean()),
            "correlation": float(np.corrcoef(predicted[:, i], truth[:, i])[0, 1]),
        }
        for i, one in enumerate(outside)
    }
    all_mean = values[test].mean(axis=1)
    mean = (values[test][:, inside].sum(axis=1) + predicted.sum(axis=1)) / values.shape[1]
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("station")
    return table, float(np.sqrt(((mean - all_mean) ** 2).mean()))


def _distances(sites: pd.DataFrame, points: pd.DataFrame) -> NDArray[Any]:
    """Return great-circle distances (site, point), km."""
    latitude, longitude = (sites[name].to_numpy(dtype=float) for name in ("latitude", "longitude"))
    where = points[["latitude", "longitude"]].to_numpy(dtype=float)
    return np.stack([great_circle_km(latitude, longitude, *point) for point in where], axis=1)
