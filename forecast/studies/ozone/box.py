"""A box of air with the Carbon Bond mechanism IV: ozone of a day, EKMA isopleths, relative incremental reactivity.

Initial concentrations react through a day of sunshine; nothing is emitted, mixed in or deposited, as in the classical EKMA runs without
dilution. The mechanism is `cbm4.csv`. Photolysis is that of overhead sun times the cosine of the zenith angle, an approximation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from hazecast.grids.errors import InputError

Array = NDArray[np.float64]
_BOLTZMANN = 1.380649e-23
_HPA = 1013.25
# ppb of a species a ppb of carbon: carbon shares of the default urban mixture of EPA's OZIPM-4 over the carbon of each bond; 8.5 % does not react. From memory.
MIXTURE = {
    "PAR": 0.564,
    "OLE": 0.035 / 2,
    "ETH": 0.037 / 2,
    "TOL": 0.089 / 7,
    "XYL": 0.117 / 8,
    "HCHO": 0.021,
    "ALD2": 0.052 / 2,
}
CARBON = {"PAR": 1, "OLE": 2, "ETH": 2, "TOL": 7, "XYL": 8, "HCHO": 1, "ALD2": 2, "ISOP": 5}
_NO_SHARE = 0.75


@dataclass(frozen=True)
class Conditions:
    """Where and when the box is: latitude (degrees), day of the year, local solar hours, K, relative humidity (%)."""

    latitude: float = 34.3
    day: int = 196
    begin: float = 8.0
    end: float = 18.0
    kelvin: float = 303.0
    humidity: float = 50.0


@dataclass(frozen=True)
class _Mechanism:
    names: tuple[str, ...]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    a: Array
    b: Array
    light: NDArray[np.bool_]
    water: NDArray[np.bool_]
    order: Array
    net: Array


@lru_cache
def _mechanism() -> _Mechanism:
    with (files("hazecast.forecast.studies.ozone") / "cbm4.csv").open(encoding="utf-8") as file:
        table = pd.read_csv(file, comment="#")
    sides = [tuple(map(_side, pair)) for pair in zip(table["reactants"], table["products"], strict=True)]
    gone = {"H2O", "PROD"}
    names = tuple(sorted({name for side in sides for part in side for name, _ in part} - gone))
    # The place after the last species holds 1, for reactions of one reactant.
    at = {name: number for number, name in enumerate(names)}
    net = np.zeros((len(names), len(sides)))
    reacting = np.full((2, len(sides)), len(names))
    water = np.zeros(len(sides), dtype=bool)
    for number, (left, right) in enumerate(sides):
        used = [name for name, _ in left if name != "H2O"]
        water[number] = len(used) < len(left)
        reacting[: len(used), number] = [at[name] for name in used]
        for sign, part in ((-1, left), (1, right)):
            for name, amount in part:
                if name not in gone:
                    net[at[name], number] += sign * amount
    a, b = table["a"].to_numpy(dtype=float), table["b"].to_numpy(dtype=float)
    order = (reacting < len(names)).sum(axis=0) - 1.0
    return _Mechanism(
        names, reacting[0], reacting[1], a, b, (table["kind"] == "photolysis").to_numpy(), water, order, net
    )


def _side(text: str) -> list[tuple[str, float]]:
    found = re.findall(r"([+-]?)\s*(\d+\.?\d*(?=\s))?\s*([A-Z][A-Z0-9]*)", text)
    return [(name, (-1.0 if sign == "-" else 1.0) * float(amount or 1)) for sign, amount, name in found]


def simulate(initial: Mapping[str, float], conditions: Conditions | None = None) -> pd.DataFrame:
    """Integrate the box through the day.

    Parameters
    ----------
    initial : mapping of str to float
        Concentrations at the beginning, ppb, by the mechanism's names (PAR is ppb of carbon bonds); others are 0.
    conditions : Conditions, optional
        By default a summer day at the latitude of Xi'an.

    Returns
    -------
    pandas.DataFrame (hour, species)
        ppb, every quarter of an hour of local solar time.

    Raises
    ------
    InputError
        If a species is unknown, a concentration is negative, a condition is out of range, or the integration fails.
    """
    where = conditions or Conditions()
    _check(initial, where)
    mechanism = _mechanism()
    density = _HPA * 100 / (_BOLTZMANN * where.kelvin) * 1e-15
    rate = mechanism.a * np.where(mechanism.light, 1.0, np.exp(mechanism.b / where.kelvin)) * density**mechanism.order
    # Vapour pressure of water: Magnus form, WMO-No. 8.
    celsius = where.kelvin - 273.15
    vapour = where.humidity / 100 * 6.112 * np.exp(17.62 * celsius / (243.12 + celsius))
    rate = rate * np.where(mechanism.water, vapour / _HPA * density * 1e9, 1.0)
    start = np.array([float(initial.get(name, 0.0)) for name in mechanism.names])
    hours = np.arange(where.begin, where.end + 1e-9, 0.25)
    size = len(start)

    def constants(second: float) -> Array:
        return np.where(mechanism.light, rate * _sun(second / 3600, where), rate)

    def change(second: float, y: Array) -> Array:
        full = np.append(y, 1.0)
        return np.asarray(mechanism.net @ (constants(second) * full[mechanism.first] * full[mechanism.second]))

    def slopes(second: float, y: Array) -> Array:
        full, k, n = np.append(y, 1.0), constants(second), np.arange(len(rate))
        by_species = np.zeros((len(rate), size + 1))
        np.add.at(by_species, (n, mechanism.first), k * full[mechanism.second])
        np.add.at(by_species, (n, mechanism.second), k * full[mechanism.first])
        return np.asarray(mechanism.net @ by_species[:, :size])

    found = solve_ivp(
        change, (hours[0] * 3600, hours[-1] * 3600), start, "BDF", hours * 3600, jac=slopes, rtol=1e-4, atol=1e-9
    )
    if not found.success:
        raise InputError("initial concentrations", dict(initial), f"ones that can be integrated ({found.message})")
    return pd.DataFrame(found.y.T, index=pd.Index(hours, name="hour"), columns=list(mechanism.names))


def urban(voc: float, nox: float, mixture: Mapping[str, float] | None = None) -> dict[str, float]:
    """Return initial concentrations of a morning.

    Parameters
    ----------
    voc : float
        ppb of carbon.
    nox : float
        ppb, three quarters of it NO.
    mixture : mapping of str to float, optional
        ppb of each species a ppb of carbon; by default `MIXTURE`.

    Returns
    -------
    dict of str to float
        ppb; with 40 ppb of ozone and 500 ppb of CO, chosen.
    """
    return {name: share * voc for name, share in (mixture or MIXTURE).items()} | {
        "NO": _NO_SHARE * nox, "NO2": (1 - _NO_SHARE) * nox, "O3": 40.0, "CO": 500.0,
    }  # fmt: skip


def isopleths(
    voc: Sequence[float],
    nox: Sequence[float],
    *,
    mixture: Mapping[str, float] | None = None,
    conditions: Conditions | None = None,
    progress: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Compute the highest ozone of the day for initial VOC and NOx (EKMA).

    Parameters
    ----------
    voc, nox : sequence of float
        ppb of carbon, and ppb.
    mixture : mapping of str to float, optional
        As `urban`.
    conditions : Conditions, optional
        As `simulate`.
    progress : callable, optional
        Called with a line of text after the runs of each NOx.

    Returns
    -------
    pandas.DataFrame (nox, voc)
        ppb. The ridge, where ozone is highest for a VOC, separates the side limited by NOx (below) from that limited by VOC.
    """
    values = []
    for number, n in enumerate(nox, start=1):
        values.append([float(simulate(urban(v, n, mixture), conditions)["O3"].max()) for v in voc])
        if progress is not None:
            progress(f"{number * len(voc)} of {len(nox) * len(voc)} runs")
    return pd.DataFrame(values, index=pd.Index(nox, name="nox"), columns=pd.Index(voc, name="voc"))


def incremental_reactivity(
    initial: Mapping[str, float], conditions: Conditions | None = None, *, cut: float = 0.10
) -> pd.Series:
    """Compute the relative incremental reactivity (RIR) of each VOC species, of all VOC and of NOx.

    Parameters
    ----------
    initial : mapping of str to float
        As `simulate`.
    conditions : Conditions, optional
        As `simulate`.
    cut : float
        Share by which a precursor is reduced.

    Returns
    -------
    pandas.Series (precursor)
        Relative change of the ozone produced over that of the precursor: 0.5 is half a per cent of ozone for one of the precursor.

    Raises
    ------
    InputError
        If `cut` is out of range, nothing is produced, or as `simulate`.

    Notes
    -----
    Cardelino and Chameides (1995, J. Air Waste Manage. Assoc. 45:161): produced is the rise of O3 - NO, so that ozone that NO took up counts.
    """
    if not 0 < cut < 1:
        raise InputError("cut", cut, "between 0 and 1")
    where = conditions or Conditions()
    base = _produced(initial, where)
    if not base > 0:
        raise InputError("ozone produced, ppb", base, "above 0")
    groups: dict[str, tuple[str, ...]] = {name: (name,) for name in CARBON if initial.get(name, 0) > 0}
    groups |= {"VOC": tuple(groups), "NOx": ("NO", "NO2")}
    found = {}
    for label, names in groups.items():
        less = {name: value * (1 - cut) if name in names else value for name, value in initial.items()}
        found[label] = (base - _produced(less, where)) / base / cut
    return pd.Series(found, name="rir").rename_axis("precursor")


def _produced(initial: Mapping[str, float], where: Conditions) -> float:
    run = simulate(initial, where)
    excess = run["O3"] - run["NO"]
    return float(excess.max() - excess.iloc[0])


def _sun(hour: float, where: Conditions) -> float:
    """Return the cosine of the zenith angle, 0 at night; declination by Cooper (1969)."""
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + where.day) / 365)
    angle, latitude = np.radians(15 * (hour - 12)), np.radians(where.latitude)
    cosine = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(angle)
    return max(float(cosine), 0.0)


def _check(initial: Mapping[str, float], where: Conditions) -> None:
    for name, value in initial.items():
        if name not in _mechanism().names:
            raise InputError("species", name, f"one of {', '.join(_mechanism().names)}")
        if not 0 <= value < np.inf:
            raise InputError(f"{name}, ppb", value, "0 or more")
    for name, low, high in (
        ("latitude", -90, 90), ("day", 1, 366), ("begin", 0, 24), ("end", where.begin + 0.25, 24), ("kelvin", 250, 320), ("humidity", 1, 100),
    ):  # fmt: skip
        if not low <= getattr(where, name) <= high:
            raise InputError(name, getattr(where, name), f"{low} to {high}")
