"""Backtests as the ``backtest`` command runs them: from a collection to the scores of several models."""

from __future__ import annotations

import copy
import logging
import resource
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hazecast.forecast.evaluation.backtest import backtest, format_table
from hazecast.forecast.evaluation.comparison import BLOCK_DAYS, RESAMPLES
from hazecast.forecast.issued_weather import IssuedWeather
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.times import format_time, to_datetime64
from hazecast.grids.weather.sampling import at_cities
from hazecast.grids.weather.timeline import to_hourly
from hazecast.models.interface import EVENTS, Adaptive, Model
from hazecast.models.kinds import create
from hazecast.models.series import HourlySeries, Windows, WindowSet
from hazecast.models.trained import newest_unseen, shipped_models
from hazecast.models.weather_errors import WeatherErrors
from hazecast.models.windows import balanced, only_until, scoring_windows
from hazecast.models.zoo.combined import Combined
from hazecast.services.core.weather_reading import read_files
from hazecast.services.research.experiments import TrainingPlan, read_series, training_windows
from hazecast.services.work.inputs import NO_WEATHER, OBSERVED_WEATHER

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BacktestPlan:
    """What a backtest does.

    Attributes
    ----------
    observations : Path
        Folder of a collection.
    until, start, end : datetime
        Aware. Nothing after `until` is learned from; init times lie in ``[start, end)`` and
        targets end at `end`.
    models : tuple of str
    weather : str
        ``"none"``, ``"observed"`` or a path of weather files.
    perturb : bool
        Make the observed weather err as a forecast of it would; see `hazecast.models.weather_errors`.
    every : int
        Hours between init times.
    retrain : bool
        Train the network rather than load a shipped one.
    training : TrainingPlan, optional
        What the models that learn are trained on; by default the collection itself until `until`.
    places : tuple of str
        Which places are scored; by default all.
    """

    observations: Path
    until: datetime
    start: datetime
    end: datetime
    models: tuple[str, ...]
    weather: str = NO_WEATHER
    perturb: bool = False
    every: int = 3
    retrain: bool = False
    training: TrainingPlan | None = None
    places: tuple[str, ...] = ()

    def check(self) -> None:
        """Check that the parts fit together.

        Raises
        ------
        InputError
            If the period is empty or begins before the end of training, a name comes twice, or there is nothing to
            make err.
        """
        if self.start < self.until:
            raise InputError("from", self.start.isoformat(), f"not before train-until {self.until.isoformat()}")
        if self.end <= self.start:
            raise InputError("to", self.end.isoformat(), f"a time after {self.start.isoformat()}")
        if self.perturb and self.weather != OBSERVED_WEATHER:
            raise InputError("perturb", f"weather {self.weather}", f"weather {OBSERVED_WEATHER} to make err")
        if self.every < 1:
            raise InputError("every", self.every, "at least 1 hour")
        if len(set(self.models)) != len(self.models):
            raise InputError("models", self.models, "each name once")


def run_backtest(plan: BacktestPlan, trained: dict[str, Model] | None = None) -> tuple[dict[str, Any], str]:
    """Train or load the models of a plan and score them on the same windows.

    Parameters
    ----------
    plan : BacktestPlan
    trained : dict of str to Model, optional
        Models that are already trained; those trained here are added.

    Returns
    -------
    result : dict
        As docs/backtest.md says.
    text : str
        The table of RMSE, MAE and CSI by lead time.

    Raises
    ------
    InputError
        If the plan doesn't fit together, a name is unknown, or no window is left.
    """
    plan.check()
    untrained = {name: create(name) for name in plan.models}
    series = read_series(plan.observations, plan.training.stations() if plan.training else None)
    windows = _scored(plan, series)
    if not len(windows):
        raise InputError(
            "from, to",
            f"{plan.start.isoformat()} to {plan.end.isoformat()}",
            f"a period that {plan.observations} covers",
        )
    scored = [str(place) for place in series.places[np.unique(windows.index[:, 1])]]
    change, label = _weather(plan, series)
    known = trained if trained is not None else {}

    @cache
    def train() -> WindowSet:
        found = plan.training.windows() if plan.training else training_windows([series], plan.until)
        # The same windows, weather and errors for every model that learns.
        return replace(balanced(found), weather_known=plan.weather != NO_WEATHER)

    seconds: dict[str, dict[str, float]] = {}
    for name in plan.models:
        if name not in known:
            wall, processor = time.monotonic(), time.process_time()
            known[name] = _ready(untrained[name], train, plan, scored)
            seconds[name] = {
                "wall": round(time.monotonic() - wall, 1),
                "processor": round(time.process_time() - processor, 1),
            }
    # What a model learns while it is scored stays with this backtest: the next begins as trained.
    models = {
        name: copy.deepcopy(known[name]) if isinstance(known[name], Adaptive) else known[name] for name in plan.models
    }
    result = backtest(models, windows, future_weather=plan.weather != NO_WEATHER, change=change, progress=True)
    result["meta"] = {
        "observations": plan.observations.name,
        "from": format_time(plan.start),
        "to": format_time(plan.end),
        "train_until": format_time(plan.until),
        "weather": label,
        "windows": len(windows),
        "training_windows": len(train()) if seconds else None,
        "places": scored,
        "hours_between_init_times": plan.every,
        "events": [f"{pollutant} >= {limit:g} ug m-3" for pollutant, limit in EVENTS],
        "bootstrap": {"block_days": BLOCK_DAYS, "resamples": RESAMPLES, "interval": 0.95},
        "training_seconds": seconds,
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    head = f"{plan.observations.name}, {plan.start:%Y-%m-%d} to {plan.end:%Y-%m-%d}, {len(windows)} windows, weather: {label}\n"
    return result, head + format_table(result["models"], list(models))


def _scored(plan: BacktestPlan, series: HourlySeries) -> WindowSet:
    windows = scoring_windows((series,), to_datetime64(plan.start), to_datetime64(plan.end), every=plan.every)
    unknown = sorted(set(plan.places) - {str(place) for place in series.places})
    if unknown:
        raise InputError("places", unknown, f"any of {[str(place) for place in series.places]}")
    if plan.places:
        chosen = np.isin(series.places[windows.index[:, 1]], list(plan.places))
        windows = replace(windows, index=windows.index[chosen])
    if not plan.perturb:
        return windows
    # Nothing later is read, neither as weather of another year nor in a season's mean.
    return replace(windows, series=(only_until(series, to_datetime64(plan.end)),), errors=WeatherErrors())


def _ready(model: Model, train: Callable[[], WindowSet], plan: BacktestPlan, scored: Sequence[str]) -> Model:
    if isinstance(model, Combined):
        return Combined(_ready(model.model, train, plan, scored))
    shipped = [one for one in shipped_models() if one.kind == model.name]
    if shipped and not plan.retrain:
        found = newest_unseen(shipped, plan.observations.name, scored, to_datetime64(plan.until))
        if found is not None:
            return found.load()
        log.warning("no shipped %s was trained by %s: training one", model.name, plan.until.isoformat())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice|Mean of empty slice", RuntimeWarning)
        model.fit(train(), progress=True)
    return model


def _weather(plan: BacktestPlan, series: HourlySeries) -> tuple[Callable[[Windows], Windows] | None, str]:
    if plan.weather == NO_WEATHER:
        return None, "no future weather"
    if plan.weather == OBSERVED_WEATHER:
        label = "observed weather in place of a forecast (perfect prog)"
        if plan.perturb:
            label += ", made to err as a forecast's"
        return None, label
    issued = IssuedWeather(_forecasts(Path(plan.weather), series), series)
    if issued.analysis:
        return issued.put_into, f"{Path(plan.weather).name}, analysis in place of a forecast (perfect prog)"
    return (
        issued.put_into,
        f"{Path(plan.weather).name}, {len(issued.issued)} forecasts, each as issued by the init time",
    )


def _forecasts(path: Path, series: HourlySeries) -> list[tuple[np.datetime64 | None, xr.Dataset]]:
    """Read forecasts: a file or folder is one; a folder of folders or of files of several is several."""
    unknown = [str(p) for p, lat in zip(series.places, series.latitude, strict=True) if not np.isfinite(lat)]
    if unknown:
        raise InputError(
            "weather files: places", unknown, "places whose position is known, see grids/places/stations.toml"
        )
    cities = [
        City.model_construct(id=str(place), latitude=float(lat), longitude=float(lon))
        for place, lat, lon in zip(series.places, series.latitude, series.longitude, strict=True)
    ]
    if not path.exists():
        raise InputError("weather", path, f"{NO_WEATHER}, {OBSERVED_WEATHER} or a path of weather files")
    sources = sorted(p for p in path.iterdir() if not p.name.startswith(".")) if path.is_dir() else [path]
    by_issue: dict[str, xr.Dataset] = {}
    for source in sources:
        grid = read_files(source)
        sampled = at_cities(grid, cities)
        key = str(grid.attrs.get("init_time", ""))
        by_issue[key] = by_issue[key].combine_first(sampled) if key in by_issue else sampled
    return [(_issue_time(key) if key else None, to_hourly(data)) for key, data in by_issue.items()]


def _issue_time(text: str) -> np.datetime64:
    issued = datetime.fromisoformat(text)
    if issued.tzinfo is None:
        raise InputError("weather: init_time", text, "an ISO 8601 time with its offset")
    return to_datetime64(issued)
