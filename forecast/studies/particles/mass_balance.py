"""Chemical mass balance: contributions of given sources to a sample.

The effective-variance solution of Watson, Cooper and Huntzicker (1984, Atmos. Environ. 18:1347), which
weights a species by the uncertainty of its concentration and of the profiles, with non-negative contributions
(Wang and Larson 1993, Environ. Sci. Technol. 27:1593, on negative solutions: from memory, not verified).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from hazecast.grids.errors import InputError

_ROUNDS = 50
_CLOSE = 0.001

# Shares of a source's mass add up to 1 at most, but for species that overlap (sulfur and sulfate); cosine of two profiles from which on
# their contributions can't be told apart. Chosen.
_MOST_OF_MASS, _ALIKE = 2.0, 1 - 1e-6


@dataclass(frozen=True)
class MassBalance:
    """Source contributions to each sample.

    Attributes
    ----------
    contributions, errors : pandas.DataFrame (sample, source)
        In the unit of the concentrations; errors are one standard deviation, NaN where a source is zero.
    quality : pandas.DataFrame (sample)
        ``chi2`` (reduced), ``r2``, ``mass_share`` (sum of contributions over the measured total, NaN without
        one), ``degrees`` (species less sources above zero), ``converged``. The CMB 8.2 protocol requires
        chi2 < 4, r2 > 0.8 and 0.8 to 1.2 of the mass (EPA-452/R-04-011; from memory, not verified).
    """

    contributions: pd.DataFrame
    errors: pd.DataFrame
    quality: pd.DataFrame


def mass_balance(
    concentration: pd.DataFrame,
    uncertainty: pd.DataFrame,
    profiles: pd.DataFrame,
    profile_uncertainty: pd.DataFrame,
    *,
    total: pd.Series | None = None,
) -> MassBalance:
    """Estimate source contributions to each sample.

    Parameters
    ----------
    concentration, uncertainty : pandas.DataFrame (sample, species)
        In one unit, usually ug m-3; uncertainties are one standard deviation. A species that is missing in a
        sample is excluded from its fit.
    profiles, profile_uncertainty : pandas.DataFrame (source, species)
        Share of the species in the mass of the source. The fit uses the species that are in both tables.
    total : pandas.Series (sample), optional
        Measured mass, in the unit of the concentrations.

    Returns
    -------
    MassBalance
        Contributions with errors, and the quality of each fit.

    Raises
    ------
    InputError
        If tables do not match, a value or uncertainty is negative or missing where needed, or a sample has
        fewer species than there are sources, a profile is in per cent, or two are the same but for a factor.

    Examples
    --------
    One sample of 10 ug m-3 of dust and 5 of sea salt:

    >>> import pandas as pd
    >>> profiles = pd.DataFrame(
    ...     {"Si": [0.25, 0.0], "Al": [0.08, 0.0], "Na": [0.01, 0.30]}, index=["dust", "sea salt"]
    ... )
    >>> sample = pd.DataFrame({"Si": [2.5], "Al": [0.8], "Na": [1.6]})
    >>> mass_balance(sample, 0.1 * sample, profiles, 0.1 * profiles).contributions.round(1)
       dust  sea salt
    0  10.0       5.0
    """
    species = [name for name in profiles.columns if name in concentration.columns]
    sources = list(profiles.index)
    spread_of_profiles = profile_uncertainty.reindex_like(profiles)
    _check_profiles(profiles, spread_of_profiles, species)
    x, u = concentration[species], uncertainty.reindex_like(concentration)[species]
    _check_samples(x, u, len(sources))
    a, s = profiles[species].to_numpy().T, spread_of_profiles[species].to_numpy().T
    rows = []
    for values, spread in zip(x.to_numpy(), u.to_numpy(), strict=True):
        measured = np.isfinite(values)
        rows.append(_fit_sample(values[measured], spread[measured], a[measured], s[measured]))
    contributions = pd.DataFrame([row[0] for row in rows], index=x.index, columns=sources)
    errors = pd.DataFrame([row[1] for row in rows], index=x.index, columns=sources)
    quality = pd.DataFrame([row[2] for row in rows], index=x.index)
    mass = pd.Series(np.nan, index=x.index) if total is None else total.reindex(x.index)
    quality["mass_share"] = contributions.sum(axis=1) / mass
    return MassBalance(contributions, errors, quality)


def _check_profiles(profiles: pd.DataFrame, spread: pd.DataFrame, species: list[str]) -> None:
    sources = list(profiles.index)
    if len(species) < len(sources):
        raise InputError(
            "profiles: species", f"{len(species)} also measured", f"at least one for each of {len(sources)} sources"
        )
    for what, table in (("profile", profiles), ("profile uncertainty", spread)):
        bad = ~(table[species] >= 0)
        if bad.to_numpy().any():
            row, column = np.argwhere(bad.to_numpy())[0]
            raise InputError(
                f"{what} of {sources[row]}, {species[column]}", table[species].iloc[row, column], "0 or more"
            )
    whole = profiles.sum(axis=1)
    if (whole > _MOST_OF_MASS).any():
        raise InputError(
            f"profile of {whole.idxmax()}: sum", float(whole.max()), f"shares of 1, {_MOST_OF_MASS:g} at most; not %"
        )
    shape = profiles[species].to_numpy()
    shape = shape / np.maximum(np.linalg.norm(shape, axis=1, keepdims=True), 1e-300)
    alike = np.argwhere(np.triu(shape @ shape.T, 1) > _ALIKE)
    if len(alike):
        one, other = (sources[number] for number in alike[0])
        raise InputError(f"profiles of {one} and {other}", "the same but for a factor", "profiles that differ")


def _check_samples(x: pd.DataFrame, u: pd.DataFrame, sources: int) -> None:
    bad = ~(u > 0) & x.notna()
    if bad.to_numpy().any():
        row, column = np.argwhere(bad.to_numpy())[0]
        raise InputError(f"uncertainty of {x.columns[column]}, sample {x.index[row]}", u.iloc[row, column], "above 0")
    for label, number in np.isfinite(x).sum(axis=1).items():
        if number < sources:
            raise InputError(f"sample {label}: species measured", int(number), f"at least {sources}, one a source")


def _fit_sample(
    x: NDArray[np.float64], u: NDArray[np.float64], a: NDArray[np.float64], s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, float | bool]]:
    """Solve one sample; the weights depend on the contributions, so both are iterated."""
    share = np.zeros(a.shape[1])
    converged = False
    root = u
    for _ in range(_ROUNDS):
        root = np.sqrt(u**2 + (s**2) @ share**2)
        new = nnls(a / root[:, None], x / root)[0]
        converged = bool(np.all(np.abs(new - share) <= _CLOSE * np.maximum(new, 1e-12)))
        share = new
        if converged:
            break
    used = share > 0
    weighted = a[:, used] / root[:, None]
    error = np.full(len(share), np.nan)
    error[used] = np.sqrt(np.diag(np.linalg.pinv(weighted.T @ weighted)))
    residual = (x - a @ share) / root
    degrees = len(x) - int(used.sum())
    level = (x / root) ** 2
    return share, error, {
        "chi2": float((residual**2).sum() / degrees) if degrees else float("nan"),
        "r2": 1.0 - float((residual**2).sum() / level.sum()),
        "degrees": degrees,
        "converged": converged,
    }  # fmt: skip
