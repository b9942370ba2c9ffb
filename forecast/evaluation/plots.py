"""Plots for modelers: forecast fans, replays of episodes, skill by lead time, reliability.

Every function returns a `matplotlib.figure.Figure` and leaves no state or window behind. Times are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from hazecast.grids.contract import FORECAST_POLLUTANTS, QUANTILES
from hazecast.grids.errors import InputError

_LABELS = {"pm25": "PM2.5", "o3": "O3"}
_UNITS = "µg m$^{-3}$"
# PM2.5 at the steps of the CMA's haze criteria, ug m-3: see alerts/rules/cma_haze.toml.
_HAZE = {"pm25": (115.0, 150.0, 250.0), "o3": ()}
_BLUE, _BLACK, _GREY = "#2b6cb0", "#1a202c", "#a0aec0"


def fan(forecast: xr.Dataset, observations: xr.Dataset | None, city: str, pollutant: str = "pm25") -> Figure:
    """Draw a forecast as a fan of its intervals, with what was observed before and after.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast".
    observations : xarray.Dataset or None
        Contract "observations" on ``city``; of it the 72 h before the init time and the hours since are drawn.
    city : str
    pollutant : str
        ``pm25`` or ``o3``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the forecast has no such city or pollutant.
    """
    figure, axes = _axes()
    times = _draw_fan(axes, forecast, city, pollutant)
    init = np.datetime64(forecast["init_time"].item(), "ns")
    _draw_observed(axes, observations, city, pollutant, init + np.timedelta64(-72, "h"), times[-1])
    _mark(axes, init)
    _finish(
        axes, city, pollutant, f"forecast of {np.datetime_as_string(init, unit='m')}Z by {forecast.attrs['model_id']}"
    )
    return figure


def episode(forecasts: Sequence[xr.Dataset], observations: xr.Dataset, city: str, pollutant: str = "pm25") -> Figure:
    """Draw the forecasts of several init times over the observations, one panel each.

    Parameters
    ----------
    forecasts : sequence of xarray.Dataset
        Contract "forecast", in the order of their init times.
    observations : xarray.Dataset
        Contract "observations" on ``city``.
    city : str
    pollutant : str
        ``pm25`` or ``o3``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is no forecast, or one has no such city or pollutant.
    """
    if not forecasts:
        raise InputError("forecasts", "none", "at least one")
    figure = Figure(figsize=(9, 1.9 * len(forecasts)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(forecasts), 1, sharex=True, sharey=True))
    inits = [np.datetime64(one["init_time"].item(), "ns") for one in forecasts]
    last = inits[-1] + forecasts[-1]["lead_time"].values[-1]
    for axes, one, init in zip(panels, forecasts, inits, strict=True):
        _draw_fan(axes, one, city, pollutant)
        _draw_observed(axes, observations, city, pollutant, inits[0] + np.timedelta64(-24, "h"), last)
        _mark(axes, init)
        _finish(axes, city, pollutant, f"from {np.datetime_as_string(init, unit='m')}Z", legend=axes is panels[0])
    return figure


def skill_by_lead(result: Mapping[str, Any], pollutant: str = "pm25", score: str = "rmse") -> Figure:
    """Draw a score of every model by lead time.

    Parameters
    ----------
    result : dict
        What a backtest gives: ``result["models"][name][pollutant][score][lead]``.
    pollutant, score : str
        Such as ``pm25`` and ``rmse``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If a model has no such score.
    """
    figure, axes = _axes()
    for name, scores in result["models"].items():
        values = _entry(scores, pollutant, score)
        leads = [int(lead) for lead in values if lead.isdigit() and values[lead] is not None]
        axes.plot(leads, [values[str(lead)] for lead in leads], marker="o", markersize=3, label=name)
    axes.set_xlabel("lead time, h")
    axes.set_ylabel(f"{score}, {_UNITS}" if score in ("rmse", "mae", "bias", "crps") else score)
    axes.set_title(_LABELS.get(pollutant, pollutant), loc="left")
    axes.legend(frameon=False)
    return figure


def by_month(
    results: Mapping[str, Mapping[str, Any]], pollutant: str = "pm25", part: str = "1-72", *, bold: str = "service"
) -> Figure:
    """Draw the RMSE of each model by month, one panel for each backtest.

    Parameters
    ----------
    results : mapping of str to dict
        By title, as `hazecast.forecast.evaluation.backtest.backtest` returns them.
    pollutant : str
    part : str
        Lead time or block of lead times, h.
    bold : str
        The model that the others are compared with.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If a backtest lacks the score.
    """
    figure = Figure(figsize=(9, 3.2 * len(results)), layout="constrained")
    panels = np.atleast_1d(np.asarray(figure.subplots(len(results), 1)))
    for axes, (title, result) in zip(panels, results.items(), strict=True):
        months = list(result["by_month"])
        for name in next(iter(result["by_month"].values())):
            values = [_entry(result["by_month"][one][name], pollutant, "rmse").get(part) for one in months]
            known = [np.nan if value is None else value for value in values]
            style = {"color": _BLACK, "linewidth": 2.5} if name == bold else {"linewidth": 1.2}
            axes.plot(np.array(months, "datetime64[M]"), known, label=name, **style)  # type: ignore[arg-type]
        axes.set_title(title, loc="left")
        axes.set_ylabel(f"RMSE of {_LABELS[pollutant]}, {part} h, {_UNITS}")
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(AutoDateLocator()))  # type: ignore[no-untyped-call]
    panels[0].legend(fontsize="small", ncols=3)
    return figure


def reliability(shares: Mapping[str, pd.DataFrame], pollutant: str = "pm25") -> Figure:
    """Draw how often observations fell below each quantile, against how often they should.

    Parameters
    ----------
    shares : mapping of str to pandas.DataFrame
        For each model what `hazecast.forecast.evaluation.verification.quantile_shares` gives.
    pollutant : str
        ``pm25`` or ``o3``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1)
    for name, table in shares.items():
        axes.plot(list(QUANTILES), table[pollutant], marker="o", markersize=4, label=name)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="quantile", ylabel="share of observations below it")
    axes.set_title(_LABELS.get(pollutant, pollutant), loc="left")
    axes.legend(frameon=False)
    return figure


def _axes() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes: Axes = figure.subplots()
    return figure, axes


def _entry(scores: Mapping[str, Any], pollutant: str, score: str) -> Mapping[str, Any]:
    if pollutant not in scores:
        raise InputError("pollutant", pollutant, f"one of {sorted(scores)}")
    if score not in scores[pollutant]:
        raise InputError("score", score, f"one of {sorted(scores[pollutant])}")
    found: Mapping[str, Any] = scores[pollutant][score]
    return found


def _draw_fan(axes: Axes, forecast: xr.Dataset, city: str, pollutant: str) -> np.ndarray:
    if pollutant not in FORECAST_POLLUTANTS:
        raise InputError("pollutant", pollutant, f"one of {FORECAST_POLLUTANTS}")
    if city not in forecast["city"].values:
        raise InputError("city", city, f"one of {[str(c) for c in forecast['city'].values]}")
    here = forecast[pollutant].sel(city=city).transpose("lead_time", "quantile").values
    times: np.ndarray = np.datetime64(forecast["init_time"].item(), "ns") + forecast["lead_time"].values
    for inner, opacity in ((0, 0.2), (1, 0.35)):
        low, high = QUANTILES[inner], QUANTILES[-1 - inner]
        label = f"{100 * (high - low):.0f} % interval"
        axes.fill_between(
            times, here[:, inner], here[:, -1 - inner], color=_BLUE, alpha=opacity, linewidth=0, label=label
        )
    axes.plot(times, here[:, QUANTILES.index(0.5)], color=_BLUE, label="median")
    return times


def _draw_observed(
    axes: Axes, observations: xr.Dataset | None, city: str, pollutant: str, first: np.datetime64, last: np.datetime64
) -> None:
    if observations is None or pollutant not in observations or city not in observations["city"].values:
        return
    seen = observations[pollutant].sel(city=city, time=slice(first, last))
    axes.plot(seen["time"].values, seen.values, color=_BLACK, linewidth=1, label="observed")


def _mark(axes: Axes, init: np.datetime64) -> None:
    position = float(date2num(init))  # type: ignore[no-untyped-call]
    axes.axvline(position, color=_GREY, linestyle=":", linewidth=1)


def _finish(axes: Axes, city: str, pollutant: str, title: str, *, legend: bool = True) -> None:
    for limit in _HAZE.get(pollutant, ()):
        axes.axhline(limit, color=_GREY, linewidth=0.5)
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_ylim(bottom=0)
    axes.set_ylabel(f"{_LABELS[pollutant]}, {_UNITS}")
    axes.set_title(f"{city}, {title}", loc="left", fontsize=9)
    if legend:
        axes.legend(frameon=False, fontsize=8, loc="upper right", ncols=2)
