"""Accuracy of a continuous emission monitor against the reference method, with the absolute criteria for low concentrations.

The classes are those of HJ 75-2017, table 4 (technical acceptance), also HJ 76-2017; from memory: the texts could not be read. Relative accuracy is
that of US EPA performance specification 2, section 12 (from memory), which HJ 75 uses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from hazecast.grids.errors import InputError

# At least nine pairs for gases and oxygen, five for particles, flow and moisture.
_MIN_PAIRS = {"so2": 9, "nox": 9, "o2": 9, "pm": 5, "velocity": 5, "moisture": 5, "temperature": 5}
QUANTITIES = tuple(_MIN_PAIRS)
# ug of gas in a umol, at 273.15 K in mg m-3 over umol mol-1: NOx as NO2.
_PER_PPM = {"so2": 64.06 / 22.4, "nox": 46.01 / 22.4}
# (mean of the reference above or from, kind, limit); the first that fits. Gases in umol mol-1; limits of ``relative`` and ``accuracy`` are shares of 1.
_GAS = ((250, "accuracy", 0.15), (50, "absolute", 20.0), (20, "relative", 0.30), (0, "absolute", 6.0))
_CLASSES: dict[str, tuple[tuple[float, str, float], ...]] = {
    "so2": _GAS,
    "nox": _GAS,
    "o2": ((5, "accuracy", 0.15), (0, "absolute", 1.0)),
    "pm": (
        (200, "relative", 0.15), (100, "relative", 0.20), (50, "relative", 0.25), (20, "relative", 0.30), (10, "absolute", 6.0),
        (0, "absolute", 5.0),
    ),
    "velocity": ((10, "relative", 0.10), (0, "relative", 0.12)),
    "moisture": ((5, "relative", 0.25), (0, "absolute", 1.5)),
    "temperature": ((-np.inf, "absolute", 3.0),),
}  # fmt: skip
# Gases: "at least"; the others: "above".
_FROM = ("so2", "nox")
_CONFIDENCE = 0.95
# Of a quantity in %: values all below the first are shares of 1 (air has 0.21 of oxygen), one above the second can't be.
_PER_CENT = {"o2": (0.25, 25.0), "moisture": (1.0, 100.0)}


@dataclass(frozen=True)
class RelativeAccuracy:
    """Result of the comparison.

    Attributes
    ----------
    pairs : int
    reference : float
        Mean of the reference method, in the unit of the data.
    difference, low, high : float
        Mean of monitor less reference, with its 95 % interval.
    relative_error : float
        `difference` over `reference`.
    relative_accuracy : float
        (\\|difference\\| + confidence coefficient) over `reference`.
    criterion : str
        ``accuracy``, ``relative`` or ``absolute``: which of the three counts at this level.
    value, limit : float
        Of the criterion; ``absolute`` in the unit of the data.
    passes : bool
        Whether the size of `value` is within `limit`.
    conclusive : bool
        Whether the verdict is the same at both ends of the interval of the difference.
    """

    pairs: int
    reference: float
    difference: float
    low: float
    high: float
    relative_error: float
    relative_accuracy: float
    criterion: str
    value: float
    limit: float
    passes: bool
    conclusive: bool


def relative_accuracy(pairs: pd.DataFrame, quantity: str) -> RelativeAccuracy:
    """Compare a monitor with the reference method.

    RA = (|d| + t(n - 1, 0.975) s_d / sqrt(n)) / mean reference.

    Parameters
    ----------
    pairs : pandas.DataFrame (pair)
        ``reference`` and ``monitor``, both at one state: SO2, NOx (as NO2) and particles in mg m-3 (dry, 273.15 K), O2 and moisture in % by
        volume, velocity in m s-1, temperature in degree_Celsius.
    quantity : str
        One of `QUANTITIES`: chooses the criterion by the level of the reference.

    Returns
    -------
    RelativeAccuracy

    Raises
    ------
    InputError
        If the quantity is unknown, there are too few pairs, one is without a number, a concentration is negative, the reference's mean is 0 or
        values of oxygen or moisture are no per cent.
    """
    if quantity not in _CLASSES:
        raise InputError("quantity", quantity, f"one of {', '.join(QUANTITIES)}")
    n = len(pairs)
    if n < _MIN_PAIRS[quantity]:
        raise InputError(f"{quantity}: pairs", n, f"at least {_MIN_PAIRS[quantity]}")
    for name, row in pairs.iterrows():
        if not np.isfinite(row[["reference", "monitor"]].to_numpy(dtype=float)).all():
            raise InputError(f"pair {name}", "a value without a number", "a number for each")
        if row["reference"] < 0 and quantity != "temperature":
            raise InputError(f"pair {name}: reference", row["reference"], "0 or more")
    difference = (pairs["monitor"] - pairs["reference"]).to_numpy(dtype=float)
    mean, middle = float(pairs["reference"].mean()), float(difference.mean())
    if mean == 0:
        raise InputError("reference", "a mean of 0", "another")
    reach = float(stats.t.ppf(0.5 + _CONFIDENCE / 2, n - 1) * difference.std(ddof=1) / np.sqrt(n))
    if quantity in _PER_CENT:
        least, most = _PER_CENT[quantity]
        for column in ("reference", "monitor"):
            highest = float(pairs[column].max())
            if not least < highest <= most:
                raise InputError(f"{column}: highest", highest, f"% by volume, above {least:g} and up to {most:g}")
    unit = _PER_PPM.get(quantity, 1.0)
    criterion, limit = _criterion(quantity, mean / unit)
    if criterion == "absolute":
        limit *= unit
    accuracy = (abs(middle) + reach) / abs(mean)
    value = {"accuracy": accuracy, "relative": middle / mean, "absolute": middle}[criterion]
    scale = 1.0 if criterion == "absolute" else 1 / abs(mean)
    ends = [abs(end) * scale <= limit for end in (middle - reach, middle + reach)]
    passes = abs(value) <= limit
    # The coefficient of confidence is in the relative accuracy already.
    conclusive = True if criterion == "accuracy" and passes else all(one == passes for one in ends)
    return RelativeAccuracy(
        n,
        mean,
        middle,
        middle - reach,
        middle + reach,
        middle / mean,
        accuracy,
        criterion,
        value,
        limit,
        passes,
        conclusive,
    )


def _criterion(quantity: str, level: float) -> tuple[str, float]:
    for least, kind, limit in _CLASSES[quantity]:
        if level > least or (level == least and (quantity in _FROM or least == 0)):
            return kind, limit
    raise InputError(f"{quantity}: mean of the reference", level, "0 or more")
