"""How yesterday's forecasts did, in the words of a bulletin."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from hazecast.alerts.bulletin.content import Bulletin
from hazecast.alerts.bulletin.figures import as_date, beside_limit, headings, name_of, signed, whole, with_range
from hazecast.alerts.bulletin.forms import Cell, Table
from hazecast.alerts.messages.texts import BEIJING, Catalog
from hazecast.forecast.daily import DayCheck
from hazecast.forecast.day_index import pm25_limit
from hazecast.grids.places.cities import City, Country
from hazecast.grids.times import to_datetime


def check_table(bulletin: Bulletin, words: Catalog, by_id: dict[str, City]) -> Table | None:
    """Return what was forecast for yesterday beside what was observed, a city a row.

    Parameters
    ----------
    bulletin : Bulletin
    words : Catalog
    by_id : dict of str to City

    Returns
    -------
    Table or None
        None where no value is known.
    """
    known = [c for c in bulletin.checks if np.isfinite([c.pm25[1], c.pm25_observed, c.o3[1], c.o3_observed]).any()]
    if not known:
        return None
    rows = []
    for check in known:
        error = check.pm25[1] - check.pm25_observed
        inside = _inside(check)
        rows.append(
            (
                Cell(name_of(by_id[check.city], words)),
                Cell(with_range(beside_limit(check.pm25[1], check.limit, words), check.pm25, words)),
                Cell(beside_limit(check.pm25_observed, check.limit, words)),
                Cell(signed(error) if np.isfinite(error) else words.say("daily.none")),
                Cell(words.say("daily.none" if inside is None else f"daily.check.{'yes' if inside else 'no'}")),
                Cell(words.say(f"daily.outcome.{check.outcome}")),
                Cell(whole(check.o3[1], words)),
                Cell(whole(check.o3_observed, words)),
            )
        )
    date = known[0].date
    caption = words.say(
        "daily.caption.check",
        day=words.date(as_date(date)),
        china=words.number(limit_of("CN", date)),
        japan=words.number(limit_of("JP", date)),
    )
    head = headings(words, "city", "forecast", "observed", "error", "within", "outcome", "o3_forecast", "o3_observed")
    return Table(caption, head, tuple(rows))


def check_sentences(bulletin: Bulletin, words: Catalog, zone: str) -> tuple[str, ...]:
    """Return how yesterday's forecasts did in sentences, or why that is not known.

    Parameters
    ----------
    bulletin : Bulletin
    words : Catalog
    zone : str
        IANA name of the zone that the time of the forecast is written in.

    Returns
    -------
    tuple of str
    """
    if bulletin.unchecked:
        return (words.say(f"daily.unchecked.{bulletin.unchecked}"),)
    known = [c for c in bulletin.checks if c.outcome != "unknown"]
    if not known:
        return (words.say("daily.check.none"),)
    errors = np.array([c.pm25[1] - c.pm25_observed for c in known])
    outcomes = [c.outcome for c in known]
    made = to_datetime(min(c.init_time for c in known))
    return (
        words.say(
            "daily.check.summary",
            n=len(known),
            bias=signed(float(errors.mean())),
            mae=words.number(round(float(np.abs(errors).mean()))),
            inside=sum(_inside(c) is True for c in known),
            hit=outcomes.count("hit"),
            miss=outcomes.count("miss"),
            false_alarm=outcomes.count("false_alarm"),
        ),
        words.say("daily.check.made", moment=words.stamp(made, zone), zone=words.zone(zone, made)),
    )


def _inside(check: DayCheck) -> bool | None:
    if not np.isfinite([*check.pm25, check.pm25_observed]).all():
        return None
    return check.pm25[0] <= check.pm25_observed <= check.pm25[2]


def limit_of(country: Country, date: np.datetime64) -> float:
    """Return a country's standard for a day's mean of PM2.5.

    Parameters
    ----------
    country : str
        ISO 3166-1, alpha-2.
    date : numpy.datetime64
        A calendar day.

    Returns
    -------
    float
        ug m-3, see `hazecast.forecast.daily.pm25_limit`.
    """
    day = as_date(date)
    return pm25_limit(country, datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(BEIJING)))
