"""What the weather would have made of a pollutant: prediction of days left out, and weather-normalised series."""

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
# Days on both sides of a window that the model doesn't see either: haze lasts for about so long. Chosen.
GAP_DAYS = 5
_FOLDS = 8
_SEASON_DAYS = 30
# Chosen for daily series of a few years, before any effect was looked at.
_MODEL: dict[str, Any] = dict(n_estimators=150, learning_rate=0.05, num_leaves=15, min_child_samples=15, subsample=0.8,
              subsample_freq=1, colsample_bytree=0.8, n_jobs=1, verbose=-1)  # fmt: skip


def daily_table(concentration: xr.DataArray, air: xr.Dataset, timezone: str = "Asia/Shanghai") -> pd.DataFrame:
    """Return a place's own days: concentration, weather, weather of the day before, and the calendar.

    Parameters
    ----------
    concentration : xarray.DataArray (time)
        Hourly, ug m-3, UTC.
    air : xarray.Dataset (time)
        Those of `WEATHER` that were observed; wind at least.
    timezone : str
        IANA name of the place's time.

    Returns
    -------
    pandas.DataFrame (day)
        ``concentration`` (mean of at least 18 h above zero, else NaN) and the predictors; ``trend`` is in days.

    Raises
    ------
    InputError
        If the time zone isn't known, wind is missing, or fewer than 200 days have a value.
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


def windows(days: pd.DatetimeIndex, start: pd.Timestamp, length: int) -> NDArray[Any]:
    """Return the number of each day's window: windows of `length` days, number 0 beginning on `start`."""
    return np.asarray((days - start).days // length)


def expected(table: pd.DataFrame, start: pd.Timestamp, length: int, *, seed: int = 0) -> pd.Series:
    """Predict every day by a model that saw neither its window, nor the days around, nor the studied window.

    The studied window and all others of its length are predicted alike, so that the errors of the others tell how
    large the error of the studied one may be.

    Parameters
    ----------
    table : pandas.DataFrame (day)
        As `daily_table` gives it.
    start : pandas.Timestamp
        First day of the studied window.
    length : int
        Its days.
    seed : int

    Returns
    -------
    pandas.Series (day)
        Concentration expected from weather, season and trend, ug m-3.
    """
    number = windows(pd.DatetimeIndex(table.index), start, length)
    folds = np.where(number == 0, _FOLDS, number % _FOLDS)
    known = table["concentration"].notna().to_numpy()
    found = pd.Series(np.nan, index=table.index, name="expected")
    for fold in np.unique(folds):
        hidden = _near(folds == fold) | _near(number == 0)
        found[folds == fold] = _predict(_fit(table[~hidden & known], seed), table[folds == fold])
    return found


def normalised(table: pd.DataFrame, *, draws: int = 100, seed: int = 0) -> pd.Series:
    """Return the series under average weather of the season.

    As Grange and Carslaw (2019, Sci. Total Environ. 653:578-588): a model of weather and time, then for each day the
    mean of predictions under weather drawn from the record. As Vu et al. (2019, Atmos. Chem. Phys. 19:11303-11314) do,
    only weather is drawn, and from days of the same season (here 30 days on both sides, of every year), so the
    season of emissions stays in. Papers' procedure from memory, not verified.

    Parameters
    ----------
    table : pandas.DataFrame (day)
        As `daily_table` gives it.
    draws : int
        Of weather, a day.
    seed : int

    Returns
    -------
    pandas.Series (day)
        ug m-3; NaN on days without an observation.
    """
    if draws < 1:
        raise InputError("draws", draws, "at least 1")
    known = table["concentration"].notna().to_numpy()
    model = _fit(table[known], seed)
    fixed = ["trend", "day_of_year", "weekday"]
    weather = [str(name) for name in table if name not in (*fixed, "concentration")]
    day = table["day_of_year"].to_numpy()
    random = np.random.default_rng(seed)
    apart = np.abs(day[:, None] - np.unique(day)[None, :])
    near = np.minimum(apart, 365 - apart) <= _SEASON_DAYS
    pools = {d: np.flatnonzero(near[:, i] & known) for i, d in enumerate(np.unique(day))}
    total = np.zeros(len(table))
    for _ in range(draws):
        drawn = table.copy()
        pick = np.array([random.choice(pools[d]) for d in day])
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
    # Means of logarithms are turned into means by the mean of the exponentiated residuals (Duan 1983).
    smear = float(np.mean(np.exp(target - np.asarray(model.booster_.predict(table[names].to_numpy())))))
    return model.booster_, smear, names


def _predict(fitted: tuple[Any, float, Sequence[str]], table: pd.DataFrame) -> NDArray[Any]:
    booster, smear, names = fitted
    return np.asarray(smear * np.exp(np.asarray(booster.predict(table[list(names)].to_numpy(), num_threads=1))))


def adjusted(table: pd.DataFrame, *, seed: int = 0) -> pd.Series:
    """Return the series with what weather and season explain taken out (ug m-3, at its own mean).

    Observed over expected, where the model knows no trend and hasn't seen the days that it predicts (blocks of 28).
    Unlike `normalised`, whose model smooths trends and steps, it keeps their size, so tests belong on this one.
    """
    days = pd.DatetimeIndex(table.index)
    predicted = expected(table.drop(columns="trend"), days[0], 28, seed=seed)
    ratio = table["concentration"] / predicted
    return (ratio * table["concentration"].mean() / ratio.mean()).rename("adjusted")
