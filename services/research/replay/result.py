"""What to replay, what a replay gives, and its scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hazecast.alerts.engine.coverage import hours_covered, kinds
from hazecast.alerts.engine.scoring import Contingency, LeadTime, contingency, lead_times, median_lead, onsets
from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.maps.timeline import Episode
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.errors import InputError
from hazecast.grids.times import format_time

MODEL, PERSISTENCE = "model", "persistence"
Scores = dict[str, dict[str, dict[str, float | int | None]]]


@dataclass(frozen=True)
class ReplayPlan:
    """What to replay, and how.

    Attributes
    ----------
    observations : Path
        Folder of a collection.
    start, end : datetime
        First and last init time, aware.
    cities : tuple of str
        Empty: all that the rule set applies to.
    rule_set : str
    weather : str
        ``"none"``, ``"observed"`` or ``"erring"`` (observed, made to err as a forecast does).
    every : int
        Hours between init times.
    weights : Path, optional
        Folder of a trained network; by default the shipped one.
    visibility_of : dict of str to Path
        By city, the folder of NOAA ISD files of a station whose measured visibility is what was observed there.
    """

    observations: Path
    start: datetime
    end: datetime
    cities: tuple[str, ...] = ()
    rule_set: str = "cma_haze"
    weather: str = "none"
    every: int = 12
    weights: Path | None = None
    visibility_of: Mapping[str, Path] = field(default_factory=dict)

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
        step = timedelta(hours=self.every)
        return [self.start + n * step for n in range((self.end - self.start) // step + 1)]


@dataclass(frozen=True)
class WindowScore:
    """One window of one city.

    Attributes
    ----------
    city : str
    init_time : datetime
    shares, probabilities : tuple of float
        The model's, by rank from 1, 0 to 1: of the scenarios, and as published.
    in_force : dict of str to int
        By source, the rank in force after the run; 0 for none.
    events : tuple of bool or None
        By rank from 1, whether it was observed; None where too little was observed to say that it was not.
    """

    city: str
    init_time: datetime
    shares: tuple[float, ...]
    probabilities: tuple[float, ...]
    in_force: dict[str, int]
    events: tuple[bool, ...] | None


@dataclass
class ReplayResult:
    """All that a replay gives.

    Attributes
    ----------
    plan : ReplayPlan
    rules : RuleSet
    model_id, weather_source : str
    cities : list of str
    messages : dict of str to list of HazeWarning
        By source, `MODEL` and `PERSISTENCE`, in order of issue.
    windows : list of WindowScore
    met : dict
        By city and rank, the observed hours that met this rank or a higher one.
    skipped : int
        Cycles without any observation.
    episodes : dict of str to Episode
        By city, for the timeline.
    """

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
        """Return the contingency table of a level (or higher) over all windows of all cities.

        Parameters
        ----------
        source : {"model", "persistence"}
        rank : int
            Of the level, from 1.

        Returns
        -------
        Contingency
        """
        known = [w for w in self.windows if w.events is not None]
        return contingency(
            [w.in_force[source] >= rank for w in known], [bool(w.events and w.events[rank - 1]) for w in known]
        )

    def leads(self, source: str, rank: int) -> list[LeadTime]:
        """Return the lead time of each episode of a level, all cities.

        Parameters
        ----------
        source : {"model", "persistence"}
        rank : int
            Of the level, from 1.

        Returns
        -------
        list of LeadTime
        """
        return [
            lead
            for city in self.cities
            for lead in lead_times(
                onsets(self.met[city][rank]), [m for m in self.messages[source] if m.city == city], self.rules, rank
            )
        ]

    def hours(self, source: str, rank: int) -> tuple[int, int]:
        """Return how many observed hours met a level, all cities, and how many of them a message of it covered.

        Parameters
        ----------
        source : {"model", "persistence"}
        rank : int
            Of the level, from 1.

        Returns
        -------
        met, covered : int
        """
        met = {city: self.met[city][rank] for city in self.cities}
        covered = [
            hours_covered(hours, [m for m in self.messages[source] if m.city == city], self.rules, rank)
            for city, hours in met.items()
        ]
        return sum(map(len, met.values())), sum(covered)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "meta": {
                "observations": self.plan.observations.name,
                "from": format_time(self.plan.start),
                "to": format_time(self.plan.end),
                "every_hours": self.plan.every,
                "weather": self.weather_source,
                "visibility": ", ".join(f"measured in {c} ({f.name})" for c, f in self.plan.visibility_of.items())
                or "derived",
                "model_id": self.model_id,
                "rule_set": self.rules.id,
                "rule_version": self.rules.version,
                "cities": self.cities,
                "windows": len(self.windows),
                "windows_unknown": sum(w.events is None for w in self.windows),
                "cycles_skipped": self.skipped,
            },
            "scores": score_table(self),
            "kinds": {k: kinds(v) for k, v in self.messages.items()},
            "messages": {k: [m.model_dump(mode="json") for m in v] for k, v in self.messages.items()},
            "windows": [
                {
                    "city": w.city,
                    "init_time": format_time(w.init_time),
                    "shares": [round(s, 4) for s in w.shares],
                    "probabilities": [round(p, 4) for p in w.probabilities],
                    "in_force": w.in_force,
                    "events": w.events,
                }
                for w in self.windows
            ],
        }


def score_table(result: ReplayResult) -> Scores:
    """Return scores by source and level: counts, POD, FAR, CSI, bias, episodes, those warned of, median lead in h, hours."""
    table: Scores = {}
    for source in (MODEL, PERSISTENCE):
        table[source] = {}
        for level in result.rules.levels:
            counts, leads = result.scores(source, level.rank), result.leads(source, level.rank)
            met, covered = result.hours(source, level.rank)
            ahead = [x for x in leads if x.hours is not None and x.hours >= 0]
            row = {
                "hits": counts.hits, "false_alarms": counts.false_alarms, "misses": counts.misses,
                "correct_negatives": counts.correct_negatives, "pod": counts.pod, "far": counts.far,
                "csi": counts.csi, "bias": counts.bias, "episodes": len(leads), "warned_before": len(ahead),
                "never_warned": sum(x.hours is None for x in leads), "median_lead_hours": median_lead(leads),
                "hours": met, "hours_covered": covered,
            }  # fmt: skip
            table[source][level.id] = {k: None if math.isnan(v) else round(v, 4) for k, v in row.items()}
    return table
