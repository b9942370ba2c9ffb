"""Plots of secondary aerosol and of metals in exhaust."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from hazecast.forecast.studies.particles.secondary import SecondaryCarbon

_BLUE, _BLACK, _GREY = "#2b6cb0", "#1a202c", "#a0aec0"


def primary_ratio(organic: pd.Series, elemental: pd.Series, found: SecondaryCarbon) -> Figure:
    """Draw OC against EC with the primary ratio: what lies above the line is secondary.

    Parameters
    ----------
    organic, elemental : pandas.Series (sample)
        In one unit.
    found : SecondaryCarbon
        From `hazecast.forecast.studies.particles.secondary.secondary_carbon`.

    Returns
    -------
    matplotlib.figure.Figure
        Right: squared correlation of OC - r EC with EC over the ratio r, which is least at the primary ratio.
    """
    figure = Figure(figsize=(7.2, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(elemental, organic, ".", color=_BLUE, markersize=4)
    ends = np.array([0.0, float(elemental.max())])
    left.plot(ends, found.ratio * ends, color=_BLACK, linewidth=1, label="primary")
    left.fill_between(ends, found.low * ends, found.high * ends, color=_GREY, alpha=0.4, linewidth=0)
    left.set(xlabel="EC", ylabel="OC")
    left.set_title(
        f"secondary: {100 * found.share:.0f} % ({100 * found.share_low:.0f} to {100 * found.share_high:.0f}) of OC", loc="left", fontsize=9
    )  # fmt: skip
    left.legend(fontsize=7)
    both = pd.DataFrame({"oc": organic, "ec": elemental}).dropna()
    ratios = np.linspace(0.2 * found.ratio, 2 * found.ratio, 120)
    squares = [float(np.corrcoef(both["oc"] - one * both["ec"], both["ec"])[0, 1] ** 2) for one in ratios]
    right.plot(ratios, squares, color=_BLUE)
    right.axvline(found.ratio, color=_BLACK, linewidth=1)
    right.axvspan(found.low, found.high, color=_GREY, alpha=0.4, linewidth=0)
    right.set(xlabel="ratio r", ylabel="R² of OC - r EC with EC")
    right.set_title(f"r = {found.ratio:.2f} ({found.low:.2f} to {found.high:.2f})", loc="left", fontsize=9)
    return figure


def oxidation(ratios: pd.DataFrame) -> Figure:
    """Draw the distributions of the oxidation ratios of sulfur and nitrogen.

    Parameters
    ----------
    ratios : pandas.DataFrame (sample)
        From `hazecast.forecast.studies.particles.secondary.oxidation_ratios`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(3.4 * ratios.shape[1], 2.6), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, ratios.shape[1], sharey=True))
    for axes, name in zip(panels, ratios.columns, strict=True):
        axes.hist(ratios[name].dropna(), bins=20, range=(0, 1), color=_BLUE)
        axes.axvline(float(ratios[name].median()), color=_BLACK, linewidth=1)
        axes.set_xlabel(f"{name.upper()}, median {ratios[name].median():.2f}")
    panels[0].set_ylabel("samples")
    return figure


def emission_factors(factors: pd.DataFrame) -> Figure:
    """Draw emission factors of metals with their intervals, on a logarithmic axis.

    Parameters
    ----------
    factors : pandas.DataFrame (metal)
        From `hazecast.forecast.studies.particles.dilution.exhaust_factors`.

    Returns
    -------
    matplotlib.figure.Figure
        A factor whose interval reaches 0 ends at the left edge; one that is not above 0 is not drawn.
    """
    table = factors[factors["ug_per_kg"] > 0].sort_values("ug_per_kg")
    figure = Figure(figsize=(6.4, 0.32 * max(2, len(table)) + 1), layout="constrained")
    axes = figure.subplots()
    where = np.arange(len(table))
    axes.set_xscale("log", nonpositive="clip")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.errorbar(
        table["ug_per_kg"], where, xerr=[table["ug_per_kg"] - table["low"], table["high"] - table["ug_per_kg"]], fmt="o", color=_BLUE, capsize=3
    )  # fmt: skip
    axes.set_yticks(where, [str(name) for name in table.index])
    axes.margins(y=0.2)
    axes.set_xlabel("µg per kg of fuel, 95 % interval")
    return figure
