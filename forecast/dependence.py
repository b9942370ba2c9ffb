"""How the hours of a forecast go together: one fixed draw of equally likely scenarios, as ranks.

A forecast gives quantiles for each hour and no dependence between hours. A **Gaussian copula** joins them (Clemen and
Reilly 1999, Management Science 45(2):208; for forecast errors over lead times Pinson et al. 2009, Wind Energy 12(1):51):
the normal deviate of what came, in the distribution that was forecast, is correlated between hours, the less the further
they are apart. `TEMPLATES` holds what was fitted (docs/warnings.md says to what).

The draw is stratified. In every hour each of the levels ``(k + 0.5) / COUNT`` belongs to exactly one scenario, so the scenarios
of an hour are exactly its quantiles; which scenario has which follows the hours before. It is made once, from a fixed seed: the
same forecast always gives the same scenarios.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Variable = Literal["pm25", "o3", "humidity", "visibility"]

# Odd, so that the median is one of the levels.
COUNT = 101
LEVELS: Float = (np.arange(COUNT) + 0.5) / COUNT
MEDIAN = COUNT // 2
_SEED = 20130112
# Hours between a new part of a scenario and those before that it is made uncorrelated with.
_APART = (1, 3, 6, 12, 24, 48)


@dataclass(frozen=True)
class Dependence:
    """How the errors of one variable go together: a slow and a fast part, each autoregressive of the first order.

    Attributes
    ----------
    slow : float
        Share of the slow part in the variance, 0 to 1.
    slow_hours, fast_hours : float
        Hours in which the correlation of each part falls to 1/e.
    with_pm25 : float
        Correlation of the slow part with that of PM2.5.
    """

    slow: float
    slow_hours: float
    fast_hours: float
    with_pm25: float = 0.0

    def correlation(self, apart: npt.ArrayLike) -> Float:
        """Return the correlation of the normal deviates of two hours that lie so many hours apart."""
        hours = np.abs(np.asarray(apart, dtype=np.float64))
        slow = self.slow * np.exp(-hours / self.slow_hours)
        return np.asarray(slow + (1.0 - self.slow) * np.exp(-hours / self.fast_hours), dtype=np.float64)


TEMPLATES: dict[Variable, Dependence] = {
    "pm25": Dependence(slow=0.75, slow_hours=30.0, fast_hours=4.0),
    "o3": Dependence(slow=0.6, slow_hours=24.0, fast_hours=3.0, with_pm25=-0.2),
    "humidity": Dependence(slow=0.7, slow_hours=24.0, fast_hours=6.0, with_pm25=0.2),
    "visibility": Dependence(slow=0.35, slow_hours=20.0, fast_hours=3.0),
}


def ranks(variable: Variable, hours: int) -> npt.NDArray[np.int64]:
    """Return which level each scenario has in each hour of a forecast.

    Parameters
    ----------
    variable : {"pm25", "o3", "humidity", "visibility"}
    hours : int

    Returns
    -------
    int64 (scenario, hour)
        Positions in `LEVELS`: in every hour a permutation. Those of fewer hours are the first of those of more.
    """
    return _all_ranks(hours)[variable]


def levels(variable: Variable, hours: int) -> Float:
    """Return `ranks` as levels, float64 (scenario, hour), above 0 and below 1.

    Parameters
    ----------
    variable : {"pm25", "o3", "humidity", "visibility"}
    hours : int

    Returns
    -------
    float64 (scenario, hour)
    """
    return LEVELS[ranks(variable, hours)]


@lru_cache
def _all_ranks(hours: int) -> dict[Variable, npt.NDArray[np.int64]]:
    random = np.random.default_rng(_SEED)
    parts = [(name, slow) for name in TEMPLATES for slow in (True, False)]
    memory = np.exp([-1.0 / (TEMPLATES[n].slow_hours if slow else TEMPLATES[n].fast_hours) for n, slow in parts])
    walk = np.empty((hours, COUNT, len(parts)))
    state = _uncorrelated(random.standard_normal((COUNT, len(parts))))
    for hour in range(hours):
        if hour:
            earlier = [walk[hour - back] for back in _APART if back <= hour]
            fresh = _uncorrelated(random.standard_normal((COUNT, len(parts))), *earlier)
            state = memory * state + np.sqrt(1.0 - memory**2) * fresh
        walk[hour] = state
    found: dict[Variable, npt.NDArray[np.int64]] = {}
    first = walk[..., parts.index(("pm25", True))]
    for name, own in TEMPLATES.items():
        slow, fast = (walk[..., parts.index((name, which))] for which in (True, False))
        slow = own.with_pm25 * first + np.sqrt(1.0 - own.with_pm25**2) * slow if own.with_pm25 else slow
        deviate = np.sqrt(own.slow) * slow + np.sqrt(1.0 - own.slow) * fast
        found[name] = np.argsort(np.argsort(deviate, axis=1), axis=1).T
        found[name].setflags(write=False)
    return found


def _uncorrelated(noise: Float, *earlier: Float) -> Float:
    """Return noise (scenario, part) of mean 0 and variance 1, its parts uncorrelated with each other and with `earlier`.

    So few scenarios have chance correlations of 0.1 otherwise.
    """
    basis, _ = np.linalg.qr(np.concatenate([np.ones((COUNT, 1)), *earlier], axis=1))
    free, _ = np.linalg.qr(noise - basis @ (basis.T @ noise))
    return np.asarray(np.sqrt(COUNT) * free, dtype=np.float64)
