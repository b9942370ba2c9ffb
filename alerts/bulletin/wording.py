"""A bulletin in words: all texts and tables of its pages in one language, ready for layout."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np

from hazecast.alerts.bulletin.content import Bulletin, Day, Notice, State, charted, highest, today
from hazecast.alerts.bulletin.figures import as_date, headings, in_its_class, name_of, whole, with_range
from hazecast.alerts.bulletin.forms import (
    Banner,
    BulletinText,
    Cell,
    Figure,
    Guide,
    Imprint,
    NoticeText,
    Section,
    Table,
    ink_on,
)
from hazecast.alerts.bulletin.verified import check_sentences, check_table, limit_of
from hazecast.alerts.messages.texts import BEIJING, Catalog, catalog
from hazecast.alerts.messages.warning_texts import Text, compose, haze_bulletin
from hazecast.forecast.day_index import DayIndex, index_name
from hazecast.forecast.dependence import Variable
from hazecast.forecast.haze_grades import HAZE_GRADES
from hazecast.grids.contract import FORECAST_POLLUTANTS
from hazecast.grids.places.cities import City
from hazecast.grids.times import to_datetime64

MAP = "map"
_OVERVIEW_DAYS = 3
_HUMIDITY = {
    "forecast weather": "forecast",
    "observed weather": "observed",
    "diurnal persistence": "persisted",
    "mixed": "mixed",
}
_MOST_NAMED = 6


def make_view(
    bulletin: Bulletin, language: str, pictures: Collection[str] = (), imprint: Imprint | None = None
) -> BulletinText:
    """Put a bulletin into words.

    Parameters
    ----------
    bulletin : Bulletin
    language : {"zh", "ja", "en"}
    pictures : collection of str
        Names of the pictures at hand: `MAP`, and `chart_name` of a city and a pollutant.
    imprint : Imprint, optional
        The bureau's letterhead, signatory and numbers of issues.

    Returns
    -------
    BulletinText

    Raises
    ------
    InputError
        If the language is not known.
    """
    words = catalog(language)
    cities = [*bulletin.days, *bulletin.missing]
    zone = _zone(cities)
    by_id = {city.id: city for city in cities}
    texts = {
        n.warning.id: compose(n.warning, n.rules, by_id[n.warning.city], language, why=n.why) for n in bulletin.notices
    }
    haze = bulletin.haze
    map_text = (
        "" if haze is None else haze_bulletin(haze.provinces, haze.window, haze.rules, language, warned=haze.warned)
    )
    check_text = check_sentences(bulletin, words, zone)
    day = bulletin.at.astimezone(ZoneInfo(zone)).date()
    date, imprint = words.date(day, full=True), imprint or Imprint()
    number = imprint.number(day)
    return BulletinText(
        language=words.tag,
        letterhead=imprint.letterhead or "",
        number="" if number is None else words.say("daily.number", n=number),
        signed="" if imprint.signatory is None else words.say("daily.signed", name=imprint.signatory),
        title=words.say("daily.title"),
        date=date,
        subtitle=words.say(
            "daily.subtitle",
            date=date,
            places=_some(cities, words),
        ),
        issued=words.say(
            "daily.issued",
            moment=words.stamp(bulletin.init_time, zone),
            zone=words.zone(zone, bulletin.init_time),
            at=words.stamp(bulletin.at, zone),
        ),
        banners=_banners(bulletin.state, by_id, words),
        headings={key: words.say(f"daily.heading.{key}") for key in words.messages["daily"]["heading"]},
        summary=(*_summary(bulletin, words, texts, by_id), *(check_text[:1] if bulletin.checks else ())),
        warnings=_warnings(bulletin, words, texts, by_id),
        guides=_guides(bulletin, words, texts),
        overview=_overview(bulletin, words, texts),
        map_text=map_text,
        map=Figure(MAP, words.say("daily.alt.map", text=map_text)) if MAP in pictures else None,
        check=check_table(bulletin, words, by_id),
        check_text=check_text,
        sections=tuple(_section(bulletin, city, words, texts, pictures) for city in bulletin.days),
        notes=_notes(bulletin, words, zone, pictures),
        official=words.say("daily.note.official"),
        page=words.say("daily.note.page"),
    )


def chart_name(city: str, pollutant: str) -> str:
    """Return the name of a city's chart.

    Parameters
    ----------
    city : str
        Id.
    pollutant : {"pm25", "o3"}

    Returns
    -------
    str
    """
    return f"{city}-{pollutant}"


def _zone(cities: Sequence[City]) -> str:
    zones = {city.time_zone for city in cities}
    return zones.pop() if len(zones) == 1 else BEIJING


def _some(cities: Sequence[City], words: Catalog) -> str:
    names = [name_of(city, words) for city in cities]
    if len(names) <= _MOST_NAMED:
        return words.places(names)
    return words.say("daily.others", first=words.say("daily.comma").join(names[: _MOST_NAMED - 1]), n=len(names))


def _banners(state: State, by_id: dict[str, City], words: Catalog) -> tuple[Banner, ...]:
    found = []
    for kind in ("simulated", "stale", "degraded"):
        if not getattr(state, kind):
            continue
        details: list[str] = []
        if kind == "degraded":
            for reason in state.reasons:
                values = dict(reason.values)
                if values.get("city") in by_id:
                    values["city"] = name_of(by_id[values["city"]], words)
                details.append(words.say(f"daily.reason.{reason.key}", **values))
        text = words.say(f"daily.state.{kind}", age=words.number(round(state.age_hours)))
        found.append(Banner(kind, text, words.say(f"daily.state.short.{kind}"), tuple(details)))
    return tuple(found)


def _summary(bulletin: Bulletin, words: Catalog, texts: dict[str, Text], by_id: dict[str, City]) -> list[str]:
    places: dict[str, list[str]] = {}
    for notice in bulletin.notices:
        places.setdefault(texts[notice.warning.id].event, []).append(name_of(by_id[notice.warning.city], words))
    found = [words.say("daily.summary.warnings", level=k, places=words.places(v)) for k, v in places.items()]
    if not found:
        found.append(words.say("daily.summary.no_warnings"))
    known = [
        (day.pm25[1], city, day) for city, days in bulletin.days.items() for day in days if np.isfinite(day.pm25[1])
    ]
    if known:
        _, city, day = max(known, key=lambda k: k[0])
        middle = in_its_class(day.pm25[1], city, day.date, "pm25", words)
        low, high = whole(day.pm25[0], words), whole(day.pm25[2], words)
        found.append(
            words.say(
                "daily.summary.worst",
                city=name_of(city, words),
                day=words.date(as_date(day.date)),
                value=middle,
                range=words.say("daily.range", low=low, high=high),
                category=_class_of(day.index, words),
            )
        )
    else:
        found.append(words.say("daily.summary.unknown"))
    if bulletin.missing:
        names = [name_of(city, words) for city in bulletin.missing]
        found.append(words.say("daily.summary.missing", places=words.places(names)))
    return found


def _warnings(bulletin: Bulletin, words: Catalog, texts: dict[str, Text], by_id: dict[str, City]) -> Table | None:
    rows = []
    for notice in bulletin.notices:
        warning = notice.warning
        city = by_id[warning.city]
        chance = "" if warning.probability is None else words.percent(round(warning.probability, 2))
        rows.append(
            (
                _coloured(texts[warning.id].event, notice.colour),
                Cell(name_of(city, words)),
                Cell(words.span(warning.onset, warning.expires, city.time_zone)),
                Cell(words.say(f"daily.change.{warning.kind}")),
                Cell(chance or words.say("daily.none")),
            )
        )
    if not rows:
        return None
    head = headings(words, "level", "city", "valid", "change", "probability")
    return Table(words.say("daily.caption.warnings"), head, tuple(rows))


def _guides(bulletin: Bulletin, words: Catalog, texts: dict[str, Text]) -> tuple[Guide, ...]:
    """Return the advice in force, each once with all the levels that it belongs to."""
    levels: dict[tuple[tuple[str, str], ...], dict[str, None]] = {}
    for notice in bulletin.notices:
        text = texts[notice.warning.id]
        lines = tuple((words.say(f"audience.{who}"), line) for who, line in text.advice.items())
        levels.setdefault(lines, {})[text.event] = None
    return tuple(Guide(words.places(list(events)), lines) for lines, events in levels.items())


def _overview(bulletin: Bulletin, words: Catalog, texts: dict[str, Text]) -> Table | None:
    if not bulletin.days:
        return None
    dates = sorted({day.date for days in bulletin.days.values() for day in days})[:_OVERVIEW_DAYS]
    rows = []
    for city, days in bulletin.days.items():
        by_date = {day.date: day for day in days}
        cells = []
        for date in dates:
            day = by_date.get(date)
            cells.append(_rated(city, day, words) if day is not None else Cell(words.say("daily.none")))
        rows.append((Cell(name_of(city, words)), _most_severe(bulletin.notices_of(city), words, texts), *cells))
    head = (*headings(words, "city", "level"), *(words.date(as_date(date)) for date in dates))
    return Table(words.say("daily.caption.overview"), head, tuple(rows))


def _most_severe(notices: Sequence[Notice], words: Catalog, texts: dict[str, Text]) -> Cell:
    if not notices:
        return Cell(words.say("daily.none"))
    others = [texts[n.warning.id].event for n in notices[1:]]
    cell = _coloured(texts[notices[0].warning.id].event, notices[0].colour)
    return replace(cell, sub=words.places(others) if others else "")


def _rated(city: City, day: Day, words: Catalog) -> Cell:
    """Return a day's class with its PM2.5; a class that another pollutant decides names it."""
    mass = _of_day(day, "pm25", city, words)
    if day.index is None:
        return Cell(words.say("daily.none"), mass if mass != words.say("daily.none") else "")
    others = () if "pm25" in day.index.primary else day.index.primary
    text = words.say("daily.comma").join(
        [_class_of(day.index, words), *(words.say(f"pollutant.{item}") for item in others)]
    )
    return replace(_coloured(text, day.index.colour), sub=mass)


def _of_day(day: Day, pollutant: Variable, city: City, words: Catalog) -> str:
    values = day.pm25 if pollutant == "pm25" else day.o3
    return with_range(in_its_class(values[1], city, day.date, pollutant, words), values, words)


def _by_own_class(text: str, index: DayIndex | None) -> Cell:
    return Cell(text) if index is None else _coloured(text, index.colour)


def _class_of(index: DayIndex | None, words: Catalog) -> str:
    if index is None:
        return words.say("daily.none")
    name = str(getattr(index, f"name_{words.language}"))
    return name if index.value is None else f"AQI {index.value} {name}"


def _section(
    bulletin: Bulletin, city: City, words: Catalog, texts: dict[str, Text], pictures: Collection[str]
) -> Section:
    days = bulletin.days[city]
    rows = tuple(
        (
            Cell(
                words.date(as_date(day.date)), words.say("daily.today") if day.date == today(city, bulletin.at) else ""
            ),
            _by_own_class(_of_day(day, "pm25", city, words), day.pm25_index),
            Cell(whole(day.pm25_max, words)),
            _by_own_class(_of_day(day, "o3", city, words), day.o3_index),
            _by_own_class(_class_of(day.index, words), day.index),
            Cell(words.metres(day.visibility) if np.isfinite(day.visibility) else words.say("daily.none")),
            Cell(HAZE_GRADES[day.haze][words.language]),
        )
        for day in days
    )
    name = name_of(city, words)
    head = headings(words, "day", "pm25", "pm25_max", "o3", "index", "visibility", "haze")
    figures = [
        Figure(
            chart_name(city.id, item),
            words.say(
                "daily.alt.chart",
                city=name,
                pollutant=words.say(f"pollutant.{item}"),
                value=whole(highest(days, item), words),
            ),
        )
        for item in FORECAST_POLLUTANTS
        if chart_name(city.id, item) in pictures
    ]
    notices = [
        NoticeText(text.headline, text.description, n.colour)
        for n in bulletin.notices_of(city)
        for text in [texts[n.warning.id]]
    ]
    table = Table(words.say("daily.caption.city", city=name), head, rows)
    return Section(name, tuple(notices), table, tuple(figures))


def _notes(bulletin: Bulletin, words: Catalog, zone: str, pictures: Collection[str]) -> tuple[str, ...]:
    found = [words.say("daily.note.mean"), words.say("daily.note.range")]
    indices = {index_name(city) for city in bulletin.days}
    every = [day for city, days in bulletin.days.items() if index_name(city) == "china" for day in days]
    standards = sorted({day.index.standard for day in every if day.index is not None})
    if standards:
        named = words.places([standard.replace("HJ", "HJ ") for standard in standards])
        found.append(words.say("daily.note.china", standard=named))
    if "japan" in indices:
        limit = limit_of("JP", to_datetime64(bulletin.at))
        found.append(words.say("daily.note.japan", limit=words.number(limit)))
    found += [words.say(f"daily.note.{index}") for index in sorted(indices - {"china", "japan"})]
    found.append(words.say("daily.note.haze"))
    with_charts = {
        city.id for city, names in charted(bulletin) if any(chart_name(city.id, n) in pictures for n in names)
    }
    if with_charts and len(with_charts) < len(bulletin.days):
        found.append(words.say("daily.note.charts", n=len(with_charts)))
    found.append(
        words.say(
            "daily.note.source",
            weather=words.weather(bulletin.weather_source),
            humidity=words.say(f"daily.humidity.{_HUMIDITY.get(bulletin.humidity_source, 'unknown')}"),
            model=bulletin.model_id,
            moment=words.stamp(bulletin.observations_until, zone),
            zone=words.zone(zone, bulletin.observations_until),
        )
    )
    return tuple(found)


def _coloured(text: str, colour: str) -> Cell:
    return Cell(text, colour=colour, ink=ink_on(colour))
