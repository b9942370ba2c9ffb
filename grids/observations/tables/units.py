"""The quantities that a table may hold, and their units."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from hazecast.grids.contract import POLLUTANTS
from hazecast.grids.units import PPB_25C, to_ug_m3

# Weather of a table, with its physical limits in the first unit below; wind is speed and direction.
_LIMITS: dict[str, tuple[float, float]] = {
    "temperature": (180.0, 340.0),
    "dew_point": (150.0, 330.0),
    "relative_humidity": (1.0, 100.0),
    "wind_speed": (0.0, 110.0),
    "wind_direction": (0.0, 360.0),
    "pressure": (40_000.0, 110_000.0),
    "precipitation": (0.0, 400.0),
    "visibility": (0.0, 100_000.0),
}
WEATHER_MEANINGS: tuple[str, ...] = tuple(_LIMITS)
MEANINGS: tuple[str, ...] = (*POLLUTANTS, *WEATHER_MEANINGS)
# By quantity and unit, factor and offset to the contract's: K, %, m s-1, degrees, Pa, mm h-1, m.
_KNOT = 1852 / 3600
_UNITS: dict[str, dict[str, tuple[float, float]]] = {
    "temperature": {"K": (1.0, 0.0), "degC": (1.0, 273.15), "degF": (5 / 9, 273.15 - 32 * 5 / 9)},
    "relative_humidity": {"%": (1.0, 0.0), "1": (100.0, 0.0)},
    "wind_speed": {"m/s": (1.0, 0.0), "km/h": (1 / 3.6, 0.0), "kt": (_KNOT, 0.0), "0.1 m/s": (0.1, 0.0)},
    "wind_direction": {"degrees": (1.0, 0.0), "compass": (1.0, 0.0)},
    "pressure": {"Pa": (1.0, 0.0), "hPa": (100.0, 0.0), "kPa": (1_000.0, 0.0), "0.1 hPa": (10.0, 0.0)},
    "precipitation": {"mm": (1.0, 0.0), "mm/h": (1.0, 0.0), "0.1 mm": (0.1, 0.0)},
    "visibility": {"m": (1.0, 0.0), "km": (1_000.0, 0.0), "0.1 km": (100.0, 0.0)},
}
_UNITS["dew_point"] = _UNITS["temperature"]
# How units are written, without blanks and in lower case.
_WRITTEN: dict[str, tuple[str, ...]] = {
    "ug/m3": ("ug/m3", "ugm-3", "ug.m-3", "ug/m-3", "ug/m^3", "ugm3", "mcg/m3", "ug/cum", "ug/cbm", "마이크로그램/세제곱미터", "微克/立方米", "微克/立方公尺", "micrograms/cubicmeter(lc)", "micrograms/cubicmeter"),
    "mg/m3": ("mg/m3", "mgm-3", "mg/m-3", "mg/m^3", "mgm3", "毫克/立方米"),
    "ppb": ("ppb", "partsperbillion", "ppbv", "nmol/mol", "nmolmol-1", "0.001ppm"),
    "pphm": ("pphm", "0.01ppm"),
    "ppm": ("ppm", "partspermillion", "ppmv", "umol/mol"),
    "degC": ("degc", "°c", "c", "celsius", "摄氏度", "攝氏度", "度c"),
    "degF": ("degf", "°f", "f", "fahrenheit"),
    "K": ("k", "kelvin"),
    "%": ("%", "percent", "%rh", "rh%"),
    "m/s": ("m/s", "ms-1", "mps", "米/秒", "m/sec"),
    "km/h": ("km/h", "kmh", "kph"),
    "kt": ("kt", "knot", "knots", "kn"),
    "degrees": ("degrees", "degree", "deg", "°", "度"),
    "compass": ("compass", "16"),
    "hPa": ("hpa", "mb", "mbar", "百帕"),
    "kPa": ("kpa", "千帕"),
    "Pa": ("pa", "帕"),
    "mm": ("mm", "毫米"),
    "mm/h": ("mm/h", "mmh-1", "mm/hr"),
    "m": ("m", "米", "公尺", "meter", "metre", "meters", "metres"),
    "km": ("km", "公里", "千米"),
    "1": ("1", "fraction"),
    "0.1 m/s": ("0.1m/s",),
    "0.1 hPa": ("0.1hpa",),
    "0.1 mm": ("0.1mm",),
    "0.1 km": ("0.1km",),
}  # fmt: skip
_BY_TEXT = {text: unit for unit, texts in _WRITTEN.items() for text in texts}
_SUPERSCRIPTS = str.maketrans("⁻−", "--")


@dataclass(frozen=True)
class Conversion:
    """How a value gets into the contract's unit: times `factor`, plus `offset`; `low` to `high` is possible."""

    factor: float
    offset: float
    low: float
    high: float


def unit_named(text: str) -> str | None:
    """Return a unit's one name by any usual way to write it; None where it isn't known.

    Examples
    --------
    >>> unit_named("μg/m³"), unit_named("℃"), unit_named("m s-1"), unit_named("furlong")
    ('ug/m3', 'degC', 'm/s', None)
    """
    plain = unicodedata.normalize("NFKC", text).translate(_SUPERSCRIPTS).lower()
    plain = re.sub(r"\s", "", plain.replace("μ", "u"))
    return _BY_TEXT.get(plain) or _BY_TEXT.get(re.sub(r"[_·.*]", "", plain))


def conversion(meaning: str, unit: str) -> Conversion:
    """Return how a quantity in a unit becomes that of the contract.

    Parameters
    ----------
    meaning : str
        One of `MEANINGS`.
    unit : str
        In any usual way to write it.

    Returns
    -------
    Conversion
        Gases at the reference state of `hazecast.grids.units`.

    Raises
    ------
    ValueError
        If the unit isn't one of the quantity.
    """
    name = unit_named(unit)
    if name is None or name not in units_of(meaning):
        raise ValueError(f"unit of {meaning}: one of {', '.join(units_of(meaning))}")
    if meaning in POLLUTANTS:
        # What is possible is for quality control to say.
        return Conversion(to_ug_m3(meaning, name), 0.0, float("-inf"), float("inf"))
    return Conversion(*_UNITS[meaning][name], *_LIMITS[meaning])


def units_of(meaning: str) -> tuple[str, ...]:
    """Return the units that a quantity may have."""
    if meaning in POLLUTANTS:
        return ("ug/m3", "mg/m3", "ppb", "pphm", "ppm") if meaning in PPB_25C else ("ug/m3", "mg/m3")
    return tuple(_UNITS[meaning])
