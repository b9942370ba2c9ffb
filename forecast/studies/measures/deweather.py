"""Weather normalisation: concentrations expected from the weather, and series with the weather removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires

WEATHER = ("t2m", "d2m", "sp", "tp", "u10", "v10")
_MIN_HOURS, _MIN_DAYS = 18, 200
# Days on both sides of a window that are also withheld from the model: about the duration of haze. Chosen.
GAP_DAYS = 5
_FOLDS = 8
_SEASON_DAYS = 30
# Chosen for daily series of a few years, before any effect was evaluated.
_MODEL: dict[str, Any] = dict(n_estimators=150, learning_rate=0.05, num_leaves=15, min_child_samples=15, subsample=0.8,
              subsample_freq=1, colsample_bytree=0.8, n_jobs=1, verbose=-1)  # fmt: skip


def daily_table(concentration: xr.DataArray, air: xr.Dataset, timezone: str = "Asia/Shanghai") -> pd.DataFrame:
    """Return daily concentration and predictors: weather, weather of the day before, and the calendar.

    Parameters
    ----------
    concentration : xarray.DataArray (time)
        Hourly, ug m-3, UTC.
    air : xarray.Dataset (time)
        Hourly; those of `WEATHER` that were observed, at least ``u10`` and ``v10``.
    timezone : str
        IANA name of the place's time zone.

    Returns
    -------
    pandas.DataFrame (day)
        Local days with ``concentration`` (ug m-3, mean of at least 18 h, above zero, else NaN) and the predictors;
        ``trend`` is the day number.

    Raises
    ------
    InputError
        If the time zone is not known, wind is missing, or fewer than 200 days have a value.
    """
    try:
        offset = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        raise InputError("timezone", timezone, "an IANA name such as Asia/Shanghai") from error
    if not {"u10", "v10"} <= set(air.data_vars):
        raise InputError("weather", sorted(map(str, air.data_vars)), "at least u10 and v10")
    hourly = pd.DataFrame({"concentration": concentration.to_series()})
    hourly = hourly.join(air[[name for name in WEATHER if name in air]].to_dataframe()[lambda t: [*t]], how="left")
    hourly["speed"] = np.hypot(hourly["u10"], hourly["v10"])
    hourly.index = pd.DatetimeIndex(hourly.index).tz_localize("UTC").tz_convert(offset).tz_localize(None)
    by_day = hourly.resample("D")
    table = by_day.mean().where(by_day.count() >= _MIN_HOURS)
    table["concentration"] = table["concentration"].where(table["concentration"] > 0)
    table = table.join(table.drop(columns="concentration").shift(1).add_suffix("_before"))
    days = pd.DatetimeIndex(table.index)
    table["trend"] = (days - days[0]).days.astype(float)
    table["day_of_year"] = days.day_of_year.astype(float)
    table["weekday"] = days.day_of_week.astype(float)
    table.index.name = "day"
    usable = int(table["concentration"].notna().sum())
    if usable < _MIN_DAYS:
        raise InputError("days with a concentration", usable, f"at least {_MIN_DAYS}")
    return table


def window_numbers(days: pd.DatetimeIndex, start: pd.Timestamp, length: int) -> NDArray[Any]:
    """Number consecutive windows of equal length.

    Parameters
    ----------
    days : pandas.DatetimeIndex
        Days to number.
    start : pandas.Timestamp
        First day of window 0.
    length : int
        Days in a window.

    Returns
    -------
    int (day,)
        Window of each day; negative before `start`.
    """
    return np.asarray((days - start).days // length)


def expected_concentration(table: pd.DataFrame, start: pd.Timestamp, length: int, *, seed: int = 0) -> pd.Series:
    """Predict each day with a model fitted without its window, the days around it and the studied window.

    All windows are predicted in the same way, so the errors in the other windows estimate the error in the studied
    one.

    Parameters
    ----------
    table : pandas.DataFrame (day)
        From `daily_table`.
    start : pandas.Timestamp
        First day of the studied window.
    length : int
        Days in the window.
    seed : int
        Of the model.

    Returns
    -------
    pandas.Series (day)
        Concentration expected from weather, season and trend, ug m-3.

    Raises
    ------
    InputError
        If too few days are left to fit the model.
    MissingExtraError
        If the package ``lightgbm`` (extra ``studies``) is not installed.
    """
    number = window_numbers(pd.DatetimeIndex(table.index), start, length)
    folds = np.where(number == 0, _FOLDS, number % _FOLDS)
    return expected_without(table, folds, always=number == 0, seed=seed)


def expected_without(
    table: pd.DataFrame,
    folds: NDArray[Any],
    *,
    always: NDArray[np.bool_] | None = None,
    alike: bool = False,
    seed: int = 0,
) -> pd.Series:
    """Predict each day with a model fitted without its fold and the days around it.

    Parameters
    ----------
    table : pandas.DataFrame (day)
        From `daily_table`, with the predictors to use.
    folds : int (day,)
        Number of each day's fold.
    always : bool (day,), optional
        Days that no model is fitted to, with those around them.
    alike : bool
        Scale each model to the same mean over all days. Models that know no trend have the level of the days that they were fitted
        to: without this, what is withheld is compared with all the rest, which exaggerates a trend.
    seed : int
        Of the models.

    Returns
    -------
    pandas.Series (day)
        Concentration expected, ug m-3.

    Raises
    ------
    InputError
        If too few days are left to fit a model.
    MissingExtraError
        If the package ``lightgbm`` (extra ``studies``) is not installed.
    """
    known = table["concentration"].notna().to_numpy()
    never = np.zeros(len(table), dtype=bool) if always is None else _near(always)
    found = pd.Series(np.nan, index=table.index, name="expected")
    for fold in np.unique(folds):
        hidden = _near(folds == fold) | never
        predicted = _predict(_fit(table[~hidden & known], seed), table)
        scale = float(table["concentration"].mean()) / predicted[known].mean() if alike else 1.0
        found[folds == fold] = scale * predicted[folds == fold]
    return found


def weather_normalised(table: pd.DataFrame, *, draws: int = 100, seed: int = 0) -> pd.Series:
    """Return the concentration under average weather of the season.

    As in Grange and Carslaw (2019, Sci. Total Environ. 653:578-588): a model of weather and time, then for each day
    the mean of predictions under weather drawn from the record. As in Vu et al. (2019, Atmos. Chem. Phys.
    19:11303-11314), only weather is drawn, and from days of the same season (here 30 days on both sides, of every
    year), so the seasonal cycle of emissions is retained. Procedure of the papers from memory, not verified.

    Parameters
    ----------
    table : pandas.DataFrame (day)
        From `daily_table`.
    draws : int
        Draws of weather for each day.
    seed : int
        Of the model and the draws.

    Returns
    -------
    pandas.Series (day)
        ug m-3; NaN on days without an observation.

    Raises
    ------
    InputError
        If `draws` is below 1 or too few days are known.
    MissingExtraError
        If the package ``lightgbm`` (extra ``studies``) is not installed.
    """
    if draws < 1:
        raise InputError("draws", draws, "at least 1")
    known = table["concentration"].notna().to_numpy()
    model = _fit(table[known], seed)
    fixed = ["trend", "day_of_year", "weekday"]
    weather = [str(name) for name in table if name not in (*fixed, "concentration")]
    day = table["day_of_year"].to_numpy()
    random = np.random.default_rng(seed)
    distance = np.abs(day[:, None] - np.unique(day)[None, :])
    near = np.minimum(distance, 365 - distance) <= _SEASON_DAYS
    pools = {d: np.flatnonzero(near[:, i] & known) for i, d in enumerate(np.unique(day))}
    total = np.zeros(len(table))
    for _ in range(draws):
        drawn = table.copy()
        # In a season that was never observed there is none to draw from, and no day to adjust.
        pick = np.array([random.choice(pools[d]) if len(pools[d]) else row for row, d in enumerate(day)])
        drawn[weather] = table[weather].to_numpy()[pick]
        total += _predict(model, drawn)
    return pd.Series(np.where(known, total / draws, np.nan), index=table.index, name="normalised")


def _near(hidden: NDArray[Any]) -> NDArray[Any]:
    return np.convolve(hidden.astype(float), np.ones(2 * GAP_DAYS + 1), mode="same")[: len(hidden)] > 0.5


def _fit(table: pd.DataFrame, seed: int) -> tuple[Any, float, Sequence[str]]:
    names = [str(name) for name in table if name != "concentration"]
    if len(table) < _MIN_DAYS // 2:
        raise InputError("days to learn from", len(table), f"at least {_MIN_DAYS // 2}: a longer series")
    target = np.log(table["concentration"].to_numpy())
    lightgbm = requires("lightgbm", "studies")
    model = lightgbm.LGBMRegressor(**_MODEL, random_state=seed).fit(table[names].to_numpy(), target)
    # Retransformation bias is corrected by the mean of the exponentiated residuals (smearing, Duan 1983).
    smear = float(np.mean(np.exp(target - np.asarray(model.booster_.predict(table[names].to_numpy())))))
    return model.booster_, smear, names


def _predict(fitted: tuple[Any, float, Sequence[str]], table: pd.DataFrame) -> NDArray[Any]:
    booster, smear, names = fitted
    return np.asarray(smear * np.exp(np.asarray(booster.predict(table[list(names)].to_numpy(), num_threads=1))))


def weather_adjusted(table: pd.DataFrame, *, seed: int = 0) -> pd.Series:
    """Return the series with the part explained by weather and season removed.

    Observed over expected concentration, where the model has no trend and is not fitted to the days that it predicts
    (blocks of 28). Unlike `weather_normalised`, whose model smooths trends and steps, this retains their size: use it
    for tests.

    Parameters
    ----------
    table : pandas.DataFrame (day)
        From `daily_table`.
    seed : int
        Of the model.

    Returns
    -------
    pandas.Series (day)
        ug m-3, scaled to the mean of the observations.
    """
    days = pd.DatetimeIndex(table.index)
    return adjusted_by_folds(table, window_numbers(days, days[0], 28) % _FOLDS, seed=seed).rename("adjusted")


def adjusted_by_folds(table: pd.DataFrame, folds: NDArray[Any], *, seed: int = 0) -> pd.Series:
    """Return observed over expected concentration, each fold's expected by a model without a trend, of the other folds.

    Parameters
    ----------
    table : pandas.DataFrame (day)
        From `daily_table`.
    folds : int (day,)
        Number of each day's fold.
    seed : int
        Of the models.

    Returns
    -------
    pandas.Series (day)
        ug m-3, scaled to the mean of the observations.
    """
    ratio = table["concentration"] / expected_without(table.drop(columns="trend"), folds, alike=True, seed=seed)
    return ratio * table["concentration"].mean() / ratio.mean()
