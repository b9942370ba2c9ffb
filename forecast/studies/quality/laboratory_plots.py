"""Plots of the studies of laboratories: methods side by side, samples, duplicates, budgets and bags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hazecast.forecast.studies.quality.bags import BagStability
from hazecast.forecast.studies.quality.budget import Budget
from hazecast.forecast.studies.quality.duplicates import Duplicates
from hazecast.forecast.studies.quality.samples import Homogeneity

_BLUE, _BLACK, _GREY, _RED = "#2b6cb0", "#1a202c", "#a0aec0", "#c53030"
_MOST = 6


def element_lines(filters: pd.DataFrame, means: pd.DataFrame, found: pd.DataFrame) -> Figure:
    """Draw the means of the XRF against the filters with York's line, one panel an element with a line, at most six.

    Parameters
    ----------
    filters, means : pandas.DataFrame (filter, element)
        As given to `hazecast.forecast.studies.quality.elements.compare_elements`.
    found : pandas.DataFrame (element)
        What it returned.

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = [name for name in found.index if "slope" in found and np.isfinite(float(found["slope"][name]))][:_MOST]
    columns = min(3, max(1, len(names)))
    rows = -(-max(1, len(names)) // columns)
    figure = Figure(figsize=(2.7 * columns, 2.6 * rows), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    for axes, name in zip(panels, names, strict=False):
        row = found.loc[name]
        top = 1.05 * float(np.nanmax([filters[name].max(), means[name].max()]))
        axes.plot([0, top], [0, top], color=_GREY, linewidth=1)
        axes.plot(filters[name], means[name].reindex(filters.index), ".", color=_BLUE, markersize=4)
        axes.plot([0, top], [row["intercept"], row["intercept"] + row["slope"] * top], color=_BLACK, linewidth=1)
        axes.set(xlim=(0, top), ylim=(0, top), xlabel="filter", ylabel="XRF")
        axes.set_title(
            f"{name}: {row['slope']:.2f} ({row['slope_low']:.2f} to {row['slope_high']:.2f}), {row['verdict']}", loc="left", fontsize=7
        )  # fmt: skip
    return figure


def bag_recoveries(analyses: pd.DataFrame, found: Mapping[str, BagStability], least: float) -> Figure:
    """Draw the recovery of each compound against storage time with its line and the longest storage.

    Parameters
    ----------
    analyses : pandas.DataFrame
        ``compound``, ``hours`` and ``recovery`` (share of 1).
    found : mapping of str to BagStability
        By compound.
    least : float
        Recovery a stored sample must still have.

    Returns
    -------
    matplotlib.figure.Figure
        At most six compounds.
    """
    names = list(found)[:_MOST]
    figure = Figure(figsize=(2.7 * min(3, len(names)), 2.6 * -(-len(names) // 3)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(-(-len(names) // 3), min(3, len(names)), sharey=True)).ravel()
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    for axes, name in zip(panels, names, strict=False):
        one, part = found[name], analyses[analyses["compound"] == name]
        hours = np.linspace(0, float(part["hours"].max()), 50)
        axes.plot(part["hours"], 100 * part["recovery"], ".", color=_BLUE, markersize=4)
        axes.plot(hours, 100 * one.recovery * np.exp(-one.loss_per_hour * hours), color=_BLACK, linewidth=1)
        axes.axhline(100 * least, color=_RED, linewidth=1, linestyle="--")
        axes.axvline(one.storage, color=_GREY, linewidth=1)
        axes.set_xlabel("storage, h")
        axes.set_title(f"{name}: {one.storage:.0f} h", loc="left", fontsize=8)
    panels[0].set_ylabel("recovery, %")
    return figure


def sample_spread(results: np.ndarray, found: Homogeneity) -> Figure:
    """Draw the results of each sample about their mean, and the deviation allowed between samples.

    Parameters
    ----------
    results : float (sample, result)
        As given to `hazecast.forecast.studies.quality.samples.homogeneity`.
    found : Homogeneity
        What it returned.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(6.4, 2.8), layout="constrained")
    axes = figure.subplots()
    where = np.arange(1, len(results) + 1)
    for column in results.T:
        axes.plot(where, column, ".", color=_BLUE, markersize=5)
    axes.plot(where, results.mean(axis=1), "_", color=_BLACK, markersize=12)
    axes.axhline(found.mean, color=_GREY, linewidth=1)
    axes.axhspan(
        found.mean - found.limit,
        found.mean + found.limit,
        color=_GREY,
        alpha=0.25,
        linewidth=0,
        label="± limit for s between samples",
    )
    axes.set(xlabel="sample", ylabel="result")
    axes.margins(y=0.2)
    verdict = "homogeneous" if found.homogeneous else ("not refuted" if found.not_refuted else "not homogeneous")
    axes.set_title(
        f"between samples {found.between:.3g} ({found.between_low:.3g} to {found.between_high:.3g}), limit {found.limit:.3g}: {verdict}",
        loc="left", fontsize=9,
    )  # fmt: skip
    axes.legend(fontsize=7)
    return figure


def duplicate_differences(found: Duplicates, allowed: float) -> Figure:
    """Draw the relative difference of each pair against its mean, and the largest allowed.

    Parameters
    ----------
    found : Duplicates
        From `hazecast.forecast.studies.quality.duplicates.duplicates`.
    allowed : float
        Share of the mean.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(6.4, 2.8), layout="constrained")
    axes = figure.subplots()
    beyond = found.table["beyond"].to_numpy(dtype=bool)
    relative = 100 * found.table["relative_difference"]
    for chosen, colour in ((~beyond, _BLUE), (beyond, _RED)):
        axes.plot(found.table["mean"][chosen], relative[chosen], "o", color=colour, markersize=4)
    axes.axhline(0, color=_GREY, linewidth=1)
    for side in (-allowed, allowed):
        axes.axhline(100 * side, color=_RED, linewidth=1, linestyle="--")
    axes.set(xlabel="mean of the pair", ylabel="first less second, % of the mean")
    text = f"{100 * found.relative:.1f} % (at most {100 * found.relative_upper:.1f} %)"
    axes.set_title(f"relative standard deviation {text}, {found.pairs} pairs", loc="left", fontsize=9)
    return figure


def budget_shares(found: Budget) -> Figure:
    """Draw the contributions of a budget, largest first, with their shares of the variance."""
    table = found.table.iloc[::-1]
    figure = Figure(figsize=(6.4, 0.32 * len(table) + 1), layout="constrained")
    axes = figure.subplots()
    axes.barh([str(name) for name in table.index], table["contribution"], color=_BLUE)
    for row, (contribution, share) in enumerate(zip(table["contribution"], table["share"], strict=True)):
        axes.text(contribution, row, f" {100 * share:.0f} %", va="center", fontsize=8)
    axes.set_xlabel("contribution to the standard uncertainty")
    axes.margins(x=0.12)
    axes.set_title(
        f"combined {found.combined:.3g}, expanded {found.expanded:.3g} (k = {found.factor:.2f})", loc="left", fontsize=9
    )
    return figure


def removal_costs(alone: pd.DataFrame, kept: Sequence[str] = ()) -> Figure:
    """Draw how well each station is known from all others, those kept in blue.

    Parameters
    ----------
    alone : pandas.DataFrame (station)
        From `hazecast.forecast.studies.quality.siting.removal`.
    kept : sequence of str
        Stations that a choice keeps.

    Returns
    -------
    matplotlib.figure.Figure
    """
    table = alone.sort_values("relative", ascending=False)
    figure = Figure(figsize=(6.4, 0.26 * len(table) + 1), layout="constrained")
    axes = figure.subplots()
    names = [str(name) for name in table.index]
    axes.barh(names, 100 * table["relative"], color=[_BLUE if name in kept else _GREY for name in names])
    axes.set_xlabel("error of the daily mean without the station, % of its mean")
    axes.set_title(
        "blue: kept; grey: removed" if kept else "each station known from all others", loc="left", fontsize=9
    )
    return figure
