"""How many factors: what one more of them gains, against what it would gain from noise alone."""

from __future__ import annotations

from collections.abc import Sequence
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
        ``q_robust``, ``q_true``, ``q_expected``, ``ratio`` (robust over expected), ``gain`` (fall of robust Q
        from one factor fewer), ``noise_gain`` (what a factor too many may gain), ``im`` and ``is`` (largest mean
        and standard deviation of a species' scaled residuals; Lee et al. 1999, Atmos. Environ. 33:3201),
        ``reached`` (share of starts that found the minimum).
    suggested : int or None
        The largest number that still gains more than noise does; None if even the most factors tried
        gain more: try more.
    solutions : dict of int to Factorization
    """

    table: pd.DataFrame
    suggested: int | None
    solutions: dict[int, Factorization]


def factor_numbers(
    samples: Samples,
    numbers: Sequence[int],
    *,
    starts: int = STARTS,
    seed: int = 0,
    progress: Progress | None = None,
) -> FactorNumbers:
    """Factorize with several numbers of factors and suggest one.

    A factor that is not there can only fit noise: of residuals with unit variance it takes at most the
    square of their largest singular value, (sqrt(samples) + sqrt(species))^2 (Marchenko and Pastur), here
    times Q over its expectation with the most factors, since stated uncertainties may be too large or too
    small. A real source gains much more. The number is a start for judgement, not its end: whether the
    factors make sense, and how stable they are (`pmf_uncertainty`), decides.

    Parameters
    ----------
    samples : Samples
    numbers : sequence of int
        At least two that follow each other, such as ``range(3, 9)``.
    starts : int
    seed : int
    progress : callable, optional

    Raises
    ------
    InputError
        If the numbers don't follow each other.
    """
    numbers = list(numbers)
    if len(numbers) < 2 or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise InputError("numbers of factors", numbers, "at least two that follow each other")
    found = {p: factorize(samples, p, starts=starts, seed=seed, progress=progress) for p in numbers}
    rows, strong = len(samples.concentration), len(samples.strong)
    last = found[numbers[-1]]
    level = last.q_robust / last.q_expected if last.q_expected > 0 else 1.0
    noise_gain = (np.sqrt(rows) + np.sqrt(strong)) ** 2 * level
    lines = []
    for p, one in found.items():
        scaled = one.scaled_residuals()[list(samples.strong)]
        lines.append(
            {
                "factors": p,
                "q_robust": one.q_robust,
                "q_true": one.q_true,
                "q_expected": one.q_expected,
                "ratio": one.q_robust / one.q_expected if one.q_expected > 0 else np.nan,
                "gain": found[p - 1].q_robust - one.q_robust if p > numbers[0] else np.nan,
                "noise_gain": noise_gain,
                "im": float(scaled.mean().abs().max()),
                "is": float(scaled.std().max()),
                "reached": one.reached,
            }
        )
    table = pd.DataFrame(lines).set_index("factors")
    gains = table["gain"] > noise_gain
    suggested: int | None = numbers[0]
    for p in numbers[1:]:
        if gains[p]:
            suggested = p
    return FactorNumbers(table, None if suggested == numbers[-1] else suggested, found)
