"""Training and backtests from the command line: files in, weights and scores out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from forecast.backtest import backtest, format_table
from forecast.inputs import series_of
from grids.cities import load_registry
from grids.contract import HISTORY_HOURS, LEAD_HOURS
from grids.errors import InputError
from grids.monitors import read_observations
from models import checkpoint
from models.interface import Model, Series, WindowSet, scoring_windows, window_set
from models.registry import SHIPPED, create
from models.training import NetworkModel, TrainingSettings, count_parameters
from services.inputs import OBSERVED_WEATHER, as_datetime64

# The two Beijing episodes that the end-to-end tests replay: no training window touches them.
HELD_OUT = (
    (np.datetime64("2013-01-07T16", "ns"), np.datetime64("2013-01-20T16", "ns")),
    (np.datetime64("2014-02-10T16", "ns"), np.datetime64("2014-03-01T16", "ns")),
)


def _series(folder: Path) -> Series:
    # Any city may teach or test a model, whether it is forecast or not.
    return series_of(read_observations(folder, None), load_registry())


def _training_windows(series: Sequence[Series], until: datetime) -> WindowSet:
    start = min(one.times[0] for one in series)
    found = window_set(tuple(series), start, as_datetime64(until), without=HELD_OUT)
    if not len(found):
        raise InputError(
            "train-until", until.isoformat(), f"a time at least {HISTORY_HOURS + LEAD_HOURS} h after {start}"
        )
    return found


def train_and_save(
    folders: Sequence[Path], until: datetime | None, out: Path, *, windows: int | None, seed: int | None
) -> str:
    """Train the network on collections and write weights and model card; return a summary.

    Raises
    ------
    InputError
        If a collection can't be read or holds no training window.
    """
    assert until is not None
    given = {"windows": windows, "seed": seed}
    settings = TrainingSettings(**{name: value for name, value in given.items() if value is not None})
    series = [_series(folder) for folder in folders]
    train = _training_windows(series, until)
    model = NetworkModel(settings)
    model.fit(train, progress=True)
    assert model.network is not None
    model_id = f"network-{as_datetime64(until).astype('datetime64[D]')}-{settings.seed}"
    card = {
        "model_id": model_id,
        "architecture": "GRU encoder and decoder, quantiles and mean; models/network.py",
        "parameters": count_parameters(model.network),
        "trained_on": [folder.name for folder in folders],
        "places": sorted({str(place) for one in series for place in one.places}),
        "period": [str(min(one.times[0] for one in series)), f"{as_datetime64(until)}"],
        "held_out": [[str(first), str(last)] for first, last in HELD_OUT],
        "windows_available": len(train),
        "windows_drawn": settings.windows,
        "seed": settings.seed,
        "targets": "PM2.5 and O3, ug m-3, 1 to 72 h, quantiles 0.1 0.25 0.5 0.75 0.9 and mean",
        "weather": "observed weather; half of the windows without any future weather",
        "limits": "Ozone was seen in Beijing only, no place in Japan at all; boundary-layer height, "
        "cloud and radiation were never seen and are ignored.",
    }
    checkpoint.save(model.network, card, out)
    return f"{model_id}: {card['parameters']} parameters, {len(train)} windows available, written to {out}"


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
    series = _series(folder)
    train = _training_windows([series], until)
    test = scoring_windows((series,), as_datetime64(start), as_datetime64(end), every=every)
    if not len(test):
        raise InputError("from, to", f"{start.isoformat()} to {end.isoformat()}", f"a period that {folder} covers")
    models: dict[str, Model] = {}
    for name in names:
        model = create(name)
        if isinstance(model, NetworkModel) and not retrain:
            models[name] = _shipped(start)
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


def _shipped(start: datetime) -> NetworkModel:
    network, card = checkpoint.load(SHIPPED)
    trained_until = np.datetime64(card["period"][1])
    if as_datetime64(start) < trained_until:
        raise InputError("from", start.isoformat(), f"a time after the shipped network's training, {trained_until}")
    return NetworkModel(network=network)
