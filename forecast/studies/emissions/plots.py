"""Plots of the studies of emissions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hazecast.forecast.studies.emissions.exhaust import Screening
from hazecast.forecast.studies.emissions.factory import FactoryChange
from hazecast.forecast.studies.emissions.relative_accuracy import RelativeAccuracy

_BLUE, _BLACK, _GREY, _RED, _ORANGE = "#2b6cb0", "#1a202c", "#a0aec0", "#c53030", "#dd6b20"


def monitor_against_reference(pairs: pd.DataFrame, found: RelativeAccuracy, unit: str = "mg m$^{-3}$") -> Figure:
    """Draw a monitor's differences from the reference method, their mean with its interval, and the limit where it is absolute or relative.

    Parameters
    ----------
    pairs : pandas.DataFrame (pair)
        ``reference`` and ``monitor``.
    found : RelativeAccuracy
        Of these pairs.
    unit : str
        Of the data.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(6.4, 3), layout="constrained")
    axes = figure.subplots()
    difference = pairs["monitor"] - pairs["reference"]
    axes.plot(pairs["reference"], difference, "o", color=_BLUE, markersize=5, label="pairs")
    axes.axhline(found.difference, color=_BLACK, linewidth=1.2, label="mean difference, 95 % interval")
    axes.axhspan(found.low, found.high, color=_BLUE, alpha=0.15, linewidth=0)
    limit = found.limit if found.criterion == "absolute" else found.limit * found.reference
    for side in (-limit, limit):
        axes.axhline(side, color=_RED, linewidth=1, linestyle="--", label="limit" if side > 0 else None)
    axes.set(xlabel=f"reference, {unit}", ylabel=f"monitor less reference, {unit}")
    verdict = "passes" if found.passes else "fails"
    sure = "" if found.conclusive else ", not conclusive"
    axes.set_title(f"criterion: {found.criterion}; {verdict}{sure}", loc="left", fontsize=9)
    axes.legend(fontsize=7, loc="best")
    return figure


def factory_runs(found: FactoryChange) -> Figure:
    """Draw the emission per tonne of product before and after, a line a pair, and the reduction with its interval.

    Parameters
    ----------
    found : FactoryChange
        From `hazecast.forecast.studies.emissions.factory.factory_change`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(6.4, 2.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 1.2))
    names = [str(name) for name in found.table.index]
    where = np.arange(len(names))
    left.vlines(where, found.table["after"], found.table["before"], color=_GREY, linewidth=2)
    left.plot(where, found.table["before"], "o", color=_ORANGE, label="before")
    left.plot(where, found.table["after"], "o", color=_BLUE, label="after")
    left.set_xticks(where, names, fontsize=7, rotation=30 if len(names) > 6 else 0)
    left.set_ylim(bottom=0)
    left.set_ylabel("kg per tonne of product")
    left.legend(fontsize=7)
    one = found.reduction
    right.errorbar(
        [100 * one.value], [0], xerr=[[100 * (one.value - one.low)], [100 * (one.high - one.value)]], fmt="o", color=_BLACK, capsize=4
    )  # fmt: skip
    right.axvline(0, color=_GREY, linewidth=1)
    right.set_yticks([])
    right.set_xlim(min(-5.0, 100 * one.low - 5), 100)
    right.set_xlabel("reduction, %")
    right.set_title(f"{100 * one.value:.0f} % ({100 * one.low:.0f} to {100 * one.high:.0f})", loc="left", fontsize=9)
    return figure


def screened_fleet(found: Screening, limit: float, gas: str = "NO") -> Figure:
    """Draw the mean emission of each vehicle in order of size, by verdict.

    Parameters
    ----------
    found : Screening
        From `hazecast.forecast.studies.emissions.exhaust.screen`.
    limit : float
        g kg-1.
    gas : str
        In words.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(6.4, 3), layout="constrained")
    axes = figure.subplots()
    table = found.vehicles.sort_values("mean")
    rank = np.arange(1, len(table) + 1)
    certain, high = table["certain"].to_numpy(), table["high"].to_numpy()
    for chosen, colour, label in (
        (~high, _GREY, "not high"), (high & ~certain, _ORANGE, "high by the count of exceedances alone"), (certain, _RED, "high, certain"),
    ):  # fmt: skip
        axes.plot(rank[chosen], table["mean"].to_numpy()[chosen], ".", color=colour, markersize=5, label=label)
    axes.axhline(limit, color=_BLACK, linewidth=1, linestyle="--", label="limit")
    axes.set(xlabel="vehicle, by its mean emission", ylabel=f"mean {gas}, g per kg of fuel")
    share = f"{100 * found.share:.1f} % ({100 * found.share_low:.1f} to {100 * found.share_high:.1f})"
    axes.set_title(f"certain: {share} of {len(table)} vehicles", loc="left", fontsize=9)
    axes.legend(fontsize=7)
    return figure


def flue_gas(found: pd.DataFrame) -> Figure:
    """Draw concentrations at the reference state with their standard uncertainties, beside those of dry gas.

    Parameters
    ----------
    found : pandas.DataFrame (reading)
        From `hazecast.forecast.studies.emissions.flue_gas.corrected`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(6.4, 2.8), layout="constrained")
    axes = figure.subplots()
    where = np.arange(len(found))
    axes.errorbar(where - 0.1, found["dry"], yerr=found["u_dry"], fmt="o", color=_GREY, capsize=3, label="dry")
    axes.errorbar(
        where + 0.1, found["reference"], yerr=found["u_reference"], fmt="o", color=_BLUE, capsize=3, label="at the reference oxygen"
    )  # fmt: skip
    axes.set_xticks(where, [str(name) for name in found.index], fontsize=7)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("mg m$^{-3}$, ± standard uncertainty")
    axes.legend(fontsize=7)
    return figure
