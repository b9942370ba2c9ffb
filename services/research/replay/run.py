"""Replaying a past period cycle by cycle.

Two forecasts are replayed through the same engine: the model's, and persistence (what was observed last is
forecast with certainty for all hours). The truth of a window is what the engine gives for the observations
of its hours, as if they had been a forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import xarray as xr
from tqdm import tqdm

from hazecast.alerts.engine.assessment import Assessment, Outlook
from hazecast.alerts.engine.engine import assess
from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.engine.warning import in_force_at
from hazecast.alerts.maps.timeline import Episode
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.forecast.sight import CERTAIN
from hazecast.grids.contract import FORECAST_POLLUTANTS, HISTORY_HOURS, LEAD_HOURS, POLLUTANTS, QUANTILES
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import MonitorData, read_observations
from hazecast.grids.observations.isd import read_isd
from hazecast.grids.observations.measured_visibility import with_measured_visibility
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import to_datetime64
from hazecast.models.experts import last_observed
from hazecast.models.series import TARGETS, Windows
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings
from hazecast.services.research.replay.forecasts import WEATHER_LABELS, Cycle, Forecaster
from hazecast.services.research.replay.result import MODEL, PERSISTENCE, ReplayPlan, ReplayResult, WindowScore
from hazecast.services.work.inputs import with_humidity

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
    registry, rules = city_registry(Settings()), (book or RuleBook.shipped()).rule_set(plan.rule_set)
    if plan.weather not in WEATHER_LABELS:
        raise InputError("weather", plan.weather, " or ".join(WEATHER_LABELS))
    times = plan.init_times()
    data = _lean(read_observations(plan.observations, registry))
    cities = _cities(data, registry, rules, plan)
    forecaster = Forecaster(plan, data, registry)
    result = ReplayResult(plan, rules, forecaster.model_id, forecaster.label, [c.id for c in cities])
    result.met = {c.id: {level.rank: set() for level in rules.levels} for c in cities}
    observations = with_humidity(data.observations, data.weather)
    for place, folder in plan.visibility_of.items():
        observations = with_measured_visibility(observations, place, read_isd(folder))
    observations = observations[[n for n in (*FORECAST_POLLUTANTS, *_SEEN) if n in observations]]
    result.episodes = {c.id: Episode.begin(c, rules, observations, times[0], times[-1]) for c in cities}
    cycles = _reporting(data, cities, times)
    result.skipped = len(times) - len(cycles)
    bar = tqdm(total=len(cycles), desc="replay", unit="cycle", disable=not progress)
    for (init_time, reporting), (forecast, windows) in zip(cycles, forecaster.issued(cycles), strict=True):
        _cycle(result, data, observations, registry, reporting, init_time, forecast, windows)
        bar.update()
    bar.close()
    if len(times) == result.skipped:
        raise InputError("replay", f"{plan.start} to {plan.end}", f"a period that {data.source} covers")
    for city in cities:
        result.episodes[city.id].messages = [m for m in result.messages[MODEL] if m.city == city.id]
        result.episodes[city.id].met = result.met[city.id]
        result.episodes[city.id].label = f"{result.model_id}, weather: {result.weather_source}"
    return result


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
    read = [n for n in (*POLLUTANTS, *_SEEN) if n in data.observations]
    return replace(data, observations=data.observations[read], stations=stations)


def _reporting(data: MonitorData, cities: list[City], times: list[datetime]) -> list[Cycle]:
    """Return the init times at which a city had reported in the days before, with these cities."""
    hours = data.observations["time"].values
    found: list[Cycle] = []
    for init_time in times:
        init = to_datetime64(init_time)
        recent = data.observations["pm25"].isel(time=(hours > init - HISTORY_HOURS * _HOUR) & (hours <= init))
        known = set(recent["city"].values[np.isfinite(recent.transpose("time", "city").values).any(axis=0)].astype(str))
        reporting = [c for c in cities if c.id in known]
        if reporting:
            found.append((init_time, reporting))
    return found


def _cycle(
    result: ReplayResult,
    data: MonitorData,
    observations: xr.Dataset,
    registry: Registry,
    reporting: Sequence[City],
    init_time: datetime,
    forecast: xr.Dataset,
    windows: Windows,
) -> None:
    init = to_datetime64(init_time)
    near = slice(init - 130 * _HOUR, init + (LEAD_HOURS + 1) * _HOUR)
    past = observations.sel(time=near)
    stations = None if data.stations is None else data.stations.sel(time=near)
    assessed: dict[str, list[Assessment]] = {}
    for source, dataset, sight in ((MODEL, forecast, None), (PERSISTENCE, _persistence(forecast, windows), CERTAIN)):
        assessed[source] = assess(
            dataset, past, registry, result.rules, stations=stations, cities=[c.id for c in reporting], sight=sight
        )
        history = in_force_at(result.messages[source], init_time)
        result.messages[source] += advance(history, assessed[source], init_time, ruleset=result.rules)
    observed = assess(
        _perfect(forecast, past), past, registry, result.rules, stations=stations, cities=[c.id for c in reporting],
        sight=CERTAIN,
    )  # fmt: skip
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
    shares, probabilities = tuple(o.share for o in own.outlooks), tuple(o.probability for o in own.outlooks)
    result.windows.append(WindowScore(city, own.init_time, shares, probabilities, ranks, events))
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
    # The same humidity for both: what differs is the concentration.
    humidity = forecast["relative_humidity"].transpose("lead_time", "city").values
    return _certain(forecast, values, humidity, "persistence")


def _perfect(forecast: xr.Dataset, observations: xr.Dataset) -> xr.Dataset:
    times = forecast["init_time"].values + forecast["lead_time"].values
    observed = observations.reindex(time=times).sel(city=forecast["city"].values)
    names = [n for n in (*FORECAST_POLLUTANTS, *_SEEN) if n in observed]
    values = {n: observed[n].transpose("time", "city").values for n in names}
    humidity = values.pop("relative_humidity", forecast["relative_humidity"].values)
    measured = values.pop("visibility", None)
    result = _certain(forecast, values, humidity, "observations")
    return result if measured is None else result.assign(visibility=(("lead_time", "city"), measured))
