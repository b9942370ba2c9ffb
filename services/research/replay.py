"""Replaying a past period cycle by cycle: the warnings that would have been given, and how good they were.

Two forecasts are replayed through the same engine: the model's, and persistence (what was observed last is
forecast with certainty for all hours). The truth of a window is what the engine says of the observations
that came, as if they had been a forecast.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from tqdm import tqdm

from hazecast.alerts.engine.assessment import Assessment
from hazecast.alerts.engine.engine import advance, assess
from hazecast.alerts.engine.scoring import (
    Contingency,
    LeadTime,
    best_threshold,
    contingency,
    lead_times,
    median_lead,
    onsets,
    threshold_table,
)
from hazecast.alerts.engine.warning import HazeWarning, in_force_at
from hazecast.alerts.maps.timeline import Episode
from hazecast.alerts.rules.ruleset import RuleSet, load_ruleset
from hazecast.forecast.inputs import windows_at
from hazecast.forecast.produce import humidity_ahead, make_forecast
from hazecast.forecast.scenarios import COUNT
from hazecast.grids.contract import FORECAST_POLLUTANTS, HISTORY_HOURS, LEAD_HOURS, POLLUTANTS, QUANTILES
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import MonitorData, read_observations
from hazecast.grids.places.cities import City, Registry, load_registry
from hazecast.grids.times import to_datetime64
from hazecast.models import checkpoint
from hazecast.models.interface import TARGETS, Model, Windows
from hazecast.models.registry import load_trained
from hazecast.models.zoo.baselines import last_observed
from hazecast.models.zoo.network_model import NetworkModel
from hazecast.services.work.inputs import OBSERVED_WEATHER, with_humidity

_HOUR = np.timedelta64(1, "h")
MODEL, PERSISTENCE = "model", "persistence"
# A window without an event counts only if so much of it was observed.
_KNOWN_SHARE = 0.75


@dataclass(frozen=True)
class ReplayPlan:
    """What to replay: a collection, the first and last init time (aware), cities (empty: all), and how."""

    observations: Path
    start: datetime
    end: datetime
    cities: tuple[str, ...] = ()
    rule_set: str = "cma_haze"
    weather: str = "none"
    every: int = 12
    weights: Path | None = None

    def init_times(self) -> list[datetime]:
        """Return the init times.

        Raises
        ------
        InputError
            If a time is no whole hour, or the period is empty.
        """
        if self.start != self.start.replace(minute=0, second=0, microsecond=0):
            raise InputError("--from", self.start.isoformat(), "a whole hour")
        if self.end < self.start:
            raise InputError("--to", self.end.isoformat(), f"a time not before {self.start.isoformat()}")
        return [self.start + n * timedelta(hours=self.every) for n in range(int((self.end - self.start) / timedelta(hours=self.every)) + 1)]  # fmt: skip


@dataclass(frozen=True)
class WindowScore:
    """One window of one city: probabilities of the model, ranks in force after the run, events by rank.

    `events` is None where too little was observed to say that nothing came.
    """

    city: str
    init_time: datetime
    probabilities: tuple[float, ...]
    in_force: dict[str, int]
    events: tuple[bool, ...] | None


@dataclass
class ReplayResult:
    """All that a replay gives; `met` are the observed hours that met each rank or a higher one, by city."""

    plan: ReplayPlan
    rules: RuleSet
    model_id: str
    weather_source: str
    cities: list[str]
    messages: dict[str, list[HazeWarning]] = field(default_factory=lambda: {MODEL: [], PERSISTENCE: []})
    windows: list[WindowScore] = field(default_factory=list)
    met: dict[str, dict[int, set[datetime]]] = field(default_factory=dict)
    skipped: int = 0
    episodes: dict[str, Episode] = field(default_factory=dict)

    def scores(self, source: str, rank: int) -> Contingency:
        """Return the contingency of a level (or higher) over all windows of all cities."""
        known = [w for w in self.windows if w.events is not None]
        return contingency(
            [w.in_force[source] >= rank for w in known], [bool(w.events and w.events[rank - 1]) for w in known]
        )

    def leads(self, source: str, rank: int) -> list[LeadTime]:
        """Return the lead time of each episode of a level, all cities."""
        return [
            lead
            for city in self.cities
            for lead in lead_times(
                onsets(self.met[city][rank]), [m for m in self.messages[source] if m.city == city], self.rules, rank
            )
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "meta": {
                "observations": self.plan.observations.name,
                "from": self.plan.start.isoformat(),
                "to": self.plan.end.isoformat(),
                "every_hours": self.plan.every,
                "weather": self.weather_source,
                "model_id": self.model_id,
                "rule_set": self.rules.id,
                "rule_version": self.rules.version,
                "cities": self.cities,
                "windows": len(self.windows),
                "windows_unknown": sum(w.events is None for w in self.windows),
                "cycles_skipped": self.skipped,
            },
            "scores": score_table(self),
            "messages": {k: [m.model_dump(mode="json") for m in v] for k, v in self.messages.items()},
            "windows": [
                {
                    "city": w.city,
                    "init_time": w.init_time.isoformat(),
                    "probabilities": [round(p, 4) for p in w.probabilities],
                    "in_force": w.in_force,
                    "events": w.events,
                }
                for w in self.windows
            ],
        }


def run_replay(plan: ReplayPlan, *, progress: bool = False) -> ReplayResult:
    """Replay a period.

    The rule set is applied as it is now, whether or not it was in force then.

    Raises
    ------
    InputError
        If the collection, a city, the rule set or the period is unusable.
    """
    registry, rules = load_registry(), load_ruleset(plan.rule_set)
    if plan.weather not in ("none", OBSERVED_WEATHER):
        raise InputError("weather", plan.weather, f"none or {OBSERVED_WEATHER}")
    times = plan.init_times()
    data = read_observations(plan.observations, registry)
    cities = _cities(data, registry, rules, plan)
    model, model_id = _model(plan)
    source = "none" if plan.weather == "none" else "observed weather standing in for a forecast (perfect prog)"
    result = ReplayResult(plan, rules, model_id, source, [c.id for c in cities])
    result.met = {c.id: {level.rank: set() for level in rules.levels} for c in cities}
    data = _lean(data)
    observations = with_humidity(data.observations, data.weather)
    observations = observations[[n for n in (*FORECAST_POLLUTANTS, "relative_humidity") if n in observations]]
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
    network, card = checkpoint.load(plan.weights)
    return NetworkModel(network=network), str(card["model_id"])


def _cities(data: MonitorData, registry: Registry, rules: RuleSet, plan: ReplayPlan) -> list[City]:
    for name in plan.cities:
        registry.city(name)
    held = [registry.cities[str(c)] for c in data.observations["city"].values if str(c) in registry.cities]
    chosen = [
        c for c in held if (c.id in plan.cities if plan.cities else rules.country is None or c.country == rules.country)
    ]
    if not chosen:
        raise InputError("city", list(plan.cities), f"a city of {data.source} that {rules.id} applies to")
    return chosen


def _lean(data: MonitorData) -> MonitorData:
    """Return the collection without flags and counts, which no cycle reads but each would cut anew."""
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
    seen = [c for c in cities if bool(np.isfinite(recent.sel(city=c.id)).any())]
    if not seen:
        result.skipped += 1
        return
    near = slice(init - 130 * _HOUR, init + (LEAD_HOURS + 1) * _HOUR)
    past, nearby = observations.sel(time=near), data.observations.sel(time=near)
    weather = None if data.weather is None else data.weather.sel(time=near)
    known = result.plan.weather == OBSERVED_WEATHER
    windows = windows_at(nearby, weather, seen, init, future_weather=weather if known else None, weather_observed=known)
    forecast = make_forecast(
        model, result.model_id, windows, [c.id for c in seen], init, weather_source=result.weather_source,
        observations_until=init, simulated=False, degraded=False,
    )  # fmt: skip
    stations = None if data.stations is None else data.stations.sel(time=near)
    said: dict[str, list[Assessment]] = {}
    for source, dataset in ((MODEL, forecast), (PERSISTENCE, _persistence(forecast, windows))):
        said[source] = assess(dataset, past, registry, result.rules, stations=stations, cities=[c.id for c in seen])
        history = in_force_at(result.messages[source], init_time)
        result.messages[source] += advance(history, said[source], init_time, ruleset=result.rules)
    came = assess(
        _perfect(forecast, past), past, registry, result.rules, stations=stations, cities=[c.id for c in seen]
    )
    for city, own, truth in zip(sorted(c.id for c in seen), said[MODEL], came, strict=True):
        _note(result, city, own, truth, forecast)


def _note(result: ReplayResult, city: str, own: Assessment, truth: Assessment, forecast: xr.Dataset) -> None:
    hours = (own.end - own.start) / timedelta(hours=1)
    events: tuple[bool, ...] | None = tuple(o.probability >= 1.0 for o in truth.outlooks)
    if events is not None and not any(events) and truth.missing_hours > (1.0 - _KNOWN_SHARE) * hours:
        events = None
    for outlook in truth.outlooks:
        if outlook.probability >= 1.0:
            result.met[city][outlook.rank] |= {e.time for e in outlook.evidence}
    ranks = {}
    for source, messages in result.messages.items():
        standing = [m for m in in_force_at(messages, own.init_time) if m.city == city]
        ranks[source] = result.rules.level_of(standing[0].level).rank if standing else 0
    probabilities = tuple(o.probability for o in own.outlooks)
    result.windows.append(WindowScore(city, own.init_time, probabilities, ranks, events))
    result.episodes[city].add_run(own.init_time, forecast["pm25"].sel(city=city).values, ranks)


def _certain(forecast: xr.Dataset, values: dict[str, np.ndarray], humidity: np.ndarray, label: str) -> xr.Dataset:
    """Return a forecast that is sure of `values`, (lead_time, city); its labels are those of `forecast`."""
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
    came = observations.reindex(time=times).sel(city=forecast["city"].values)
    names = [n for n in (*FORECAST_POLLUTANTS, "relative_humidity") if n in came]
    values = {n: came[n].transpose("time", "city").values for n in names}
    humidity = values.pop("relative_humidity", forecast["relative_humidity"].values)
    return _certain(forecast, values, humidity, "observations")


def score_table(result: ReplayResult) -> dict[str, dict[str, dict[str, float | int | None]]]:
    """Return scores by source and level: counts, POD, FAR, CSI, episodes, those warned of, median lead in h."""
    table: dict[str, dict[str, dict[str, float | int | None]]] = {}
    for source in (MODEL, PERSISTENCE):
        table[source] = {}
        for level in result.rules.levels:
            counts, leads = result.scores(source, level.rank), result.leads(source, level.rank)
            ahead = [x for x in leads if x.hours is not None and x.hours >= 0]
            row = {
                "hits": counts.hits, "false_alarms": counts.false_alarms, "misses": counts.misses,
                "correct_negatives": counts.correct_negatives, "pod": counts.pod, "far": counts.far,
                "csi": counts.csi, "episodes": len(leads), "warned_before": len(ahead),
                "never_warned": sum(x.hours is None for x in leads), "median_lead_hours": median_lead(leads),
            }  # fmt: skip
            table[source][level.id] = {k: None if math.isnan(v) else round(v, 4) for k, v in row.items()}
    return table


def format_scores(result: ReplayResult) -> str:
    """Write the scores and the history in words."""
    plan = result.plan
    lines = [
        f"{plan.observations.name}, {', '.join(result.cities)}, {plan.start.isoformat()} to {plan.end.isoformat()} "
        f"every {plan.every} h, {len(result.windows)} windows, rule set {result.rules.id} {result.rules.version}",
        f"model {result.model_id}, weather: {result.weather_source}",
        "",
        "| level | warnings by | events | POD | FAR | CSI | episodes | warned before | never | median lead, h |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    table = score_table(result)
    for level in result.rules.levels:
        for source in (MODEL, PERSISTENCE):
            row = table[source][level.id]

            def cell(name: str, digits: int = 2, row: dict[str, Any] = row) -> str:
                return "-" if row[name] is None else f"{row[name]:.{digits}f}"

            events = int(row["hits"] or 0) + int(row["misses"] or 0)
            lines.append(
                f"| {level.id} | {source} | {events} | {cell('pod')} | {cell('far')} | {cell('csi')} | {row['episodes']} | "
                f"{row['warned_before']} | {row['never_warned']} | {cell('median_lead_hours', 0)} |"
            )
    lines.append("")
    if len(result.messages[MODEL]) <= 60:
        lines += [history_line(m) for m in result.messages[MODEL]]
    else:
        lines.append(f"{len(result.messages[MODEL])} messages by the model, all in the JSON.")
    return "\n".join(lines)


def history_line(message: HazeWarning) -> str:
    """Return one message of a history as a line."""
    chance = "-" if message.probability is None else f"{message.probability:.2f}"
    return (
        f"{message.issued:%Y-%m-%dT%H:%MZ} {message.city} {message.kind} {message.level}: {message.reason}, "
        f"probability {chance} against {message.threshold}, onset {message.onset:%m-%dT%H:%MZ}, "
        f"until {message.expires:%m-%dT%H:%MZ}"
    )


def choose_thresholds(plan: ReplayPlan, *, progress: bool = False) -> tuple[dict[str, Any], str]:
    """Choose each level's probability threshold on a period that the model was not trained on.

    Scored is the probability of each window against what came; observations and hysteresis play no part.

    Returns
    -------
    table : dict
        ``{"meta": .., "levels": {level: {"cost_loss_ratio", "chosen", "rows": [..]}}}``.
    text : str
        The trade of POD against FAR by level.
    """
    result = run_replay(plan, progress=progress)
    known = [w for w in result.windows if w.events is not None]
    grid = [round(n / COUNT, 4) for n in range(1, COUNT + 1, 2)]
    levels: dict[str, Any] = {}
    lines = [f"model {result.model_id}, weather: {result.weather_source}, {len(known)} windows, {result.rules.id}"]
    for level in result.rules.levels:
        events = [bool(w.events and w.events[level.rank - 1]) for w in known]
        table = threshold_table([w.probabilities[level.rank - 1] for w in known], events, grid)
        chosen = best_threshold(table, level.cost_loss_ratio)
        rows = [
            {"threshold": t, "pod": c.pod, "far": c.far, "csi": c.csi, "value": c.value(level.cost_loss_ratio)}
            for t, c in table
        ]
        levels[level.id] = {
            "cost_loss_ratio": level.cost_loss_ratio,
            "chosen": chosen,
            "events": sum(events),
            "rows": [{k: None if math.isnan(v) else round(v, 4) for k, v in row.items()} for row in rows],
        }
        lines += [
            "",
            f"{level.id}: {sum(events)} events, cost-loss ratio {level.cost_loss_ratio}, chosen {chosen}",
            "| threshold | POD | FAR | CSI | value |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {r['threshold']:.2f} | {r['pod']:.2f} | {r['far']:.2f} | {r['csi']:.2f} | {r['value']:.2f} |"
            + (" chosen" if r["threshold"] == chosen else "")
            for r in rows[::2] + [x for x in rows[1::2] if x["threshold"] == chosen]
        ]
    return {"meta": result.as_dict()["meta"], "levels": levels}, "\n".join(lines)


def write_json(value: dict[str, Any], path: Path) -> None:
    """Write a file whole or not at all."""
    part = path.with_suffix(path.suffix + ".part")
    part.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    part.replace(path)
