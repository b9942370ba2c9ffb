"""Metals of exhaust sampled through a dilution tube: dilution by CO2, emission factors by carbon balance, field blanks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from hazecast.grids.errors import InputError

MIN_RUNS, MIN_BLANKS = 3, 3
_GAS_CONSTANT, _CARBON = 8.314462618, 12.011
# The limit is three standard deviations of the blanks (IUPAC).
_LIMIT = 3.0
_GASES = ("co2", "co", "hc")
# Undiluted exhaust has less CO2 than this in %, any mixture more in ppm. Chosen.
_PER_CENT = 20.0


@dataclass(frozen=True)
class ExhaustFactors:
    """Emission factors of exhaust.

    Attributes
    ----------
    runs : pandas.DataFrame (run)
        ``dilution`` (volume of the mixture over that of exhaust, 1; NaN where the raw exhaust was not measured) and ``carbon``, the fuel's
        carbon in the mixture, mg m-3.
    factors : pandas.DataFrame (metal)
        ``ug_per_kg`` of fuel, mean of the runs, with ``low`` and ``high``; ``blank`` and ``limit``, ng a filter; ``below_limit``, runs whose mass
        less the blank is below the limit (used as measured).
    """

    runs: pd.DataFrame
    factors: pd.DataFrame


def dilution_ratio(exhaust: pd.Series, mixture: pd.Series, air: pd.Series) -> pd.Series:
    """Compute the dilution from CO2.

    Parameters
    ----------
    exhaust, mixture, air : pandas.Series (run)
        CO2 of raw exhaust, of the diluted mixture and of the dilution air, ppm, all dry or all wet.

    Returns
    -------
    pandas.Series (run)
        (exhaust - air) / (mixture - air): volumes of mixture a volume of exhaust.

    Raises
    ------
    InputError
        If the mixture does not lie between air and exhaust.
    """
    bad = ~((exhaust >= mixture) & (mixture > air))
    bad &= exhaust.notna() & mixture.notna() & air.notna()
    if bad.any():
        at = bad.index[bad][0]
        raise InputError(
            f"run {at}: CO2 of the mixture", mixture[at], f"above {air[at]} (air) and up to {exhaust[at]} (exhaust)"
        )
    return (exhaust - air) / (mixture - air)


def exhaust_factors(
    runs: pd.DataFrame, masses: pd.DataFrame, blanks: pd.DataFrame, *, fuel_carbon: float, confidence: float = 0.95
) -> ExhaustFactors:
    """Compute emission factors of metals a kg of fuel.

    Parameters
    ----------
    runs : pandas.DataFrame (run)
        ``co2_mixture`` and ``co2_air`` (ppm), ``volume`` sampled (m3 at 273.15 K, 1013.25 hPa); optional ``co2_exhaust``, and ``co_`` and ``hc_``
        (ppm of carbon) of mixture and air.
    masses : pandas.DataFrame (run, metal)
        ng a filter; runs in any order.
    blanks : pandas.DataFrame (blank, metal)
        Field blanks, ng a filter.
    fuel_carbon : float
        Mass share of carbon in the fuel, such as 0.86 for diesel.
    confidence : float
        Of the intervals.

    Returns
    -------
    ExhaustFactors

    Raises
    ------
    InputError
        If there are fewer than three runs or blanks, tables do not match, or a value is out of range.

    Notes
    -----
    Factor = (mass - mean blank) / volume / carbon of the fuel in a volume x carbon share of the fuel: CO2, CO and HC above the dilution air
    hold the fuel's carbon, and the dilution cancels (carbon balance, Singer and Harley 1996, J. Air Waste Manage. Assoc. 46:581; from memory).
    The interval has the scatter of the runs and, common to all of them, the uncertainty of the mean blank; Student's t at the effective degrees of
    freedom (GUM, JCGM 100:2008, G.4.1).
    """
    if not 0 < fuel_carbon <= 1:
        raise InputError("fuel carbon", fuel_carbon, "a share, above 0 and up to 1")
    _check(runs, masses, blanks)
    masses = masses.loc[runs.index]
    carbon = _carbon(runs)
    table = pd.DataFrame({"dilution": np.nan, "carbon": carbon}, index=runs.index)
    if "co2_exhaust" in runs:
        table["dilution"] = dilution_ratio(runs["co2_exhaust"], runs["co2_mixture"], runs["co2_air"])
    # ng over mg of carbon is ug over g; x 1000 for a kg, x the share of carbon for a kg of fuel: ng of metal to ug a kg.
    scale = (fuel_carbon / (runs["volume"] * carbon)).to_numpy(dtype=float) * 1e3
    rows = {}
    for metal in masses.columns:
        rows[metal] = _factor(
            masses[metal].to_numpy(dtype=float), blanks[metal].to_numpy(dtype=float), scale, confidence
        )
    factors = pd.DataFrame.from_dict(rows, orient="index")
    factors.index.name = "metal"
    return ExhaustFactors(table, factors)


def _carbon(runs: pd.DataFrame) -> pd.Series:
    """Return the fuel's carbon in the mixture, mg m-3 at 273.15 K and 1013.25 hPa."""
    ppm = pd.Series(0.0, index=runs.index)
    for gas in _GASES:
        if f"{gas}_mixture" in runs:
            ppm = ppm + runs[f"{gas}_mixture"] - runs[f"{gas}_air"]
    bad = ~(ppm > 0)
    if bad.any():
        raise InputError(f"run {runs.index[bad][0]}: carbon above the dilution air, ppm", ppm[bad].iloc[0], "above 0")
    return ppm * 1e-6 * 101325.0 / (_GAS_CONSTANT * 273.15) * _CARBON * 1e3


def _factor(
    mass: NDArray[np.float64], blank: NDArray[np.float64], scale: NDArray[np.float64], confidence: float
) -> dict[str, float]:
    net = mass - blank.mean()
    each, n, m = net * scale, len(mass), len(blank)
    scatter, common = each.var(ddof=1) / n, blank.var(ddof=1) / m * scale.mean() ** 2
    total = scatter + common
    degrees = total**2 / (scatter**2 / (n - 1) + common**2 / (m - 1)) if total > 0 else np.inf
    margin = float(stats.t.ppf(0.5 + confidence / 2, degrees)) * float(np.sqrt(total)) if total > 0 else 0.0
    limit = _LIMIT * float(blank.std(ddof=1))
    return {
        "ug_per_kg": float(each.mean()),
        "low": float(each.mean()) - margin,
        "high": float(each.mean()) + margin,
        "blank": float(blank.mean()),
        "limit": limit,
        "below_limit": int((net < limit).sum()),
    }


def _check(runs: pd.DataFrame, masses: pd.DataFrame, blanks: pd.DataFrame) -> None:
    if len(runs) < MIN_RUNS or len(blanks) < MIN_BLANKS:
        raise InputError("runs and blanks", (len(runs), len(blanks)), f"at least {MIN_RUNS} and {MIN_BLANKS}")
    alone = runs.index.symmetric_difference(masses.index)
    if len(alone):
        raise InputError(f"run {alone[0]}", "in one of the tables of runs and masses", "each run in both")
    mixture = float(runs["co2_mixture"].median())
    if mixture <= _PER_CENT:
        raise InputError("co2_mixture: median", mixture, f"ppm, above {_PER_CENT:g}; not %")
    for gas in _GASES:
        if (f"{gas}_mixture" in runs) != (f"{gas}_air" in runs):
            raise InputError(f"{gas}", "mixture or air alone", f"{gas}_mixture and {gas}_air")
    for name, table in (("runs", runs), ("masses", masses), ("blanks", blanks)):
        for column in table.columns:
            bad = ~(table[column] >= 0) if column != "co2_exhaust" else table[column] < 0
            if column == "volume":
                bad = ~(table[column] > 0)
            if bad.any():
                raise InputError(
                    f"{name}, {table.index[bad][0]}: {column}", table[column][bad].iloc[0], "a value, 0 or more"
                )
    lost = [name for name in masses.columns if name not in blanks]
    if lost:
        raise InputError("blanks", list(blanks.columns), f"also {', '.join(map(str, lost))}")
