"""Number of factors: the gain of each additional factor, compared with the gain from noise alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hazecast.forecast.studies.particles.pmf import STARTS, Factorization, Progress, factorize
from hazecast.forecast.studies.particles.speciation import Samples
from hazecast.grids.errors import InputError


@dataclass(frozen=True)
class FactorNumbers:
    """Solutions with different numbers of factors.

    Attributes
    ----------
    table : pandas.DataFrame (factors)
        ``q_robust``, ``q_epa``, ``q_true``, ``q_expected``, ``ratio`` (robust over expected), ``gain`` (decrease of robust Q
        from one factor fewer), ``noise_gain`` (largest gain of a superfluous factor), ``im`` and ``is`` (largest mean
        and standard deviation of a species' scaled residuals; Lee et al. 1999, Atmos. Environ. 33:3201),
        ``reached`` (share of starts that found the minimum).
    suggested : int or None
        The largest number whose gain exceeds that of noise; None if this holds for the largest number tried: try
        more.
    solutions : dict of int to Factorization
        By number of factors.
    """

    table: pd.DataFrame
    suggested: int | None
    solutions: dict[int, Factorization]


def compare_factor_numbers(
    samples: Samples,
    numbers: Sequence[int],
    *,
    starts: int = STARTS,
    seed: int = 0,
    progress: Progress | None = None,
) -> FactorNumbers:
    """Factorize with several numbers of factors and suggest one.

    A superfluous factor can only fit noise: it explains at most the square of the largest singular value of
    residuals with unit variance, (sqrt(samples) + sqrt(species))^2 (Marchenko and Pastur), here times Q over its
    expectation with the most factors, since stated uncertainties may be too large or too small. A real source gains
    much more. The suggestion is a starting point: interpretability and stability (`pmf_uncertainty`) of the factors
    decide.

    Parameters
    ----------
    samples : Samples
        From `hazecast.forecast.studies.particles.speciation.prepare`.
    numbers : sequence of int
        At least two consecutive numbers, such as ``range(3, 9)``.
    starts : int
        Random starts for each number.
    seed : int
        Of the random starts.
    progress : callable, optional
        Called with a line of text after each start.

    Returns
    -------
    FactorNumbers
        Diagnostics, suggested number and solutions.

    Raises
    ------
    InputError
        If the numbers are not consecutive.
    """
    numbers = list(numbers)
    if len(numbers) < 2 or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise InputError("numbers of factors", numbers, "at least two that follow each other")
    found = {p: factorize(samples, p, starts=starts, seed=seed, progress=progress) for p in numbers}
    rows, strong = len(samples.concentration), len(samples.strong)
    last = found[numbers[-1]]
    level = last.q_robust / last.q_expected if last.q_expected > 0 else 1.0
    noise_gain = float((np.sqrt(rows) + np.sqrt(strong)) ** 2 * level)
    table = _diagnostics(found, noise_gain)
    gains = table["gain"] > noise_gain
    suggested = max([numbers[0], *(p for p in numbers[1:] if gains[p])])
    return FactorNumbers(table, None if suggested == numbers[-1] else suggested, found)


def _diagnostics(found: Mapping[int, Factorization], noise_gain: float) -> pd.DataFrame:
    lines = []
    for p, one in found.items():
        scaled = one.scaled_residuals()[list(one.samples.strong)]
        lines.append(
            {
                "factors": p,
                "q_robust": one.q_robust,
                "q_epa": one.q_epa,
                "q_true": one.q_true,
                "q_expected": one.q_expected,
                "ratio": one.q_robust / one.q_expected if one.q_expected > 0 else np.nan,
                "gain": found[p - 1].q_robust - one.q_robust if p - 1 in found else np.nan,
                "noise_gain": noise_gain,
                "im": float(scaled.mean().abs().max()),
                "is": float(scaled.std().max()),
                "reached": one.reached,
            }
        )
    return pd.DataFrame(lines).set_index("factors")
