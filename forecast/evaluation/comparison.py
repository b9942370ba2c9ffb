"""Differences between models, with moving-block-bootstrap intervals over days."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hazecast.forecast.evaluation.scoring import BANDS, LEADS_SHOWN, Tally, band, continuous_scores
from hazecast.grids.contract import FORECAST_POLLUTANTS
from hazecast.models.interface import EVENTS

# Days in a block: longer than the five days a forecast reaches, so that blocks are nearly independent.
BLOCK_DAYS = 10
RESAMPLES = 500
_LEVEL = (0.025, 0.975)
_SCORES = ("rmse", "mae", "crps")
_Pair = dict[str, float | None]


def resampled_days(days: int, *, block: int = BLOCK_DAYS, resamples: int = RESAMPLES, seed: int = 0) -> NDArray[Any]:
    """Return how often each day is drawn in moving blocks of days.

    Parameters
    ----------
    days : int
    block : int
        Days in a block; fewer where the period is shorter.
    resamples : int
    seed : int

    Returns
    -------
    int (resamples, days)
        Every row adds up to `days`.

    Examples
    --------
    >>> drawn = resampled_days(30, resamples=4)
    >>> drawn.shape, drawn.sum(axis=1).tolist()
    ((4, 30), [30, 30, 30, 30])
    """
    from scores.processing import block_bootstrap

    state = np.random.get_state()
    np.random.seed(seed)
    try:
        drawn = block_bootstrap(
            xr.DataArray(np.arange(days), dims="day"),
            blocks={"day": min(block, days)},
            n_iteration=resamples,
            circular=False,
        )
    finally:
        np.random.set_state(state)
    assert isinstance(drawn, xr.DataArray)
    return np.stack(
        [np.bincount(row, minlength=days) for row in drawn.transpose("iteration", "day").values.astype(int)]
    )


def differences(tallies: dict[str, Tally], *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """Compare every two models on the same resampled days.

    Parameters
    ----------
    tallies : dict of str to Tally
        Of the same windows.
    resamples : int
    seed : int

    Returns
    -------
    dict
        ``{"a - b": {pollutant: {score: {lead or band: {"value", "low", "high"}}}}}``: the score of
        `a` less that of `b` and its 95 % interval. For RMSE also ``rmse_ratio``, that of `a` over
        that of `b`.
    """
    if len(tallies) < 2:
        return {}
    days = next(iter(tallies.values())).sums.sizes["day"]
    # The first row is the period itself, each day once.
    weights = np.concatenate([np.ones((1, days)), resampled_days(days, resamples=resamples, seed=seed)])
    scores = {name: _resampled(tally, weights) for name, tally in tallies.items()}
    return {
        f"{first} - {second}": {
            pollutant: _compared(scores[first][pollutant], scores[second][pollutant])
            for pollutant in FORECAST_POLLUTANTS
        }
        for first, second in combinations(tallies, 2)
    }


def _resampled(tally: Tally, weights: NDArray[Any]) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return ``{pollutant: {score: (1 + resamples, lead)}}``."""
    sums = tally.sums.sum("place", dtype=float)
    counts = tally.counts.sel(rule="decision").sum("place", dtype=float)
    result = {}
    for pollutant in FORECAST_POLLUTANTS:
        own = {name: weights @ array.sel(pollutant=pollutant).values for name, array in sums.data_vars.items()}
        found = continuous_scores(own)
        result[pollutant] = {name: found[name] for name in _SCORES}
        for number, (name, limit) in enumerate(EVENTS):
            if name == pollutant:
                hits, false_alarms, misses = (weights @ counts[key].isel(event=number).values for key in counts)
                called = hits + false_alarms + misses
                result[pollutant][f"csi_{limit:.0f}"] = np.where(called > 0, hits / np.maximum(called, 1), np.nan)
    return result


def _compared(a: dict[str, Any], b: dict[str, Any]) -> dict[str, dict[str, _Pair]]:
    result = {}
    for score in a:
        first, second = _by_lead_and_band(a[score]), _by_lead_and_band(b[score])
        result[score] = {key: _interval(first[key] - second[key]) for key in first}
        if score == "rmse":
            result["rmse_ratio"] = {key: _interval(first[key] / second[key]) for key in first}
    return result


def _by_lead_and_band(values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    chosen = {str(lead): values[:, lead - 1] for lead in LEADS_SHOWN}
    return chosen | {f"{first}-{last}": band(values, first, last) for first, last in BANDS}


def _interval(values: NDArray[np.float64]) -> _Pair:
    resampled = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or resampled.size == 0:
        return {"value": None, "low": None, "high": None}
    low, high = np.quantile(resampled, _LEVEL)
    return {name: float(f"{v:.6g}") for name, v in (("value", values[0]), ("low", low), ("high", high))}
