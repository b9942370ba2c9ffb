"""Rotations of a factorization: how far profiles can be traded against each other at little cost in Q (Fpeak).

Paatero et al. (2002, Chemom. Intell. Lab. Syst. 60:253): a positive strength subtracts profiles from each other and adds
contributions, a negative one the reverse. EPA PMF does it by pulling equations inside its solver, whose weights are not
published; here the profiles are pulled softly towards the rotated ones, as far as the increase of robust Q allows. Strengths are
therefore not those of EPA PMF; the increase of Q is what can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hazecast.forecast.studies.particles.pmf import Factorization, match_factors, pull_profiles
from hazecast.grids.errors import InputError


def rotate(base: Factorization, strength: float, *, most: float = 1.0) -> Factorization:
    """Rotate a solution: subtract the other profiles from each, or add them, as far as Q allows.

    Parameters
    ----------
    base : Factorization
        Solution without constraints.
    strength : float
        Share of each other profile that is subtracted (above 0) or added (below 0), profiles having the same length in units of
        their uncertainties; -1 to 1 and not 0.
    most : float
        Largest increase of robust Q, %.

    Returns
    -------
    Factorization
        None of its elements below zero.

    Raises
    ------
    InputError
        If the strength is 0 or beyond 1, or there is a single factor.

    Examples
    --------
    >>> from hazecast.forecast.studies.particles.mixtures import mix
    >>> from hazecast.forecast.studies.particles.pmf import factorize
    >>> base = factorize(mix(0, samples=60, sources=("traffic", "dust")).samples(), 2, starts=2)
    >>> rotated = rotate(base, 0.2)
    >>> base.q_robust < rotated.q_robust <= 1.01 * base.q_robust
    True
    """
    if not 0 < abs(strength) <= 1:
        raise InputError("rotation", strength, "a strength from -1 to 1 that is not 0")
    if len(base.factors) < 2:
        raise InputError("factors", len(base.factors), "at least 2 to rotate")
    f = base.profiles.to_numpy()
    length = np.sqrt(((f / base.samples.uncertainty.median().to_numpy()) ** 2).sum(axis=1))
    same = f / np.maximum(length, 1e-300)[:, None]
    target = np.maximum(same - strength * (same.sum(axis=0)[None] - same), 0.0) * length[:, None]
    free = np.argwhere(~base.zeros)
    wishes = [(int(k), base.samples.species[j], float(target[k, j])) for k, j in free]
    return pull_profiles(base, wishes, most=most)


def rotations(base: Factorization, strengths: Sequence[float], *, most: float = 1.0) -> pd.DataFrame:
    """Rotate by several strengths and compare.

    Parameters
    ----------
    base : Factorization
        Solution without constraints.
    strengths : sequence of float
        As of `rotate`.
    most : float
        Largest increase of robust Q, %.

    Returns
    -------
    pandas.DataFrame (strength)
        ``q_robust``, ``dq`` (increase, %), ``zeros`` (share of the elements of the profiles below a thousandth of their species)
        and ``correlation`` (lowest of the factors' contributions with the base's).

    Raises
    ------
    InputError
        If a strength is 0 or beyond 1.
    """
    rows = {}
    for strength in strengths:
        found = rotate(base, strength, most=most)
        rows[strength] = {
            "q_robust": found.q_robust,
            "dq": 100 * (found.q_robust / base.q_robust - 1),
            "zeros": float((found.explained() < 1e-3).to_numpy().mean()),
            "correlation": float(match_factors(base.contributions, found.contributions)[1].min()),
        }
    return pd.DataFrame(rows).T.rename_axis("strength")
