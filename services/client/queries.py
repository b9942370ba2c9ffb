"""What the methods of the clients take besides what they are about, by the names of the API's arguments.

``start`` and ``end`` stand for the API's ``from`` and ``to``; times are aware. None is as if it were not given.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypedDict

from hazecast.alerts.messages.languages import Language

Several = str | Sequence[str]


class Places(TypedDict, total=False):
    """Which cities: ids, regions, a country such as ``JP``, and west,south,east,north in degrees; all must be met."""

    city: Several | None
    region: Several | None
    country: str | None
    bbox: str | None


class Period(TypedDict, total=False):
    """From when to when, both included."""

    start: datetime | None
    end: datetime | None


class OfRun(TypedDict, total=False):
    """The init time of the run; by default of the newest."""

    init_time: datetime | None


class ForecastQuery(OfRun, Period, total=False):
    """Which hours of which run; ``timezone`` is the IANA zone of local times."""

    timezone: str | None


class DailyQuery(OfRun, total=False):
    """Of which run; ``timezone`` is the IANA zone that days are by."""

    timezone: str | None


class PointQuery(ForecastQuery, total=False):
    """Which hours of which run; ``method`` says whether they are the nearest city's or the field's."""

    method: Literal["city", "field"] | None
    variables: Several | None


class RunQuery(Places, Period, total=False):
    """Which cities and hours; simulated runs or real ones alone."""

    timezone: str | None
    simulated: bool | None


class MapQuery(Places, OfRun, total=False):
    """Which cities and layers of which run."""

    variables: Several | None
    timezone: str | None


class RunsQuery(Period, total=False):
    """Init times, how many on a page, and simulated runs or real ones alone."""

    simulated: bool | None
    limit: int | None


class ObservedQuery(Period, total=False):
    """Which hours, and how many on a page."""

    limit: int | None


class StationsQuery(Places, total=False):
    """Of which cities, and how many on a page."""

    limit: int | None


class WarningsQuery(Places, total=False):
    """Of which levels and rule sets, in which cities, in force ``at`` a time (now by default), and how many on a page."""

    at: datetime | None
    level: Several | None
    rule_set: Several | None
    simulated: bool | None
    limit: int | None


class HistoryQuery(Places, Period, total=False):
    """Of which levels and rule sets, in which cities, holding within a period, and how many on a page."""

    level: Several | None
    rule_set: Several | None
    simulated: bool | None
    limit: int | None


class FeedQuery(TypedDict, total=False):
    """In which language, and as of which time."""

    language: Language | None
    at: datetime | None


class VerificationQuery(TypedDict, total=False):
    """Of which cities and pollutant, over how many days of init times."""

    city: Several | None
    pollutant: Literal["pm25", "o3"] | None
    days: int | None


class WeekendQuery(TypedDict, total=False):
    """Of which series, over how many days."""

    series: Literal["o3", "no2", "ox"] | None
    days: int | None


class PictureQuery(OfRun, total=False):
    """Of which run and hour, in which language and size; ``pollutant`` of a fan."""

    lead_time: int | None
    language: Language | None
    size: Literal["desktop", "phone"] | None
    pollutant: Literal["pm25", "o3"] | None


class BulletinQuery(OfRun, total=False):
    """Of which cities or region, of which run, in which language."""

    city: Several | None
    region: str | None
    language: Language | None


class PageQuery(TypedDict, total=False):
    """How many on a page."""

    limit: int | None


class DeliveriesQuery(PageQuery, total=False):
    """In which state, and how many on a page."""

    state: Literal["pending", "delivered", "dead", "offered"] | None


class DraftsQuery(PageQuery, total=False):
    """Of which status (``all`` for every one), of real runs or simulated ones, and how many on a page."""

    status: Literal["pending", "approved", "amended", "rejected", "superseded", "all"] | None
    simulated: bool | None


class AdministeredQuery(PageQuery, total=False):
    """The bureau's own cities alone, and how many on a page."""

    own: bool | None
