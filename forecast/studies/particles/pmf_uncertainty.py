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
from hazecast.forecast.studies.particles.pmf_solver import Pull, Response, responses, solve
from hazecast.forecast.studies.resampled import block_rows
from hazecast.grids.errors import InputError

MIN_CORRELATION = 0.6
DQ_MAX = (4.0, 8.0, 15.0, 25.0)
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_SWEEPS = 30
# A displacement is accepted when the increase of Q is within this share of the target; its fit ends when a step gains less than that share.
_CLOSE, _SETTLED = 0.1, 0.005
# No closer together than this are the displacements tried.
_NARROW = 0.01
# A Q that rises by so many times the level at one step may be that of another minimum than the displacement's.
_FAR = 1.5
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
        rows = block_rows(len(x), block, generator)[0]
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
    response = _responses(base, chosen)
    for k, factor in enumerate(base.factors):
        for name in chosen:
            element = _Element(base, k, base.samples.species.index(name), response[factor, name])
            found = {sign: element.displace(levels, sign) for sign in (-1, 1)}
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


def _responses(base: Factorization, species: Sequence[str]) -> dict[tuple[str, str], Response]:
    """Return the solution's response to each element displaced, by factor and species."""
    x, u = base.samples.concentration.to_numpy(), base.samples.uncertainty.to_numpy()
    names = [(factor, name) for factor in base.factors for name in species]
    elements = [(base.factors.index(factor), base.samples.species.index(name)) for factor, name in names]
    found = responses(x, u, base.contributions.to_numpy(), base.profiles.to_numpy(), elements, zeros=base.zeros)
    return dict(zip(names, found, strict=True))


@dataclass(frozen=True)
class _Point:
    """A fit with an element displaced: how far, the root of the increase of Q there, contributions and profiles."""

    away: float
    root: float
    g: NDArray[np.float64]
    f: NDArray[np.float64]


class _Element:
    """One element of the profiles, displaced along the profile of Q (the lowest Q for each of its values).

    A pull to a value ends on that curve, whatever its strength: the value reached, and Q there, are those of a
    displacement. The first value, and the start of its fit, follow from the solution's response to first order, later ones from the
    points reached: the root of the increase of Q is about linear in the displacement.
    """

    def __init__(self, base: Factorization, factor: int, species: int, response: Response) -> None:
        self.base, self.factor, self.species, self.response = base, factor, species, response
        self.x, self.u = base.samples.concentration.to_numpy(), base.samples.uncertainty.to_numpy()
        self.origin = _Point(0.0, 0.0, base.contributions.to_numpy(), base.profiles.to_numpy())
        self.start = float(self.origin.f[factor, species])
        self.lowest = base.q_robust

    def displace(self, levels: Sequence[float], sign: int) -> list[tuple[float, bool]]:
        """Return, for each level, the value at which Q has increased by it, and whether factors were swapped."""
        ends: list[tuple[float, bool]] = []
        tried, ended, value = [self.origin], sign < 0 and self.start == 0.0, 0.0
        for level in levels:
            if not ended:
                value = max(self.start + sign * self._reach(level, sign, tried), 0.0)
                ended = self._at_zero(tried[-1], sign, level)
            ends.append((0.0 if ended else value, self._swapped(tried[-1].g)))
        return ends

    def _reach(self, level: float, sign: int, tried: list[_Point]) -> float:
        """Add points until Q has risen by about the level, or the element is zero; return the displacement at that level."""
        wanted, latest = float(np.sqrt(level)), tried[-1]
        below: _Point = latest
        above: _Point | None = None
        away = latest.away + _slope(tried, self.response.spread) * (wanted - latest.root)
        if latest.root >= wanted:
            # Q jumped on the way to the level before.
            below, above = self.origin, latest
            away = _next_step(below, above, wanted)
        for _ in range(_TRIES):
            away = min(away, self.start) if sign < 0 else away
            here = self._fitted(away, sign, tried[-1], below, level)
            tried.append(here)
            below, above = (here, above) if here.root < wanted else (below, here)
            if self._at_zero(here, sign, level) or abs(here.root**2 - level) <= _CLOSE * level:
                break
            if above is not None and above.away - below.away <= _NARROW * above.away:
                # Q jumps here: another minimum.
                break
            away = _next_step(below, above, wanted)
        # The rest of the way to the level, of about `_CLOSE` of it, in proportion; where Q jumps, none.
        rest = here.away * wanted / here.root if here.root > 0.0 else here.away
        return float(np.clip(rest, below.away, np.inf if above is None else above.away))

    def _at_zero(self, point: _Point, sign: int, level: float) -> bool:
        return sign < 0 and self.start - point.away <= 1e-2 * self.response.alone and point.root**2 <= level

    def _fitted(self, away: float, sign: int, latest: _Point, below: _Point, level: float) -> _Point:
        """Fit all others with the element displaced, from the start that the latest point suggests.

        Where that ends in another minimum, they are fitted from the point below the level, and the lower Q counts.
        """
        origin = self.origin
        if latest.away > 0:
            moves = [(point - base) / latest.away for point, base in ((latest.g, origin.g), (latest.f, origin.f))]
        else:
            moves = [sign * self.response.g, sign * self.response.f]
        g, f = (np.maximum(base + away * move, 0.0) for base, move in zip((origin.g, origin.f), moves, strict=True))
        # Strong enough that the value is within a thousandth of its spread of the target.
        pull = Pull(self.factor, self.species, self.start + sign * away, 1e3 / self.response.alone**2)
        found = solve(self.x, self.u, g, f, zeros=self.base.zeros, pulls=[pull], settled=_SETTLED * level)
        if self._swapped(found.g) and not self._swapped(latest.g):
            # A step too long may exchange factors that no continuous path does.
            found = solve(self.x, self.u, latest.g, latest.f, zeros=self.base.zeros, pulls=[pull])
        if found.q - self.base.q_robust > _FAR * level:
            again = solve(self.x, self.u, below.g, below.f, zeros=self.base.zeros, pulls=[pull])
            found = min(found, again, key=lambda one: one.q)
        self.lowest = min(self.lowest, found.q)
        value = float(found.f[self.factor, self.species])
        return _Point(max(sign * (value - self.start), 1e-12), _root(found.q - self.base.q_robust), found.g, found.f)

    def _swapped(self, g: NDArray[np.float64]) -> bool:
        order = uncentred_correlation(g, self.origin.g).argmax(axis=1)
        return bool((order != np.arange(len(order))).any())


def _slope(tried: Sequence[_Point], first: float) -> float:
    """Return the displacement for one more root of Q, by the two latest points."""
    if len(tried) < 2:
        return first
    before, latest = sorted(tried[-2:], key=lambda point: point.away)
    rise = latest.root - before.root
    return (latest.away - before.away) / rise if rise > 1e-3 else latest.away / max(latest.root, 1e-3)


def _root(rise: float) -> float:
    return float(np.sqrt(max(rise, 0.0)))


def _next_step(below: _Point, above: _Point | None, wanted: float) -> float:
    """Return the next displacement to try."""
    if above is None:
        return below.away * float(np.clip(wanted / max(below.root, 1e-9), 1.2, 3.0))
    share = (wanted - below.root) / max(above.root - below.root, 1e-9)
    return below.away + float(np.clip(share, 0.1, 0.9)) * (above.away - below.away)
