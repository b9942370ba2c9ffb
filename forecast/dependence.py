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
# Of a dozen draws the one whose correlations are nearest to those fitted.
_SEED = 6


@dataclass(frozen=True)
class Dependence:
    """How the errors of one variable go together: with those of PM2.5 in the same hour, and of their own over hours.

    What is their own has a slow and a fast part, each autoregressive of the first order.

    Attributes
    ----------
    slow : float
        Share of the slow part in the variance of their own, 0 to 1.
    slow_hours, fast_hours : float
        Hours in which the correlation of each part falls to 1/e.
    with_pm25 : float
        Correlation with the errors of PM2.5 in the same hour.
    """

    slow: float
    slow_hours: float
    fast_hours: float
    with_pm25: float = 0.0

    def correlation(self, apart: npt.ArrayLike) -> Float:
        """Return the correlation of the normal deviates of two hours that lie so many hours apart."""
        hours = np.abs(np.asarray(apart, dtype=np.float64))
        own = self.slow * np.exp(-hours / self.slow_hours) + (1.0 - self.slow) * np.exp(-hours / self.fast_hours)
        if not self.with_pm25:
            return np.asarray(own, dtype=np.float64)
        shared = self.with_pm25**2
        return np.asarray(shared * TEMPLATES["pm25"].correlation(hours) + (1.0 - shared) * own, dtype=np.float64)


TEMPLATES: dict[Variable, Dependence] = {
    "pm25": Dependence(slow=1.0, slow_hours=24.0, fast_hours=1.0),
    "o3": Dependence(slow=0.3, slow_hours=55.0, fast_hours=8.0, with_pm25=-0.28),
    "humidity": Dependence(slow=0.6, slow_hours=120.0, fast_hours=8.0, with_pm25=0.5),
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


@lru_cache
def levels(variable: Variable, hours: int) -> Float:
    """Return `ranks` as levels, float64 (scenario, hour), above 0 and below 1; read-only, the same array at each call.

    Parameters
    ----------
    variable : {"pm25", "o3", "humidity", "visibility"}
    hours : int

    Returns
    -------
    float64 (scenario, hour)
    """
    found = LEVELS[ranks(variable, hours)]
    found.flags.writeable = False
    return found


@lru_cache
def _all_ranks(hours: int) -> dict[Variable, npt.NDArray[np.int64]]:
    random = np.random.default_rng(_SEED)
    parts = [(name, slow) for name in TEMPLATES for slow in (True, False)]
    memory = np.exp([-1.0 / (TEMPLATES[n].slow_hours if slow else TEMPLATES[n].fast_hours) for n, slow in parts])
    walk = np.empty((hours, COUNT, len(parts)))
    state = _uncorrelated(random.standard_normal((COUNT, len(parts))))
    for hour in range(hours):
        if hour:
            fresh = _uncorrelated(random.standard_normal((COUNT, len(parts))), state)
            state = memory * state + np.sqrt(1.0 - memory**2) * fresh
        walk[hour] = state
    found: dict[Variable, npt.NDArray[np.int64]] = {}
    first = np.zeros((hours, COUNT))
    for name, template in TEMPLATES.items():
        slow, fast = (walk[..., parts.index((name, which))] for which in (True, False))
        own = np.sqrt(template.slow) * slow + np.sqrt(1.0 - template.slow) * fast
        # PM2.5 is the first of them.
        deviate = template.with_pm25 * first + np.sqrt(1.0 - template.with_pm25**2) * own
        first = deviate if name == "pm25" else first
        found[name] = np.argsort(np.argsort(deviate, axis=1), axis=1).T
        found[name].setflags(write=False)
    return found


def _uncorrelated(noise: Float, state: Float | None = None) -> Float:
    """Return noise (scenario, part) of mean 0 and variance 1, its parts uncorrelated with each other and with `state`.

    So few scenarios have chance correlations of 0.1 otherwise.
    """
    known = np.ones((COUNT, 1)) if state is None else np.concatenate([np.ones((COUNT, 1)), state], axis=1)
    basis, _ = np.linalg.qr(known)
    free, _ = np.linalg.qr(noise - basis @ (basis.T @ noise))
    return np.asarray(np.sqrt(COUNT) * free, dtype=np.float64)
