"""What the templates show of the cities: plain values in one language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.texts import Language
from hazecast.forecast.haze_grades import HAZE_GRADES
from hazecast.forecast.indices import category_of, china_standard
from hazecast.grids.places.cities import City, Registry
from hazecast.services.store.store import Store
from hazecast.services.web.page.chart import Chart, ChartLine, chart_line, common_top, draw
from hazecast.services.web.page.outlook import Day, days_of, hour_aqi
from hazecast.services.web.page.snapshot import CURRENT_HOURS, Snapshot, severity_rank
from hazecast.services.web.page.warning_view import WarningView, warning_views
from hazecast.services.web.page.words import Words

POLLUTANTS = ("pm25", "o3")


@dataclass(frozen=True)
class NowView:
    """What was last observed in a city."""

    pm25: float | None
    o3: float | None
    aqi: int | None
    category: str
    colour: str
    sentence: str


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


def city_view(
    snapshot: Snapshot, city: City, store: Store, registry: Registry, words: Words, beside: City | None = None
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

    Returns
    -------
    CityView
    """
    here = city.id in snapshot.cities and snapshot.forecast is not None
    warned = tuple(w for w in snapshot.warnings if w.city == city.id)
    days = days_of(snapshot.outlook, city) if here and snapshot.outlook is not None else []
    return CityView(
        city=city,
        name=words.of(city),
        now=now_view(snapshot, city, words),
        warnings=warning_views(warned, store, registry, snapshot.book, words),
        days=tuple(days),
        charts=tuple(_charts(snapshot, city, beside, words)) if here else (),
        rows=tuple(_rows(snapshot, city, words)) if here else (),
        zone=words.catalog.zone(city.time_zone, snapshot.now),
        has_forecast=here,
    )


def now_view(snapshot: Snapshot, city: City, words: Words) -> NowView | None:
    """Return what was last observed in a city.

    Parameters
    ----------
    snapshot : Snapshot
    city : City
    words : Words

    Returns
    -------
    NowView or None
        None where nothing was observed within a day.
    """
    found = snapshot.newest_observed(city.id)
    if found is None:
        return None
    time, values = found
    age = round((snapshot.now - time) / timedelta(hours=1))
    aqi = hour_aqi(values["pm25"], values["o3"], time)
    category = None if aqi is None else category_of("china", aqi)
    return NowView(
        pm25=_number(values["pm25"]),
        o3=_number(values["o3"]),
        aqi=aqi,
        category="" if category is None else words.of(category),
        colour="" if category is None else category.colour,
        sentence=words.say(
            "city.observed" if age <= CURRENT_HOURS else "city.observed_old",
            moment=words.moment(time, city.time_zone),
            zone=words.catalog.zone(city.time_zone, time),
            hours=age,
        ),
    )


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
    aqi: int | None
    category: str
    colour: str
    high: float | None
    warning: HazeWarning | None
    level: str
    level_colour: str
    marks: int


def city_lines(snapshot: Snapshot, registry: Registry, words: Words) -> list[Line]:
    """Return all cities of the registry, the highest forecast first, those without a forecast last.

    Parameters
    ----------
    snapshot : Snapshot
    registry : Registry
    words : Words

    Returns
    -------
    list of Line
    """
    most_severe: dict[str, HazeWarning] = {}
    for warning in snapshot.warnings:
        most_severe.setdefault(warning.city, warning)
    lines = []
    for city in registry.cities.values():
        now = now_view(snapshot, city, words)
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
                aqi=now.aqi if now else None,
                category=now.category if now else "",
                colour=now.colour if now else "",
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
