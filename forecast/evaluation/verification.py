"""Verification: forecasts against observations, compared with persistence, climatology and a chemistry model.

Everything is computed from sums over pairs of a forecast hour and its observation, which may be added over
runs, cities and lead times. RMSE and bias are of the forecast mean, MAE is of the median: each the point
that its score is consistent for (Gneiting 2011, J. Am. Stat. Assoc. 106:746). The baselines know what the
forecast knew:

- persistence repeats the newest valid hour of the 72 h up to the newest observation of the run;
- climatology is the mean of the same hour of the day over the 30 days up to it (all hours of the 30 days
  where fewer than 7 of them hold that hour);
- cams is what the chemistry model's newest run had forecast, stored with the forecast. An observation that is itself an
  analysis of such a model says nothing of it, and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hazecast.forecast.evaluation.comparison import resampled_days
from hazecast.grids.contract import CAMS_SUFFIX, FORECAST_POLLUTANTS, HISTORY_HOURS, LEAD_HOURS, QUANTILES, check
from hazecast.grids.quality.flags import MODELLED
from hazecast.models.interface import Model
from hazecast.models.series import WindowSet

BASELINES = ("persistence", "climatology", "cams")
CLIMATOLOGY_DAYS = 30
SUMS = ("n", "se", "ae", "e", "inside")
BASELINE_SUMS = tuple(f"{name}_{part}" for name in BASELINES for part in ("n", "se", "ae", "e", "model_se"))
KEYS = ("city", "pollutant", "lead_time")
BANDS = tuple((first, first + 23) for first in range(1, LEAD_HOURS, 24))

# The least that a verdict needs, so that a few bad days are not enough. Chosen, not taken from a source.
MIN_PAIRS, MIN_DAYS = 500, 10
# Days of init times drawn together, as many as a forecast reaches: overlapping days are not independent.
_BLOCK_DAYS, _LEVEL = 5, (0.025, 0.975)

_HOUR = np.timedelta64(1, "h")
_Values = NDArray[np.float64]


def score_forecast(forecast: xr.Dataset, observations: xr.Dataset) -> pd.DataFrame:
    """Pair a forecast with what was observed.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast".
    observations : xarray.Dataset
        Contract "observations" on ``city``: the 30 days before the init time and the hours since; with ``pm25_flag`` and
        ``o3_flag`` where they are known.

    Returns
    -------
    pandas.DataFrame
        A row for each pair, with the columns of `KEYS`, `SUMS` and `BASELINE_SUMS`, ug m-3 and its square.
    """
    check(forecast, "forecast", name="forecast")
    check(observations, "observations", name="observations")
    init = np.datetime64(forecast["init_time"].item(), "ns")
    known_until = min(init, np.datetime64(str(forecast.attrs["observations_until"]).rstrip("Z"), "ns"))
    leads = (forecast["lead_time"].values / _HOUR).astype(np.int64)
    cities = forecast["city"].values
    past = known_until + np.arange(1 - 24 * CLIMATOLOGY_DAYS, 1) * _HOUR
    parts = []
    for name in FORECAST_POLLUTANTS:
        if name not in observations:
            continue
        observed = observations[name].transpose("time", "city")
        ahead = {"time": init + leads * _HOUR, "city": cities}
        truth = observed.reindex(ahead).values.astype(float)
        history = observed.reindex(time=past, city=cities).values.astype(float)
        ages = ((init - known_until) / _HOUR + leads).astype(np.int64)
        baselines = {
            "persistence": np.broadcast_to(_newest(history[-HISTORY_HOURS:]), truth.shape),
            "climatology": _same_hour(history)[(ages - 1) % 24],
            "cams": _chemistry(forecast, name, observations, ahead),
        }
        parts.append(_pairs(forecast, name, truth, baselines, cities, leads))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*KEYS, *SUMS, *BASELINE_SUMS])


def _chemistry(
    forecast: xr.Dataset, name: str, observations: xr.Dataset, ahead: dict[str, NDArray[np.generic]]
) -> _Values:
    """Return what the chemistry model forecast (lead, city); NaN where it is absent or the observation is a model's."""
    own, flags = f"{name}{CAMS_SUFFIX}", f"{name}_flag"
    if own not in forecast:
        return np.full(tuple(len(axis) for axis in ahead.values()), np.nan)
    values = forecast[own].transpose("lead_time", "city").values.astype(float)
    if flags not in observations:
        return values
    modelled = observations[flags].transpose("time", "city").reindex(ahead).values == MODELLED
    return np.where(modelled, np.nan, values)


def _newest(history: _Values) -> _Values:
    """Return the newest valid value of each column, NaN where there is none."""
    return np.asarray(pd.DataFrame(history).ffill().to_numpy()[-1])


def _same_hour(history: _Values) -> _Values:
    """Return the mean of each hour of the day, (24, city), in the order of the hours after the history."""
    by_day = history.reshape(-1, 24, history.shape[1])
    count, everything = np.isfinite(by_day).sum(axis=0), np.isfinite(history).sum(axis=0)
    mean = np.nansum(by_day, axis=0) / np.where(count > 0, count, np.nan)
    overall = np.nansum(history, axis=0) / np.where(everything > 0, everything, np.nan)
    return np.asarray(np.where(count >= 7, mean, overall))


def _pairs(
    forecast: xr.Dataset,
    name: str,
    truth: _Values,
    baselines: dict[str, _Values],
    cities: NDArray[np.str_],
    leads: NDArray[np.int64],
) -> pd.DataFrame:
    mean = forecast[f"{name}_mean"].transpose("lead_time", "city").values.astype(float)
    quantiles = forecast[name].transpose("lead_time", "city", "quantile").values.astype(float)
    median, low, high = quantiles[..., QUANTILES.index(0.5)], quantiles[..., 0], quantiles[..., -1]
    lead, city = np.nonzero(np.isfinite(truth) & np.isfinite(mean) & np.isfinite(quantiles).all(axis=-1))
    here = (lead, city)
    error = (mean - truth)[here]
    table = {
        "city": cities[city].astype(str),
        "pollutant": name,
        "lead_time": leads[lead],
        "n": 1,
        "se": error**2,
        "ae": np.abs(median - truth)[here],
        "e": error,
        "inside": ((truth >= low) & (truth <= high))[here].astype(np.int64),
    }
    for baseline, values in baselines.items():
        missed = (values - truth)[here]
        valid = np.isfinite(missed)
        for part, term in (("n", 1), ("se", missed**2), ("ae", np.abs(missed)), ("e", missed), ("model_se", error**2)):
            table[f"{baseline}_{part}"] = np.where(valid, term, 0)
    return pd.DataFrame(table)


def scoreboard(sums: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Turn sums into scores.

    Parameters
    ----------
    sums : pandas.DataFrame
        Columns `by`, `SUMS` and `BASELINE_SUMS`.
    by : sequence of str
        Columns that the scores are grouped by; sums are added over all others.

    Returns
    -------
    pandas.DataFrame
        Columns `by`, ``n``, ``rmse``, ``mae``, ``bias`` (ug m-3), ``coverage80`` (1), and for each baseline
        ``<baseline>_n``, ``_rmse``, ``_mae``, ``_bias`` and ``_rmse_ratio``: the model's RMSE over the
        baseline's, both over the pairs that the baseline has. NaN where there is no pair.

    Examples
    --------
    >>> pairs = pd.DataFrame({name: [1.0, 1.0] for name in (*SUMS, *BASELINE_SUMS)} | {"city": "beijing"})
    >>> scoreboard(pairs.assign(se=[100.0, 300.0]), ["city"])["rmse"].round(1).tolist()
    [14.1]
    """
    total = sums.groupby(list(by), as_index=False, sort=True)[[*SUMS, *BASELINE_SUMS]].sum()
    n = total["n"].where(total["n"] > 0)
    scores = total[[*by, "n"]].assign(
        rmse=np.sqrt(total["se"] / n), mae=total["ae"] / n, bias=total["e"] / n, coverage80=total["inside"] / n
    )
    for name in BASELINES:
        m = total[f"{name}_n"].where(total[f"{name}_n"] > 0)
        scores[f"{name}_n"] = total[f"{name}_n"]
        scores[f"{name}_rmse"] = np.sqrt(total[f"{name}_se"] / m)
        scores[f"{name}_mae"] = total[f"{name}_ae"] / m
        scores[f"{name}_bias"] = total[f"{name}_e"] / m
        se = total[f"{name}_se"].where(total[f"{name}_se"] > 0)
        scores[f"{name}_rmse_ratio"] = np.sqrt(total[f"{name}_model_se"] / se)
    return scores


@dataclass(frozen=True)
class Verdict:
    """A model compared with a baseline over the same pairs.

    Attributes
    ----------
    model_id, pollutant, baseline : str
    first_lead, last_lead : int
        Hours.
    days, n : int
        Days of init times and pairs that it is based on.
    rmse, baseline_rmse : float
        ug m-3.
    low, high : float
        95 % interval of ``rmse - baseline_rmse``, ug m-3, by moving-block bootstrap over days; NaN where `enough` is False.
    enough : bool
        Whether there are enough pairs to judge.
    """

    model_id: str
    pollutant: str
    baseline: str
    first_lead: int
    last_lead: int
    days: int
    n: int
    rmse: float
    baseline_rmse: float
    low: float
    high: float
    enough: bool

    @property
    def behind(self) -> bool:
        """Whether the model is worse than the baseline, and the interval of the difference excludes 0."""
        return self.enough and self.low > 0

    def sentence(self) -> str:
        """Return the verdict in words."""
        label = {"pm25": "PM2.5", "o3": "O3"}[self.pollutant]
        other = self.baseline.replace("cams", "CAMS")
        return (
            f"{self.model_id} falls behind {other} for {label}, {self.first_lead} to {self.last_lead} h: RMSE "
            f"{self.rmse:.1f} against {self.baseline_rmse:.1f} ug/m3 (difference {self.low:+.1f} to {self.high:+.1f}, "
            f"95 % interval; {self.n} pairs from {self.days} days)"
        )


def verdicts(daily: pd.DataFrame, model_id: str) -> Iterator[Verdict]:
    """Judge a model against the baselines by pollutant and day of lead time.

    Parameters
    ----------
    daily : pandas.DataFrame
        Sums of the model with the columns ``day``, ``pollutant`` and ``lead_time`` besides `BASELINE_SUMS`.
    model_id : str

    Yields
    ------
    Verdict
        For each pollutant, band of lead times and baseline that has any pair.
    """
    for name in FORECAST_POLLUTANTS:
        for first, last in BANDS:
            inside = daily[(daily["pollutant"] == name) & daily["lead_time"].between(first, last)]
            for baseline in BASELINES:
                columns = [f"{baseline}_{part}" for part in ("n", "model_se", "se")]
                by_day = inside.groupby("day")[columns].sum()
                by_day = by_day[by_day[columns[0]] > 0]
                if len(by_day):
                    yield _verdict(by_day.to_numpy(float), model_id, name, baseline, first, last)


def _verdict(by_day: _Values, model_id: str, pollutant: str, baseline: str, first: int, last: int) -> Verdict:
    n, model_se, baseline_se = by_day.sum(axis=0)
    enough = bool(n >= MIN_PAIRS and len(by_day) >= MIN_DAYS)
    low, high = _interval(by_day) if enough else (np.nan, np.nan)
    rmse, other = np.sqrt(model_se / n), np.sqrt(baseline_se / n)
    return Verdict(
        model_id, pollutant, baseline, first, last, len(by_day), int(n), float(rmse), float(other), low, high, enough
    )


def _interval(by_day: _Values) -> tuple[float, float]:
    """Return the interval of the RMSE difference over resampled days."""
    n, model_se, baseline_se = (_draws(len(by_day)) @ by_day).T
    low, high = np.quantile(np.sqrt(model_se / n) - np.sqrt(baseline_se / n), _LEVEL)
    return float(low), float(high)


@lru_cache(maxsize=64)
def _draws(days: int) -> _Values:
    return np.asarray(resampled_days(days, block=_BLOCK_DAYS), float)


def quantile_shares(model: Model, windows: WindowSet, *, future_weather: bool, at_once: int = 2048) -> pd.DataFrame:
    """Return how often observations fell below each forecast quantile, over all lead times.

    Parameters
    ----------
    model : Model
        Trained on nothing that `windows` holds.
    windows : WindowSet
    future_weather : bool
        Whether the model sees the observed weather of the lead times.
    at_once : int
        Windows forecast at once.

    Returns
    -------
    pandas.DataFrame
        Index ``quantile``, a column for each pollutant; NaN without observations. A calibrated forecast has
        the quantile itself as its share.
    """
    below = np.zeros((len(FORECAST_POLLUTANTS), len(QUANTILES)))
    count = np.zeros((len(FORECAST_POLLUTANTS), 1))
    for start in range(0, len(windows), at_once):
        batch = windows.batch(np.arange(start, min(start + at_once, len(windows))), future_weather=future_weather)
        assert batch.target is not None
        valid = np.isfinite(batch.target)[..., None]
        quantiles = model.predict(replace(batch, target=None)).quantiles
        below += ((batch.target[..., None] <= quantiles) & valid).sum(axis=(0, 1))
        count += valid.sum(axis=(0, 1))
    shares = below / np.where(count > 0, count, np.nan)
    return pd.DataFrame(shares.T, index=pd.Index(QUANTILES, name="quantile"), columns=list(FORECAST_POLLUTANTS))
