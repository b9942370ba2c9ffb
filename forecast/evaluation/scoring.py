"""Scores of one model: sums by day, place and lead time, and the tables made of them.

RMSE is of the forecast mean, MAE of the median: each the point that its score asks for (Gneiting
2011, J. Am. Stat. Assoc. 106:746). CRPS is twice the mean quantile score over the five quantiles,
an approximation from below. Coverage is of the interval from the lowest quantile to the highest
(80 %). CSI, POD and FAR (false alarm ratio) are of events, see `hazecast.models.interface.EVENTS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hazecast.grids.contract import FORECAST_POLLUTANTS, LEAD_HOURS, QUANTILES
from hazecast.models.events import met
from hazecast.models.interface import EVENTS, Float

if TYPE_CHECKING:
    from scores.categorical import BasicContingencyManager

LEADS_SHOWN = (1, 3, 6, 12, 24, 48, 72, 96, 120)
BANDS = ((1, 24), (25, 48), (49, 72), (1, 72), (73, 120))

_CELL = ("day", "place", "lead", "pollutant")
_EVENT_CELL = ("day", "place", "lead", "event")
_SUMS = ("n", "squared", "absolute", "error", "quantile", "inside", "f", "o", "ff", "oo", "fo")
_COUNTS = ("tp_count", "fp_count", "fn_count")
_RULES = ("decision", "mean")
Table = dict[str, dict[str, float | int | None]]


class Tally:
    """Sums of a model's scores by day, place and lead time.

    Parameters
    ----------
    days : int
        Number of days of init times.
    places : sequence of str

    Attributes
    ----------
    sums : xarray.Dataset (day, place, lead, pollutant)
        Sums over the init times of a day; `n` is the number of pairs.
    counts : xarray.Dataset (rule, day, place, lead, event)
        Hits, false alarms and misses, by the model's own decision and by its mean.
    """

    def __init__(self, days: int, places: Sequence[str]) -> None:
        coords = {"place": list(places), "lead": np.arange(1, LEAD_HOURS + 1)}
        shape = (days, len(places), LEAD_HOURS)
        self.sums = xr.Dataset(
            {name: (_CELL, np.zeros((*shape, len(FORECAST_POLLUTANTS)), np.float32)) for name in _SUMS},
            coords=coords | {"pollutant": list(FORECAST_POLLUTANTS)},
        )
        self.counts = xr.Dataset(
            {
                name: (("rule", *_EVENT_CELL), np.zeros((len(_RULES), *shape, len(EVENTS)), np.uint16))
                for name in _COUNTS
            },
            coords=coords | {"rule": list(_RULES)},
        )

    def add(
        self, first: int, target: Float, mean: Float, quantiles: Float, events: NDArray[np.bool_] | None = None
    ) -> None:
        """Add days of forecasts, NaN in `target` where there is no pair.

        Parameters
        ----------
        first : int
            Position of the first of these days.
        target, mean : float32 (day, slot, place, lead, 2)
            ug m-3; a slot for each init time of a day.
        quantiles : float32 (day, slot, place, lead, 2, 5)
        events : bool (day, slot, place, lead, 6), optional
            The model's own decisions; without them its mean decides.
        """
        from scores.continuous import additive_bias, mae, mse, quantile_score

        days = slice(first, first + len(target))
        dims = ("day", "slot", "place", "lead", "pollutant")
        observed, forecast = xr.DataArray(target, dims=dims), xr.DataArray(mean, dims=dims)
        levels = {level: xr.DataArray(quantiles[..., i], dims=dims) for i, level in enumerate(QUANTILES)}
        valid = np.isfinite(target)
        n = valid.sum(axis=1)
        means = {
            "squared": mse(forecast, observed, preserve_dims=_CELL),
            "absolute": mae(levels[0.5], observed, preserve_dims=_CELL),
            "error": additive_bias(forecast, observed, preserve_dims=_CELL),
            "quantile": sum(quantile_score(q, observed, a, preserve_dims=_CELL) for a, q in levels.items())
            / len(levels),
        }
        f, o = np.where(valid, mean, 0.0), np.where(valid, target, 0.0)
        totals: dict[str, NDArray[Any]] = {
            "n": n,
            "inside": ((target >= quantiles[..., 0]) & (target <= quantiles[..., -1])).sum(axis=1),
            "f": f.sum(axis=1),
            "o": o.sum(axis=1),
            "ff": (f * f).sum(axis=1),
            "oo": (o * o).sum(axis=1),
            "fo": (f * o).sum(axis=1),
        } | {name: np.nan_to_num(value.transpose(*_CELL).values) * n for name, value in means.items()}
        for name, total in totals.items():
            self.sums[name].values[days] += total
        by_mean = met(np.where(valid, mean, np.nan).astype(np.float32))
        self._count(days, met(target), {"mean": by_mean, "decision": by_mean if events is None else events})

    def _count(self, days: slice, observed: Float, called: dict[str, NDArray[Any]]) -> None:
        from scores.categorical import BinaryContingencyManager

        dims = ("day", "slot", "place", "lead", "event")
        truth = xr.DataArray(observed, dims=dims)
        for number, rule in enumerate(_RULES):
            events = xr.DataArray(called[rule].astype(np.float32), dims=dims)
            table = BinaryContingencyManager(events, truth).transform(preserve_dims=_EVENT_CELL)
            for name in _COUNTS:
                self.counts[name].values[number, days] += table.counts[name].transpose(*_EVENT_CELL).values.astype("u2")

    def by_lead(self, *, events: bool = True, **where: Any) -> dict[str, dict[str, NDArray[np.float64]]]:
        """Return ``{pollutant: {score: (lead,)}}`` over some days and places.

        Parameters
        ----------
        events : bool
            Whether to add the scores of events, which take most of the time.
        **where
            Arguments of `isel`.

        Returns
        -------
        dict
        """
        sums = self.sums.isel(where).astype(float).sum(["day", "place"])
        found = {
            name: continuous_scores({k: v.values for k, v in sums.sel(pollutant=name).data_vars.items()})
            for name in FORECAST_POLLUTANTS
        }
        if events:
            counts = self.counts.isel(where).astype(float).sum(["day", "place"])
            for name, scores in _event_scores(counts).items():
                found[name].update(scores)
        return found

    def table(self, *, events: bool = True, **where: Any) -> dict[str, Table]:
        """Return ``{pollutant: {score: {lead or band: value}}}``, None where there is no pair.

        Parameters
        ----------
        events, **where
            As of `by_lead`.

        Returns
        -------
        dict
        """
        return {
            pollutant: {score: reported(values, total=score == "n") for score, values in scores.items()}
            for pollutant, scores in self.by_lead(events=events, **where).items()
        }


def continuous_scores(sums: dict[Any, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Return each score from sums of any shape, NaN where there is no pair."""
    n = np.where(sums["n"] > 0, sums["n"], np.nan)
    mean_f, mean_o = sums["f"] / n, sums["o"] / n
    spread_f = np.maximum(sums["ff"] / n - mean_f**2, 0.0)
    spread_o = np.maximum(sums["oo"] / n - mean_o**2, 0.0)
    both = np.sqrt(spread_f * spread_o)
    # What is constant to within rounding has no correlation.
    varies = (spread_f > 1e-6 * (1 + mean_f**2)) & (spread_o > 1e-6 * (1 + mean_o**2))
    return {
        "rmse": np.sqrt(sums["squared"] / n),
        "mae": sums["absolute"] / n,
        "bias": sums["error"] / n,
        "observed": mean_o,
        "correlation": np.where(varies, (sums["fo"] / n - mean_f * mean_o) / np.where(varies, both, 1.0), np.nan),
        "crps": 2 * sums["quantile"] / n,
        "coverage80": sums["inside"] / n,
        "n": sums["n"],
    }


def _event_scores(counts: xr.Dataset) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return ``{pollutant: {score: (lead,)}}`` from counts (rule, lead, event)."""
    # One table for all: making one costs far more than what it computes.
    table = contingency({key: counts[key] for key in _COUNTS})
    dims = ("rule", "event", "lead")
    found = {
        score: np.asarray(value.transpose(*dims).values, float)
        for score, value in (
            ("csi", table.critical_success_index()),
            ("pod", table.probability_of_detection()),
            ("far", table.false_alarm_ratio()),
        )
    }
    result: dict[str, dict[str, NDArray[np.float64]]] = {name: {} for name in FORECAST_POLLUTANTS}
    for row, rule in enumerate(_RULES):
        infix = "" if rule == "decision" else "mean_"
        for number, (name, limit) in enumerate(EVENTS):
            result[name] |= {f"{score}_{infix}{limit:.0f}": values[row, number] for score, values in found.items()}
    return result


def contingency(counts: dict[str, xr.DataArray]) -> BasicContingencyManager:
    """Return the contingency table of summed hits, false alarms and misses; correct negatives are not counted."""
    from scores.categorical import BasicContingencyManager

    nothing = xr.zeros_like(counts["tp_count"])
    return BasicContingencyManager(counts | {"tn_count": nothing, "total_count": sum(counts.values()) + nothing})


def reported(values: NDArray[np.float64], *, total: bool = False) -> dict[str, float | int | None]:
    """Return a score at the lead times and bands that are reported.

    Parameters
    ----------
    values : float64 (lead,)
        By lead time from 1 h.
    total : bool
        Whether a band's value is the sum over its lead times, not the mean.

    Returns
    -------
    dict
        By lead time (`LEADS_SHOWN`) and band (`BANDS`) as text; None where there is no pair.
    """
    result = {str(lead): _number(values[lead - 1]) for lead in LEADS_SHOWN}
    return result | {f"{first}-{last}": _number(band(values, first, last, total=total)) for first, last in BANDS}


def band(values: NDArray[np.float64], first: int, last: int, *, total: bool = False) -> NDArray[np.float64]:
    """Return the mean or sum over the lead times of a band, those without pairs left out.

    Parameters
    ----------
    values : float64 (..., lead)
        By lead time from 1 h; NaN where there is no pair.
    first, last : int
        Hours, both included.
    total : bool
        Whether to sum.

    Returns
    -------
    float64 (...)
        NaN where the band has no pair.

    Examples
    --------
    >>> float(band(np.array([10.0, 20.0, np.nan, 40.0]), 1, 3))
    15.0
    """
    inside = values[..., first - 1 : last]
    valid = np.isfinite(inside)
    count, added = valid.sum(axis=-1), np.where(valid, inside, 0.0).sum(axis=-1)
    return np.asarray(np.where(count > 0, added if total else added / np.maximum(count, 1), np.nan))


def _number(value: Any) -> float | int | None:
    number = float(value)
    if not np.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) > 1e5 else float(f"{number:.6g}")
