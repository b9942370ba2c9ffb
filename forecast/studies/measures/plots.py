"""Plots of the studies of measures and trends."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from hazecast.forecast.studies.measures.intervention import Effect
from hazecast.forecast.studies.measures.steps import Steps

_NAMES = {"before_after": "before and after", "weather": "weather model", "with_without": "synthetic control"}
_COLOURS = {"before_after": "#a0aec0", "weather": "#2b6cb0", "with_without": "#dd6b20"}


def course(table: pd.DataFrame, effects: Mapping[str, Effect], start: pd.Timestamp, length: int, title: str) -> Figure:
    """Draw observed and expected days around the window, and the change by each method with its interval.

    Parameters
    ----------
    table : pandas.DataFrame (day)
        ``observed`` and the concentration expected by each method, ug m-3, as from `assess`.
    effects : mapping of str to Effect
        By method.
    start : pandas.Timestamp
        First day of the window.
    length : int
        Days in the window.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Left the series, right the changes in percent.
    """
    figure = Figure(figsize=(9.0, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2.4, 1.0))
    end = start + pd.Timedelta(days=length)
    near = table[start - pd.Timedelta(days=3 * length) : end + pd.Timedelta(days=3 * length)]
    left.axvspan(start, end, color="#fefcbf")  # type: ignore[arg-type]
    left.plot(near.index, near["observed"], color="#1a202c", label="observed")
    for number, (name, one) in enumerate(effects.items()):
        left.plot(near.index, near[name], color=_COLOURS[name], label=_NAMES[name])
        reach = [[100 * (one.change - one.low)], [100 * (one.high - one.change)]]
        right.errorbar([100 * one.change], [-number], xerr=reach, fmt="o", color=_COLOURS[name], capsize=3)
    left.set_ylabel("µg m$^{-3}$")
    left.set_title(title, fontsize=9, loc="left")
    left.legend(fontsize=7, frameon=False)
    left.tick_params(axis="x", rotation=30, labelsize=7)
    right.axvline(0, color="#a0aec0", linewidth=0.8)
    right.set_yticks([-number for number in range(len(effects))], [_NAMES[name] for name in effects], fontsize=7)
    right.set_xlabel("change, %")
    return figure


def trend(series: pd.DataFrame, found: Steps, title: str) -> Figure:
    """Draw 28-day means of the observed and the weather-corrected series, and the intervals of the steps' dates.

    Parameters
    ----------
    series : pandas.DataFrame (day)
        A column a design, ug m-3, as from `hazecast.forecast.studies.measures.designs.trends_by_design`.
    found : Steps
        The intervals of the dates are shaded.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        One line a series.
    """
    figure = Figure(figsize=(8.0, 3.2), layout="constrained")
    axes = figure.subplots()
    colours = {
        "observed": "#a0aec0",
        "linear": "#38a169",
        "normalised": "#dd6b20",
        "blocks": "#2b6cb0",
        "years": "#805ad5",
    }
    for name, values in series.resample("28D").mean().items():
        axes.plot(values.index, values, color=colours[str(name)], label=str(name))
    for number, step in enumerate(found.steps):
        label = "dates of the steps" if number == 0 else None
        axes.axvspan(step.earliest, step.latest, color="#fefcbf", label=label)  # type: ignore[arg-type]
    axes.set_ylabel("µg m$^{-3}$, 28 days")
    axes.set_title(title, fontsize=9, loc="left")
    axes.legend(fontsize=7, frameon=False)
    return figure
