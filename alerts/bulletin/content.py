"""The content of a bulletin as values, without words: the same for every language and file format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import xarray as xr

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.geography.shapes import Province
from hazecast.alerts.messages.causes import Causes
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.alerts.rules.severity import SEVERITIES, severity
from hazecast.forecast.daily import DayCheck, daily_outlook
from hazecast.forecast.day_index import DayIndex, day_index
from hazecast.grids.contract import FORECAST_POLLUTANTS
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import to_datetime

Range = tuple[float, float, float]
# Why there is no verification: the run is simulated, nothing was observed, or no forecast is from before the day.
Unchecked = Literal["", "simulated", "no_observations", "no_forecast"]
MOST_DAYS = 5


@dataclass(frozen=True)
class Reason:
    """Why a forecast is degraded: the key of a message under ``daily.reason`` and its values.

    The key "other" carries the reason in English as the value `text`.
    """

    key: str
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class State:
    """Conditions that limit how far a bulletin can be relied on."""

    simulated: bool
    degraded: bool
    stale: bool
    age_hours: float
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Day:
    """One day of one city, of its own time; NaN where unknown.

    `pm25` is the daily mean and `o3` the daily maximum 8-hour mean, ug m-3, low, middle and high as in
    `hazecast.forecast.daily.BOUNDS`; `pm25_max` and `o3_max` are the highest hour, ug m-3; `visibility` is the lowest, m;
    `index` rates the day, `pm25_index` and `o3_index` each pollutant by itself; `haze` is a grade of `hazecast.forecast.haze_grades.HAZE_GRADES`. `observed_hours` of PM2.5 were measured, not forecast.
    """

    date: np.datetime64
    pm25: Range
    pm25_max: float
    o3: Range
    o3_max: float
    index: DayIndex | None
    pm25_index: DayIndex | None
    o3_index: DayIndex | None
    visibility: float
    haze: int
    observed_hours: int


@dataclass(frozen=True)
class Notice:
    """A warning in force, with its rules and its causes."""

    warning: HazeWarning
    rules: RuleSet
    why: Causes

    @property
    def colour(self) -> str:
        """The colour of its level."""
        return self.rules.level_of(self.warning.level).colour

    @property
    def severity_order(self) -> int:
        """0 for the most severe."""
        return SEVERITIES.index(severity(self.rules, self.warning.level))


@dataclass(frozen=True)
class HazeOutlook:
    """Haze of warning grade in the window that China's haze signal is given for.

    Attributes
    ----------
    provinces : sequence of (Province, int, float)
        Each with the rank that touches it and its share of the province.
    window : tuple of datetime
        Start and end, aware.
    rules : RuleSet
        Gives the names of the ranks.
    warned : bool
        Whether these are the areas of warnings in force, and not of what is forecast.
    """

    provinces: Sequence[tuple[Province, int, float]]
    window: tuple[datetime, datetime]
    rules: RuleSet
    warned: bool = False


@dataclass(frozen=True)
class Bulletin:
    """All content of a bulletin.

    Attributes
    ----------
    at : datetime
        The time that "today", "yesterday" and "in force" refer to, aware.
    init_time : datetime
    days : dict of City to tuple of Day
        The cities with a forecast, in the bulletin's order.
    missing : tuple of City
        Cities asked for that the forecast does not hold.
    notices : tuple of Notice
        Warnings in force, the most severe first.
    checks : tuple of DayCheck
        Of the day before.
    unchecked : str
        Why `checks` is empty.
    haze : HazeOutlook or None
        None where it is not known.
    state : State
    model_id, weather_source, humidity_source : str
    observations_until : datetime
    """

    at: datetime
    init_time: datetime
    days: dict[City, tuple[Day, ...]]
    missing: tuple[City, ...]
    notices: tuple[Notice, ...]
    checks: tuple[DayCheck, ...]
    unchecked: Unchecked
    haze: HazeOutlook | None
    state: State
    model_id: str
    weather_source: str
    humidity_source: str
    observations_until: datetime
    outlook: xr.Dataset = field(repr=False, compare=False, default_factory=xr.Dataset)

    def notices_of(self, city: City) -> list[Notice]:
        """Return the warnings in force of one city."""
        return [n for n in self.notices if n.warning.city == city.id]

    def notices_on(self, city: City, date: np.datetime64) -> list[Notice]:
        """Return the warnings of one city that are in force at some time of a calendar day.

        Parameters
        ----------
        city : City
        date : numpy.datetime64
            A day of the city's own time zone.

        Returns
        -------
        list of Notice
        """
        zone = ZoneInfo(city.time_zone)
        begins = datetime.combine(date.astype("datetime64[D]").item(), time(), zone)
        ends = datetime.combine(begins.date() + timedelta(days=1), time(), zone)
        return [n for n in self.notices_of(city) if n.warning.onset < ends and n.warning.expires > begins]


def today(city: City, at: datetime) -> np.datetime64:
    """Return the city's calendar day at a moment.

    Parameters
    ----------
    city : City
    at : datetime
        Aware.

    Returns
    -------
    numpy.datetime64
        Midnight of the day, ns, without a zone.
    """
    return np.datetime64(at.astimezone(ZoneInfo(city.time_zone)).date(), "ns")


def city_days(outlook: xr.Dataset, city: City, at: datetime) -> tuple[Day, ...]:
    """Return the days of a city from today on, up to the last with any value.

    Parameters
    ----------
    outlook : xarray.Dataset
        As from `hazecast.forecast.daily.daily_outlook`.
    city : City
    at : datetime
        Aware; says which day is today.

    Returns
    -------
    tuple of Day
        At most `MOST_DAYS`. Where no day has a value, one without is returned, so that the city still appears.
    """
    here = outlook.sel(city=city.id)
    dates = [d for d in here["date"].values if d >= today(city, at)][:MOST_DAYS]
    days = [_day(here.sel(date=date), city, date) for date in dates]
    known = [n for n, day in enumerate(days) if np.isfinite([day.pm25[1], day.o3[1]]).any()]
    return tuple(days[: known[-1] + 1 if known else 1])


def _day(here: xr.Dataset, city: City, date: np.datetime64) -> Day:
    def one(name: str) -> float:
        return float(here[name]) if name in here else float("nan")

    def three(name: str) -> Range:
        if name not in here:
            return (float("nan"),) * 3
        low, middle, high = here[name].values.astype(float)
        return float(low), float(middle), float(high)

    pm25, o3 = three("pm25_mean"), three("o3_mda8")
    return Day(
        date=date,
        pm25=pm25,
        pm25_max=one("pm25_max"),
        o3=o3,
        o3_max=one("o3_max"),
        index=day_index(city, date, pm25[1], o3[1], one("o3_max"), one("pm25_max")),
        pm25_index=day_index(city, date, pm25[1], float("nan"), float("nan"), one("pm25_max")),
        o3_index=day_index(city, date, float("nan"), o3[1], one("o3_max")),
        visibility=one("visibility_min"),
        haze=int(here["haze_grade"]),
        observed_hours=int(here["observed_hours"]) if "observed_hours" in here else 0,
    )


def make_bulletin(
    forecast: xr.Dataset,
    observations: xr.Dataset | None,
    registry: Registry,
    book: RuleBook,
    cities: Sequence[City],
    at: datetime,
    *,
    warnings: Sequence[tuple[HazeWarning, Causes]],
    checks: Sequence[DayCheck],
    unchecked: Unchecked = "",
    haze: HazeOutlook | None = None,
    stale: bool = False,
    reasons: Sequence[Reason] = (),
) -> Bulletin:
    """Put a bulletin together.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast", with ``relative_humidity``.
    observations : xarray.Dataset or None
        Contract "observations": of today up to the init time.
    registry : Registry
    book : RuleBook
        Holds the rule sets of the warnings.
    cities : sequence of City
        The cities it covers, in this order.
    at : datetime
        Aware.
    warnings : sequence of (HazeWarning, Causes)
        In force at that moment; those of other cities are left out.
    checks : sequence of DayCheck
    unchecked : str
        Why there are none.
    haze : HazeOutlook, optional
    stale : bool
        Whether the forecast is older than the service allows.
    reasons : sequence of Reason
        Why the forecast is degraded.

    Returns
    -------
    Bulletin
        Its notices are ordered by severity, rule set and city.

    Raises
    ------
    InputError
        If the rule set of a warning is unknown.
    """
    held = set(map(str, forecast["city"].values))
    present = [city for city in cities if city.id in held]
    outlook = daily_outlook(forecast.sel(city=[c.id for c in present]), observations, registry) if present else None
    init_time = to_datetime(forecast["init_time"].values)
    ids = {city.id for city in cities}
    notices = [Notice(w, book.rule_set(w.rule_set), why) for w, why in warnings if w.city in ids]
    order = {city.id: n for n, city in enumerate(cities)}
    notices.sort(key=lambda n: (n.severity_order, n.rules.id, order[n.warning.city], n.warning.id))
    return Bulletin(
        at=at,
        init_time=init_time,
        days={city: city_days(outlook, city, at) for city in present} if outlook is not None else {},
        missing=tuple(city for city in cities if city.id not in held),
        notices=tuple(notices),
        checks=tuple(checks),
        unchecked=unchecked,
        haze=haze,
        state=State(
            bool(forecast.attrs["simulated"]),
            bool(forecast.attrs["degraded"]),
            stale,
            (at - init_time).total_seconds() / 3600.0,
            tuple(reasons),
        ),
        model_id=str(forecast.attrs["model_id"]),
        weather_source=str(forecast.attrs["weather_source"]),
        humidity_source=str(forecast.attrs.get("humidity_source", "")),
        observations_until=datetime.fromisoformat(str(forecast.attrs["observations_until"])),
        outlook=outlook if outlook is not None else xr.Dataset(),
    )


def charted(bulletin: Bulletin, most: int = 8) -> list[tuple[City, tuple[str, ...]]]:
    """Return the cities whose charts a bulletin shows, each with the pollutants that have a value.

    Parameters
    ----------
    bulletin : Bulletin
    most : int
        How many cities at most: those with the most severe warnings and, among equals, the highest PM2.5 forecast.

    Returns
    -------
    list of (City, tuple of str)
        In the bulletin's order.
    """

    def rank(city: City) -> tuple[int, float]:
        orders = [n.severity_order for n in bulletin.notices_of(city)]
        return min(orders, default=len(SEVERITIES)), -np.nan_to_num(highest(bulletin.days[city], "pm25"), nan=-1.0)

    chosen = {c.id for c in sorted(bulletin.days, key=rank)[:most]}
    shown = [
        (city, tuple(name for name in FORECAST_POLLUTANTS if np.isfinite(highest(days, name))))
        for city, days in bulletin.days.items()
        if city.id in chosen
    ]
    return [(city, names) for city, names in shown if names]


def highest(days: Sequence[Day], pollutant: str) -> float:
    """Return the highest hour of a pollutant.

    Parameters
    ----------
    days : sequence of Day
    pollutant : {"pm25", "o3"}

    Returns
    -------
    float
        ug m-3; NaN where none is known.
    """
    values = [v for day in days if np.isfinite(v := getattr(day, f"{pollutant}_max"))]
    return max(values, default=float("nan"))
