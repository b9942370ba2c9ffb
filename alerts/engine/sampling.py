"""How far chance alone could have moved a score: a bootstrap of blocks.

Windows of the same days share their weather, so they are no independent cases: whole weeks of a city are drawn, with replacement
(block bootstrap; Künsch 1989, Ann. Statist. 17:1217; for scores of forecasts Hamill 1999, Weather Forecast. 14:155). An
episode of haze lasts days and seldom crosses more than one border of weeks. The draws are made once from a fixed seed: the
same windows always give the same intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
_WEEK = timedelta(days=7)
_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_DRAWS, _SEED = 2000, 20150301
# The bounds of an interval of 95 %.
_BOUNDS = (2.5, 97.5)


def weeks_of(cities: Sequence[str], times: Sequence[datetime]) -> npt.NDArray[np.int64]:
    """Return the block of each window: a week of a city.

    Parameters
    ----------
    cities : sequence of str
    times : sequence of datetime
        Aware; of one length with `cities`.

    Returns
    -------
    int64 (window,)
        Numbers from 0, each used.
    """
    weeks = [f"{city} {(time - _MONDAY) // _WEEK}" for city, time in zip(cities, times, strict=True)]
    return np.unique(weeks, return_inverse=True)[1].astype(np.int64)


def redrawn(blocks: npt.NDArray[np.int64], values: Float) -> Float:
    """Return sums over as many blocks as there are, drawn with replacement, again and again.

    Parameters
    ----------
    blocks : int64 (window,)
        As from `weeks_of`.
    values : float64 (window, ...)
        What is summed.

    Returns
    -------
    float64 (draw, ...)
    """
    number = int(blocks.max()) + 1 if blocks.size else 0
    if not number:
        return np.zeros((_DRAWS, *values.shape[1:]))
    sums = np.zeros((number, *values.shape[1:]))
    np.add.at(sums, blocks, values)
    weights = np.random.default_rng(_SEED).multinomial(number, np.full(number, 1.0 / number), _DRAWS)
    return np.tensordot(weights.astype(np.float64), sums, axes=1)


def interval(draws: Float) -> tuple[float, float]:
    """Return where 95 % of the draws of a score lie; those in which it isn't defined don't count, NaN without any.

    Parameters
    ----------
    draws : float64 (draw,)

    Returns
    -------
    low, high : float
    """
    known = draws[np.isfinite(draws)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.percentile(known, _BOUNDS)
    return float(low), float(high)
