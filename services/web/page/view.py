"""What the templates show of the cities: plain values in one language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.texts import Language
from hazecast.forecast.day_index import DayIndex
from hazecast.forecast.haze_grades import HAZE_GRADES
from hazecast.forecast.indices import china_standard
from hazecast.grids.places.cities import City, Registry
from hazecast.services.store.store import Store
from hazecast.services.web.page.chart import Chart, ChartLine, chart_line, common_top, draw
from hazecast.services.web.page.index_choice import Choice, choice_of, index_of_hour
from hazecast.services.web.page.outlook import Day, days_of
from hazecast.services.web.page.snapshot import CURRENT_HOURS, Snapshot, severity_rank
from hazecast.services.web.page.warning_view import WarningView, warning_views
from hazecast.services.web.page.words import Words

POLLUTANTS = ("pm25", "o3")


@dataclass(frozen=True)
class NowView:
    """What the air of a city is like now: as last observed or, where nothing was lately, as forecast for this hour."""

    pm25: float | None
    o3: float | None
    index: DayIndex | None
    index_text: str
    primary: str
    advice: str
    source: str
    sentence: str
    observed: bool


@dataclass(frozen=True)
class ChartView:
    """A chart with the sentence that describes it, for those who don't see it."""

    pollutant: str
    chart: Chart | None
    sentence: str


@dataclass(frozen=True)
class CityView:
    """All that the page shows of a city."""

    city: City
    name: str
    now: NowView | None
    warnings: tuple[WarningView, ...]
    days: tuple[Day, ...]
    charts: tuple[ChartView, ...]
    rows: tuple[tuple[str, str, str, str], ...]
    zone: str
    has_forecast: bool
    choice: Choice | None
    standard: str


def city_view(
    snapshot: Snapshot,
    city: City,
    store: Store,
    registry: Registry,
    words: Words,
    beside: City | None = None,
    *,
    wanted: Choice | None = None,
) -> CityView:
    """Return all that the page shows of a city.

    Parameters
    ----------
    snapshot : Snapshot
    city : City
    store : Store
    registry : Registry
    words : Words
        Of the language to write in.
    beside : City, optional
        A city shown for comparison: the charts of both have the same scale.
    wanted : {"china", "us", "japan"}, optional
        The index of the reader's choice.

    Returns
    -------
    CityView
    """
    here = city.id in snapshot.cities and snapshot.forecast is not None
    warned = tuple(w for w in snapshot.warnings if w.city == city.id)
    choice = choice_of(wanted, city)
    days = days_of(snapshot.outlook, city, choice) if here and snapshot.outlook is not None else []
    if snapshot.times and snapshot.times[-1] >= snapshot.now:
        # A run has hours of a day that has ended since, and its days are those of all places: Japan's begin an hour earlier.
        today = snapshot.now.astimezone(ZoneInfo(city.time_zone)).date()
        days = [day for day in days if day.date >= today]
    return CityView(
        city=city,
        name=words.of(city),
        now=now_view(snapshot, city, words, choice),
        warnings=warning_views(warned, store, registry, snapshot.book, words, snapshot.now),
        days=tuple(days),
        charts=tuple(_charts(snapshot, city, beside, words)) if here else (),
        rows=tuple(_rows(snapshot, city, words)) if here else (),
        zone=words.catalog.zone(city.time_zone, snapshot.now),
        has_forecast=here,
        choice=choice,
        standard=days[0].index.standard if days and days[0].index else "",
    )


def now_view(snapshot: Snapshot, city: City, words: Words, choice: Choice | None) -> NowView | None:
    """Return what the air of a city is like now.

    Parameters
    ----------
    snapshot : Snapshot
    city : City
    words : Words
    choice : {"china", "us", "japan", "europe"} or None
        The index; None for that of the city's country.

    Returns
    -------
    NowView or None
        None where nothing was observed within a day and no current forecast has this hour.
    """
    found = snapshot.newest_observed(city.id)
    recent = found is not None and snapshot.now - found[0] <= timedelta(hours=CURRENT_HOURS)
    ahead = None if recent else _hour_now(snapshot, city)
    if ahead is not None:
        time, key = ahead, "city.forecast_now"
    elif found is not None:
        time, key = found[0], "city.observed" if recent else "city.observed_old"
    else:
        return None
    pm25, o3 = snapshot.hours_until(city.id, time, observed=ahead is None)
    index = index_of_hour(choice, city, time, pm25, o3)
    return NowView(
        pm25=_number(float(pm25[-1])),
        o3=_number(float(o3[-1])),
        index=index,
        index_text="" if index is None else index_text(index, choice, words),
        primary="" if index is None else primary_text(index, words),
        advice="" if index is None or choice is None else words.say(f"advice.{choice}.{index.id}"),
        source="" if choice is None else words.say(f"advice.source_{choice}"),
        sentence=words.say(
            key, moment=words.moment(time, city.time_zone), zone=words.catalog.zone(city.time_zone, time)
        ),
        observed=ahead is None,
    )


def _hour_now(snapshot: Snapshot, city: City) -> datetime | None:
    """Return the end of the present hour, if a current forecast has a value for it."""
    if snapshot.stale or city.id not in snapshot.cities or not snapshot.times:
        return None
    lead = -(-(snapshot.now - snapshot.times[0]) // timedelta(hours=1))
    at = min(max(int(lead), 0), len(snapshot.times) - 1)
    value = snapshot.layers["pm25"][at, snapshot.cities.index(city.id)]
    return snapshot.times[at] if np.isfinite(value) else None


def index_text(index: DayIndex, choice: Choice | None, words: Words) -> str:
    """Return an index with whose it is, as in "AQI of China 182"; whose it is alone where it has no number.

    Parameters
    ----------
    index : DayIndex
    choice : {"china", "us", "japan", "europe"} or None
    words : Words

    Returns
    -------
    str
    """
    if index.value is None:
        return words.say(f"index.by_{choice}") if choice in ("japan", "europe") else ""
    return words.say(f"index.value_{choice if choice in ('china', 'us') else 'other'}", value=index.value)


def primary_text(index: DayIndex, words: Words) -> str:
    """Return which pollutants decide an index; empty where it is in the lowest class.

    Parameters
    ----------
    index : DayIndex
    words : Words

    Returns
    -------
    str
    """
    if not index.primary:
        return ""
    return words.say("index.primary", pollutants=words.catalog.places([words.say(f"chart.{p}") for p in index.primary]))


def _charts(snapshot: Snapshot, city: City, beside: City | None, words: Words) -> list[ChartView]:
    assert snapshot.forecast is not None
    views = []
    for pollutant in POLLUTANTS:
        own = chart_line(snapshot.forecast, snapshot.observed, city.id, pollutant)
        both = [own]
        if beside is not None and beside.id in snapshot.cities:
            both.append(chart_line(snapshot.forecast, snapshot.observed, beside.id, pollutant))
        name = words.say(f"chart.{pollutant}")
        if own.peak is None:
            views.append(ChartView(pollutant, None, words.say("chart.none", pollutant=name)))
            continue
        chart = draw(own, common_top(both), city.time_zone)
        views.append(ChartView(pollutant, chart, _sentence(own, city, words)))
    return views


def _sentence(data: ChartLine, city: City, words: Words) -> str:
    assert data.peak is not None
    time, quantiles = data.peak
    low, high, top = (words.number(float(quantiles[n])) for n in (0, 2, 4))
    return words.say("chart.sentence", high=high, low=low, top=top, moment=words.moment(time, city.time_zone))


def _rows(snapshot: Snapshot, city: City, words: Words) -> list[tuple[str, str, str, str]]:
    """Return the hours of a city: the time for a script and for readers, and PM2.5 and ozone in figures."""
    assert snapshot.forecast is not None
    cells = []
    for pollutant in POLLUTANTS:
        quantiles = chart_line(snapshot.forecast, None, city.id, pollutant).quantiles
        cells.append([_range(q, words) for q in quantiles])
    return [
        (f"{time:%Y-%m-%dT%H:%MZ}", words.moment(time, city.time_zone), cells[0][n], cells[1][n])
        for n, time in enumerate(snapshot.times)
    ]


def _range(quantiles: Any, words: Words) -> str:
    if not np.isfinite(quantiles[[0, 2, 4]]).all():
        return "–"
    low, median, high = (words.number(float(quantiles[n])) for n in (0, 2, 4))
    return f"{median} ({low}–{high})"


@dataclass(frozen=True)
class Line:
    """A city in the table of all cities."""

    city: City
    now: float | None
    observed: bool
    index: DayIndex | None
    high: float | None
    warning: HazeWarning | None
    level: str
    level_colour: str
    marks: int


def city_lines(snapshot: Snapshot, registry: Registry, words: Words, wanted: Choice | None = None) -> list[Line]:
    """Return the cities, the highest forecast first, those without one last: all of the registry or, of many, those a snapshot holds.

    Parameters
    ----------
    snapshot : Snapshot
    registry : Registry
    words : Words
    wanted : {"china", "us", "japan"}, optional
        The index of the reader's choice; else each city has its country's.

    Returns
    -------
    list of Line
    """
    most_severe: dict[str, HazeWarning] = {}
    for warning in snapshot.warnings:
        most_severe.setdefault(warning.city, warning)
    lines = []
    for city in [registry.city(name) for name in snapshot.cities] if snapshot.left_out else registry.cities.values():
        now = now_view(snapshot, city, words, choice_of(wanted, city))
        high = None
        if city.id in snapshot.cities:
            coming = snapshot.layers["pm25"][:24, snapshot.cities.index(city.id)]
            high = _number(float(np.nanmax(coming))) if np.isfinite(coming).any() else None
        warned = most_severe.get(city.id)
        level = None if warned is None else snapshot.book.rule_set(warned.rule_set).level_of(warned.level)
        lines.append(
            Line(
                city=city,
                now=now.pm25 if now else None,
                observed=now.observed if now else False,
                index=now.index if now else None,
                high=high,
                warning=warned,
                level="" if level is None else words.of(level),
                level_colour="" if level is None else level.colour,
                marks=0 if warned is None else severity_rank(warned, snapshot.book),
            )
        )
    return sorted(lines, key=lambda line: (line.high is None, -(line.high or 0.0), line.city.id))


def partners_of(city: City, registry: Registry) -> list[City]:
    """Return the cities of the partners of a city's region.

    Parameters
    ----------
    city : City
    registry : Registry

    Returns
    -------
    list of City
        In the order of the partners, of each the one named like the partner first.
    """
    found: list[City] = []
    for partner in registry.regions[city.region].partners:
        found.extend(registry.city(name) for name in registry.regions[partner].cities)
    return found


def standard_at(snapshot: Snapshot) -> str:
    """Return the id of the AQI standard in force when the forecast begins."""
    return china_standard(snapshot.times[0] if snapshot.times else snapshot.now).id


def haze_name(grade: int, language: Language) -> str:
    """Return the name of a haze grade.

    Parameters
    ----------
    grade : int
        0 (none) to 5 (extremely severe), see `hazecast.forecast.haze_grades`.
    language : {"zh", "ja", "en"}

    Returns
    -------
    str
    """
    return HAZE_GRADES[grade][language]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
