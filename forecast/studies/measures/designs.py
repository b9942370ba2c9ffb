"""The trend with the weather removed in several ways: how much of the answer is the design's.

A model of the weather may take a trend for weather, or weather for a trend, and no single design shows it. Here the trend is
estimated by designs that differ in what the model sees and in what is withheld from it; where they disagree by more than their
intervals, the record does not separate trend and weather.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from hazecast.forecast.studies.measures.changes import Trend, trend, weekly
from hazecast.forecast.studies.measures.deweather import adjusted_by_folds, weather_adjusted, weather_normalised
from hazecast.grids.errors import InputError

# What each design is, for tables.
DESIGNS = {
    "observed": "season alone removed",
    "linear": "linear in the weather, trend in the model",
    "normalised": "trees with the trend, mean over drawn weather (Grange and Carslaw 2019)",
    "blocks": "trees without the trend, blocks of 28 days withheld",
    "years": "trees without the trend, whole years withheld",
}
_MIN_YEARS = 2


def adjusted_by_years(table: pd.DataFrame, *, seed: int = 0) -> pd.Series:
    """Return observed over expected concentration, each year's expected by a model of the other years.

    Parameters
    ----------
    table : pandas.DataFrame (day)
        From `hazecast.forecast.studies.measures.deweather.daily_table`.
    seed : int
        Of the model.

    Returns
    -------
    pandas.Series (day)
        ug m-3, scaled to the mean of the observations.

    Raises
    ------
    InputError
        If the days are of fewer than two times 365.
    MissingExtraError
        If the package ``lightgbm`` (extra ``studies``) is not installed.
    """
    days = pd.DatetimeIndex(table.index)
    number = np.asarray((days - days[0]).days // 365)
    # A rest at the end that is no year goes with the last one.
    number = np.minimum(number, max(len(days) // 365 - 1, 0))
    if number.max() + 1 < _MIN_YEARS:
        raise InputError("years of the series", int(number.max()) + 1, f"at least {_MIN_YEARS}")
    return adjusted_by_folds(table, number, seed=seed).rename("by_years")


def linear_adjusted(table: pd.DataFrame) -> pd.Series:
    """Return the concentration with the part linear in the weather removed, the trend fitted beside it.

    Least squares of the logarithm on standardised weather and its squares, two harmonics of the year, the day of the week and a
    linear trend; the part of the weather is subtracted.

    Parameters
    ----------
    table : pandas.DataFrame (day)
        From `hazecast.forecast.studies.measures.deweather.daily_table`.

    Returns
    -------
    pandas.Series (day)
        ug m-3, scaled to the mean of the observations; NaN where the concentration or any of the weather is missing.
    """
    weather = table.drop(columns=["concentration", "trend", "day_of_year", "weekday"])
    weather = weather.loc[:, weather.std() > 0]
    complete = table["concentration"].notna() & weather.notna().all(axis=1)
    here = table[complete]
    scaled = ((weather - weather.mean()) / weather.std())[complete].to_numpy()
    parts = np.concatenate([scaled, scaled**2], axis=1)
    parts = parts - parts.mean(axis=0)
    angle = 2 * np.pi * here["day_of_year"].to_numpy() / 365.25
    waves = [f(k * angle) for k in (1, 2) for f in (np.sin, np.cos)]
    week = [(here["weekday"] == day).to_numpy(dtype=float) for day in range(1, 7)]
    rest = np.stack([np.ones(len(here)), here["trend"].to_numpy() / 365.25, *waves, *week], axis=1)
    log = np.log(here["concentration"].to_numpy())
    fitted = np.linalg.lstsq(np.concatenate([parts, rest], axis=1), log, rcond=None)[0]
    series = pd.Series(np.nan, index=table.index, name="linear")
    series[complete] = np.exp(log - parts @ fitted[: parts.shape[1]])
    return series * table["concentration"].mean() / series.mean()


def trends_by_design(
    table: pd.DataFrame, *, level: float = 0.9, draws: int = 50, seed: int = 0
) -> tuple[dict[str, Trend], pd.DataFrame]:
    """Estimate the trend by every design.

    Weather that drifts from year to year is no noise of the weeks: the difference that removing it makes (`linear`) is an error of
    `observed` beside that of the noise.

    Parameters
    ----------
    table : pandas.DataFrame (day)
        From `hazecast.forecast.studies.measures.deweather.daily_table`.
    level : float
        Nominal coverage of the intervals, each of its design alone.
    draws : int
        Draws of weather a day for the normalised series.
    seed : int
        Of models and draws.

    Returns
    -------
    trends : dict of str to Trend
        By the names of `DESIGNS`; without ``years`` where the record is shorter than two.
    series : pandas.DataFrame (day)
        A column a design, ug m-3.

    Raises
    ------
    InputError
        If the record is too short.
    MissingExtraError
        If the package ``lightgbm`` (extra ``studies``) is not installed.
    """
    # Days without weather say nothing of what the weather did; the designs are compared on the same days.
    with_weather = table["concentration"].where(table["speed"].notna())
    if with_weather.notna().sum() == 0:
        raise InputError("days with weather", 0, "weather beside the concentrations")
    table = table.assign(concentration=with_weather).loc[
        with_weather.first_valid_index() : with_weather.last_valid_index()
    ]
    series = pd.DataFrame(
        {
            "observed": table["concentration"],
            "linear": linear_adjusted(table),
            "normalised": weather_normalised(table, draws=draws, seed=seed),
            "blocks": weather_adjusted(table, seed=seed),
        }
    )
    if len(table) >= _MIN_YEARS * 365:
        series["years"] = adjusted_by_years(table, seed=seed)
    logs = {str(name): weekly(one) for name, one in series.items()}
    found = {name: trend(log, level=level) for name, log in logs.items()}
    apart = np.log1p(found["observed"].per_year) - np.log1p(found["linear"].per_year)
    return found | {"observed": trend(logs["observed"], level=level, apart=apart)}, series
