"""Plots of the ozone study."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hazecast.forecast.studies.ozone.effects import TemperatureResponse, WeekdayEffect
from hazecast.forecast.studies.ozone.voc import Reactivity

_BLUE, _BLACK, _GREY = "#2b6cb0", "#1a202c", "#a0aec0"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def weekdays(effects: Mapping[str, WeekdayEffect]) -> Figure:
    """Draw each day of the week less its week's mean, with 95 % intervals, one panel a series."""
    figure = Figure(figsize=(3 * len(effects), 3), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(effects)))
    for axes, (name, effect) in zip(panels, effects.items(), strict=True):
        estimates = [effect.by_day[day] for day in range(7)]
        middle = np.array([one.value for one in estimates])
        reach = np.array([[one.value - one.low, one.high - one.value] for one in estimates]).T
        axes.errorbar(range(7), middle, yerr=reach, fmt="o", color=_BLUE, capsize=2, markersize=4)
        axes.axhline(0, color=_GREY, linewidth=1)
        axes.axvspan(4.5, 6.5, color=_GREY, alpha=0.2, linewidth=0)
        axes.set_xticks(range(7), _DAYS, fontsize=8)
        axes.set_title(
            f"{name}: weekend {effect.weekend.value:+.1f} ({effect.weekend.low:+.1f} to {effect.weekend.high:+.1f})",
            loc="left",
            fontsize=8,
        )
    panels[0].set_ylabel("less the mean of the week")
    return figure


def temperature(
    ozone: pd.Series, degrees: pd.Series, found: Mapping[str, TemperatureResponse], regimes: pd.Series
) -> Figure:
    """Draw daily ozone against temperature by regime, with the linear fit of each.

    Parameters
    ----------
    ozone, degrees : pandas.Series (day)
        Highest 8 h mean, ug m-3, and maximum temperature, degC.
    found : mapping of str to TemperatureResponse
        By regime, from `hazecast.forecast.studies.ozone.effects.temperature_response`.
    regimes : pandas.Series (day)
        Name of each day's regime.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a regime.
    """
    figure = Figure(figsize=(3 * max(len(found) - 1, 1), 3.2), layout="constrained")
    names = [name for name in found if name != "all"] or ["all"]
    panels = np.atleast_1d(figure.subplots(1, len(names), sharex=True, sharey=True))
    both = pd.DataFrame({"o3": ozone, "t": degrees, "regime": regimes.reindex(ozone.index)}).dropna(subset=["o3", "t"])
    for axes, name in zip(panels, names, strict=True):
        here = both if name == "all" else both[both["regime"] == name]
        slope = found[name].slope
        axes.plot(here["t"], here["o3"], ".", color=_BLUE, markersize=3, alpha=0.6)
        ends = np.array([here["t"].min(), here["t"].max()])
        axes.plot(ends, here["o3"].mean() + slope.value * (ends - here["t"].mean()), color=_BLACK, linewidth=1)
        axes.set_title(f"{name}: {slope.value:.1f} ({slope.low:.1f} to {slope.high:.1f}) a K", loc="left", fontsize=8)
        axes.set_xlabel("highest temperature of the day, °C")
    panels[0].set_ylabel("O3, highest 8 h mean, µg m$^{-3}$")
    return figure


def voc_ranking(found: Reactivity, most: int = 15) -> Figure:
    """Draw the species with the highest ozone formation potential, and their OH reactivity.

    Parameters
    ----------
    found : Reactivity
        From `hazecast.forecast.studies.ozone.voc.reactivity`.
    most : int
        Species drawn.

    Returns
    -------
    matplotlib.figure.Figure
        Left the ozone formation potential, ug m-3, right the OH reactivity, s-1.
    """
    table = found.ranking().head(most).iloc[::-1]
    figure = Figure(figsize=(8, 0.26 * len(table) + 1), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    left.barh(table.index, table["ofp"], color=_BLUE)
    left.set_xlabel("ozone formation potential, µg m$^{-3}$")
    right.barh(table.index, table["oh_reactivity"].fillna(0), color=_GREY)
    right.set_xlabel("OH reactivity, s$^{-1}$")
    left.tick_params(labelsize=8)
    return figure


def ekma(found: pd.DataFrame) -> Figure:
    """Draw EKMA isopleths.

    Parameters
    ----------
    found : pandas.DataFrame (nox, voc)
        From `hazecast.forecast.studies.ozone.box.isopleths`, ppb; at least two values of each.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    lines = axes.contour(found.columns, found.index, found.to_numpy(), levels=10, colors=_BLUE, linewidths=1)
    axes.clabel(lines, fontsize=7, fmt="%.0f")
    ridge = found.idxmax()
    axes.plot(ridge.index, ridge, "--", color=_BLACK, linewidth=1, label="ridge")
    axes.set_xlabel("initial VOC, ppb of carbon")
    axes.set_ylabel("initial NOx, ppb")
    axes.set_title("Simulated: highest O3 of the day, ppb (box, CBM-IV)", loc="left", fontsize=9)
    axes.legend(fontsize=8)
    return figure


def reactivities(found: pd.Series) -> Figure:
    """Draw relative incremental reactivities.

    Parameters
    ----------
    found : pandas.Series (precursor)
        From `hazecast.forecast.studies.ozone.box.incremental_reactivity`.

    Returns
    -------
    matplotlib.figure.Figure
        The sums of all VOC and of NOx in black.
    """
    figure = Figure(figsize=(5.4, 0.28 * len(found) + 0.9), layout="constrained")
    axes = figure.subplots()
    sums = [name for name in ("NOx", "VOC") if name in found.index]
    order = [*sums, *found.drop(sums).sort_values().index]
    axes.barh(order, found[order], color=[_BLACK if name in sums else _BLUE for name in order])
    axes.axvline(0, color=_GREY, linewidth=1)
    axes.set_xlabel("RIR: % of ozone for 1 % of the precursor")
    axes.set_title("Simulated (box, CBM-IV)", loc="left", fontsize=9)
    return figure
