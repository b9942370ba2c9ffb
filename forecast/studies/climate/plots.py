"""Plots of the climatology study."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from hazecast.forecast.studies.climate.climatology import count_class_days
from hazecast.forecast.studies.climate.seasonal_trend import Trend, monthly_means

_BLUE, _BLACK, _GREY = "#2b6cb0", "#1a202c", "#a0aec0"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNKNOWN = "#e2e8f0"


def calendar(classes: pd.DataFrame, title: str) -> Figure:
    """Draw a calendar: the days of a year, one row a month, in the colour of their class.

    The value of the index, where there is one, is printed in each day. Days without data are grey.

    Parameters
    ----------
    classes : pandas.DataFrame (day)
        From `hazecast.forecast.studies.climate.climatology.day_classes`, of one year.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        With the number of days of each class in the legend.
    """
    days = pd.DatetimeIndex(classes.index)
    face = np.ones((12, 31, 3))
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    axes = figure.subplots()
    for day, (_, row) in zip(days, classes.iterrows(), strict=True):
        known = isinstance(row["colour"], str)
        colour = to_rgb(row["colour"] if known else _UNKNOWN)
        face[day.month - 1, day.day - 1] = colour
        if known and not pd.isna(row["value"]):
            dark = np.dot(colour, (0.299, 0.587, 0.114)) < 0.5
            ink = "white" if dark else _BLACK
            axes.text(day.day, day.month, f"{row['value']:.0f}", ha="center", va="center", fontsize=6, color=ink)
    axes.imshow(face, extent=(0.5, 31.5, 12.5, 0.5), aspect="auto", interpolation="none")
    axes.set_xticks(np.arange(0.5, 32), minor=True)
    axes.set_yticks(np.arange(0.5, 13), minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="both", length=0)
    axes.set_xticks(range(1, 32), [str(day) for day in range(1, 32)], fontsize=7)
    axes.set_yticks(range(1, 13), _MONTHS, fontsize=8)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_title(title, loc="left", fontsize=10)
    counts = count_class_days(classes)
    patches = [
        Patch(color=colour, label=f"{name} ({number})")
        for colour, name, number in zip(counts["colour"], counts["name_en"], counts["days"], strict=True)
    ]
    unknown = len(classes) - int(counts["days"].sum())
    patches += [Patch(color=_UNKNOWN, label=f"no data ({unknown})")] if unknown else []
    figure.legend(handles=patches, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure


def trend(daily: pd.Series, found: Trend, label: str) -> Figure:
    """Draw the monthly means of a daily series with their trend.

    Parameters
    ----------
    daily : pandas.Series (day)
        The series that the trend was estimated from.
    found : Trend
        From `hazecast.forecast.studies.climate.seasonal_trend.seasonal_trend`.
    label : str
        Name and unit of the series.

    Returns
    -------
    matplotlib.figure.Figure
        Monthly means, trend line, and the relative trend with its interval in the title.
    """
    months = monthly_means(daily)
    at = pd.PeriodIndex(months.index).to_timestamp()
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(at, months, "o-", color=_BLUE, markersize=3, linewidth=1)
    years = (at - at[0]).days / 365.25
    axes.plot(at, months.mean() + found.slope.value * (years - years.to_numpy().mean()), color=_BLACK)
    one = found.relative
    axes.set_title(f"{one.value:+.1f} % a year ({one.low:+.1f} to {one.high:+.1f})", loc="left", fontsize=9)
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    return figure


def episodes(hourly: pd.Series, found: pd.DataFrame, threshold: float, label: str) -> Figure:
    """Draw an hourly series with its episodes shaded.

    Parameters
    ----------
    hourly : pandas.Series (time)
        ug m-3, naive UTC.
    found : pandas.DataFrame (episode)
        From `hazecast.forecast.studies.climate.episodes.find_episodes`.
    threshold : float
        Drawn as a line, ug m-3.
    label : str
        Name and unit of the series.

    Returns
    -------
    matplotlib.figure.Figure
        The series and its shaded episodes.
    """
    figure = Figure(figsize=(10, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(hourly.index, hourly, color=_BLUE, linewidth=0.6)
    for start, end in zip(found["start"], found["end"], strict=True):
        axes.axvspan(start, end, color=_GREY, alpha=0.6, linewidth=0)
    axes.axhline(threshold, color=_BLACK, linewidth=0.8, linestyle="--")
    axes.set_title(f"{len(found)} episodes", loc="left", fontsize=9)
    axes.set_ylabel(label)
    return figure
