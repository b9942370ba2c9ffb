"""Training from the command line: collections in, weights and model card out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import distributed

from hazecast.forecast.inputs import series_of
from hazecast.forecast.issued_weather import IssuedWindowSet
from hazecast.grids.contract import HISTORY_HOURS, LEAD_HOURS
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import read_observations
from hazecast.grids.observations.isd import read_isd, with_weather
from hazecast.grids.places.cities import load_registry
from hazecast.grids.times import to_datetime64
from hazecast.models import checkpoint
from hazecast.models.interface import OBSERVED, Described, HourlySeries, Model, WindowSet
from hazecast.models.training.loop import Run, chosen_device
from hazecast.models.windows import window_set
from hazecast.models.zoo.network_model import NetworkModel
from hazecast.models.zoo.network_training import TrainingSettings, state_files

# The two Beijing episodes and the clean spell that the end-to-end tests replay: no training window touches them.
HELD_OUT = (
    (np.datetime64("2013-01-07T16", "ns"), np.datetime64("2013-01-20T16", "ns")),
    (np.datetime64("2014-02-10T16", "ns"), np.datetime64("2014-03-01T16", "ns")),
    (np.datetime64("2016-02-10T00", "ns"), np.datetime64("2016-02-20T16", "ns")),
)
# A collection without ozone teaches one of the two targets: it gives every third window only. Chosen on
# 2014-03 to 2015-02 of beijing-multisite.
_EVERY_WITHOUT_OZONE = 3
STATE_FILE = "training_state.pt"
_AS_ISSUED = "the weather forecasts of an installation's store, as they were issued"


def read_series(folder: Path, weather_of: Mapping[str, xr.Dataset] | None = None) -> HourlySeries:
    """Read a collection as the hourly series that windows are cut from.

    Parameters
    ----------
    folder : Path
    weather_of : mapping of str to xarray.Dataset (time), optional
        By city, weather as of `hazecast.grids.observations.isd.read_isd`; used where the collection holds the
        city and has no weather at all.

    Returns
    -------
    HourlySeries
    """
    # Any city may teach or test a model, whether it is forecast or not.
    data = read_observations(folder, None)
    if data.weather is None:
        for city in sorted(set(weather_of or {}).intersection(data.observations["city"].values.astype(str))):
            data = with_weather(data, city, (weather_of or {})[city])
    return series_of(data, load_registry())


def training_windows(series: Sequence[HourlySeries], until: datetime, *, since: datetime | None = None) -> WindowSet:
    """Return every window of a period that touches no held-out episode.

    Parameters
    ----------
    series : sequence of HourlySeries
    until : datetime
        Aware; no later hour is read.
    since : datetime, optional
        Aware; by default the first hour of all.

    Returns
    -------
    WindowSet

    Raises
    ------
    InputError
        If there is none.
    """
    start = min(one.times[0] for one in series) if since is None else to_datetime64(since)
    parts = []
    for number, one in enumerate(series):
        ozone = np.isfinite(one.observations[..., OBSERVED.index("o3")]).any()
        every = 1 if ozone else _EVERY_WITHOUT_OZONE
        rows = window_set((one,), start, to_datetime64(until), every=every, without=HELD_OUT).index.copy()
        rows[:, 0] = number
        parts.append(rows)
    found = WindowSet(tuple(series), np.concatenate(parts))
    if not len(found):
        raise InputError(
            "train-until", until.isoformat(), f"a time at least {HISTORY_HOURS + LEAD_HOURS} h after {start}"
        )
    return found


@contextmanager
def process_group(device: str) -> Iterator[int]:
    """Join the processes that ``torchrun`` started, and give this one's rank; 0 where it is alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield 0
        return
    on_gpu = chosen_device(device).type == "cuda"
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield distributed.get_rank()
    finally:
        distributed.destroy_process_group()


def train_and_save(
    folders: Sequence[Path],
    until: datetime,
    out: Path,
    settings: TrainingSettings,
    run: Run | None = None,
    *,
    weather_of: Mapping[str, Path] | None = None,
) -> str:
    """Train the network on collections and write weights and model card.

    The state of the training is kept in `out` until the weights are written, so that a killed training can
    be resumed. Under ``torchrun`` all processes train and the first one writes.

    Parameters
    ----------
    folders : sequence of Path
        Collections.
    until : datetime
        Aware; no later hour is read.
    out : Path
    settings : TrainingSettings
    run : Run, optional
        By default on the CPU, its state in `out`.
    weather_of : mapping of str to Path, optional
        By city, a folder of NOAA's Integrated Surface Database, for collections without weather.

    Returns
    -------
    str
        A summary in one line.

    Raises
    ------
    InputError
        If a collection can't be read or holds no training window, or `out` holds the state of another
        training.
    """
    stations = {city: read_isd(folder) for city, folder in (weather_of or {}).items()}
    series = [read_series(folder, stations) for folder in folders]
    train = training_windows(series, until)
    card = train_network(train, [folder.name for folder in folders], until, out, settings, run, progress=True)
    if card is None:
        return "another process writes the network"
    return f"{card['model_id']}: {card['parameters']} parameters, {len(train)} windows available, written to {out}"


def train_network(
    train: WindowSet,
    collections: Sequence[str],
    until: datetime,
    out: Path,
    settings: TrainingSettings,
    run: Run | None = None,
    *,
    progress: bool = False,
) -> dict[str, Any] | None:
    """Train the network on windows and write weights and model card.

    Parameters
    ----------
    train : WindowSet
    collections : sequence of str
        Names of what `train` was cut from.
    until : datetime
        Aware; no later hour is read.
    out : Path
    settings : TrainingSettings
    run : Run, optional
        By default on the CPU, its state in `out`.
    progress : bool
        Show a bar.

    Returns
    -------
    dict or None
        The model card; None in the processes of ``torchrun`` that do not write.

    Raises
    ------
    InputError
        If `out` holds the state of another training.
    """
    run = run or Run(state=out / STATE_FILE)
    with process_group(run.device) as rank:
        model = NetworkModel(settings, run=run)
        model.fit(train, progress=progress)
    if rank > 0:
        return None
    card = save_trained(model, train, collections, until, out)
    for state in state_files(run):
        state.unlink(missing_ok=True)
    return card


def save_trained(
    model: Model, train: WindowSet, collections: Sequence[str], until: datetime, out: Path
) -> dict[str, Any]:
    """Write a trained model's files and model card.

    Parameters
    ----------
    model : Model
        One that is a `hazecast.models.interface.KeptModel` of an installed kind.
    train : WindowSet
        What it was trained on.
    collections : sequence of str
        Names of the collections that `train` was cut from.
    until : datetime
        Aware; no later hour was read.
    out : Path
        Made if absent.

    Returns
    -------
    dict
        The model card.

    Raises
    ------
    InputError
        If the model can't be kept, or no entry point declares its kind.
    """
    return checkpoint.save(model, _card(model, train, collections, to_datetime64(until)), out)


def _card(model: Model, train: WindowSet, collections: Sequence[str], until: np.datetime64) -> dict[str, object]:
    described = model.describe() if isinstance(model, Described) else {}
    name = f"{model.name}-{until.astype('datetime64[D]')}"
    return {
        "name": f"{name}-{described['seed']}" if "seed" in described else name,
        **described,
        **({"weather": _AS_ISSUED} if isinstance(train, IssuedWindowSet) else {}),
        "trained_on": list(collections),
        "places": sorted({str(place) for one in train.series for place in one.places}),
        "period": [
            str(min(one.times[0] for one in train.series)),
            # Data that end earlier leave later hours to test on.
            str(min(until, max(one.times[-1] for one in train.series))),
        ],
        "held_out": [[str(first), str(last)] for first, last in HELD_OUT],
        "windows_available": len(train),
        "targets": f"PM2.5 and O3, ug m-3, 1 to {LEAD_HOURS} h, quantiles 0.1 0.25 0.5 0.75 0.9 and mean",
        "scores": None,
    }
