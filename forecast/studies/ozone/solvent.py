"""Balance of organic solvents of a plant, and the removal efficiency of its abatement, both with uncertainty.

The balance is the solvent management plan of Directive 2010/75/EU, annex VII part 7. Its definitions of inputs and outputs were
read in a public copy of the text; the formulas of its section 3 are from memory. Uncertainty: GUM (JCGM 100:2008), 5.1.2 for
independent quantities and G.4.1 for effective degrees of freedom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from hazecast.grids.errors import InputError

# The items of annex VII part 7, section 2.
ITEMS = {
    "I1": "purchased solvent, input into the process",
    "I2": "recovered and reused solvent, input into the process",
    "O1": "emissions in waste gases",
    "O2": "lost in water",
    "O3": "residue in products",
    "O4": "uncaptured emissions to air",
    "O5": "lost by chemical or physical reactions (destroyed, captured)",
    "O6": "in collected waste",
    "O7": "sold in mixtures",
    "O8": "recovered for reuse, not as input into the process",
    "O9": "released in other ways",
}
# F = I1 - O1 - O5 - O6 - O7 - O8; E = F + O1; C = I1 - O8; I = I1 + I2 (section 3).
_FUGITIVE = {"I1": 1, "O1": -1, "O5": -1, "O6": -1, "O7": -1, "O8": -1}
_DIRECT = {"O2": 1, "O3": 1, "O4": 1, "O9": 1}
_TOTAL = {name: sign for name, sign in _FUGITIVE.items() if name != "O1"}
_CONSUMED = {"I1": 1, "O8": -1}
_INPUT = {"I1": 1, "I2": 1}
MIN_RUNS = 3


@dataclass(frozen=True)
class SolventBalance:
    """Emissions of a plant.

    Attributes
    ----------
    table : pandas.DataFrame (quantity)
        ``value``, ``uncertainty`` (standard), ``low`` and ``high``, kg of ``fugitive``, ``total_emission``, ``consumption``,
        ``input``, ``fugitive_direct`` (only where O2, O3, O4 and O9 are all given) and ``gap`` (indirect less direct); as a
        ratio ``fugitive_share`` of the input.
    closes : bool or None
        Whether the gap's interval contains 0; None without the direct items.
    assumed_zero : tuple of str
        Items that the indirect balance needs and the table does not have.
    """

    table: pd.DataFrame
    closes: bool | None
    assumed_zero: tuple[str, ...]


@dataclass(frozen=True)
class Removal:
    """Removal efficiency of paired runs, with a confidence interval; shares of 1."""

    efficiency: float
    low: float
    high: float
    runs: int
    degrees: float


def solvent_balance(items: pd.DataFrame, *, confidence: float = 0.95) -> SolventBalance:
    """Compute fugitive and total emissions from a balance of solvents.

    Parameters
    ----------
    items : pandas.DataFrame (item)
        Indexed by `ITEMS`: ``kg`` in the period and ``uncertainty`` (standard, kg).
    confidence : float
        Of the intervals, from the normal distribution.

    Returns
    -------
    SolventBalance

    Raises
    ------
    InputError
        If an item is unknown or given twice, I1 is missing, or a value or uncertainty is negative or missing.
    """
    _check_items(items)
    table, factor = {}, float(stats.norm.ppf(0.5 + confidence / 2))
    sums = {"fugitive": _FUGITIVE, "total_emission": _TOTAL, "consumption": _CONSUMED, "input": _INPUT}
    direct = set(_DIRECT) <= set(items.index)
    if direct:
        sums |= {"fugitive_direct": _DIRECT, "gap": _FUGITIVE | {name: -1 for name in _DIRECT}}
    for name, signs in sums.items():
        table[name] = _row(*_sum(items, signs), factor)
    table["fugitive_share"] = _row(*_share(items), factor)
    found = pd.DataFrame.from_dict(table, orient="index")
    found.index.name = "quantity"
    closes = table["gap"]["low"] <= 0 <= table["gap"]["high"] if direct else None
    return SolventBalance(found, closes, tuple(n for n in (*_FUGITIVE, "I2") if n not in items.index))


def removal_efficiency(runs: pd.DataFrame, *, systematic: float = 0.0, confidence: float = 0.95) -> Removal:
    """Compute the removal efficiency of abatement from runs at inlet and outlet.

    Parameters
    ----------
    runs : pandas.DataFrame (run)
        ``inlet`` and ``outlet``, mass concentrations in one unit; ``inlet_flow`` and ``outlet_flow`` at one reference state,
        both or neither (equal flows).
    systematic : float
        Relative standard uncertainty of outlet over inlet that all runs share: calibration, flow measurement. Share of 1.
    confidence : float
        Of the interval.

    Returns
    -------
    Removal
        One less the geometric mean of the outlet's mass over the inlet's. The interval is symmetric for the logarithm of that
        ratio, so that it does not pass 1.

    Raises
    ------
    InputError
        If there are fewer than three runs, one flow is given alone, a value is not above 0, or `systematic` is negative.
    """
    if len(runs) < MIN_RUNS:
        raise InputError("runs", len(runs), f"at least {MIN_RUNS}")
    if not systematic >= 0:
        raise InputError("systematic uncertainty", systematic, "0 or more")
    flows = [name for name in ("inlet_flow", "outlet_flow") if name in runs]
    if len(flows) == 1:
        raise InputError("flows", flows[0], "inlet_flow and outlet_flow, or neither")
    for name in ("inlet", "outlet", *flows):
        bad = ~(runs[name] > 0)
        if bad.any():
            raise InputError(f"run {runs.index[bad][0]}: {name}", runs.loc[bad, name].iloc[0], "above 0")
    passed = runs["outlet"] / runs["inlet"]
    if flows:
        passed = passed * runs["outlet_flow"] / runs["inlet_flow"]
    logs = np.log(passed.to_numpy(dtype=float))
    n, variance = len(logs), float(logs.var(ddof=1)) / len(logs)
    combined = variance + systematic**2
    degrees = float((n - 1) * (combined / variance) ** 2) if variance > 0 else float("inf")
    factor = (
        float(stats.t.ppf(0.5 + confidence / 2, degrees))
        if np.isfinite(degrees)
        else float(stats.norm.ppf(0.5 + confidence / 2))
    )
    margin = factor * float(np.sqrt(combined))
    low, middle, high = (1 - float(np.exp(logs.mean() + part)) for part in (margin, 0.0, -margin))
    return Removal(middle, low, high, n, degrees)


def _check_items(items: pd.DataFrame) -> None:
    for name in items.index:
        if name not in ITEMS:
            raise InputError("item", name, f"one of {', '.join(ITEMS)}")
    if items.index.has_duplicates:
        raise InputError("item", f"{items.index[items.index.duplicated()][0]} twice", "each once")
    if "I1" not in items.index:
        raise InputError("items", list(items.index), "I1, the purchased solvent")
    for column in ("kg", "uncertainty"):
        bad = ~(items[column] >= 0)
        if bad.any():
            raise InputError(f"{items.index[bad][0]}: {column}", items.loc[bad, column].iloc[0], "0 or more")
    if not items["kg"]["I1"] > 0:
        raise InputError("I1: kg", items["kg"]["I1"], "above 0")


def _sum(items: pd.DataFrame, signs: dict[str, int]) -> tuple[float, float]:
    """Return a sum and its standard uncertainty, for independent items."""
    given = [name for name in signs if name in items.index]
    chosen = items.loc[given]
    factors = np.array([signs[name] for name in given], dtype=float)
    return float((factors * chosen["kg"]).sum()), float(np.sqrt((chosen["uncertainty"] ** 2).sum()))


def _share(items: pd.DataFrame) -> tuple[float, float]:
    """Return fugitive emission over input and its standard uncertainty; I1 is in both."""
    fugitive, total = _sum(items, _FUGITIVE)[0], _sum(items, _INPUT)[0]
    given = [name for name in _FUGITIVE | _INPUT if name in items.index]
    slopes = np.array([(_FUGITIVE.get(n, 0) - _INPUT.get(n, 0) * fugitive / total) / total for n in given])
    return fugitive / total, float(np.sqrt(((slopes * items.loc[given, "uncertainty"]) ** 2).sum()))


def _row(value: float, uncertainty: float, factor: float) -> dict[str, float]:
    return {
        "value": value,
        "uncertainty": uncertainty,
        "low": value - factor * uncertainty,
        "high": value + factor * uncertainty,
    }
