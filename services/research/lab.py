"""For notebooks: load data, fit, forecast, backtest, register and compare, each in one line.

Times are ISO 8601 text; UTC where no offset is given. The registry that `registry` returns also promotes and
rolls back. Plots are in `hazecast.forecast.evaluation.plots`.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from hazecast.forecast.evaluation.backtest import backtest as score
from hazecast.forecast.evaluation.verification import quantile_shares
from hazecast.forecast.inputs import series_of, windows_at
from hazecast.forecast.produce import make_forecast
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import read_observations
from hazecast.grids.times import parse_time, to_datetime64
from hazecast.models.interface import Model
from hazecast.models.kinds import create
from hazecast.models.registry import ModelRegistry
from hazecast.models.series import HourlySeries, WindowSet
from hazecast.models.trained import TrainedModel
from hazecast.models.windows import scoring_windows
from hazecast.models.zoo.network_model import NetworkModel
from hazecast.models.zoo.network_training import TrainingSettings
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings
from hazecast.services.research.experiments import save_trained, training_windows
from hazecast.services.research.model_scores import compare_models
from hazecast.services.work.inputs import NO_WEATHER, OBSERVED_WEATHER

_HOUR = np.timedelta64(1, "h")


@dataclass(frozen=True)
class Collection:
    """A monitoring collection: Datasets to look at, and the series that windows are cut from.

    Attributes
    ----------
    name : str
    observations : xarray.Dataset (time, city)
        Contract "observations".
    stations : xarray.Dataset (time, station) or None
    weather : xarray.Dataset (time, city) or None
        Contract "city_weather".
    series : HourlySeries
    counts : dict of str to int
        Faults found in the files, by kind.
    """

    name: str
    observations: xr.Dataset
    stations: xr.Dataset | None
    weather: xr.Dataset | None
    series: HourlySeries
    counts: dict[str, int]


@dataclass(frozen=True)
class Fitted:
    """A trained model with what it was trained on."""

    model: Model
    train: WindowSet
    collections: tuple[str, ...]
    until: datetime


def load(folder: Path | str) -> Collection:
    """Read a collection; raises InputError if the folder holds none that is known."""
    path = Path(folder)
    data = read_observations(path, None)
    series = series_of(data, city_registry(Settings()))
    return Collection(path.name, data.observations, data.stations, data.weather, series, data.counts)


def fit(
    model: Model | str,
    data: Collection | Sequence[Collection],
    until: str,
    *,
    since: str | None = None,
    progress: bool = False,
    **settings: Any,
) -> Fitted:
    """Train a model on all that was observed in a period, but for the held-out episodes.

    Parameters
    ----------
    model : Model or str
        A model of your own, or the name of one that Hazecast knows.
    data : Collection or sequence of Collection
    until : str
        No later hour is read.
    since : str, optional
        No earlier hour is read; by default all are.
    progress : bool
    **settings
        Of `hazecast.models.zoo.network_training.TrainingSettings`, for the network: ``windows``, ``batch``, ``seed``, ...

    Returns
    -------
    Fitted

    Raises
    ------
    InputError
        If the name is unknown, no window is left, or settings are given to another model than the network.
    """
    collections = (data,) if isinstance(data, Collection) else tuple(data)
    fresh = create(model) if isinstance(model, str) else model
    if settings:
        if not isinstance(fresh, NetworkModel):
            raise InputError("settings", sorted(settings), f"none: {fresh.name} takes no settings")
        fresh = NetworkModel(TrainingSettings(**settings), run=fresh.run)
    end = parse_time(until, "until")
    start = None if since is None else parse_time(since, "since")
    train = training_windows([one.series for one in collections], end, since=start)
    with warnings.catch_warnings():
        # A collection may lack a pollutant altogether.
        warnings.filterwarnings("ignore", "All-NaN slice|Mean of empty slice", RuntimeWarning)
        fresh.fit(train, progress=progress)
    return Fitted(fresh, train, tuple(one.name for one in collections), end)


def forecast(
    model: Model | Fitted, data: Collection, init_time: str, cities: Sequence[str] = (), weather: str = NO_WEATHER
) -> xr.Dataset:
    """Forecast from what was known at `init_time`; ``weather="observed"`` shows the weather that came.

    Parameters
    ----------
    model : Model or Fitted
    data : Collection
    init_time : str
    cities : sequence of str
        City ids; by default all of the collection.
    weather : {"none", "observed"}
        Whether the observed weather of the lead times is given (perfect prog).

    Returns
    -------
    xarray.Dataset
        Contract "forecast".

    Raises
    ------
    InputError
        If a city isn't in the collection or the registry, or nothing was observed by `init_time`.
    """
    _check_weather(weather)
    registry = city_registry(Settings())
    known = [str(city) for city in data.observations["city"].values]
    for city in cities:
        if city not in known:
            raise InputError("city", city, f"one of {known}, which {data.name} holds")
    chosen = [registry.city(city) for city in cities or known]
    init = to_datetime64(parse_time(init_time, "init_time"))
    ids = [city.id for city in chosen]
    seen = data.observations["pm25"].sel(city=ids, time=slice(init - 71 * _HOUR, init)).notnull().any("city").values
    if not seen.any():
        raise InputError("init_time", init_time, f"a time with PM2.5 in the 72 h before it in {data.name}")
    newest = init - (len(seen) - 1 - np.flatnonzero(seen)[-1]) * _HOUR
    observed = weather == OBSERVED_WEATHER
    windows = windows_at(
        data.observations,
        data.weather,
        chosen,
        init,
        future_weather=data.weather if observed else None,
        weather_observed=observed,
    )
    return make_forecast(
        _plain(model).predict(windows),
        _plain(model).name,
        windows,
        ids,
        init,
        weather_source="observed weather in place of a forecast (perfect prog)" if observed else "none",
        observations_until=newest,
        simulated=bool(data.observations.attrs.get("simulated", 0)),
        degraded=False,
    )


def replay(
    model: Model | Fitted,
    data: Collection,
    first: str,
    last: str,
    cities: Sequence[str] = (),
    *,
    every: int = 24,
    weather: str = NO_WEATHER,
) -> list[xr.Dataset]:
    """Forecast again and again through an episode, each time from what was known then.

    Parameters
    ----------
    model : Model or Fitted
    data : Collection
    first, last : str
        Init times.
    cities : sequence of str
        City ids; by default all of the collection.
    every : int
        Hours between init times.
    weather : {"none", "observed"}
        Whether the observed weather of the lead times is given (perfect prog).

    Returns
    -------
    list of xarray.Dataset
        Contract "forecast".
    """
    times = pd.date_range(parse_time(first, "first"), parse_time(last, "last"), freq=f"{every}h")
    return [forecast(model, data, time.isoformat(), cities, weather) for time in times]


def backtest(
    models: Mapping[str, Model | Fitted],
    data: Collection,
    start: str,
    end: str,
    *,
    weather: str = NO_WEATHER,
    every: int = 6,
    progress: bool = False,
) -> dict[str, Any]:
    """Score trained models on the same windows; the result is described in docs/backtest.md.

    Parameters
    ----------
    models : mapping of str to Model or Fitted
    data : Collection
    start, end : str
        Init times lie in ``[start, end)``, targets end at `end`.
    weather : {"none", "observed"}
        Whether the observed weather of the lead times is given (perfect prog).
    every : int
        Hours between init times.
    progress : bool
        Show a bar.

    Returns
    -------
    dict
        As `hazecast.forecast.evaluation.backtest.backtest` returns it.

    Raises
    ------
    InputError
        If a model was fitted on later hours than `start`, or no window is left.
    """
    windows = _windows(models, data, start, end, every, weather)
    plain = {name: _plain(model) for name, model in models.items()}
    return score(plain, windows, future_weather=weather == OBSERVED_WEATHER, progress=progress)


def reliability(
    models: Mapping[str, Model | Fitted],
    data: Collection,
    start: str,
    end: str,
    *,
    weather: str = NO_WEATHER,
    every: int = 6,
) -> dict[str, pd.DataFrame]:
    """Return for each model how often observations fell below its quantiles; for `hazecast.forecast.evaluation.plots.reliability`.

    Parameters
    ----------
    models : mapping of str to Model or Fitted
    data : Collection
    start, end : str
        Init times lie in ``[start, end)``, targets end at `end`.
    weather : {"none", "observed"}
        Whether the observed weather of the lead times is given (perfect prog).
    every : int
        Hours between init times.

    Returns
    -------
    dict of str to pandas.DataFrame
        Shares by quantile (rows) and pollutant (columns).
    """
    windows = _windows(models, data, start, end, every, weather)
    observed = weather == OBSERVED_WEATHER
    return {name: quantile_shares(_plain(model), windows, future_weather=observed) for name, model in models.items()}


def registry(data_dir: Path | str) -> ModelRegistry:
    """Return the registry of an installation: list, register, promote, roll back."""
    return ModelRegistry(Path(data_dir).expanduser().absolute() / "models")


def register(fitted: Fitted, data_dir: Path | str, scores: Mapping[str, Any] | None = None) -> TrainedModel:
    """Put a trained model into the registry of an installation.

    Parameters
    ----------
    fitted : Fitted
        Of any model with `save` and `load` whose name is declared as an entry point; see
        `hazecast.models.zoo.template`.
    data_dir : Path or str
        The installation's data folder.
    scores : mapping, optional
        Put into the model card.

    Returns
    -------
    TrainedModel
        It serves only once it is promoted.

    Raises
    ------
    InputError
        If the model can't be kept, or no entry point declares its name.
    """
    with tempfile.TemporaryDirectory() as folder:
        given = fitted.collections
        # A collection may have been given twice, in parts.
        names = [f"{name} ({n})" if name in given[:n] else name for n, name in enumerate(given)]
        save_trained(fitted.model, fitted.train, dict.fromkeys(names, fitted.until), Path(folder))
        return registry(data_dir).register(Path(folder), None if scores is None else dict(scores))


def compare(
    candidate: TrainedModel,
    other: TrainedModel,
    folder: Path | str,
    start: str,
    end: str,
    *,
    weather: str = NO_WEATHER,
    every: int = 6,
) -> dict[str, Any]:
    """Compare two registered models on the same windows; see `hazecast.services.research.model_scores.compare_models`.

    Parameters
    ----------
    candidate, other : TrainedModel
    folder : Path or str
        Of a collection.
    start, end : str
        After the training of both.
    weather : {"none", "observed"}
        Whether the observed weather of the lead times is given (perfect prog).
    every : int
        Hours between init times.

    Returns
    -------
    dict
    """
    first, last = parse_time(start, "start"), parse_time(end, "end")
    return compare_models(candidate, other, Path(folder), first, last, weather=weather, every=every)


def _windows(
    models: Mapping[str, Model | Fitted], data: Collection, start: str, end: str, every: int, weather: str
) -> WindowSet:
    _check_weather(weather)
    first, last = parse_time(start, "start"), parse_time(end, "end")
    for name, model in models.items():
        if isinstance(model, Fitted) and model.until > first:
            raise InputError("start", start, f"a time after {model.until.isoformat()}, which {name} was fitted until")
    found = scoring_windows((data.series,), to_datetime64(first), to_datetime64(last), every=every)
    if not len(found):
        raise InputError("start, end", f"{start} to {end}", f"a period that {data.name} covers")
    return found


def _check_weather(weather: str) -> None:
    if weather not in (NO_WEATHER, OBSERVED_WEATHER):
        raise InputError("weather", weather, f"{NO_WEATHER} or {OBSERVED_WEATHER}")


def _plain(model: Model | Fitted) -> Model:
    return model.model if isinstance(model, Fitted) else model
