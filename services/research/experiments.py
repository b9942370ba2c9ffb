"""Training from the command line: collections in, weights and model card out."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from hazecast.grids.times import to_datetime64
from hazecast.models import checkpoint
from hazecast.models.interface import Described, Model
from hazecast.models.series import HourlySeries, WindowSet
from hazecast.models.training.loop import Run, chosen_device
from hazecast.models.weather_errors import WeatherErrors
from hazecast.models.windows import only_until, window_set
from hazecast.models.zoo.network_model import NetworkModel
from hazecast.models.zoo.network_training import TrainingSettings
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings

# The two Beijing episodes and the clean spell that the end-to-end tests replay: no training window touches them.
HELD_OUT = (
    (np.datetime64("2013-01-07T16", "ns"), np.datetime64("2013-01-20T16", "ns")),
    (np.datetime64("2014-02-10T16", "ns"), np.datetime64("2014-03-01T16", "ns")),
    (np.datetime64("2016-02-10T00", "ns"), np.datetime64("2016-02-20T16", "ns")),
)
# Nearly half of the training windows have weather that errs, by different amounts: a model that is served meets
# forecasts, one that is studied the observed weather too.
TRAINING_ERRORS = WeatherErrors(share=0.45, smallest=0.5, largest=1.3, seed=7)
STATE_FILE = "training_state.pt"
_AS_ISSUED = "the weather forecasts of an installation's store, as they were issued"


@dataclass(frozen=True)
class TrainingPlan:
    """What a network learns from.

    Attributes
    ----------
    folders : tuple of Path
        Collections.
    until : datetime
        Aware; no later hour is read.
    until_of : mapping of str to datetime
        The same for single collections, by name of the folder.
    without : frozenset of str
        Places and cities that are left out, with all stations of their area.
    weather_of : mapping of str to Path
        By city, a folder of NOAA's Integrated Surface Database, for collections without weather.
    """

    folders: tuple[Path, ...]
    until: datetime
    until_of: Mapping[str, datetime] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    weather_of: Mapping[str, Path] = field(default_factory=dict)

    def ends(self) -> dict[str, datetime]:
        """Return until when each collection is read, by its name.

        Raises
        ------
        InputError
            If `until_of` names a collection that is not among the folders, or two folders have one name.
        """
        names = [folder.name for folder in self.folders]
        unknown = sorted(set(self.until_of) - set(names))
        if unknown or len(set(names)) < len(names):
            raise InputError(
                "collections", unknown or names, "each name once, those with an end of their own among them"
            )
        return {name: self.until_of.get(name, self.until) for name in names}

    def stations(self) -> dict[str, xr.Dataset]:
        """Read the weather of `weather_of`, by city."""
        return {city: read_isd(folder) for city, folder in self.weather_of.items()}

    def windows(self) -> WindowSet:
        """Read the collections and return their training windows; raises InputError as `training_windows` does."""
        stations = self.stations()
        series = [read_series(folder, stations) for folder in self.folders]
        return training_windows(series, list(self.ends().values()), without=self.without)


def evaluation_training(data: Path) -> TrainingPlan:
    """Return what the shipped network that is scored learned from; its peers are given the same.

    No hour of the test periods, and nothing of Shanghai, Xizhi, Kinmen, Hong Kong and Seoul, which score how it
    forecasts places it has never seen.

    Parameters
    ----------
    data : Path
        Folder of the collections beijing-multisite, five-cities, us-posts, taiwan and metar-beijing.

    Returns
    -------
    TrainingPlan
    """
    return TrainingPlan(
        folders=tuple(data / name for name in ("beijing-multisite", "five-cities", "us-posts", "taiwan")),
        until=datetime.fromisoformat("2015-02-28T16:00+00:00"),
        until_of={
            "us-posts": datetime.fromisoformat("2019-12-31T16:00+00:00"),
            "taiwan": datetime.fromisoformat("2015-12-31T16:00+00:00"),
        },
        without=frozenset({"shanghai", "xizhi", "kinmen"}),
        weather_of={"beijing": data / "metar-beijing"},
    )


def service_training(data: Path) -> TrainingPlan:
    """Return what the network in service learned from: all that there is, the test periods and every place included.

    Parameters
    ----------
    data : Path
        Folder of the collections, as of `evaluation_training`, with hongkong and seoul.

    Returns
    -------
    TrainingPlan
    """
    names = ("beijing-multisite", "five-cities", "us-posts", "taiwan", "hongkong", "seoul")
    return TrainingPlan(
        folders=tuple(data / name for name in names),
        until=datetime.fromisoformat("2020-12-31T16:00+00:00"),
        weather_of={"beijing": data / "metar-beijing"},
    )


RECIPES = {"evaluation": evaluation_training, "service": service_training}


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
    return series_of(data, city_registry(Settings()))


def training_windows(
    series: Sequence[HourlySeries],
    until: datetime | Sequence[datetime],
    *,
    since: datetime | None = None,
    without: Collection[str] = (),
) -> WindowSet:
    """Return every window of a period that touches no held-out episode.

    Parameters
    ----------
    series : sequence of HourlySeries
    until : datetime or sequence of datetime
        Aware; no later hour is read. One for all, or one for each series.
    since : datetime, optional
        Aware; by default the first hour of all.
    without : collection of str
        Places that are left out, with all places of their area.

    Returns
    -------
    WindowSet
        With weather that errs in a share of the windows; see `hazecast.models.weather_errors`.

    Raises
    ------
    InputError
        If there is none, or `without` names an unknown place.
    """
    unknown = sorted(set(without) - {str(place) for one in series for place in one.places})
    if unknown:
        raise InputError("without", unknown, "places of the collections")
    start = min(one.times[0] for one in series) if since is None else to_datetime64(since)
    ends = [until] * len(series) if isinstance(until, datetime) else list(until)
    # Nothing later is read, neither as weather of another year nor in a mean.
    known = [only_until(one, to_datetime64(end)) for one, end in zip(series, ends, strict=True)]
    parts = []
    for number, (one, end) in enumerate(zip(known, ends, strict=True)):
        rows = window_set((one,), start, to_datetime64(end), without=HELD_OUT).index.copy()
        rows[:, 0] = number
        left_out = np.unique(one.area[np.isin(one.places, list(without))])
        parts.append(rows[~np.isin(one.area[rows[:, 1]], left_out)])
    found = WindowSet(tuple(known), np.concatenate(parts), errors=TRAINING_ERRORS)
    if not len(found):
        raise InputError(
            "train-until", max(ends).isoformat(), f"a time at least {HISTORY_HOURS + LEAD_HOURS} h after {start}"
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


def train_and_save(plan: TrainingPlan, out: Path, settings: TrainingSettings, run: Run | None = None) -> str:
    """Train the network on collections and write weights and model card.

    The state of the training is kept in `out` until the weights are written, so that a killed training can
    be resumed. Under ``torchrun`` all processes train and the first one writes.

    Parameters
    ----------
    plan : TrainingPlan
    out : Path
    settings : TrainingSettings
    run : Run, optional
        By default on the CPU, its state in `out`.

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
    train = plan.windows()
    card = train_network(train, plan.ends(), out, settings, run, without=plan.without, progress=True)
    if card is None:
        return "another process writes the network"
    return f"{card['model_id']}: {card['parameters']} parameters, {len(train)} windows available, written to {out}"


def train_network(
    train: WindowSet,
    ends: Mapping[str, datetime],
    out: Path,
    settings: TrainingSettings,
    run: Run | None = None,
    *,
    without: Collection[str] = (),
    progress: bool = False,
) -> dict[str, Any] | None:
    """Train the network on windows and write weights and model card.

    Parameters
    ----------
    train : WindowSet
    ends : mapping of str to datetime
        For each series of `train` the name of its collection and until when it was read, in their order.
    out : Path
    settings : TrainingSettings
    run : Run, optional
        By default on the CPU, its state in `out`.
    without : collection of str
        Places that were left out.
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
    card = save_trained(model, train, ends, out, without=without)
    if run.state is not None:
        run.state.unlink(missing_ok=True)
    return card


def save_trained(
    model: Model, train: WindowSet, ends: Mapping[str, datetime], out: Path, *, without: Collection[str] = ()
) -> dict[str, Any]:
    """Write a trained model's files and model card.

    Parameters
    ----------
    model : Model
        One that is a `hazecast.models.interface.KeptModel` of an installed kind.
    train : WindowSet
        What it was trained on.
    ends : mapping of str to datetime
        For each series of `train` the name of its collection and until when it was read, in their order.
    out : Path
        Made if absent.
    without : collection of str
        Places that were left out.

    Returns
    -------
    dict
        The model card.

    Raises
    ------
    InputError
        If the model can't be kept, or no entry point declares its kind.
    """
    return checkpoint.save(checkpoint.keepable(model), _card(model, train, ends, without), out)


def _card(model: Model, train: WindowSet, ends: Mapping[str, datetime], without: Collection[str]) -> dict[str, object]:
    described = model.describe() if isinstance(model, Described) else {}
    # Data that end earlier leave later hours to test on.
    last = {
        name: min(to_datetime64(end), one.times[-1])
        for (name, end), one in zip(ends.items(), train.series, strict=True)
    }
    name = f"{model.name}-{max(last.values()).astype('datetime64[D]')}"
    used = {(int(number), int(place)) for number, place in np.unique(train.index[:, :2], axis=0)}
    return {
        "name": f"{name}-{described['seed']}" if "seed" in described else name,
        **described,
        **({"weather": _AS_ISSUED} if isinstance(train, IssuedWindowSet) else {}),
        "trained_on": list(ends),
        "places": sorted({str(train.series[number].places[place]) for number, place in used}),
        "without": sorted(without),
        "period": [str(min(one.times[0] for one in train.series)), str(max(last.values()))],
        "periods": {
            name: [str(one.times[0]), str(end)] for (name, end), one in zip(last.items(), train.series, strict=True)
        },
        "held_out": [[str(first), str(last)] for first, last in HELD_OUT],
        "windows_available": len(train),
        "targets": f"PM2.5 and O3, ug m-3, 1 to {LEAD_HOURS} h, quantiles 0.1 0.25 0.5 0.75 0.9 and mean",
        "scores": None,
    }
