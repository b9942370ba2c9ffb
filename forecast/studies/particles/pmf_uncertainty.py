"""Uncertainty of a factorization: bootstrap (random errors) and displacement (rotational ambiguity).

Paatero et al. (2014, Atmos. Meas. Tech. 7:781) and Brown et al. (2015, Sci. Total Environ. 518:626), as in EPA
PMF 5.0. The third method there, bootstrap enhanced by displacement, is `hazecast.forecast.studies.particles.pmf_bs_disp`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hazecast.forecast.studies.particles.pmf import Factorization, Progress, random_start, uncentred_correlation
from hazecast.forecast.studies.particles.pmf_solver import Pull, Solution, solve
from hazecast.grids.errors import InputError

MIN_CORRELATION = 0.6
DQ_MAX = (4.0, 8.0, 15.0, 25.0)
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_SWEEPS = 30
# A displacement is accepted when the increase of Q is within this share of the target.
_CLOSE = 0.05
_TRIES = 12


@dataclass(frozen=True)
class Bootstrap:
    """Variation of the profiles among resamples: random error only, not rotational ambiguity.

    Attributes
    ----------
    mapping : pandas.DataFrame (bootstrap factor, base factor)
        How often the factor of a resample was mapped to the factor of the base solution; the column
        ``unmapped`` counts correlations below `MIN_CORRELATION`.
    profiles : pandas.DataFrame ((factor, quantile), species)
        Quantiles 0.05, 0.25, 0.5, 0.75 and 0.95 over the mapped factors; NaN where none was.
    runs : int
        Number of resamples.
    """

    mapping: pd.DataFrame
    profiles: pd.DataFrame
    runs: int

    @property
    def stability(self) -> pd.Series:
        """Share of the runs in which a factor was mapped to itself; below 0.8 the factor is doubtful (EPA PMF)."""
        own = [self.mapping.loc[name, name] for name in self.mapping.index]
        return pd.Series(own, index=self.mapping.index) / self.runs


def block_rows(samples: int, block: int, generator: np.random.Generator) -> NDArray[np.int_]:
    """Draw rows in blocks of consecutive samples, which preserve autocorrelation.

    Parameters
    ----------
    samples : int
        Number of rows.
    block : int
        Rows in a block.
    generator : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    int (samples,)
        Row numbers, with repetition.
    """
    first = generator.integers(0, samples, size=-(-samples // block))
    return ((first[:, None] + np.arange(block)[None]) % samples).ravel()[:samples]


def bootstrap(
    base: Factorization,
    *,
    runs: int = 100,
    block: int = 3,
    random_starts: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Bootstrap:
    """Factorize block-bootstrap resamples, and map their factors to those of the base solution.

    A factor of a resample is mapped to the base factor with which its contributions to the same samples
    have the highest uncentred_correlation correlation; below `MIN_CORRELATION` it is unmapped.

    Parameters
    ----------
    base : Factorization
        Solution whose uncertainty is estimated.
    runs : int
        Number of resamples.
    block : int
        Samples in a block.
    random_starts : int
        Random starts for each run, in addition to the one from the base profiles; the lowest Q is used. Without
        them a run is faster, but cannot find a minimum far from the base solution.
    seed : int
        Of the resampling.
    progress : callable, optional
        Called with a line of text after each run.

    Returns
    -------
    Bootstrap
        Mapping of factors and quantiles of profiles.

    Raises
    ------
    InputError
        If `runs` or `block` is out of range.
    """
    x, u = base.samples.concentration.to_numpy(), base.samples.uncertainty.to_numpy()
    if runs < 1:
        raise InputError("bootstrap runs", runs, "at least 1")
    if not 1 <= block <= len(x):
        raise InputError("bootstrap block", block, f"1 to {len(x)} samples")
    g, f = base.contributions.to_numpy(), base.profiles.to_numpy()
    names = list(base.factors)
    counts = np.zeros((len(names), len(names) + 1), dtype=int)
    mapped: list[list[NDArray[np.float64]]] = [[] for _ in names]
    for run in range(runs):
        generator = np.random.default_rng([seed, run])
        rows = block_rows(len(x), block, generator)
        tried = [solve(x[rows], u[rows], g[rows], f, zeros=base.zeros)]
        for _ in range(random_starts):
            start = random_start(x[rows], u[rows], len(names), generator)
            tried.append(solve(x[rows], u[rows], *start, zeros=base.zeros, sweeps=_SWEEPS))
        best = min(tried, key=lambda solution: solution.q)
        table = uncentred_correlation(best.g, g[rows])
        for number in range(len(names)):
            near = int(table[number].argmax())
            if table[number, near] < MIN_CORRELATION:
                counts[number, -1] += 1
                continue
            counts[number, near] += 1
            # The base contributions of the drawn rows need not have a mean of one.
            mapped[near].append(best.f[number] / max(g[rows, near].mean(), 1e-12))
        if progress:
            progress(f"bootstrap {run + 1} of {runs}")
    return Bootstrap(
        pd.DataFrame(counts, index=pd.Index(names, name="bootstrap factor"), columns=[*names, "unmapped"]),
        _profile_quantiles(mapped, base.profiles),
        runs,
    )


def _profile_quantiles(mapped: Sequence[Sequence[NDArray[np.float64]]], profiles: pd.DataFrame) -> pd.DataFrame:
    """Return quantiles ((factor, quantile), species) of the profiles mapped to each factor."""
    nothing = np.full((len(_QUANTILES), profiles.shape[1]), np.nan)
    parts = [np.quantile(np.array(found), _QUANTILES, axis=0) if found else nothing for found in mapped]
    index = pd.MultiIndex.from_product([profiles.index.astype(str), _QUANTILES], names=["factor", "quantile"])
    return pd.DataFrame(np.concatenate(parts), index=index, columns=profiles.columns)


@dataclass(frozen=True)
class Displacement:
    """Range of each element of the profiles within a given increase of Q.

    Attributes
    ----------
    intervals : pandas.DataFrame ((dq_max, factor, species), [low, high])
        Mean contribution of the factor to the species.
    swaps : pandas.DataFrame (dq_max, factor)
        How often displacing one of its elements exchanged a factor for another: any at dQmax = 4 means that the
        solution is not well defined (EPA PMF).
    largest_fall : float
        Largest decrease of Q below that of the base: more than 1 % means that the base was not the minimum.
    """

    intervals: pd.DataFrame
    swaps: pd.DataFrame
    largest_fall: float


def displace(
    base: Factorization,
    *,
    dq_max: Sequence[float] = DQ_MAX,
    species: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Displacement:
    """Displace each element down and up, all others refitted, until robust Q has increased by each of `dq_max`.

    Parameters
    ----------
    base : Factorization
        Solution whose uncertainty is estimated.
    dq_max : sequence of float
        Increases of robust Q, ascending, above 0.
    species : sequence of str, optional
        By default all strong species, as in EPA PMF.
    progress : callable, optional
        Called with a line of text after each factor.

    Returns
    -------
    Displacement
        Intervals and swaps of factors.

    Raises
    ------
    InputError
        If a species is unknown or `dq_max` does not ascend.
    """
    chosen = list(base.samples.strong if species is None else species)
    for name in chosen:
        if name not in base.samples.species:
            raise InputError("species", name, f"one of {base.samples.species}")
    levels = [float(value) for value in dq_max]
    if not levels or levels[0] <= 0 or levels != sorted(set(levels)):
        raise InputError("dq_max", list(dq_max), "rising numbers above 0")
    rows, swaps = [], np.zeros((len(levels), len(base.factors)), dtype=int)
    lowest = base.q_robust
    for k, factor in enumerate(base.factors):
        for name in chosen:
            element = _Element(base, k, base.samples.species.index(name))
            found = {sign: [element.displace(level, sign) for level in levels] for sign in (-1, 1)}
            lowest = min(lowest, element.lowest)
            for number, level in enumerate(levels):
                low, high = found[-1][number], found[1][number]
                rows.append((level, factor, name, low[0], high[0]))
                swaps[number, k] += low[1] + high[1]
        if progress:
            progress(f"displacement of {factor}")
    table = pd.DataFrame(rows, columns=["dq_max", "factor", "species", "low", "high"])
    return Displacement(
        table.set_index(["dq_max", "factor", "species"]),
        pd.DataFrame(swaps, index=pd.Index(levels, name="dq_max"), columns=list(base.factors)),
        base.q_robust - lowest,
    )


class _Element:
    """One element of the profiles, displaced along the profile of Q (the lowest Q for each of its values).

    A pull to a value ends on that curve, whatever its strength: the value reached, and Q there, are those of a
    displacement. So the next value is extrapolated from the curvature of Q, and refined.
    """

    def __init__(self, base: Factorization, factor: int, species: int) -> None:
        self.base, self.factor, self.species = base, factor, species
        self.x, self.u = base.samples.concentration.to_numpy(), base.samples.uncertainty.to_numpy()
        self.g, self.f = base.contributions.to_numpy(), base.profiles.to_numpy()
        self.start = float(self.f[factor, species])
        # Standard error from this species' uncertainties alone: with all else fixed, Q increases by (d / s)^2.
        weight = ((self.g[:, factor] / self.u[:, species]) ** 2).sum()
        self.spread = float(1 / np.sqrt(max(weight, 1e-300)))
        self.reach = {-1: 2.0, 1: 2.0}
        self.latest = {-1: (self.g, self.f), 1: (self.g, self.f)}
        self.lowest = base.q_robust

    def displace(self, level: float, sign: int) -> tuple[float, bool]:
        """Return the value at which Q has increased by `level`, and whether factors were swapped."""
        step = self.reach[sign] * np.sqrt(level)
        # Brackets of the solution, as (displacement in spreads, root of the increase of Q).
        below, above = (0.0, 0.0), None
        value, solution = self.start, None
        for _ in range(_TRIES):
            target = max(self.start + sign * step * self.spread, 0.0)
            solution = self._pulled(target, sign)
            value = float(solution.f[self.factor, self.species])
            rise = solution.q - self.base.q_robust
            self.lowest = min(self.lowest, solution.q)
            at_zero = sign < 0 and target == 0.0
            if abs(rise - level) <= _CLOSE * level or (at_zero and rise <= level):
                break
            here = (abs(value - self.start) / self.spread, float(np.sqrt(max(rise, 0.0))))
            below, above = (here, above) if rise < level else (below, here)
            step = _next_step(below, above, float(np.sqrt(level)), step)
        assert solution is not None
        self.reach[sign] = step / np.sqrt(level)
        self.latest[sign] = (solution.g, solution.f)
        order = uncentred_correlation(solution.g, self.g).argmax(axis=1)
        return (0.0 if sign < 0 and value < 1e-3 * self.spread else value), bool((order != np.arange(len(order))).any())

    def _pulled(self, target: float, sign: int) -> Solution:
        # Strong enough that the value is within a thousandth of its spread of the target.
        pull = Pull(self.factor, self.species, target, 1e3 / self.spread**2)
        return solve(self.x, self.u, *self.latest[sign], zeros=self.base.zeros, pulls=[pull])


def _next_step(below: tuple[float, float], above: tuple[float, float] | None, wanted: float, step: float) -> float:
    """Return the next displacement to try; the root of the increase of Q is about linear in the displacement."""
    if above is None:
        return step * float(np.clip(wanted / max(below[1], 1e-9), 1.2, 3.0))
    share = (wanted - below[1]) / max(above[1] - below[1], 1e-9)
    return below[0] + float(np.clip(share, 0.1, 0.9)) * (above[0] - below[0])
