"""Replaying a past period cycle by cycle.

Two forecasts are replayed through the same engine: the model's, and persistence (what was observed last is
forecast with certainty for all hours). The truth of a window is what the engine gives for the observations
of its hours, as if they had been a forecast.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import xarray as xr
from tqdm import tqdm

from hazecast.alerts.engine.assessment import Assessment, Outlook
from hazecast.alerts.engine.engine import advance, assess
from hazecast.alerts.engine.warning import in_force_at
from hazecast.alerts.maps.timeline import Episode
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.forecast.inputs import windows_at
from hazecast.forecast.produce import humidity_ahead, make_forecast
from hazecast.grids.contract import FORECAST_POLLUTANTS, HISTORY_HOURS, LEAD_HOURS, POLLUTANTS, QUANTILES
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import MonitorData, read_observations
from hazecast.grids.places.cities import City, Registry, load_registry
from hazecast.grids.times import to_datetime64
from hazecast.models import checkpoint
from hazecast.models.background import LEVEL_HOURS
from hazecast.models.experts import last_observed
from hazecast.models.interface import Model
from hazecast.models.registry import load_trained
from hazecast.models.series import TARGETS, Windows
from hazecast.services.research.replay.result import MODEL, PERSISTENCE, ReplayPlan, ReplayResult, WindowScore
from hazecast.services.work.inputs import OBSERVED_WEATHER, with_humidity

_HOUR = np.timedelta64(1, "h")
_SEEN = ("relative_humidity", "visibility")
# A window without an event counts only if so much of it was observed.
_KNOWN_SHARE = 0.75


def run_replay(plan: ReplayPlan, book: RuleBook | None = None, *, progress: bool = False) -> ReplayResult:
    """Replay a period.

    The rule set is applied as it is now, whether or not it was in force then.

    Parameters
    ----------
    plan : ReplayPlan
    book : RuleBook, optional
        Holds the plan's rule set; by default the shipped rule sets.
    progress : bool
        Whether to draw a progress bar.

    Returns
    -------
    ReplayResult

    Raises
    ------
    InputError
        If the collection, a city, the rule set or the period is unusable.
    """
    registry, rules = load_registry(), (book or RuleBook.shipped()).rule_set(plan.rule_set)
    if plan.weather not in ("none", OBSERVED_WEATHER):
        raise InputError("weather", plan.weather, f"none or {OBSERVED_WEATHER}")
    times = plan.init_times()
    data = read_observations(plan.observations, registry)
    cities = _cities(data, registry, rules, plan)
    model, model_id = _model(plan)
    source = "none" if plan.weather == "none" else "observed weather in place of a forecast (perfect prog)"
    result = ReplayResult(plan, rules, model_id, source, [c.id for c in cities])
    result.met = {c.id: {level.rank: set() for level in rules.levels} for c in cities}
    data = _lean(data)
    observations = with_humidity(data.observations, data.weather)
    observations = observations[[n for n in (*FORECAST_POLLUTANTS, *_SEEN) if n in observations]]
    result.episodes = {c.id: Episode.begin(c, rules, observations, times[0], times[-1]) for c in cities}
    for init_time in tqdm(times, desc="replay", unit="cycle", disable=not progress):
        _cycle(result, data, observations, registry, cities, model, init_time)
    if len(times) == result.skipped:
        raise InputError("replay", f"{plan.start} to {plan.end}", f"a period that {data.source} covers")
    for city in cities:
        result.episodes[city.id].messages = [m for m in result.messages[MODEL] if m.city == city.id]
        result.episodes[city.id].met = result.met[city.id]
        result.episodes[city.id].label = f"{model_id}, weather: {source}"
    return result


def _model(plan: ReplayPlan) -> tuple[Model, str]:
    if plan.weights is None:
        return load_trained()
    model, card = checkpoint.load(plan.weights)
    return model, str(card["model_id"])


def _cities(data: MonitorData, registry: Registry, rules: RuleSet, plan: ReplayPlan) -> list[City]:
    for name in plan.cities:
        registry.city(name)
    available = [registry.cities[str(c)] for c in data.observations["city"].values if str(c) in registry.cities]
    chosen = [
        c
        for c in available
        if (c.id in plan.cities if plan.cities else rules.country is None or c.country == rules.country)
    ]
    if not chosen:
        raise InputError("city", list(plan.cities), f"a city of {data.source} that {rules.id} applies to")
    return chosen


def _lean(data: MonitorData) -> MonitorData:
    """Return the collection without flags and counts: no cycle reads them, but each would slice them."""
    stations = None if data.stations is None else data.stations[["pm25"]]
    return replace(
        data, observations=data.observations[[n for n in POLLUTANTS if n in data.observations]], stations=stations
    )


def _cycle(
    result: ReplayResult,
    data: MonitorData,
    observations: xr.Dataset,
    registry: Registry,
    cities: list[City],
    model: Model,
    init_time: datetime,
) -> None:
    init = to_datetime64(init_time)
    recent = data.observations["pm25"].reindex(time=init + (np.arange(HISTORY_HOURS) - HISTORY_HOURS + 1) * _HOUR)
    reporting = [c for c in cities if bool(np.isfinite(recent.sel(city=c.id)).any())]
    if not reporting:
        result.skipped += 1
        return
    near = slice(init - 130 * _HOUR, init + (LEAD_HOURS + 1) * _HOUR)
    past, nearby = observations.sel(time=near), data.observations.sel(time=near)
    weather = None if data.weather is None else data.weather.sel(time=near)
    known = result.plan.weather == OBSERVED_WEATHER
    windows = windows_at(
        nearby, weather, reporting, init, future_weather=weather if known else None, weather_observed=known,
        longer=data.observations.sel(time=slice(init - LEVEL_HOURS * _HOUR, init)),
    )  # fmt: skip
    forecast = make_forecast(
        model.predict(windows), result.model_id, windows, [c.id for c in reporting], init, weather_source=result.weather_source,
        observations_until=init, simulated=False, degraded=False,
    )  # fmt: skip
    stations = None if data.stations is None else data.stations.sel(time=near)
    assessed: dict[str, list[Assessment]] = {}
    for source, dataset in ((MODEL, forecast), (PERSISTENCE, _persistence(forecast, windows))):
        assessed[source] = assess(
            dataset, past, registry, result.rules, stations=stations, cities=[c.id for c in reporting]
        )
        history = in_force_at(result.messages[source], init_time)
        result.messages[source] += advance(history, assessed[source], init_time, ruleset=result.rules)
    observed = assess(
        _perfect(forecast, past), past, registry, result.rules, stations=stations, cities=[c.id for c in reporting]
    )
    for city, own, truth in zip(sorted(c.id for c in reporting), assessed[MODEL], observed, strict=True):
        _record(result, city, own, truth, forecast)


def _record(result: ReplayResult, city: str, own: Assessment, truth: Assessment, forecast: xr.Dataset) -> None:
    hours = (own.end - own.start) / timedelta(hours=1)
    events: tuple[bool, ...] | None = tuple(o.probability >= 1.0 for o in truth.outlooks)
    if events is not None and not any(events) and truth.missing_hours > (1.0 - _KNOWN_SHARE) * hours:
        events = None
    for outlook in truth.outlooks:
        if outlook.probability >= 1.0:
            result.met[city][outlook.rank] |= _hours_met(outlook)
    ranks = {}
    for source, messages in result.messages.items():
        current = [m for m in in_force_at(messages, own.init_time) if m.city == city]
        ranks[source] = result.rules.level_of(current[0].level).rank if current else 0
    probabilities = tuple(o.probability for o in own.outlooks)
    result.windows.append(WindowScore(city, own.init_time, probabilities, ranks, events))
    result.episodes[city].add_run(own.init_time, forecast["pm25"].sel(city=city).values, ranks)


def _hours_met(outlook: Outlook) -> set[datetime]:
    """Return the hours, by their ends, that meet a level: of an episode all from its onset to its end."""
    if outlook.until is None or all(e.observed_hours is None for e in outlook.evidence):
        return {e.time for e in outlook.evidence}
    length = int((outlook.until - outlook.onset) / timedelta(hours=1))
    return {outlook.onset + timedelta(hours=n + 1) for n in range(length)}


def _certain(forecast: xr.Dataset, values: dict[str, np.ndarray], humidity: np.ndarray, label: str) -> xr.Dataset:
    """Return a forecast that is certain of `values`, (lead_time, city), with the labels of `forecast`."""
    quantiles = {
        name: (("lead_time", "city", "quantile"), np.repeat(array[:, :, None], len(QUANTILES), axis=2))
        for name, array in values.items()
    }
    dataset = xr.Dataset(quantiles, coords=forecast.coords, attrs={**forecast.attrs, "weather_source": label})
    dataset["relative_humidity"] = (("lead_time", "city"), humidity)
    return dataset


def _persistence(forecast: xr.Dataset, windows: Windows) -> xr.Dataset:
    last = last_observed(windows.history_obs[..., list(TARGETS)])
    values = {
        name: np.repeat(last[None, :, number], LEAD_HOURS, axis=0) for number, name in enumerate(FORECAST_POLLUTANTS)
    }
    humidity, _ = humidity_ahead(replace(windows, future_weather=np.full_like(windows.future_weather, np.nan)))
    return _certain(forecast, values, humidity.T, "persistence")


def _perfect(forecast: xr.Dataset, observations: xr.Dataset) -> xr.Dataset:
    times = forecast["init_time"].values + forecast["lead_time"].values
    observed = observations.reindex(time=times).sel(city=forecast["city"].values)
    names = [n for n in (*FORECAST_POLLUTANTS, *_SEEN) if n in observed]
    values = {n: observed[n].transpose("time", "city").values for n in names}
    humidity = values.pop("relative_humidity", forecast["relative_humidity"].values)
    measured = values.pop("visibility", None)
    result = _certain(forecast, values, humidity, "observations")
    return result if measured is None else result.assign(visibility=(("lead_time", "city"), measured))
