"""What the templates show of a snapshot: plain values in one language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import numpy as np

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.texts import BEIJING, Language
from hazecast.alerts.messages.warning_texts import Text, compose
from hazecast.alerts.rules.book import RuleBook
from hazecast.forecast.indices import category_of, china_standard
from hazecast.forecast.layers import LAYERS
from hazecast.forecast.products import HAZE_GRADES
from hazecast.grids.places.cities import City, Registry
from hazecast.services.store.scores import newest_scored
from hazecast.services.store.store import Store
from hazecast.services.web.page.chart import Chart, ChartLine, chart_line, common_top, draw
from hazecast.services.web.page.outlook import Day, days_of, hour_aqi
from hazecast.services.web.page.snapshot import CURRENT_HOURS, Snapshot, severity_rank
from hazecast.services.web.page.words import Words
from hazecast.services.web.page.words import words as words_of
from hazecast.services.work.explain import explain
from hazecast.services.work.verification import WINDOW_DAYS, banded_scores

POLLUTANTS = ("pm25", "o3")


@dataclass(frozen=True)
class PageQuery:
    """A view of the page, as its address requests it."""

    language: Language
    given_language: bool
    city: City | None
    partner: City | None
    layer: str
    time: datetime | None

    def address(self, **changes: str | None) -> str:
        """Return the address of this view with some of its parts changed; None leaves a part out."""
        parts: dict[str, str | None] = {
            "city": self.city.id if self.city else None,
            "partner": self.partner.id if self.partner else None,
            "layer": self.layer if self.layer != LAYERS[0] else None,
            "time": f"{self.time:%Y-%m-%dT%H:%MZ}" if self.time else None,
            "lang": self.language if self.given_language else None,
        }
        present = {name: value for name, value in (parts | changes).items() if value is not None}
        return "/" + ("?" + urlencode(present, safe=":") if present else "")


@dataclass(frozen=True)
class WarningView:
    """A warning in words."""

    warning: HazeWarning
    city: str
    colour: str
    marks: int
    text: Text
    authority: str
    span: str
    advice: tuple[str, ...]


@dataclass(frozen=True)
class WarningGroup:
    """The warnings of one level of one rule set: what to do is the same for all of them."""

    name: str
    colour: str
    marks: int
    advice: tuple[str, ...]
    authority: str
    warnings: tuple[WarningView, ...]


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


@dataclass(frozen=True)
class ScoreView:
    """Verification scores of the forecasts of one day ahead."""

    pollutant: str
    lead: int
    error: str
    persistence: str
    coverage: str


def warning_views(
    warnings: Sequence[HazeWarning], store: Store, registry: Registry, book: RuleBook, words: Words
) -> tuple[WarningView, ...]:
    """Return warnings in words, in the order given.

    Parameters
    ----------
    warnings : sequence of HazeWarning
    store : Store
        With the evidence that explains them.
    registry : Registry
    book : RuleBook
    words : Words
        Of the language to write in.

    Returns
    -------
    tuple of WarningView
    """
    return tuple(_warning_view(w, store, registry, book, words) for w in warnings)


def warning_groups(views: Sequence[WarningView], book: RuleBook, words: Words) -> list[WarningGroup]:
    """Return warnings by rule set and level, in the order of the first of each group.

    Parameters
    ----------
    views : sequence of WarningView
    book : RuleBook
    words : Words

    Returns
    -------
    list of WarningGroup
    """
    groups: dict[tuple[str, str], list[WarningView]] = {}
    for one in views:
        groups.setdefault((one.warning.rule_set, one.warning.level), []).append(one)
    return [
        WarningGroup(
            name=words.of(book.rule_set(rules).level_of(level)),
            colour=members[0].colour,
            marks=members[0].marks,
            advice=members[0].advice,
            authority=members[0].authority,
            warnings=tuple(members),
        )
        for (rules, level), members in groups.items()
    ]


def _warning_view(warning: HazeWarning, store: Store, registry: Registry, book: RuleBook, words: Words) -> WarningView:
    rules, city = book.rule_set(warning.rule_set), registry.city(warning.city)
    text = _text(warning, store, registry, book, words.language)
    span = words.catalog.span(warning.onset, warning.expires, city.time_zone)
    return WarningView(
        warning=warning,
        city=words.of(city),
        colour=rules.level_of(warning.level).colour,
        marks=severity_rank(warning, book),
        text=text,
        authority=words.of(rules, "authority"),
        span=words.say("warning.until", span=span, zone=words.catalog.zone(city.time_zone, warning.onset)),
        advice=tuple(text.instruction.split("\n")),
    )


_texts: dict[tuple[RuleBook, str, bool, str], Text] = {}


def _text(warning: HazeWarning, store: Store, registry: Registry, book: RuleBook, language: Language) -> Text:
    """Return the words of a warning; a message never changes under its id and run."""
    key = (book, warning.id, warning.simulated, language)
    if key not in _texts:
        if len(_texts) > 2_000:
            _texts.clear()
        rules, city = book.rule_set(warning.rule_set), registry.city(warning.city)
        _texts[key] = compose(warning, rules, city, language, why=explain(store, registry, warning))
    return _texts[key]


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


def skill(snapshot: Snapshot, store: Store, city: City, words: Words) -> tuple[date, list[ScoreView]] | None:
    """Return how the forecasts of the newest run's model verified in a city, by pollutant and day ahead.

    Parameters
    ----------
    snapshot : Snapshot
    store : Store
    city : City
    words : Words

    Returns
    -------
    (date, list of ScoreView) or None
        With the newest scored day. None where nothing is scored yet, and for a simulated run, which can't be verified.
    """
    newest = newest_scored(store)
    if newest is None or snapshot.run is None or snapshot.run.simulated:
        return None
    return _skill(store, newest, city.id, snapshot.run.model_id, words.language)


@lru_cache(maxsize=256)
def _skill(
    store: Store, newest: tuple[date, datetime], city: str, model_id: str, language: Language
) -> tuple[date, list[ScoreView]] | None:
    words = words_of(language)
    board = banded_scores(store, WINDOW_DAYS, city)
    if board.empty or not (board["model_id"] == model_id).any():
        return None
    board = board[board["model_id"] == model_id]
    views = []
    for row in board.to_dict("records"):
        ratio = float(row["persistence_rmse_ratio"])
        share = words.catalog.percent(abs(1.0 - ratio)) if np.isfinite(ratio) else ""
        views.append(
            ScoreView(
                pollutant=str(row["pollutant"]),
                lead=(int(str(row["lead"]).split("-")[0]) - 1) // 24 + 1,
                error=words.number(float(row["mae"])),
                persistence=words.say("skill.better" if ratio <= 1.0 else "skill.worse", share=share) if share else "–",
                coverage=words.catalog.percent(float(row["coverage80"])) if np.isfinite(row["coverage80"]) else "–",
            )
        )
    order = {name: n for n, name in enumerate(POLLUTANTS)}
    return newest[0], sorted(views, key=lambda v: (order.get(v.pollutant, 9), v.lead))


def standard_at(snapshot: Snapshot) -> str:
    """Return the id of the AQI standard in force when the forecast begins."""
    return china_standard(snapshot.times[0] if snapshot.times else snapshot.now).id


def haze_name(grade: int, language: Language) -> str:
    """Return the name of a haze grade.

    Parameters
    ----------
    grade : int
        0 (none) to 4 (severe), QX/T 113-2010.
    language : {"zh", "ja", "en"}

    Returns
    -------
    str
    """
    return HAZE_GRADES[grade][language]


def page_zone(asked: PageQuery) -> str:
    """Return the time zone of the slider: that of the chosen city, else Beijing's, as on maps and bulletins."""
    return asked.city.time_zone if asked.city else BEIJING


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
