"""Backtests: models scored on past windows, none of them seen in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from grids.contract import FORECAST_POLLUTANTS, LEAD_HOURS, QUANTILES
from models.interface import Float, Model, WindowSet

LEADS_SHOWN = (1, 3, 6, 12, 24, 48, 72)
BANDS = ((1, 24), (25, 48), (49, 72))
_BATCH = 2048


class Scores:
    """Running sums of errors by pollutant and lead time.

    RMSE is of the forecast mean, MAE of the median: each the point that its score asks for
    (Gneiting 2011, J. Am. Stat. Assoc. 106:746). CRPS is twice the mean pinball loss over
    the five quantiles, an approximation from below.
    """

    def __init__(self) -> None:
        self._sums = {name: np.zeros((2, LEAD_HOURS)) for name in ("n", "se", "ae", "e", "pinball", "inside")}

    def add(self, target: Float, mean: Float, quantiles: Float) -> None:
        """Add windows: target and mean (n, 72, 2), quantiles (n, 72, 2, 5), ug m-3."""
        valid = np.isfinite(target)
        level = np.array(QUANTILES, np.float32)
        difference = target[..., None] - quantiles
        terms = {
            "n": valid.astype(float),
            "se": (mean - target) ** 2,
            "ae": np.abs(quantiles[..., QUANTILES.index(0.5)] - target),
            "e": mean - target,
            "pinball": np.maximum(level * difference, (level - 1) * difference).mean(axis=-1),
            "inside": (target >= quantiles[..., 0]) & (target <= quantiles[..., -1]),
        }
        for name, term in terms.items():
            self._sums[name] += np.where(valid, term, 0.0).sum(axis=0, dtype=float).T

    def table(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return ``{pollutant: {score: {lead or band: value}}}``; ``n`` is the number of pairs."""
        return {name: self._of(number) for number, name in enumerate(FORECAST_POLLUTANTS)}

    def _of(self, pollutant: int) -> dict[str, dict[str, float]]:
        sums = {name: total[pollutant] for name, total in self._sums.items()}
        n = np.where(sums["n"] > 0, sums["n"], np.nan)
        by_lead = {
            "rmse": np.sqrt(sums["se"] / n),
            "mae": sums["ae"] / n,
            "bias": sums["e"] / n,
            "crps": 2 * sums["pinball"] / n,
            "coverage80": sums["inside"] / n,
            "n": sums["n"],
        }
        bands = {f"{first}-{last}": slice(first - 1, last) for first, last in BANDS}
        return {
            score: {str(lead): float(values[lead - 1]) for lead in LEADS_SHOWN}
            | {
                band: float(np.nanmean(values[where]))
                for band, where in bands.items()
                if np.isfinite(values[where]).any()
            }
            for score, values in by_lead.items()
        }


def backtest(
    models: dict[str, Model], windows: WindowSet, *, future_weather: bool, progress: bool = False
) -> dict[str, Any]:
    """Score trained models on the same windows.

    Parameters
    ----------
    models : dict of str to Model
        Trained on nothing that `windows` holds.
    windows : WindowSet
    future_weather : bool
        Whether models see the observed weather of the lead times (perfect prog).
    progress : bool

    Returns
    -------
    dict
        ``{model: {pollutant: {score: {lead: value}}}}``.
    """
    scores = {name: Scores() for name in models}
    for start in tqdm(range(0, len(windows), _BATCH), desc="backtest", unit="batch", disable=not progress):
        rows: NDArray[np.int64] = np.arange(start, min(start + _BATCH, len(windows)))
        batch = windows.batch(rows, future_weather=future_weather)
        assert batch.target is not None
        for name, model in models.items():
            prediction = model.predict(batch)
            scores[name].add(batch.target, prediction.mean, prediction.quantiles)
    return {name: score.table() for name, score in scores.items()}


def format_table(result: dict[str, Any], models: Sequence[str]) -> str:
    """Write RMSE and MAE by lead time as text, a row for each pollutant, score and model."""
    lines = ["pollutant score model        " + "".join(f"{f'{lead} h':>8}" for lead in LEADS_SHOWN)]
    for pollutant in FORECAST_POLLUTANTS:
        for score in ("rmse", "mae"):
            for model in models:
                values = result[model][pollutant][score]
                cells = "".join(f"{values[str(lead)]:8.1f}" for lead in LEADS_SHOWN)
                lines.append(f"{pollutant:<9} {score:<5} {model:<12}  {cells}")
    return "\n".join(lines)
