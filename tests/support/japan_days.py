"""A day of station values in Japan, assessed hour by hour, for the tests of decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from hazecast.alerts.engine.assessment import Assessment
from hazecast.alerts.engine.city_hours import CityHours
from hazecast.alerts.engine.decisions import assess_decisions
from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.rules.book import RuleBook
from hazecast.forecast.dependence import COUNT
from hazecast.grids.places.cities import load_registry
from hazecast.grids.times import to_datetime64

REGISTRY = load_registry()
MIDNIGHT = datetime(2025, 3, 9, 15, tzinfo=UTC)  # 00:00 in Japan, the 10th
Values = Mapping[tuple[int, int], Sequence[float]]


def hourly(blocks: Values, background: float = 20.0) -> np.ndarray:
    """Values of 24 hours and some stations; ``(first, last)`` name hours by their ends, both included."""
    number = len(next(iter(blocks.values())))
    values = np.full((24, number), background)
    for (first, last), row in blocks.items():
        values[first - 1 : last] = row
    return values


def hours_at(city: str, day: np.ndarray, hour: int, before: float = 20.0) -> CityHours:
    """What is known at the end of an hour of the day; the rest of it is forecast as it comes, on the city's mean."""
    first = 120 - hour  # the position of the hour that ends at 01:00; the init time is the last of 120 past hours
    stations = np.full((day.shape[1], 120 + 48), np.nan)
    stations[:, :first] = before
    stations[:, first : first + 24] = day.T
    values = np.where(np.arange(168) < first + 24, np.nanmean(np.nan_to_num(stations, nan=20.0), axis=0), 20.0)
    stations[:, 120:] = np.nan
    init = MIDNIGHT + timedelta(hours=hour)
    times = to_datetime64(init) + np.arange(-119, 49) * np.timedelta64(1, "h")
    every = np.broadcast_to(values, (COUNT, 168))
    later = {name: lambda: every for name in ("pm25", "o3", "visibility")} | {
        "humidity": lambda: np.full_like(every, 50.0)
    }
    bounds = {"pm25": lambda: values, "o3": lambda: values}
    return CityHours(REGISTRY.city(city), times, 119, later, bounds, stations)


def at_hour(name: str, city: str, day: np.ndarray, hour: int, before: float = 20.0) -> Assessment:
    """The assessment at the end of an hour of the day."""
    rules, init = RuleBook.shipped().rule_set(name), MIDNIGHT + timedelta(hours=hour)
    hours = hours_at(city, day, hour, before)
    outlooks, ready, declared = assess_decisions(hours, rules, MIDNIGHT)
    return Assessment(
        name, city, city, city, city, MIDNIGHT, MIDNIGHT + timedelta(hours=24), outlooks, ready, init, False, "test",
        declared=declared,
    )  # fmt: skip


def through(
    name: str, city: str, day: np.ndarray, hours: Sequence[int], before: float = 20.0
) -> list[tuple[int, HazeWarning]]:
    """The messages of a day that is assessed at the end of each of these hours."""
    rules = RuleBook.shipped().rule_set(name)
    found: list[tuple[int, HazeWarning]] = []
    for hour in hours:
        own = at_hour(name, city, day, hour, before)
        new = advance([m for _, m in found], [own], MIDNIGHT + timedelta(hours=hour), ruleset=rules)
        found += [(hour, message) for message in new]
    return found
