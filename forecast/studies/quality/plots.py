"""Plots of the studies of data quality."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hazecast.forecast.studies.quality.control_charts import ControlChart
from hazecast.forecast.studies.quality.equivalence import Equivalence
from hazecast.forecast.studies.quality.laboratory import Round
from hazecast.forecast.studies.quality.station_agreement import daily_ratio

_BLUE, _BLACK, _GREY, _RED = "#2b6cb0", "#1a202c", "#a0aec0", "#c53030"
_VERDICTS = {"satisfactory": _BLUE, "questionable": "#dd6b20", "unsatisfactory": _RED}


def charts(found: Sequence[ControlChart], values: pd.Series) -> Figure:
    """Draw control charts of one series below each other, signals in red.

    Parameters
    ----------
    found : sequence of ControlChart
        Charts of the same series.
    values : pandas.Series (point)
        The series.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a chart.
    """
    figure = Figure(figsize=(9, 2.1 * len(found)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(found), 1, sharex=True))
    where = np.arange(len(values))
    for axes, chart in zip(panels, found, strict=True):
        table = chart.statistic
        for name in ("up", "down") if chart.kind == "cusum" else ("value",):
            axes.plot(where, table[name], color=_BLUE, linewidth=1, marker=".", markersize=3)
        signals = table.index.isin(chart.signals.index)
        plotted = table[["up", "down"]].max(axis=1) if chart.kind == "cusum" else table["value"]
        axes.plot(where[signals], plotted[signals], "o", color=_RED, markersize=4)
        for name in ("low", "high"):
            if name in table:
                axes.plot(where, table[name], color=_GREY, linewidth=1)
        axes.set_title(f"{chart.kind}: {len(chart.signals)} signals", loc="left", fontsize=9)
    panels[-1].set_xlabel("point")
    return figure


def scores(found: Round) -> Figure:
    """Draw the laboratories' scores in order of size, coloured by verdict."""
    name = "z_prime" if found.score == "z'" else "z"
    table = found.table.sort_values(name)
    figure = Figure(figsize=(max(5.0, 0.35 * len(table) + 1), 3), layout="constrained")
    axes = figure.subplots()
    axes.bar(
        [str(label) for label in table.index], table[name], color=[_VERDICTS[verdict] for verdict in table["verdict"]]
    )
    for limit in (-3, -2, 2, 3):
        axes.axhline(limit, color=_GREY, linewidth=1, linestyle="-" if abs(limit) == 3 else ":")
    axes.set_ylabel(found.score)
    axes.tick_params(axis="x", rotation=60, labelsize=8)
    axes.set_title(
        f"assigned {found.assigned:.4g} ± {found.assigned_error:.2g} ({found.source})", loc="left", fontsize=9
    )
    return figure


def against_reference(reference: NDArray[np.float64], candidate: NDArray[np.float64], found: Equivalence) -> Figure:
    """Draw candidate against reference concentrations with the line of orthogonal regression.

    Parameters
    ----------
    reference, candidate : float (day,)
        Of the same days; NaN is skipped.
    found : Equivalence
        From `hazecast.forecast.studies.quality.equivalence.equivalence`.

    Returns
    -------
    matplotlib.figure.Figure
        With the 1:1 line in grey.
    """
    figure = Figure(figsize=(4.2, 4.2), layout="constrained")
    axes = figure.subplots()
    top = float(np.nanmax([reference, candidate])) * 1.05
    axes.plot([0, top], [0, top], color=_GREY, linewidth=1)
    axes.plot(reference, candidate, ".", color=_BLUE, markersize=4)
    axes.plot([0, top], [found.intercept, found.intercept + found.slope * top], color=_BLACK, linewidth=1)
    axes.set(xlim=(0, top), ylim=(0, top), xlabel="reference", ylabel="candidate")
    axes.set_title(f"expanded uncertainty {100 * found.expanded:.0f} %", loc="left", fontsize=9)
    return figure


def station_ratios(hourly: pd.DataFrame, table: pd.DataFrame, stations: Sequence[str]) -> Figure:
    """Draw weekly ratios of stations to the median of the others, with the steps found.

    Parameters
    ----------
    hourly : pandas.DataFrame (time, station)
        One pollutant, NaN where not valid.
    table : pandas.DataFrame (station)
        From `hazecast.forecast.studies.quality.station_agreement.consistency`.
    stations : sequence of str
        Stations to draw.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a station.
    """
    figure = Figure(figsize=(9, 1.5 * len(stations) + 0.4), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(stations), 1, sharex=True))
    for axes, station in zip(panels, stations, strict=True):
        ratio = daily_ratio(hourly[station], hourly.drop(columns=station).median(axis=1))
        weekly = np.exp(ratio.resample("7D").median())
        axes.plot(weekly.index, weekly, color=_BLUE, linewidth=0.8)
        axes.axhline(1, color=_GREY, linewidth=1)
        title, day = str(station), table["shift"].to_dict()[station]
        if not pd.isna(day):
            axes.axvline(day, color=_RED, linewidth=1)
            title += f": {table['shift_size'].to_dict()[station]:+.0f} % from {pd.Timestamp(day).date()}"
        axes.set_title(title, loc="left", fontsize=9)
    figure.supylabel("over the median of the others", fontsize=9)
    return figure
