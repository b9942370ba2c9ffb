"""Training from the command line: files in, weights and model card out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from forecast.inputs import series_of
from grids.cities import load_registry
from grids.contract import HISTORY_HOURS, LEAD_HOURS
from grids.errors import InputError
from grids.monitors import read_observations
from models import checkpoint
from models.interface import Series, WindowSet, window_set
from models.training import NetworkModel, TrainingSettings, count_parameters
from services.inputs import as_datetime64

# The two Beijing episodes that the end-to-end tests replay: no training window touches them.
HELD_OUT = (
    (np.datetime64("2013-01-07T16", "ns"), np.datetime64("2013-01-20T16", "ns")),
    (np.datetime64("2014-02-10T16", "ns"), np.datetime64("2014-03-01T16", "ns")),
)


def read_series(folder: Path) -> Series:
    """Read a collection for training or a backtest."""
    # Any city may teach or test a model, whether it is forecast or not.
    return series_of(read_observations(folder, None), load_registry())


def training_windows(series: Sequence[Series], until: datetime) -> WindowSet:
    """Return every window that ends by `until` and touches no held-out episode.

    Raises
    ------
    InputError
        If there is none.
    """
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
    series = [read_series(folder) for folder in folders]
    train = training_windows(series, until)
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
        "targets": f"PM2.5 and O3, ug m-3, 1 to {LEAD_HOURS} h, quantiles 0.1 0.25 0.5 0.75 0.9 and mean",
        "weather": "observed weather; half of the windows without any future weather",
        "limits": "Ozone was seen in Beijing only, no place in Japan at all; boundary-layer height, "
        "cloud and radiation were never seen and are ignored.",
    }
    checkpoint.save(model.network, card, out)
    return f"{model_id}: {card['parameters']} parameters, {len(train)} windows available, written to {out}"
