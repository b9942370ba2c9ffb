"""Applying a rule set to a forecast, and carrying warnings from one run to the next.

Two steps: `assess` says which level each city meets; `advance` compares that with the warnings in force
and writes the messages that follow. Both are pure: the same input gives the same messages and ids.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import xarray as xr

from alerts.ruleset import RuleSet, load_ruleset
from alerts.warning import Basis, Evidence, HazeWarning, Kind, in_force_at, warning_id
from forecast.products import median_series, valid_times
from forecast.visibility import BEIJING_WINTER, VisibilityModel, visibility
from grids.cities import City, Registry
from grids.errors import InputError

__all__ = ["Assessment", "advance", "assess", "in_force_at", "signal_window"]
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Assessment:
    """What one run says of one city: the rank met (0 none) in [start, end), and the hours behind it.

    `onset` is when the level begins: the observed hour, else the start of the first hour that meets it;
    the window's start at rank 0.
    """

    rule_set: str
    city: str
    area_zh: str
    area_ja: str
    area_en: str
    rank: int
    level: str | None
    start: datetime
    end: datetime
    onset: datetime
    evidence: tuple[Evidence, ...]
    init_time: datetime
    simulated: bool
    weather_source: str


@dataclass(frozen=True)
class _Hours:
    """Hourly values of one city and what they meet; arrays of shape (n,)."""

    times: npt.NDArray[np.datetime64]
    pm25: npt.NDArray[np.float64]
    humidity: npt.NDArray[np.float64]
    visibility: npt.NDArray[np.float64]
    rank: npt.NDArray[np.int8]
    condition: npt.NDArray[np.int8]

    def evidence(self, at: int, basis: Basis) -> Evidence:
        return Evidence(
            time=_aware(self.times[at]),
            pm25=float(self.pm25[at]),
            relative_humidity=float(self.humidity[at]),
            visibility=float(self.visibility[at]),
            level=int(self.rank[at]),
            basis=basis,
            condition=int(self.condition[at]),
        )


def signal_window(init_time: datetime, ruleset: RuleSet | None = None) -> tuple[datetime, datetime]:
    """Return the window a run at `init_time` warns for, as aware UTC.

    It begins at the rule set's next start at or after `init_time` (for the CMA haze signal 08:00 or
    20:00 Beijing time; a run at exactly 08:00 warns from 08:00) and lasts its hours (24).

    Raises
    ------
    InputError
        If `init_time` has no time zone.
    """
    if init_time.tzinfo is None:
        raise InputError("init_time", init_time, "a time with a time zone")
    rule = (ruleset or load_ruleset()).window
    local = init_time.astimezone(ZoneInfo(rule.time_zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    candidates = [midnight + timedelta(days=d, hours=h) for d in (0, 1) for h in rule.starts]
    start = min(c for c in candidates if c >= local).astimezone(UTC)
    return start, start + timedelta(hours=rule.hours)


def assess(
    forecast: xr.Dataset,
    observations: xr.Dataset | None,
    registry: Registry,
    ruleset: RuleSet,
    *,
    visibility_model: VisibilityModel = BEIJING_WINTER,
) -> list[Assessment]:
    """Say which level each city of the rule set's country meets.

    A level is met by forecast if at least ``window.minimum_hours`` hours of the window reach it in the
    median forecast. It is met by observation if the latest PM2.5 (no older than
    ``observed.maximum_age_hours`` before `init_time`, never after it) reaches it and at least
    ``observed.persist_share`` of the next ``observed.persist_hours`` hours of the median forecast do too;
    an observed red that is forecast to persist as yellow counts as yellow. The higher of both counts.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast", with ``relative_humidity`` (lead_time, city), %.
    observations : xarray.Dataset or None
        Contract "observations". Its ``relative_humidity`` (time, city) is used where present, else the
        forecast's humidity of the first hour.
    registry, ruleset
        Places and rules.
    visibility_model : VisibilityModel
        How visibility follows from PM2.5 and humidity.

    Returns
    -------
    list of Assessment
        One for each city of the country in the forecast, by city id; rank 0 included.

    Raises
    ------
    InputError
        If the forecast lacks humidity, does not cover the window, or names an unknown city.
    """
    if "relative_humidity" not in forecast.data_vars:
        raise InputError("forecast: relative_humidity", "absent", "(lead_time, city) in %")
    init_time = _aware(forecast["init_time"].values)
    start, end = signal_window(init_time, ruleset)
    times = valid_times(forecast)
    # A stamp ends its hour: the window [start, end) holds the stamps after start up to end.
    within = (times > _naive(start)) & (times <= _naive(end))
    if int(within.sum()) != ruleset.window.hours:
        raise InputError(
            "forecast: lead_time",
            f"{int(within.sum())} hours of {start} to {end}",
            f"all {ruleset.window.hours}",
        )
    soon = (times > _naive(init_time)) & (times <= _naive(init_time + timedelta(hours=ruleset.observed.persist_hours)))
    pm25 = np.asarray(median_series(forecast, "pm25").values, dtype=np.float64)
    humidity = np.asarray(forecast["relative_humidity"].transpose("lead_time", "city").values, dtype=np.float64)
    result = []
    missing = 0
    for c, city_id in enumerate(map(str, forecast["city"].values)):
        city = registry.city(city_id)
        if city.country != ruleset.country:
            continue
        hours = _hours(times, pm25[:, c], humidity[:, c], ruleset, visibility_model)
        missing += int(np.isnan(hours.visibility[within]).sum())
        observed = _observed(observations, city_id, init_time, hours, ruleset, visibility_model)
        simulated = bool(int(forecast.attrs["simulated"]))
        result.append(
            _assess_city(
                city,
                hours,
                within,
                soon,
                observed,
                ruleset,
                (start, end),
                init_time,
                simulated,
                str(forecast.attrs["weather_source"]),
            )
        )
    if missing:
        _LOG.warning("%s: %d city hours of the window have no value and count as no warning", ruleset.id, missing)
    absent = sorted({i for i, x in registry.cities.items() if x.country == ruleset.country} - {a.city for a in result})
    if absent:
        _LOG.info("%s: %d cities are not in the forecast and are not assessed", ruleset.id, len(absent))
    return sorted(result, key=lambda a: a.city)


def _hours(
    times: npt.NDArray[np.datetime64],
    pm25: npt.NDArray[np.float64],
    humidity: npt.NDArray[np.float64],
    ruleset: RuleSet,
    model: VisibilityModel,
) -> _Hours:
    seen = visibility(pm25, humidity, model)
    rank, condition = ruleset.level(pm25, humidity, seen), ruleset.condition(pm25, humidity, seen)
    return _Hours(times, pm25, humidity, seen, rank, condition)


def _observed(
    observations: xr.Dataset | None,
    city: str,
    init_time: datetime,
    hours: _Hours,
    ruleset: RuleSet,
    model: VisibilityModel,
) -> _Hours | None:
    """Return the latest observed hour of a city that is fresh enough, or None."""
    if observations is None or "pm25" not in observations or city not in observations["city"].values:
        return None
    stamps = observations["time"].values.astype("datetime64[ns]")
    oldest = init_time - timedelta(hours=ruleset.observed.maximum_age_hours)
    values = np.asarray(observations["pm25"].sel(city=city).values, dtype=np.float64)
    usable = np.flatnonzero((stamps <= _naive(init_time)) & (stamps >= _naive(oldest)) & ~np.isnan(values))
    if usable.size == 0:
        return None
    at = int(usable[-1])
    humidity = float(hours.humidity[0])
    if "relative_humidity" in observations:
        seen = float(observations["relative_humidity"].sel(city=city).values[at])
        humidity = humidity if np.isnan(seen) else seen
    return _hours(stamps[[at]], values[[at]], np.array([humidity]), ruleset, model)


def _assess_city(
    city: City,
    hours: _Hours,
    within: npt.NDArray[np.bool_],
    soon: npt.NDArray[np.bool_],
    observed: _Hours | None,
    ruleset: RuleSet,
    window: tuple[datetime, datetime],
    init_time: datetime,
    simulated: bool,
    weather_source: str,
) -> Assessment:
    ranks = [level.rank for level in ruleset.levels]
    by_forecast = max(
        (r for r in ranks if int((hours.rank[within] >= r).sum()) >= ruleset.window.minimum_hours), default=0
    )
    by_observation = 0
    if observed is not None:
        needed = ruleset.observed.persist_share * ruleset.observed.persist_hours
        by_observation = max(
            (r for r in ranks if int(observed.rank[0]) >= r and int((hours.rank[soon] >= r).sum()) >= needed),
            default=0,
        )
    rank = max(by_forecast, by_observation)
    onset, evidence = window[0], []
    if rank:
        at = [int(i) for i in np.flatnonzero(within & (hours.rank >= rank))]
        evidence = [hours.evidence(i, "forecast") for i in at]
        if observed is not None and by_observation == rank:
            evidence.insert(0, observed.evidence(0, "observed"))
            onset = evidence[0].time
        else:
            onset = evidence[0].time - timedelta(hours=1)
    return Assessment(
        rule_set=ruleset.id, city=city.id, area_zh=city.name_zh, area_ja=city.name_ja, area_en=city.name_en,
        rank=rank, level=ruleset.level_of(rank).id if rank else None, start=window[0], end=window[1],
        onset=onset, evidence=tuple(evidence), init_time=init_time, simulated=simulated,
        weather_source=weather_source,
    )  # fmt: skip


def advance(
    in_force: Sequence[HazeWarning],
    assessments: Sequence[Assessment],
    init_time: datetime,
    *,
    ruleset: RuleSet | None = None,
) -> list[HazeWarning]:
    """Return the new messages of a run, by city.

    A level met where none is in force is an "issue"; the same level for a later window a "continue"; a
    higher or lower one an "upgrade" or "downgrade"; none met where one is in force a "lift". The same
    level for the same window needs no message, so hourly runs do not repeat themselves. An expired
    message leaves force unsaid. A city that this run has already spoken of gets nothing more: run twice,
    the result is the same.

    Parameters
    ----------
    in_force : sequence of HazeWarning
        What stands; a whole history will do (see `in_force_at`). Other rule sets are passed over.
    assessments : sequence of Assessment
        Of one rule set; a city in force that is not among them stays as it is, and is logged.
    init_time : datetime
        Aware; of the run. It is also when its messages are issued.
    ruleset : RuleSet or None
        The rule set of the assessments; loaded by their id if None.

    Raises
    ------
    InputError
        If simulated and real warnings are mixed, rule sets or runs are mixed, a city comes twice, or
        something in force is newer than the run.
    """
    if not assessments:
        return []
    rules = ruleset or load_ruleset(assessments[0].rule_set)
    own = [m for m in in_force if m.rule_set == rules.id]
    _check_together(own, assessments, init_time, rules)
    spoken = {m.city for m in own if m.run_init_time == init_time}
    standing: dict[str, HazeWarning] = {}
    for message in in_force_at(own, init_time):
        if message.city in standing:
            raise InputError("in force", f"{standing[message.city].id} and {message.id}", "one warning for a city")
        standing[message.city] = message
    unknown = sorted(set(standing) - {a.city for a in assessments})
    if unknown:
        _LOG.warning("%s: %d cities with a warning in force are not assessed: %s", rules.id, len(unknown), unknown)
    messages: list[HazeWarning] = []
    for assessment in sorted(assessments, key=lambda a: a.city):
        if assessment.city in spoken:
            continue
        following = _next_message(standing.get(assessment.city), assessment, init_time, rules)
        if following is not None:
            messages.append(following)
    return messages


def _next_message(
    before: HazeWarning | None, now: Assessment, init_time: datetime, rules: RuleSet
) -> HazeWarning | None:
    kind: Kind
    if before is None:
        if not now.rank:
            return None
        kind = "issue"
    else:
        rank = rules.level_of(before.level).rank
        if not now.rank:
            kind = "lift"
        elif now.rank == rank:
            if now.end <= before.expires:
                return None
            kind = "continue"
        else:
            kind = "upgrade" if now.rank > rank else "downgrade"
    if kind == "lift" and before is not None:
        level, onset, expires = str(before.level), init_time, before.expires
    else:
        level, onset, expires = str(now.level), now.onset, now.end
    return HazeWarning.model_validate(
        {
            "id": warning_id(rules.id, now.city, init_time),
            "rule_set": rules.id,
            "level": level,
            "kind": kind,
            "city": now.city,
            "area_zh": now.area_zh,
            "area_ja": now.area_ja,
            "area_en": now.area_en,
            "issued": init_time,
            "onset": onset,
            "expires": expires,
            "evidence": now.evidence,
            "run_init_time": init_time,
            "references": (*before.references, before.id) if before is not None else (),
            "simulated": now.simulated,
            "weather_source": now.weather_source,
        }
    )


def _check_together(
    own: Sequence[HazeWarning], assessments: Sequence[Assessment], init_time: datetime, rules: RuleSet
) -> None:
    if init_time.tzinfo is None:
        raise InputError("init_time", init_time, "a time with a time zone")
    if len({a.simulated for a in assessments} | {m.simulated for m in own}) > 1:
        raise InputError("advance", "simulated and real warnings together", "all simulated or all real")
    if {a.rule_set for a in assessments} != {rules.id}:
        raise InputError("assessments: rule sets", sorted({a.rule_set for a in assessments}), rules.id)
    if {a.init_time for a in assessments} != {init_time}:
        raise InputError("assessments: runs", sorted({str(a.init_time) for a in assessments}), str(init_time))
    if len({a.city for a in assessments}) != len(assessments):
        raise InputError("assessments: cities", "a city more than once", "each city once")
    newest = max((m.run_init_time for m in own), default=init_time)
    if newest > init_time:
        raise InputError("in force", f"a message of the run of {newest}", f"none newer than {init_time}")


def _aware(time: np.datetime64 | npt.NDArray[np.datetime64]) -> datetime:
    return datetime.fromtimestamp(int(np.asarray(time).astype("datetime64[s]").astype(np.int64)), tz=UTC)


def _naive(time: datetime) -> np.datetime64:
    return np.datetime64(time.astimezone(UTC).replace(tzinfo=None), "ns")
