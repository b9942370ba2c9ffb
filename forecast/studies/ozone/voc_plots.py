"""Plots of VOC before and after a measure, and of a balance of solvents."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from hazecast.forecast.studies.ozone.solvent import SolventBalance
from hazecast.forecast.studies.ozone.voc_change import VocChange

_BLUE, _BLACK, _GREY = "#2b6cb0", "#1a202c", "#a0aec0"
_NAMES = {"concentration": "concentration", "ofp": "ozone formation potential", "oh_reactivity": "OH reactivity"}


def change(found: VocChange, most: int = 12) -> Figure:
    """Draw the relative change of the sums, and the change of each species' ozone formation potential, with intervals.

    Parameters
    ----------
    found : VocChange
        From `hazecast.forecast.studies.ozone.voc_change.paired_change`.
    most : int
        Species drawn, those that changed most.

    Returns
    -------
    matplotlib.figure.Figure
    """
    table = found.species.dropna(subset=["ofp"])
    table = table.loc[table["ofp"].abs().sort_values(ascending=False).index[:most]].sort_values("ofp", ascending=False)
    figure = Figure(figsize=(7.6, 0.24 * max(4, len(table)) + 1.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    totals = found.totals.iloc[::-1]
    reach = 100 * np.array([totals["relative"] - totals["relative_low"], totals["relative_high"] - totals["relative"]])
    left.errorbar(100 * totals["relative"], range(len(totals)), xerr=reach, fmt="o", color=_BLACK, capsize=3)
    left.set_yticks(range(len(totals)), [_NAMES[str(name)] for name in totals.index], fontsize=8)
    left.margins(y=0.3)
    left.set_xlabel("change, %")
    reach = np.array([table["ofp"] - table["ofp_low"], table["ofp_high"] - table["ofp"]])
    right.errorbar(table["ofp"], range(len(table)), xerr=reach, fmt="o", color=_BLUE, capsize=2, markersize=4)
    right.set_yticks(range(len(table)), [str(name) for name in table.index], fontsize=8)
    right.set_xlabel("change of OFP, µg m$^{-3}$ of ozone")
    for axes in (left, right):
        axes.axvline(0, color=_GREY, linewidth=1)
    return figure


def balance(found: SolventBalance) -> Figure:
    """Draw the quantities of a solvent balance in kg with their intervals.

    Parameters
    ----------
    found : SolventBalance
        From `hazecast.forecast.studies.ozone.solvent.solvent_balance`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    table = found.table.drop("fugitive_share").iloc[::-1]
    figure = Figure(figsize=(6.4, 0.3 * len(table) + 1), layout="constrained")
    axes = figure.subplots()
    reach = np.array([table["value"] - table["low"], table["high"] - table["value"]])
    axes.errorbar(table["value"], range(len(table)), xerr=reach, fmt="o", color=_BLUE, capsize=3)
    axes.set_yticks(range(len(table)), [str(name).replace("_", " ") for name in table.index], fontsize=8)
    axes.axvline(0, color=_GREY, linewidth=1)
    axes.set_xlabel("kg of solvent in the period, 95 % interval")
    if found.closes is not None:
        axes.set_title("the balance closes" if found.closes else "the balance does not close", loc="left", fontsize=9)
    return figure
