"""Aerodrome reports (METAR) as text: wind, visibility, present weather, temperatures and pressure.

Codes as in WMO-No. 306, Manual on Codes, Volume I.1, FM 15 METAR and code table 4678 (present weather).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# 10 km or more, as CAVOK and 9999 say.
UNLIMITED = 10_000.0
# By flag, the phenomena of code table 4678 that set it.
PHENOMENA: dict[str, tuple[str, ...]] = {
    "haze": ("HZ",),
    "mist": ("BR",),
    "fog": ("FG",),
    "smoke": ("FU",),
    "dust": ("DU", "SA", "DS", "SS", "PO"),
    # UP: precipitation whose kind an automatic station can't tell.
    "rain": ("RA", "DZ", "UP"),
    "snow": ("SN", "SG", "PL", "GS", "GR"),
}

_REPORT = re.compile(r"(?:METAR|SPECI)\s+(?:COR\s+)?(?P<station>[A-Z]{4})\s+\d{6}Z\s+(?P<body>[^=;]*)")
# What follows is a forecast or remarks.
_END = re.compile(r"\b(?:NOSIG|BECMG|TEMPO|RMK)\b")
_WIND = re.compile(r"(?:AUTO\s+)?(?P<dir>\d{3}|VRB|///)(?P<speed>P?\d{2,3}|//)(?:GP?\d{2,3})?(?P<unit>MPS|KT|KMH)\b")
_VISIBILITY = re.compile(r"(?<=\s)(?P<metres>\d{4})(?:NDV)?(?=\s)")
_MILES = re.compile(r"(?<=\s)[MP]?(?:(?P<whole>\d{1,2})(?:\s(?=\d/))?)?(?:(?P<part>\d)/(?P<of>[1-9]\d?))?SM(?=\s)")
_TEMPERATURE = re.compile(r"(?<=\s)(?P<t>M?\d{2})/(?P<d>M?\d{2})?")
_PRESSURE = re.compile(r"\b(?P<unit>[QA])(?P<value>\d{4})\b")
_WEATHER = re.compile(
    r"(?:\+|-)?(?:MI|BC|PR|DR|BL|SH|TS|FZ)*(?P<what>(?:DZ|RA|SN|SG|PL|GR|GS|BR|FG|FU|DU|SA|HZ|SS|DS|PO|UP)+)"
)
_METRES_PER_SECOND = {"MPS": 1.0, "KT": 1852 / 3600, "KMH": 1 / 3.6}
_HPA_PER_INCH_HG = 33.8639
# The statute mile of reports in North American form.
_METRES_PER_MILE = 1609.344
_NAN = float("nan")


@dataclass(frozen=True)
class Metar:
    """One report; NaN where something is not given.

    Attributes
    ----------
    station : str
        ICAO location indicator.
    wind_from : float
        Degrees; NaN where variable or not given.
    wind_speed : float
        m s-1.
    variable_wind : bool
        Whether the direction is given as variable.
    visibility : float
        m, also where it is given in statute miles; `UNLIMITED` stands for that or more.
    temperature, dew_point : float
        degC.
    qnh : float
        Altimeter setting, hPa.
    weather : frozenset of str
        Flags of `PHENOMENA`.
    """

    station: str
    wind_from: float
    wind_speed: float
    variable_wind: bool
    visibility: float
    temperature: float
    dew_point: float
    qnh: float
    weather: frozenset[str]


def parse_metar(text: str) -> Metar | None:
    """Parse the first report in a text.

    Parameters
    ----------
    text : str
        What stands around the report is left alone; phenomena in the vicinity (VC) or recent (RE), and the
        forecast that follows, are not present weather.

    Returns
    -------
    Metar or None
        None where the text has no report.

    Examples
    --------
    >>> report = parse_metar("METAR ZBAA 130030Z 14001MPS 0600 R36L/0900 FG NSC M05/M06 Q1028 NOSIG")
    >>> report.visibility, report.temperature, sorted(report.weather)
    (600.0, -5.0, ['fog'])
    """
    found = _REPORT.search(text)
    if found is None:
        return None
    body = " " + _END.split(found["body"])[0].strip() + " "
    wind = _WIND.search(body)
    direction, speed = _NAN, _NAN
    if wind is not None and wind["speed"] != "//":
        speed = float(wind["speed"].lstrip("P")) * _METRES_PER_SECOND[wind["unit"]]
        direction = float(wind["dir"]) if wind["dir"].isdecimal() else _NAN
    temperatures = _TEMPERATURE.search(body)
    return Metar(
        station=found["station"],
        wind_from=direction,
        wind_speed=speed,
        variable_wind=wind is not None and wind["dir"] == "VRB",
        visibility=_visibility(body[wind.end() :] if wind else body),
        temperature=_celsius(temperatures["t"]) if temperatures else _NAN,
        dew_point=_celsius(temperatures["d"]) if temperatures else _NAN,
        qnh=_qnh(body),
        weather=_weather(body),
    )


def _visibility(rest: str) -> float:
    if " CAVOK" in rest:
        return UNLIMITED
    if found := _VISIBILITY.search(rest):
        metres = float(found["metres"])
        return UNLIMITED if metres == 9999 else metres
    found = _MILES.search(rest)
    if found is None or not (found["whole"] or found["part"]):
        return _NAN
    miles = float(found["whole"] or 0) + (float(found["part"]) / float(found["of"]) if found["part"] else 0.0)
    return min(miles * _METRES_PER_MILE, UNLIMITED)


def _celsius(text: str | None) -> float:
    return float(text.replace("M", "-")) if text else _NAN


def _qnh(body: str) -> float:
    found = _PRESSURE.search(body)
    if found is None:
        return _NAN
    value = float(found["value"])
    return value if found["unit"] == "Q" else value / 100 * _HPA_PER_INCH_HG


def _weather(body: str) -> frozenset[str]:
    groups = [found["what"] for token in body.split() if (found := _WEATHER.fullmatch(token))]
    codes = {what[at : at + 2] for what in groups for at in range(0, len(what), 2)}
    return frozenset(flag for flag, names in PHENOMENA.items() if codes.intersection(names))
