"""Scores of trained models: two compared on the same windows, and what goes into a model card."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from hazecast.forecast.evaluation.backtest import tally
from hazecast.forecast.evaluation.comparison import BLOCK_DAYS, differences
from hazecast.grids.contract import FORECAST_POLLUTANTS
from hazecast.grids.errors import InputError
from hazecast.grids.times import to_datetime64
from hazecast.models.interface import Model
from hazecast.models.registry import TrainedModel
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
        ``models``: the scores of each by pollutant; ``differences``: candidate less other with 95 % intervals,
        see docs/backtest.md; ``meta``.

    Raises
    ------
    InputError
        If the models are one and the same, one was trained on the period, or no window is left.
    """
    if candidate.model_id == other.model_id:
        raise InputError("model", candidate.model_id, "another model than the one it is compared with")
    if weather not in (NO_WEATHER, OBSERVED_WEATHER):
        raise InputError("weather", weather, f"{NO_WEATHER} or {OBSERVED_WEATHER}")
    for model in (candidate, other):
        if model.trained_until > to_datetime64(start):
            raise InputError(
                "from", start.isoformat(), f"a time after the training of {model.model_id}, {model.trained_until}"
            )
    series = read_series(folder)
    windows = scoring_windows((series,), to_datetime64(start), to_datetime64(end), every=every)
    if not len(windows):
        raise InputError("from, to", f"{start.isoformat()} to {end.isoformat()}", f"a period that {folder} covers")
    models: dict[str, Model] = {model.model_id: model.load() for model in (candidate, other)}
    tallies, _ = tally(models, windows, future_weather=weather == OBSERVED_WEATHER, progress=progress)
    return {
        "models": {name: one.table() for name, one in tallies.items()},
        "differences": differences(tallies)[f"{candidate.model_id} - {other.model_id}"],
        "meta": {
            "candidate": candidate.model_id,
            "other": other.model_id,
            "observations": folder.name,
            "from": start.isoformat(),
            "to": end.isoformat(),
            "weather": weather,
            "windows": len(windows),
            "hours_between_init_times": every,
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
    kept = ("observations", "from", "to", "weather", "windows")
    table = {
        pollutant: {score: values for score, values in scores.items() if score in _SHOWN}
        for pollutant, scores in models[name].items()
    }
    return {key: meta.get(key) for key in kept} | {"scores": table}
