"""Backtests from the command line: files in, scores out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from forecast.backtest import backtest, format_table
from grids.errors import InputError
from models.interface import Model, scoring_windows
from models.registry import create, newest_until, shipped_models
from models.training import NetworkModel
from services.inputs import OBSERVED_WEATHER, as_datetime64
from services.training import read_series, training_windows


def run_backtest(
    folder: Path,
    start: datetime | None,
    end: datetime | None,
    until: datetime | None,
    names: Sequence[str],
    weather: str,
    every: int,
    retrain: bool,
) -> tuple[dict[str, Any], str]:
    """Score models on ``[start, end]``; baselines, and the network if asked, learn up to `until`.

    Returns
    -------
    result : dict
        ``{"models": {name: {pollutant: {score: {lead: value}}}}, "meta": {...}}``.
    text : str
        The table of RMSE and MAE by lead time.

    Raises
    ------
    InputError
        If the test period begins before `until`, a name is unknown, or no window is left.
    """
    assert start is not None and end is not None and until is not None
    if weather not in ("none", OBSERVED_WEATHER):
        raise InputError("weather", weather, f"none or {OBSERVED_WEATHER}")
    if start < until:
        raise InputError("from", start.isoformat(), f"a time not before train-until {until.isoformat()}")
    series = read_series(folder)
    train = training_windows([series], as_datetime64(until))
    test = scoring_windows((series,), as_datetime64(start), as_datetime64(end), every=every)
    if not len(test):
        raise InputError("from, to", f"{start.isoformat()} to {end.isoformat()}", f"a period that {folder} covers")
    models: dict[str, Model] = {}
    for name in names:
        model = create(name)
        if isinstance(model, NetworkModel) and not retrain:
            models[name] = newest_until(shipped_models(), as_datetime64(start)).load()
            continue
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
            model.fit(train, progress=True)
        models[name] = model
    scores = backtest(models, test, future_weather=weather == OBSERVED_WEATHER, progress=True)
    label = "no future weather" if weather == "none" else "observed weather standing in for a forecast (perfect prog)"
    meta = {
        "observations": folder.name,
        "from": start.isoformat(),
        "to": end.isoformat(),
        "train_until": until.isoformat(),
        "weather": label,
        "windows": len(test),
        "places": [str(place) for place in series.places],
        "hours_between_init_times": every,
    }
    text = f"{folder.name}, {start:%Y-%m-%d} to {end:%Y-%m-%d}, {len(test)} windows, weather: {label}\n"
    return {"models": scores, "meta": meta}, text + format_table(scores, list(models))
