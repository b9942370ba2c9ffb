"""Scores of trained models: two compared on the same windows, and what goes into a model card."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from hazecast.forecast.evaluation.backtest import tally
from hazecast.forecast.evaluation.comparison import BLOCK_DAYS, differences
from hazecast.grids.contract import FORECAST_POLLUTANTS
from hazecast.grids.errors import InputError
from hazecast.grids.times import format_time, to_datetime64
from hazecast.models.interface import Model
from hazecast.models.series import WindowSet
from hazecast.models.trained import TrainedModel, unseen
from hazecast.models.training.tuning import init_times
from hazecast.models.windows import scoring_windows
from hazecast.services.research.experiments import read_series
from hazecast.services.work.inputs import NO_WEATHER, OBSERVED_WEATHER

_SHOWN = ("rmse", "mae", "bias", "crps", "coverage80")


def compare_models(
    candidate: TrainedModel,
    other: TrainedModel,
    folder: Path,
    start: datetime,
    end: datetime,
    *,
    weather: str = NO_WEATHER,
    every: int = 6,
    progress: bool = False,
) -> dict[str, Any]:
    """Score two models on the same windows of a collection.

    Parameters
    ----------
    candidate, other : TrainedModel
    folder : Path
        Folder of a collection.
    start, end : datetime
        Aware. Init times lie in ``[start, end)``, targets end at `end`.
    weather : str
        ``"none"`` or ``"observed"`` (perfect prog).
    every : int
        Hours between init times.
    progress : bool

    Returns
    -------
    dict
        As `compare_on`.

    Raises
    ------
    InputError
        If the models are one and the same, one was trained on the period, or no window is left.
    """
    if weather not in (NO_WEATHER, OBSERVED_WEATHER):
        raise InputError("weather", weather, f"{NO_WEATHER} or {OBSERVED_WEATHER}")
    series = read_series(folder)
    check_unseen(candidate, other, start, folder.name, [str(place) for place in series.places])
    windows = scoring_windows((series,), to_datetime64(start), to_datetime64(end), every=every)
    if not len(windows):
        raise InputError("from, to", f"{start.isoformat()} to {end.isoformat()}", f"a period that {folder} covers")
    meta = {
        "observations": folder.name,
        "from": format_time(start),
        "to": format_time(end),
        "weather": weather,
        "hours_between_init_times": every,
    }
    return compare_on(windows, candidate, other, meta, future_weather=weather == OBSERVED_WEATHER, progress=progress)


def check_unseen(
    candidate: TrainedModel, other: TrainedModel, start: datetime, collection: str, places: Collection[str]
) -> None:
    """Check that a collection from `start` on is new to two models.

    Parameters
    ----------
    candidate, other : TrainedModel
    start : datetime
        Aware.
    collection : str
        Its name.
    places : collection of str
        Of the collection.

    Raises
    ------
    InputError
        If the models are one and the same, or one was trained on later hours.
    """
    if candidate.model_id == other.model_id:
        raise InputError("model", candidate.model_id, "another model than the one it is compared with")
    for model in (candidate, other):
        if not unseen(model, collection, places, to_datetime64(start)):
            raise InputError(
                "from", start.isoformat(), f"a time after the training of {model.model_id}, {model.trained_until}"
            )


def compare_on(
    windows: WindowSet,
    candidate: TrainedModel,
    other: TrainedModel,
    meta: dict[str, Any],
    *,
    future_weather: bool,
    progress: bool = False,
) -> dict[str, Any]:
    """Score two models on the same windows.

    Parameters
    ----------
    windows : WindowSet
        None of which either was trained on.
    candidate, other : TrainedModel
    meta : dict
        What the windows are, for the result.
    future_weather : bool
        Whether the models see the weather of the lead times that `windows` give.
    progress : bool

    Returns
    -------
    dict
        ``models``: the scores of each by pollutant; ``by_station``: the same by place, but for events; ``differences``: candidate less
        other with 95 % intervals, see docs/backtest.md; ``meta``, with the number of windows and of days (UTC) of
        init times.
    """
    models: dict[str, Model] = {model.model_id: model.load() for model in (candidate, other)}
    tallies, _ = tally(models, windows, future_weather=future_weather, progress=progress)
    places = [str(place) for place in next(iter(tallies.values())).sums["place"].values]
    return {
        "models": {name: one.table() for name, one in tallies.items()},
        "by_station": {
            place: {name: one.table(events=False, place=[number]) for name, one in tallies.items()}
            for number, place in enumerate(places)
        },
        "differences": differences(tallies)[f"{candidate.model_id} - {other.model_id}"],
        "meta": {
            "candidate": candidate.model_id,
            "other": other.model_id,
            **meta,
            "windows": len(windows),
            "days": len(np.unique(init_times(windows).astype("datetime64[D]"))),
            "block_days": BLOCK_DAYS,
        },
    }


def as_text(result: dict[str, Any]) -> str:
    """Write a comparison as a table of RMSE by band of lead time, and what follows from it."""
    meta = result["meta"]
    lines = [
        f"{meta['candidate']} against {meta['other']}",
        f"{meta['observations']}, {meta['from']} to {meta['to']}, {meta['windows']} windows, weather: {meta['weather']}",
        f"{'pollutant':<10}{'lead, h':<9}{'RMSE':>8}{'other':>8}{'ratio':>8}  95 % interval of the ratio",
    ]
    for pollutant in FORECAST_POLLUTANTS:
        own, others = (result["models"][meta[key]][pollutant]["rmse"] for key in ("candidate", "other"))
        for band, ratio in result["differences"][pollutant]["rmse_ratio"].items():
            if "-" not in band or ratio["value"] is None:
                continue
            lines.append(
                f"{pollutant:<10}{band:<9}{own[band]:>8.1f}{others[band]:>8.1f}{ratio['value']:>8.3f}"
                f"  {ratio['low']:.3f} to {ratio['high']:.3f}: {_said(ratio)}"
            )
    return "\n".join(lines)


def _said(ratio: dict[str, float]) -> str:
    if ratio["high"] < 1:
        return "better"
    return "worse" if ratio["low"] > 1 else "no difference beyond chance"


def card_scores(path: Path, name: str) -> dict[str, Any]:
    """Take a model's scores for its card from the JSON that a backtest wrote.

    Parameters
    ----------
    path : Path
        See docs/backtest.md.
    name : str
        The model's name there.

    Returns
    -------
    dict
        Scores by pollutant, with the period and weather they hold for.

    Raises
    ------
    InputError
        If the file can't be read or doesn't hold the model.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        meta, models = dict(content["meta"]), dict(content["models"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(str(path), repr(error), "the JSON that hazecast backtest --out writes") from error
    if name not in models:
        raise InputError(f"{path}: models", name, f"one of {sorted(models)}")
    return shown_scores(meta, models[name])


def shown_scores(meta: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """Return what a model's card says of its scores.

    Parameters
    ----------
    meta : dict
        Of a backtest or comparison.
    table : dict
        The model's scores there, by pollutant.

    Returns
    -------
    dict
        Scores by pollutant, with the period and weather they hold for.
    """
    kept = ("observations", "from", "to", "weather", "windows")
    shown = {
        pollutant: {score: values for score, values in scores.items() if score in _SHOWN}
        for pollutant, scores in table.items()
    }
    return {key: meta.get(key) for key in kept} | {"scores": shown}
