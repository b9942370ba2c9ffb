"""Speciated samples with their measurement uncertainties, prepared for a receptor model.

Follows chapter 5 of the EPA Positive Matrix Factorization (PMF) 5.0 Fundamentals and User Guide
(EPA/600/R-14/108, April 2014).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from hazecast.grids.errors import InputError

WEAK_FACTOR = 3.0
MISSING_FACTOR = 4.0
BAD_BELOW, WEAK_BELOW = 0.5, 1.0
# Species may overlap (sulfur and sulfate), but do not add up to several times the mass. Chosen.
_MOST_OF_TOTAL = 3.0
# Marks of a value that is missing: -999 is that of the EPA PMF 5.0 User Guide, chapter 5; the others are in use beside it.
MISSING_MARKS = (-99.0, -999.0, -9999.0)
# A measured value can be somewhat below zero by its uncertainty; further below it is no measurement.
_BELOW_ZERO = 10.0


@dataclass(frozen=True)
class Samples:
    """Concentrations of species and their uncertainties, without missing values.

    Attributes
    ----------
    concentration, uncertainty : pandas.DataFrame (sample, species)
        In one unit for all species, usually ug m-3. Uncertainties are one standard deviation, > 0,
        those of weak species already multiplied by `WEAK_FACTOR`.
    weak : tuple of str
        Down-weighted species: the total by convention, and those with a low signal-to-noise ratio.
    total : str or None
        The species that is the mass of all of them (PM2.5), always weak.
    signal_to_noise : pandas.Series (species)
        Before weak species were down-weighted; includes the species left out.
    left_out : tuple of str
        Bad species.
    counts : dict of str to int
        Number of values ``missing``, ``below_limit`` and ``negative``.
    """

    concentration: pd.DataFrame
    uncertainty: pd.DataFrame
    weak: tuple[str, ...] = ()
    total: str | None = None
    signal_to_noise: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    left_out: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def species(self) -> tuple[str, ...]:
        """Names of the species used."""
        return tuple(str(name) for name in self.concentration.columns)

    @property
    def strong(self) -> tuple[str, ...]:
        """Names of the species that are not weak."""
        return tuple(name for name in self.species if name not in self.weak)


def equation_uncertainty(
    concentration: pd.DataFrame, limits: Mapping[str, float], error_fraction: Mapping[str, float] | float
) -> pd.DataFrame:
    """Compute uncertainties from detection limits and an error fraction.

    ``5/6 MDL`` at or below the detection limit, else ``sqrt((error fraction x concentration)^2 +
    (0.5 MDL)^2)``: EPA PMF 5.0 User Guide, chapter 5 (after Polissar et al. 1998, J.
    Geophys. Res. 103:19045).

    Parameters
    ----------
    concentration : pandas.DataFrame (sample, species)
        In one unit, usually ug m-3.
    limits : mapping of str to float
        Method detection limit (MDL) of each species, in the unit of the concentrations, > 0.
    error_fraction : mapping of str to float, or float
        Relative uncertainty of the measurement, 0.1 for 10 %.

    Returns
    -------
    pandas.DataFrame (sample, species)
        One standard deviation, in the unit of the concentrations.

    Raises
    ------
    InputError
        If a species has no limit or fraction, or one that is not positive.
    """
    found = {}
    for name, column in concentration.items():
        species = str(name)
        mdl = _positive(limits, species, "detection limit")
        fraction = error_fraction
        fraction = _positive(fraction, species, "error fraction") if isinstance(fraction, Mapping) else fraction
        above = np.sqrt((fraction * column) ** 2 + (0.5 * mdl) ** 2)
        found[species] = above.where(column > mdl, 5.0 / 6.0 * mdl)
    return pd.DataFrame(found, index=concentration.index)


def signal_to_noise(concentration: pd.DataFrame, uncertainty: pd.DataFrame) -> pd.Series:
    """Compute the signal-to-noise ratio of each species by the EPA PMF 5.0 User Guide, chapter 5.

    The mean over samples of (x - u)/u where x > u, else 0.

    Parameters
    ----------
    concentration, uncertainty : pandas.DataFrame (sample, species)
        In one unit; missing concentrations (NaN) are skipped.

    Returns
    -------
    pandas.Series (species)
        Dimensionless.
    """
    excess = ((concentration - uncertainty) / uncertainty).where(concentration > uncertainty, 0.0)
    return excess.where(concentration.notna()).mean()


def prepare(
    concentration: pd.DataFrame,
    uncertainty: pd.DataFrame,
    *,
    limits: Mapping[str, float] | None = None,
    total: str | None = None,
    weak: Collection[str] = (),
    bad: Collection[str] = (),
    by_signal: bool = True,
) -> Samples:
    """Impute, weight and select species following the EPA PMF 5.0 User Guide.

    - A concentration of -99, -999 or -9999 is missing (`MISSING_MARKS`), whatever its uncertainty; another one that lies more than ten
      uncertainties below zero is refused.
    - A missing concentration is replaced by the median of its species, with 4 times that median as its
      uncertainty, so that it has little weight.
    - A concentration at or below its detection limit, where limits are given, gets 5/6 of the limit
      as its uncertainty, whatever the table states; the measured value is retained, since replacing it
      (by half the limit) would discard information. Negative values are retained too.
    - A species with a signal-to-noise ratio below 0.5 is bad (left out), below 1.0 weak.
    - Uncertainties of weak species are tripled.

    Parameters
    ----------
    concentration, uncertainty : pandas.DataFrame (sample, species)
        In one unit, usually ug m-3; NaN where not measured.
    limits : mapping of str to float, optional
        Detection limits of some or all species, in that unit.
    total : str, optional
        The species that is the mass of all others.
    weak, bad : collection of str
        Species to classify as such whatever their ratio.
    by_signal : bool
        Whether the signal-to-noise ratio is used too.

    Returns
    -------
    Samples
        Input of `hazecast.forecast.studies.particles.pmf.factorize`.

    Raises
    ------
    InputError
        If the tables differ in samples or species, a named species is unknown, an uncertainty of a
        measured value is missing or not positive, a value is impossible, the species have several times the total, or fewer than two are left.
    """
    _check_same(concentration, uncertainty)
    concentration = concentration.mask(concentration.isin(MISSING_MARKS))
    limits = limits or {}
    named = {"weak": weak, "bad": bad, "limits": limits, "total": [total] if total else []}
    _check_species(concentration, named)
    missing = concentration.isna()
    below = pd.DataFrame({n: concentration[n] <= limits.get(str(n), -np.inf) for n in concentration.columns})
    known = pd.DataFrame(
        {n: uncertainty[n].mask(below[n], 5.0 / 6.0 * limits.get(str(n), np.nan)) for n in concentration.columns}
    )
    _check_uncertainty(known, missing)
    _check_possible(concentration, known)
    if total:
        _check_total(concentration, total)
    ratio = signal_to_noise(concentration, known)
    left_out = {str(n) for n in concentration.columns if n in bad or (by_signal and ratio[n] < BAD_BELOW)} - {total}
    used = [n for n in concentration.columns if str(n) not in left_out]
    if len(used) < 2:
        raise InputError(
            "species", f"{len(used)} left of {len(concentration.columns)}", "at least two that are not bad"
        )
    weak_used = [str(n) for n in used if n in weak or n == total or (by_signal and ratio[n] < WEAK_BELOW)]
    median = concentration.median()
    filled = concentration.fillna(median)[used]
    spread = known.mask(missing, MISSING_FACTOR * median.abs().clip(lower=known.median()), axis=1)[used]
    spread[weak_used] *= WEAK_FACTOR
    counts = {
        "missing": int(missing[used].to_numpy().sum()),
        "below_limit": int(below[used].to_numpy().sum()),
        "negative": int((concentration[used] < 0).to_numpy().sum()),
    }
    return Samples(
        filled.astype(float), spread.astype(float), tuple(weak_used), total, ratio, tuple(sorted(left_out)), counts
    )


def _positive(table: Mapping[str, float], species: str, kind: str) -> float:
    value = table.get(species)
    if value is None or not value > 0:
        raise InputError(f"{kind} of {species}", value, "a positive number")
    return float(value)


def _check_same(concentration: pd.DataFrame, uncertainty: pd.DataFrame) -> None:
    if list(concentration.columns) != list(uncertainty.columns):
        other = sorted({str(n) for n in concentration.columns} ^ {str(n) for n in uncertainty.columns})
        raise InputError("uncertainty: species", other or "another order", "the species of the concentrations")
    if not concentration.index.equals(uncertainty.index):
        other = list(concentration.index.symmetric_difference(uncertainty.index)[:3])
        raise InputError("uncertainty: samples", other or "another order", "the samples of the concentrations")


def _check_species(concentration: pd.DataFrame, named: Mapping[str, Collection[str]]) -> None:
    for kind, names in named.items():
        for name in names:
            if name not in concentration.columns:
                raise InputError(f"{kind} species", name, f"one of {list(concentration.columns)}")
    empty = [str(name) for name in concentration.columns if concentration[name].isna().all()]
    if empty:
        raise InputError("concentration: species", empty[0], "at least one measured value")


def _check_uncertainty(uncertainty: pd.DataFrame, missing: pd.DataFrame) -> None:
    wrong = ~(uncertainty > 0) & ~missing
    if wrong.to_numpy().any():
        row, column = np.argwhere(wrong.to_numpy())[0]
        raise InputError(
            f"uncertainty of {uncertainty.columns[column]}, sample {uncertainty.index[row]}",
            uncertainty.iloc[row, column],
            "a positive number, as the concentration is measured",
        )


def _check_total(concentration: pd.DataFrame, total: str) -> None:
    share = float((concentration.drop(columns=total).sum(axis=1) / concentration[total]).median())
    if share > _MOST_OF_TOTAL:
        raise InputError(
            f"species together over {total}: median", round(share, 2), f"at most {_MOST_OF_TOTAL:g}, in one unit"
        )


def _check_possible(concentration: pd.DataFrame, uncertainty: pd.DataFrame) -> None:
    wrong = concentration < -_BELOW_ZERO * uncertainty
    if wrong.to_numpy().any():
        row, column = np.argwhere(wrong.to_numpy())[0]
        raise InputError(
            f"concentration of {concentration.columns[column]}, sample {concentration.index[row]}",
            concentration.iloc[row, column],
            f"at least -{_BELOW_ZERO:g} times its uncertainty, {uncertainty.iloc[row, column]:g}, or a mark such as -999",
        )
