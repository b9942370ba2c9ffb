"""Bootstrap enhanced by displacement (BS-DISP): random error and rotational ambiguity together.

Paatero et al. (2014, Atmos. Meas. Tech. 7:781), the third method of EPA PMF 5.0: every resample is factorized from the base solution,
then its elements are displaced. What of it is done here was taken from the paper from memory: levels of dQmax, the rejection of
resamples with swaps or a fall of Q, and the 5th to 95th percentile of what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hazecast.forecast.studies.particles.pmf import Factorization, Progress, factorize, uncentred_correlation
from hazecast.forecast.studies.particles.pmf_uncertainty import MIN_CORRELATION, displace
from hazecast.forecast.studies.resampled import block_rows
from hazecast.grids.errors import InputError

BS_DQ_MAX = (0.5, 1.0, 2.0, 4.0)
_TAILS = (0.05, 0.95)
# %: of a displacement that finds so much lower a Q the resample's own fit was not the minimum. EPA PMF's rule for displacement.
LARGEST_FALL = 1.0


@dataclass(frozen=True)
class BootstrapDisplacement:
    """Ranges of elements over resamples, each within a given increase of its Q.

    Attributes
    ----------
    intervals : pandas.DataFrame ((dq_max, factor, species), [low, high])
        5th percentile of the lower ends and 95th of the upper ones over the accepted resamples, in the unit of the samples; NaN
        where none was accepted.
    runs, accepted : int
        Resamples, and those without a swap or a fall of Q.
    swapped_in_fit : int
        Resamples whose factors are not those of the base, one to one.
    swapped_in_displacement : pandas.Series (dq_max)
        Resamples rejected since displacing an element exchanged factors, the lowest dQmax at which it did.
    fallen : int
        Resamples rejected since displacement found a Q lower by more than `LARGEST_FALL`.
    largest_fall : float
        Largest decrease of a resample's Q by displacement, %.
    """

    intervals: pd.DataFrame
    runs: int
    accepted: int
    swapped_in_fit: int
    swapped_in_displacement: pd.Series
    fallen: int
    largest_fall: float


def bootstrap_displace(
    base: Factorization,
    species: Sequence[str],
    *,
    runs: int = 50,
    block: int = 3,
    dq_max: Sequence[float] = BS_DQ_MAX,
    seed: int = 0,
    progress: Progress | None = None,
) -> BootstrapDisplacement:
    """Factorize block-bootstrap resamples and displace the elements of some species in each.

    Parameters
    ----------
    base : Factorization
        Solution whose uncertainty is estimated.
    species : sequence of str
        Species to displace: the markers of the factors. All of them take long.
    runs : int
        Resamples.
    block : int
        Samples in a bootstrap block.
    dq_max : sequence of float
        Increases of robust Q, ascending, above 0.
    seed : int
        Of the resampling.
    progress : callable, optional
        Called with a line of text after each run.

    Returns
    -------
    BootstrapDisplacement
        Intervals and what was rejected.

    Raises
    ------
    InputError
        If no species is named or one is unknown, `runs` or `block` is out of range, or `dq_max` does not ascend.
    """
    number = len(base.samples.concentration)
    if not species:
        raise InputError("species to displace", "none", "the markers of the factors")
    if runs < 1:
        raise InputError("bootstrap runs", runs, "at least 1")
    if not 1 <= block <= number:
        raise InputError("bootstrap block", block, f"1 to {number} samples")
    levels = [float(value) for value in dq_max]
    found, in_fit, fallen, largest = [], 0, 0, 0.0
    swapped = np.zeros(len(levels), dtype=int)
    for run in range(runs):
        rows = block_rows(number, block, np.random.default_rng([seed, run]))[0]
        resampled = _resampled(base, rows)
        if resampled is None:
            in_fit += 1
        else:
            moved = displace(resampled, dq_max=levels, species=species)
            fall = 100 * moved.largest_fall / max(resampled.q_robust, 1e-300)
            largest = max(largest, fall)
            at_level = (moved.swaps.sum(axis=1) > 0).to_numpy()
            if at_level.any():
                swapped[int(at_level.argmax())] += 1
            elif fall > LARGEST_FALL:
                fallen += 1
            else:
                # The base contributions of the drawn rows need not have a mean of one.
                mean = base.contributions.iloc[rows].mean().clip(lower=1e-12)
                factor = moved.intervals.index.get_level_values("factor")
                found.append(moved.intervals.div(mean[factor].to_numpy(), axis=0))
        if progress:
            progress(f"bootstrap with displacement {run + 1} of {runs}")
    by_level = pd.Series(swapped, index=pd.Index(levels, name="dq_max"))
    intervals = _percentiles(found, levels, base, species)
    return BootstrapDisplacement(intervals, runs, len(found), in_fit, by_level, fallen, largest)


def _resampled(base: Factorization, rows: NDArray[np.int_]) -> Factorization | None:
    """Return the factorization of the drawn rows, or nothing where its factors are not those of the base, in their order."""
    samples = replace(
        base.samples,
        concentration=base.samples.concentration.iloc[rows].reset_index(drop=True),
        uncertainty=base.samples.uncertainty.iloc[rows].reset_index(drop=True),
    )
    contributions = base.contributions.iloc[rows].reset_index(drop=True)
    start = replace(base, samples=samples, contributions=contributions)
    found = factorize(samples, len(base.factors), first=start, zeros=base.zero_elements)
    table = uncentred_correlation(found.contributions.to_numpy(), contributions.to_numpy())
    own = table.argmax(axis=1) == np.arange(len(table))
    return found if bool(own.all()) and bool((table.diagonal() >= MIN_CORRELATION).all()) else None


def _percentiles(
    found: Sequence[pd.DataFrame], levels: Sequence[float], base: Factorization, species: Sequence[str]
) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([levels, base.factors, species], names=["dq_max", "factor", "species"])
    if not found:
        return pd.DataFrame(np.nan, index=index, columns=["low", "high"])
    together = pd.concat(found, keys=range(len(found)), names=["run"])
    by_element = together.groupby(level=["dq_max", "factor", "species"])
    ends = {"low": by_element["low"].quantile(_TAILS[0]), "high": by_element["high"].quantile(_TAILS[1])}
    return pd.DataFrame(ends).reindex(index)
