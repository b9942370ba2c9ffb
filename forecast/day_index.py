"""How a day or an hour is rated: by the index of the city's own country, or the one that its setting names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Self
from zoneinfo import ZoneInfo

import numpy as np

from hazecast.forecast.days import day_begins
from hazecast.forecast.indices import (
    DayClass,
    IndexResult,
    band_above,
    band_of,
    china_aqi,
    china_standard,
    day_classes,
    ozone_ppm,
    us_aqi,
    us_concentration,
)
from hazecast.grids.places.cities import City, Country, IndexName

# The band that begins above a country's standard for a day.
_PM25_BANDS = {"JP": ("japan_pm25_day", "above_standard"), "KR": ("korea_pm25_day", "bad")}
EUROPE = "EU-EEA-2025"
# Member and cooperating countries of the European Environment Agency (eea.europa.eu), and Andorra, which reports to it.
_EEA = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV", "MT", "NL",
    "PL", "PT", "RO", "SE", "SI", "SK", "CH", "IS", "LI", "NO", "TR", "AL", "BA", "ME", "MK", "RS", "XK", "AD",
)  # fmt: skip
_OWN: Mapping[str, IndexName] = {
    "CN": "china", "US": "us", "JP": "japan", "KR": "korea", **{country: "europe" for country in _EEA},
}  # fmt: skip


@dataclass(frozen=True)
class DayIndex:
    """How a standard rates a day.

    Attributes
    ----------
    standard : str
    value : int or None
        The AQI; None where there are classes and no index, as in Japan.
    id, name_zh, name_ja, name_en, colour : str
        The class.
    primary : tuple of str
        The pollutants that decide it; empty where the day is in the lowest class.
    """

    standard: str
    value: int | None
    id: str
    name_zh: str
    name_ja: str
    name_en: str
    colour: str
    primary: tuple[str, ...] = ()

    @classmethod
    def of(cls, found: IndexResult) -> Self | None:
        """Return an AQI with its category, None where no item is known."""
        own = found.category
        if own is None:
            return None
        primary = tuple(dict.fromkeys(item.removesuffix("_8h").removesuffix("_1h") for item in found.primary))
        return cls(found.standard, found.value, own.id, own.name_zh, own.name_ja, own.name_en, own.colour, primary)


def index_name(city: City) -> IndexName:
    """Return whose index rates a city's days: what its setting names, or else its country's; the WHO's bands elsewhere."""
    return city.rated_by or _OWN.get(city.country, "who")


def day_index(
    city: City, date: np.datetime64, pm25: float, o3_8h: float, o3_1h: float, pm25_1h: float = float("nan")
) -> DayIndex | None:
    """Return how a city's index rates a day (`index_name`).

    China: the AQI of HJ 633 from PM2.5 and ozone, in force on the day. The United States: the EPA's AQI. Japan: the
    environmental standards and the levels of its alerts. Korea: the grades of AirKorea's forecasts. Europe: the level of the day's
    worst hour, as the EEA rates hours alone. Elsewhere: the guideline and interim targets of the WHO (2021). The names and
    colours of the classes of Japan and the WHO are this service's choice.

    Parameters
    ----------
    city : City
    date : datetime64
        The city's own calendar day.
    pm25, o3_8h, o3_1h : float
        Daily mean, daily maximum 8-hour and 1-hour mean, ug m-3; NaN where unknown.
    pm25_1h : float
        Highest hour, ug m-3, which Europe's index goes by.

    Returns
    -------
    DayIndex or None
        None where nothing is known.
    """
    name = index_name(city)
    if name == "china":
        return DayIndex.of(china_aqi({"pm25": pm25, "o3_8h": o3_8h}, day_begins(city, date)))
    if name == "us":
        return DayIndex.of(us_aqi({"pm25": pm25, "o3_8h": float(ozone_ppm(o3_8h)), "o3_1h": float(ozone_ppm(o3_1h))}))
    if name == "japan":
        bands = {"pm25": band_of("japan_pm25_day", pm25), "o3": band_of("japan_ox_hour", float(ozone_ppm(o3_1h)))}
        return _banded("JP-standards", day_classes("japan"), bands)
    if name == "korea":
        bands = {"pm25": band_of("korea_pm25_day", pm25), "o3": band_of("korea_o3_hour", float(ozone_ppm(o3_1h)))}
        return _banded("KR-AirKorea", day_classes("korea"), bands)
    if name == "europe":
        return europe_index({"pm25": pm25_1h, "o3": o3_1h})
    return _banded(
        "WHO-2021", day_classes("who"), {"pm25": band_of("who_pm25_day", pm25), "o3": band_of("who_o3_8h", o3_8h)}
    )


def day_standard(city: City, when: datetime) -> str:
    """Return the id of the standard by which `day_index` rates a city's day.

    Parameters
    ----------
    city : City
    when : datetime
        Aware, a moment of the day.

    Returns
    -------
    str

    Examples
    --------
    >>> from datetime import UTC
    >>> from hazecast.grids.places.cities import load_registry
    >>> day_standard(load_registry().city("tokyo"), datetime(2026, 1, 1, tzinfo=UTC))
    'JP-standards'
    """
    date = np.datetime64(when.astimezone(ZoneInfo(city.time_zone)).date())
    # Clean air is rated by every standard.
    found = day_index(city, date, 0.0, 0.0, 0.0, 0.0)
    return found.standard if found else ""


def europe_index(hour: Mapping[str, float]) -> DayIndex | None:
    """Return the European Air Quality Index of an hour: the worst level of any pollutant, by the bands that the EEA revised.

    The bands: ETC HE Report 2024/17, in line with the WHO's guidelines of 2021 and Directive (EU) 2024/2881; in force at the EEA since
    2025. A value at the upper end of a band is in it.

    Parameters
    ----------
    hour : mapping of str to float
        Hourly means of pm25, pm10, no2, o3 and so2, those that there are; ug m-3, NaN where unknown.

    Returns
    -------
    DayIndex or None
        None where nothing is known.

    Examples
    --------
    >>> europe_index({"pm25": 15.0, "o3": 101.0}).name_en
    'moderate'
    """
    bands = {item: band_of(f"europe_{item}_hour", value) for item, value in hour.items()}
    return _banded(EUROPE, day_classes("europe"), bands)


def _banded(standard: str, classes: Sequence[DayClass], bands: Mapping[str, str | None]) -> DayIndex | None:
    """Return the highest of the classes that a day's bands are in."""
    ranks = {
        item: next(n for n, c in enumerate(classes) if band in c.bands[item])
        for item, band in bands.items()
        if band is not None
    }
    if not ranks:
        return None
    highest = max(ranks.values())
    chosen = classes[highest]
    primary = tuple(sorted(i for i, rank in ranks.items() if rank == highest)) if highest else ()
    return DayIndex(standard, None, chosen.id, chosen.name_zh, chosen.name_ja, chosen.name_en, chosen.colour, primary)


@lru_cache(maxsize=64)
def pm25_limit(country: Country, begins: datetime) -> float:
    """Return the country's standard for a day's mean of PM2.5, ug m-3, in force when the day begins.

    Parameters
    ----------
    country : str
        ISO 3166-1, alpha-2.
    begins : datetime
        Aware: the beginning of the day.

    Returns
    -------
    float
        China: class 2 of GB 3095, the breakpoint of AQI 100. The United States: the breakpoint of AQI 100. Japan: the
        standard of 2009-09-09. Korea: the upper end of the grade "moderate", its standard for 24 h. Elsewhere the guideline
        of the WHO (2021) for 24 h.
    """
    if country == "CN":
        return china_standard(begins).daily_limit("pm25")
    if country == "US":
        return us_concentration("pm25", 100)
    return band_above(*_PM25_BANDS.get(country, ("who_pm25_day", "it4")))
