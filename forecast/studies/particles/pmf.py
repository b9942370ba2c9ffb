"""Positive matrix factorization (PMF): source profiles and contributions from speciated samples.

Paatero and Tapper (1994, Environmetrics 5:111), with the diagnostics of the EPA PMF 5.0 User Guide
(EPA/600/R-14/108). Unlike in EPA PMF, which allows slightly negative contributions, all are non-negative.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from hazecast.forecast.studies.particles.pmf_solver import Pull, Solution, epa_robust_q, robust_q, solve
from hazecast.forecast.studies.particles.speciation import WEAK_FACTOR, Samples
from hazecast.grids.errors import InputError

STARTS = 20
_SWEEPS = 30
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Factorization:
    """A solution: profiles and contributions of the factors, and the quality of the fit.

    Attributes
    ----------
    samples : Samples
        The samples factorized.
    profiles : pandas.DataFrame (factor, species)
        Mean contribution of the factor to the species, in the unit of the samples.
    contributions : pandas.DataFrame (sample, factor)
        Normalised to a mean of one.
    q_robust : float
        Sum of squared residuals over uncertainties, those beyond 4 counted linearly (Huber's loss); the quantity minimised.
    q_epa : float
        Robust Q as EPA PMF reports it: of residuals beyond 4 four times their size.
    q_true : float
        Every residual squared.
    q_expected : float
        Number of values of strong species less the number of fitted elements of both matrices.
    start_q : tuple of float
        Robust Q reached from each random start, in the order of the starts.
    converged : bool
        Whether the best start converged.
    zeros : bool (factor, species)
        Elements constrained to zero.
    pulls : tuple of Pull
        Soft constraints.
    """

    samples: Samples
    profiles: pd.DataFrame
    contributions: pd.DataFrame
    q_robust: float
    q_epa: float
    q_true: float
    q_expected: float
    start_q: tuple[float, ...]
    converged: bool
    zeros: NDArray[np.bool_]
    pulls: tuple[Pull, ...] = ()

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the factors."""
        return tuple(str(name) for name in self.profiles.index)

    @property
    def zero_elements(self) -> list[tuple[int, str]]:
        """Number of the factor (from 0) and species of each element constrained to zero, as `factorize` takes them."""
        return [(int(k), self.samples.species[j]) for k, j in np.argwhere(self.zeros)]

    @property
    def reached(self) -> float:
        """Share of the starts that reached within 0.1 % of the lowest robust Q."""
        return float(np.mean(np.array(self.start_q) <= 1.001 * min(self.start_q)))

    def modelled(self) -> pd.DataFrame:
        """Return the modelled concentrations (sample, species)."""
        return self.contributions @ self.profiles

    def scaled_residuals(self) -> pd.DataFrame:
        """Return (measured - modelled) / uncertainty; weak species by their own uncertainty, not the tripled one."""
        residual = (self.samples.concentration - self.modelled()) / self.samples.uncertainty
        residual[list(self.samples.weak)] *= WEAK_FACTOR
        return residual

    def mass(self) -> pd.DataFrame:
        """Return the mass of each factor in each sample (sample, factor), from the total species.

        Raises
        ------
        InputError
            If the samples have no total.
        """
        return self.contributions * self._totals()

    def unidentified(self) -> pd.Series:
        """Return the share of each factor's mass (factor) that is not explained by the other species.

        Negative where species overlap, as SO4 and S do, or exceed the total.
        """
        total = self._totals()
        return 1.0 - self.profiles.drop(columns=self.samples.total).sum(axis=1) / total.where(total > 0)

    def explained(self) -> pd.DataFrame:
        """Return the share of each species explained by each factor (factor, species)."""
        return self.profiles / self.profiles.sum()

    def fit(self) -> pd.DataFrame:
        """Return the quality of the fit for each species.

        ``r2`` (squared correlation), ``q_share`` (Q over its expectation), ``beyond_3`` (share of scaled residuals
        beyond three: many indicate that uncertainties are too small or a source is missing) and ``weak``.
        """
        modelled, measured, residual = self.modelled(), self.samples.concentration, self.scaled_residuals()
        expected = self.q_expected / max(len(self.samples.strong), 1)
        return pd.DataFrame(
            {
                "r2": [measured[n].corr(modelled[n]) ** 2 for n in measured],
                "q_share": (residual**2).sum() / expected,
                "beyond_3": (residual.abs() > 3).mean(),
                "weak": [str(n) in self.samples.weak for n in measured],
            },
            index=pd.Index(self.samples.species, name="species"),
        )

    def _totals(self) -> pd.Series:
        if self.samples.total is None:
            raise InputError("total", "none", "a species that is the mass of all others, named when preparing")
        return self.profiles[self.samples.total]


def factorize(
    samples: Samples,
    factors: int,
    *,
    starts: int = STARTS,
    seed: int = 0,
    zeros: Collection[tuple[int, str]] = (),
    pulls: Sequence[Pull] = (),
    first: Factorization | None = None,
    progress: Progress | None = None,
) -> Factorization:
    """Factorize samples: the best solution of many random starts.

    Parameters
    ----------
    samples : Samples
        From `hazecast.forecast.studies.particles.speciation.prepare`.
    factors : int
        At least 1, fewer than species and samples.
    starts : int
        Random starts (EPA PMF recommends at least 20).
    seed : int
        Of the random starts.
    zeros : collection of (int, str)
        Factor number (from 0) and species that is absent from the factor. They require `first`, since the order
        of factors is arbitrary.
    pulls : sequence of Pull
        Soft constraints on elements of the profiles; see `pull_profiles`.
    first : Factorization, optional
        Start from this solution only, not at random.
    progress : callable, optional
        Called with a line of text after each start.

    Returns
    -------
    Factorization
        The solution with the lowest robust Q.

    Raises
    ------
    InputError
        If the number of factors or starts is out of range, or constraints are given without `first`.

    Examples
    --------
    Two sources in 60 synthetic samples:

    >>> from hazecast.forecast.studies.particles.mixtures import mix
    >>> samples = mix(0, samples=60, sources=("traffic", "dust")).samples()
    >>> solution = factorize(samples, 2, starts=2)
    >>> solution.converged, solution.reached
    (True, 1.0)
    >>> solution.profiles["Si"].idxmax() != solution.profiles["EC"].idxmax()
    True
    """
    x, u = samples.concentration.to_numpy(), samples.uncertainty.to_numpy()
    number, species = x.shape
    if not 1 <= factors < min(number, species):
        raise InputError(
            "factors", factors, f"1 to {min(number, species) - 1}, for {number} samples of {species} species"
        )
    if starts < 1:
        raise InputError("starts", starts, "at least 1")
    if (zeros or pulls) and first is None:
        raise InputError("constraints", len(zeros) + len(pulls), "a solution to start from, which numbers the factors")
    zero_mask = _zero_mask(samples, factors, zeros)
    if first is not None:
        found = [solve(x, u, *_arrays(first), zeros=zero_mask, pulls=pulls)]
    else:
        found = []
        for start in range(starts):
            g, f = random_start(x, u, factors, np.random.default_rng([seed, start]))
            found.append(solve(x, u, g, f, zeros=zero_mask, sweeps=_SWEEPS))
            if progress:
                progress(f"{factors} factors, start {start + 1}: robust Q {found[-1].q:.1f}")
    best = min(found, key=lambda solution: solution.q)
    return _factorization(samples, best, tuple(solution.q for solution in found), zero_mask, tuple(pulls))


def pull_profiles(
    base: Factorization,
    targets: Sequence[tuple[int, str, float]],
    *,
    most: float = 1.0,
) -> Factorization:
    """Pull elements of the profiles towards target values, as far as Q allows: soft constraints.

    Parameters
    ----------
    base : Factorization
        Unconstrained solution.
    targets : sequence of (int, str, float)
        Factor number (from 0), species and target of the mean contribution; 0 for "not in this factor".
    most : float
        Largest increase of the robust Q, %. EPA PMF calls it %dQ.

    Returns
    -------
    Factorization
        With the strongest pull (in steps of a factor of 10) that stays within `most`.

    Raises
    ------
    InputError
        If a target names an unknown factor or species, or a negative value.
    """
    species = base.samples.species
    for factor, name, target in targets:
        if not 0 <= factor < len(base.factors) or name not in species or target < 0:
            raise InputError(
                "pull", (factor, name, target), f"a factor below {len(base.factors)}, a species, 0 or more"
            )
    best = base
    for power in range(-2, 7):
        pulls = [
            Pull(factor, species.index(name), target, 10.0**power / float(base.samples.uncertainty[name].median()) ** 2)
            for factor, name, target in targets
        ]
        tried = factorize(base.samples, len(base.factors), pulls=pulls, first=best, zeros=base.zero_elements)
        if tried.q_robust > base.q_robust * (1 + most / 100):
            break
        best = tried
    return best


def match_factors(reference: pd.DataFrame, other: pd.DataFrame) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    """Match the factors of two solutions one to one by their contributions to the same samples.

    Parameters
    ----------
    reference, other : pandas.DataFrame (sample, factor)
        Contributions.

    Returns
    -------
    order : int (factor,)
        For each factor of `reference` the number of its match in `other`.
    correlation : float (factor,)
        Uncentred correlation of each pair.
    """
    table = uncentred_correlation(reference.to_numpy(), other.to_numpy())
    rows, columns = linear_sum_assignment(-table)
    order = np.empty(len(rows), dtype=int)
    order[rows] = columns
    return order, table[rows, columns]


def uncentred_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the uncentred_correlation correlation of columns, the cosine of the angle between them.

    Parameters
    ----------
    first, second : float (row, column)
        With the same rows.

    Returns
    -------
    float (column of first, column of second)
        From -1 to 1.
    """
    norms = np.sqrt((first**2).sum(axis=0))[:, None] * np.sqrt((second**2).sum(axis=0))[None]
    return np.asarray(first.T @ second / np.maximum(norms, 1e-300))


def random_start(
    x: NDArray[np.float64], u: NDArray[np.float64], factors: int, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw a random start: profiles are randomly drawn samples, contributions are uniform.

    Parameters
    ----------
    x, u : float (sample, species)
        Concentrations and uncertainties.
    factors : int
        Number of factors.
    generator : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    contributions : float (sample, factor)
    profiles : float (factor, species)
    """
    rows = generator.choice(len(x), factors, replace=False)
    return generator.uniform(0.5, 1.5, (len(x), factors)) / factors, np.maximum(x[rows], 0.1 * u[rows])


def _zero_mask(samples: Samples, factors: int, zeros: Collection[tuple[int, str]]) -> NDArray[np.bool_]:
    zero_mask = np.zeros((factors, len(samples.species)), dtype=bool)
    for factor, name in zeros:
        if not 0 <= factor < factors or name not in samples.species:
            raise InputError("zero", (factor, name), f"a factor below {factors} and one of {samples.species}")
        zero_mask[factor, samples.species.index(name)] = True
    return zero_mask


def _arrays(base: Factorization) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return base.contributions.to_numpy(), base.profiles.to_numpy()


def _factorization(
    samples: Samples,
    solution: Solution,
    start_q: tuple[float, ...],
    zeros: NDArray[np.bool_],
    pulls: tuple[Pull, ...],
) -> Factorization:
    f, g = solution.f, solution.g
    names = pd.Index([f"factor {number + 1}" for number in range(len(f))], name="factor")
    residual = (samples.concentration.to_numpy() - g @ f) / samples.uncertainty.to_numpy()
    strong = [samples.species.index(name) for name in samples.strong]
    rows = len(g)
    return Factorization(
        samples,
        pd.DataFrame(f, index=names, columns=samples.concentration.columns),
        pd.DataFrame(g, index=samples.concentration.index, columns=names),
        robust_q(residual),
        epa_robust_q(residual),
        float((residual**2).sum()),
        # EPA PMF 5.0 User Guide: good data values less the fitted elements of G and F.
        float(rows * len(strong) - len(f) * (rows + len(strong))),
        start_q,
        solution.converged,
        zeros,
        pulls,
    )
