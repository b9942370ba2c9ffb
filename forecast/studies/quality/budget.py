"""Uncertainty budget: components, combined and expanded uncertainty after the GUM (JCGM 100:2008)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from hazecast.grids.errors import InputError

# What a component's number is divided by: GUM 4.3.3 to 4.3.9; ``standard`` is a standard uncertainty already, ``expanded`` is of k = 2, the
# others are half widths. ``arcsine`` is the U-shaped distribution.
DIVISORS = {
    "standard": 1.0,
    "expanded": 2.0,
    "rectangular": 3**0.5,
    "triangular": 6**0.5,
    "arcsine": 2**0.5,
}


@dataclass(frozen=True)
class Budget:
    """Result of a budget; in the unit of the measurand.

    Attributes
    ----------
    combined : float
        Combined standard uncertainty.
    degrees : float
        Effective degrees of freedom, infinite where no component has a finite number.
    factor, expanded : float
        Coverage factor (Student's at the degrees, rounded down) and expanded uncertainty.
    confidence : float
    table : pandas.DataFrame (component)
        ``uncertainty`` (standard, of the component), ``sensitivity``, ``contribution`` (their product's size) and ``share`` of the variance; largest
        first.
    """

    combined: float
    degrees: float
    factor: float
    expanded: float
    confidence: float
    table: pd.DataFrame


def uncertainty_budget(components: pd.DataFrame, *, confidence: float = 0.95) -> Budget:
    """Combine independent components.

    u_c^2 = sum (c_i u_i)^2 (GUM 5.1.2); effective degrees of freedom by Welch and Satterthwaite (G.4.1), rounded down; U = t u_c (G.3.2).

    Parameters
    ----------
    components : pandas.DataFrame (component)
        ``value``; ``kind``, one of `DIVISORS`; optionally ``sensitivity`` (the measurand's change by one unit of the component; 1 where missing)
        and ``degrees`` of freedom (infinite where missing).
    confidence : float
        Of the expanded uncertainty.

    Returns
    -------
    Budget

    Raises
    ------
    InputError
        If there is no component, one is given twice, a value is negative or missing, a kind is unknown, degrees are below 1, all are 0, or
        `confidence` is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise InputError("confidence", confidence, "between 0 and 1")
    if components.empty or components.index.has_duplicates:
        twice = components.index[components.index.duplicated()]
        raise InputError("components", f"{twice[0]} twice" if len(twice) else "none", "one or more, each once")
    rows = [_component(str(name), row) for name, row in components.iterrows()]
    table = pd.DataFrame(rows, index=components.index)
    variance = table["contribution"] ** 2
    combined = float(np.sqrt(variance.sum()))
    if combined == 0:
        raise InputError("components: contributions", "all 0", "one above 0")
    inverse = float((variance**2 / table.pop("degrees")).sum())
    degrees = float(np.inf) if inverse == 0 else combined**4 / inverse
    factor = float(stats.t.ppf(0.5 + confidence / 2, max(1.0, np.floor(degrees))))
    table["share"] = variance / combined**2
    return Budget(combined, degrees, factor, factor * combined, confidence, table.sort_values("share", ascending=False))


def _component(name: str, row: pd.Series) -> dict[str, float]:
    """Return standard uncertainty, sensitivity, contribution and degrees of freedom of one component."""
    if row["kind"] not in DIVISORS:
        raise InputError(f"component {name}: kind", row["kind"], f"one of {', '.join(DIVISORS)}")
    value = float(row["value"])
    if not (np.isfinite(value) and value >= 0):
        raise InputError(f"component {name}: value", value, "0 or more")
    sensitivity, degrees = (
        default if pd.isna(row.get(key)) else float(row[key])
        for key, default in (("sensitivity", 1.0), ("degrees", np.inf))
    )
    if not degrees >= 1:
        raise InputError(f"component {name}: degrees", degrees, "1 or more")
    uncertainty = value / DIVISORS[row["kind"]]
    return {
        "uncertainty": uncertainty,
        "sensitivity": sensitivity,
        "contribution": abs(sensitivity) * uncertainty,
        "degrees": degrees,
    }
