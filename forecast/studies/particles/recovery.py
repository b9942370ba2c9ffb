"""Accuracy of factorization on synthetic mixtures, compared with NMF, which ignores uncertainties."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning

from hazecast.forecast.studies.particles.mixtures import TOTAL, Mixture
from hazecast.forecast.studies.particles.pmf import Factorization, match_factors


@dataclass(frozen=True)
class Recovery:
    """Errors of a solution relative to the true mixture.

    Attributes
    ----------
    mass_error : float
        Mean over sources of the absolute relative error of the mean mass.
    profile_error : float
        Sum over sources and species (without the total) of absolute errors, over the sum of the true amounts.
    correlation : float
        Lowest of the sources' correlations (Pearson) between found and true mass, sample by sample.
    by_source : pandas.DataFrame (source)
        ``mass_error`` (signed), ``profile_error``, ``correlation``.
    """

    mass_error: float
    profile_error: float
    correlation: float
    by_source: pd.DataFrame


def compare_with_mixture(mixture: Mixture, profiles: pd.DataFrame, contributions: pd.DataFrame) -> Recovery:
    """Compare profiles and contributions with the true ones of a mixture.

    Factors are matched to sources by their contributions.

    Parameters
    ----------
    mixture : Mixture
        The truth.
    profiles : pandas.DataFrame (factor, species)
        Mean contribution of the factor to the species, ug m-3.
    contributions : pandas.DataFrame (sample, factor)
        In any unit.

    Returns
    -------
    Recovery
        Errors, in total and by source.
    """
    order, _ = match_factors(mixture.contributions, contributions)
    found = profiles.iloc[order].set_axis(mixture.profiles.index)
    course = contributions.iloc[:, order].set_axis(mixture.profiles.index, axis=1)
    errors = (found - mixture.profiles).drop(columns=TOTAL).abs()
    true = mixture.profiles.drop(columns=TOTAL)
    by_source = pd.DataFrame(
        {
            "mass_error": found[TOTAL] / mixture.profiles[TOTAL] - 1,
            "profile_error": errors.sum(axis=1) / true.sum(axis=1),
            "correlation": [course[name].corr(mixture.contributions[name]) for name in course],
        }
    )
    return Recovery(
        float(by_source["mass_error"].abs().mean()),
        float(errors.to_numpy().sum() / true.to_numpy().sum()),
        float(by_source["correlation"].min()),
        by_source,
    )


def compare_solution(mixture: Mixture, solution: Factorization) -> Recovery:
    """Compare a factorization of a mixture's samples with the truth.

    Parameters
    ----------
    mixture : Mixture
        The truth.
    solution : Factorization
        Of its samples.

    Returns
    -------
    Recovery
        Errors, in total and by source.
    """
    return compare_with_mixture(mixture, solution.profiles, solution.contributions)


def nmf_recovery(mixture: Mixture, kind: str, *, starts: int = 5, seed: int = 0) -> Recovery:
    """Factorize the same samples with scikit-learn's NMF, which weights all values equally, at the true number.

    Parameters
    ----------
    mixture : Mixture
        Missing values are replaced by medians and negative values by zero, as NMF requires.
    kind : str
        ``nmf`` on concentrations, or ``nmf_scaled`` on concentrations over the median uncertainty of their
        species, the most that scaling can convey of the uncertainties.
    starts : int
        Random starts, of which the best is used.
    seed : int
        Of the random starts.

    Returns
    -------
    Recovery
        Errors, in total and by source.
    """
    samples = mixture.samples()
    x = samples.concentration.clip(lower=0.0)
    scale = samples.uncertainty.median() if kind == "nmf_scaled" else pd.Series(1.0, index=x.columns)
    best: tuple[float, np.ndarray, np.ndarray] | None = None
    for start in range(starts):
        model = NMF(len(mixture.profiles), init="random", max_iter=2000, tol=1e-5, random_state=seed + start)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            g = model.fit_transform((x / scale).to_numpy())
        if best is None or model.reconstruction_err_ < best[0]:
            best = float(model.reconstruction_err_), g, model.components_
    assert best is not None
    mean = np.where(best[1].mean(axis=0) > 0, best[1].mean(axis=0), 1.0)
    profiles = pd.DataFrame(best[2] * mean[:, None], columns=x.columns) * scale
    return compare_with_mixture(mixture, profiles, pd.DataFrame(best[1] / mean, index=x.index))
