"""From quantiles to events: the probability of meeting a threshold, and when to call it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hazecast.grids.contract import FORECAST_POLLUTANTS, LEAD_HOURS, QUANTILES
from hazecast.models.interface import EVENTS, Float

# First and last lead time (h) of the groups that errors and decisions are learned for.
LEAD_GROUPS: tuple[tuple[int, int], ...] = ((1, 3), (4, 6), (7, 12), (13, 24), (25, 48), (49, 72), (73, LEAD_HOURS))
_CANDIDATES = np.arange(0.05, 0.96, 0.025)
_FEWEST_EVENTS = 50
_UNDECIDED = 0.5


def exceedance(quantiles: Float) -> Float:
    """Return the probability that each of `EVENTS` is met.

    Between the quantiles the distribution function is taken as linear, from 0 at zero to the lowest
    quantile too; above the highest as an exponential tail through the median and that quantile.

    Parameters
    ----------
    quantiles : float32 (n, lead, 2, 5)
        ug m-3, ascending along the last axis.

    Returns
    -------
    float32 (n, lead, 6)

    Examples
    --------
    The median is the first threshold, 75 ug m-3 of PM2.5, so it is met with probability 0.5:

    >>> quantiles = np.full((1, 1, 2, 5), [25, 50, 75, 100, 150], np.float32)
    >>> exceedance(quantiles)[0, 0, 0].item()
    0.5
    """
    return np.stack([_above(quantiles[:, :, FORECAST_POLLUTANTS.index(p)], limit) for p, limit in EVENTS], axis=-1)


def _above(quantiles: Float, limit: float) -> Float:
    levels = (0.0, *QUANTILES)
    knots = np.concatenate([np.zeros_like(quantiles[..., :1]), quantiles], axis=-1)
    below = np.zeros(quantiles.shape[:-1], np.float32)
    for number in range(len(levels) - 1):
        width = np.maximum(knots[..., number + 1] - knots[..., number], 1e-6)
        share = np.clip((limit - knots[..., number]) / width, 0.0, 1.0)
        below += share.astype(np.float32) * (levels[number + 1] - levels[number])
    top, median = quantiles[..., -1], quantiles[..., QUANTILES.index(0.5)]
    scale = np.maximum((top - median) / np.log(0.5 / (1 - QUANTILES[-1])), 1e-6)
    tail = (1 - QUANTILES[-1]) * np.exp(-np.maximum(limit - top, 0.0) / scale)
    return np.where(limit > top, tail, 1.0 - below).astype(np.float32)


def met(target: Float) -> Float:
    """Return 1 where each of `EVENTS` was observed, 0 where not, NaN where the target is missing.

    Parameters
    ----------
    target : float32 (n, lead, 2)
    """
    observed = [target[..., FORECAST_POLLUTANTS.index(pollutant)] for pollutant, _ in EVENTS]
    hit = [np.where(np.isfinite(o), o >= limit, np.nan) for o, (_, limit) in zip(observed, EVENTS, strict=True)]
    return np.stack(hit, axis=-1).astype(np.float32)


class EventDecision:
    """The probability from which an event is called, by event and lead group.

    Each is the one with the highest critical success index (CSI) on the windows given to `fit`;
    where those hold too few events, that of all lead times together, or 0.5.
    """

    def __init__(self) -> None:
        self.limits: Float = np.full((LEAD_HOURS, len(EVENTS)), _UNDECIDED, np.float32)

    def fit(self, quantiles: Float, target: Float) -> None:
        """Choose the probabilities on verified forecasts.

        Parameters
        ----------
        quantiles : float32 (n, lead, 2, 5)
        target : float32 (n, lead, 2)
        """
        probability, observed = exceedance(quantiles), met(target)
        for event in range(len(EVENTS)):
            pooled = _best(probability[..., event], observed[..., event])
            for first, last in LEAD_GROUPS:
                group = slice(first - 1, last)
                best = _best(probability[:, group, event], observed[:, group, event])
                chosen = best if best is not None else pooled
                self.limits[group, event] = _UNDECIDED if chosen is None else chosen

    def events(self, quantiles: Float) -> NDArray[np.bool_]:
        """Return bool (n, lead, 6): whether each event is called."""
        return np.asarray(exceedance(quantiles) >= self.limits)


def _best(probability: Float, observed: Float) -> float | None:
    valid = np.isfinite(observed)
    events = probability[valid & (observed == 1)]
    others = probability[valid & (observed == 0)]
    if events.size < _FEWEST_EVENTS:
        return None
    hits = events.size - np.searchsorted(np.sort(events), _CANDIDATES)
    false_alarms = others.size - np.searchsorted(np.sort(others), _CANDIDATES)
    return float(_CANDIDATES[np.argmax(hits / (events.size + false_alarms))])
