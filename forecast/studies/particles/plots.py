"""Plots of the source apportionment."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hazecast.forecast.studies.particles.pmf import Factorization
from hazecast.forecast.studies.particles.pmf_number import FactorNumbers
from hazecast.forecast.studies.particles.pmf_uncertainty import Bootstrap

_BLUE, _BLACK, _GREY, _ORANGE = "#2b6cb0", "#1a202c", "#a0aec0", "#dd6b20"


def profiles(solution: Factorization, bootstrap: Bootstrap | None = None, truth: pd.DataFrame | None = None) -> Figure:
    """Draw each factor: bars for its amount of each species (log), dots for its share of the species.

    Parameters
    ----------
    solution : Factorization
        From `hazecast.forecast.studies.particles.pmf.factorize`.
    bootstrap : Bootstrap, optional
        Whiskers from its quantiles 0.05 to 0.95.
    truth : pandas.DataFrame (factor, species), optional
        Known profiles under the same factor names, drawn as marks.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a factor.
    """
    number = len(solution.factors)
    figure = Figure(figsize=(9, 1.5 * number + 0.6), layout="constrained")
    panels = np.atleast_1d(figure.subplots(number, 1, sharex=True))
    where = np.arange(len(solution.samples.species))
    share = solution.explained()
    floor = float(solution.profiles.where(solution.profiles > 0).quantile(0.02).min())
    for axes, factor in zip(panels, solution.factors, strict=True):
        amount = solution.profiles.loc[factor].to_numpy()
        axes.bar(where, np.maximum(amount, floor), color=_BLUE, width=0.7, label="amount")
        if bootstrap is not None:
            low, high = (
                bootstrap.profiles.xs(level, level="quantile").loc[factor].to_numpy() for level in (0.05, 0.95)
            )
            axes.vlines(where, np.maximum(low, floor), np.maximum(high, floor), color=_BLACK, linewidth=1)
        if truth is not None and factor in truth.index:
            known = truth.loc[factor, list(solution.samples.species)].to_numpy(dtype=float)
            axes.plot(where, np.where(known > floor, known, np.nan), "_", color=_BLACK, markersize=9, label="true")
        axes.set_yscale("log")
        axes.set_ylim(bottom=floor)
        axes.set_title(factor, loc="left", fontsize=9)
        right = axes.twinx()
        right.plot(where, 100 * share.loc[factor].to_numpy(), "o", color=_ORANGE, markersize=3)
        right.set_ylim(0, 105)
        right.tick_params(labelsize=7, colors=_ORANGE)
        axes.tick_params(labelsize=7)
    panels[-1].set_xticks(where, solution.samples.species, rotation=60, fontsize=8)
    figure.supylabel("amount (bars, unit of the samples); share of the species, % (dots)", fontsize=8)
    return figure


def contributions(solution: Factorization) -> Figure:
    """Draw the mass of the factors sample by sample, stacked, with the measured total.

    Raises
    ------
    InputError
        If the samples have no total.
    """
    mass = solution.mass()
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    where, dated = np.arange(len(mass)), isinstance(mass.index, pd.DatetimeIndex)
    axes.stackplot(where, mass.to_numpy().T, labels=list(mass.columns), linewidth=0)
    axes.plot(
        where,
        solution.samples.concentration[solution.samples.total],
        color=_BLACK,
        linewidth=0.7,
        label="measured",
    )
    axes.set_ylabel(f"{solution.samples.total}, unit of the samples")
    # Names of samples may be any text: some of them, so that they can be read.
    some = where[:: max(1, len(where) // 8)]
    axes.set_xticks(some, [f"{mass.index[n]:%Y-%m-%d}" if dated else str(mass.index[n]) for n in some], fontsize=7)
    axes.set_ylim(bottom=0)
    axes.margins(x=0)
    axes.legend(frameon=False, fontsize=7, ncols=4, loc="upper right")
    return figure


def numbers(found: FactorNumbers) -> Figure:
    """Draw the gain of each additional factor, compared with the largest gain expected from noise."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    table = found.table
    left.plot(table.index, table["ratio"], marker="o", color=_BLUE)
    left.axhline(1, color=_GREY, linewidth=1)
    left.set(xlabel="factors", ylabel="robust Q / expected Q")
    right.bar(table.index, table["gain"], color=_BLUE)
    right.plot(table.index, table["noise_gain"], color=_ORANGE, label="noise, at most")
    right.set(xlabel="factors", ylabel="fall of Q", yscale="log")
    right.legend(frameon=False, fontsize=8)
    return figure
