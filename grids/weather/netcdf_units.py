"""How NetCDF files write units, and the factors and offsets from them to the contract's."""

from __future__ import annotations

import re
import unicodedata

from hazecast.grids.weather.netcdf_names import HUMIDITY, SPECIFIC

_KELVIN = {"k": (1.0, 0.0), "degc": (1.0, 273.15), "degf": (5.0 / 9.0, 459.67 * 5.0 / 9.0)}
_KNOT = (1852.0 / 3600.0, 0.0)
_SPEED = {
    "m s-1": (1.0, 0.0),
    "km h-1": (1.0 / 3.6, 0.0),
    "kt": _KNOT,
    "cm s-1": (0.01, 0.0),
    "mi h-1": (1609.344 / 3600.0, 0.0),
}
_FRACTION = {"1": (1.0, 0.0), "%": (0.01, 0.0), "okta": (0.125, 0.0), "tenth": (0.1, 0.0)}
# By unit, written as `plain_unit` does: factor and offset to the contract's.
UNITS: dict[str, dict[str, tuple[float, float]]] = {
    "t2m": _KELVIN,
    "d2m": _KELVIN,
    HUMIDITY: {"%": (1.0, 0.0), "1": (100.0, 0.0)},
    SPECIFIC: {"kg kg-1": (1.0, 0.0), "1": (1.0, 0.0), "g kg-1": (1e-3, 0.0)},
    "u10": _SPEED,
    "v10": _SPEED,
    "sp": {"pa": (1.0, 0.0), "hpa": (100.0, 0.0), "mbar": (100.0, 0.0), "kpa": (1000.0, 0.0)},
    "blh": {"m": (1.0, 0.0)},
    "tcc": _FRACTION,
    "tp": {
        "mm h-1": (1.0, 0.0),
        "kg m-2 s-1": (3600.0, 0.0),
        "mm s-1": (3600.0, 0.0),
        "m s-1": (3.6e6, 0.0),
        "mm day-1": (1.0 / 24.0, 0.0),
        "mm d-1": (1.0 / 24.0, 0.0),
        "m h-1": (1000.0, 0.0),
        "cm h-1": (10.0, 0.0),
        "kg m-2 h-1": (1.0, 0.0),
        "kg m-2 day-1": (1.0 / 24.0, 0.0),
        "kg m-2 d-1": (1.0 / 24.0, 0.0),
    },
    "ssrd": {"w m-2": (1.0, 0.0), "j m-2 s-1": (1.0, 0.0)},
}
# Totals, whose mean by the hour is the contract's rate.
TOTALS = {
    "tp": {"m": (1000.0, 0.0), "mm": (1.0, 0.0), "kg m-2": (1.0, 0.0)},
    "ssrd": {
        "j m-2": (1.0 / 3600.0, 0.0),
        "kj m-2": (1.0 / 3.6, 0.0),
        "mj m-2": (1000.0 / 3.6, 0.0),
        "w h m-2": (1.0, 0.0),
    },
}


def plain_unit(unit: str) -> str:
    """Return a unit in one way of the many to write it.

    Examples
    --------
    >>> [plain_unit(text) for text in ("m.s-1", "kg/m^2/s", "\N{DEGREE CELSIUS}", "Degrees Kelvin", "meters per second")]
    ['m s-1', 'kg m-2 s-1', 'degc', 'k', 'm s-1']
    """
    text = (
        unicodedata.normalize("NFKC", unit)
        .replace("\N{MINUS SIGN}", "-")
        .strip()
        .lower()
        .replace("**", "")
        .replace("^", "")
        .replace("\N{DEGREE SIGN}", "deg")
    )
    # A dot or a middle dot is a product where a letter follows.
    text = re.sub(r"(?<=[a-z\d])\s*[.\u00b7*]\s*(?=[a-z])", " ", text)
    text = re.sub(r"\b(?:met(?:er|re)s?) (?:per second|second-1)\b", "m s-1", text)
    text = re.sub(r"\s*/\s*\(?(\w+?)(\d?)\)?(?=$|[\s/])", lambda one: f" {one[1]}-{one[2] or 1}", text)
    text = re.sub(r"\b(?:hr|hour)-1", "h-1", text).replace("sec-1", "s-1")
    aliases = {
        "degrees_celsius": "degc", "degree_celsius": "degc", "deg_c": "degc", "c": "degc", "celsius": "degc",
        "deg c": "degc", "degree_c": "degc", "degrees_c": "degc", "degrees celsius": "degc", "degrees c": "degc",
        "degree_fahrenheit": "degf", "degrees_fahrenheit": "degf", "fahrenheit": "degf", "deg f": "degf", "f": "degf",
        "celcius": "degc", "degree c": "degc", "degree celsius": "degc",
        "degrees kelvin": "k", "degree_kelvin": "k", "degrees_kelvin": "k", "deg k": "k", "deg_k": "k", "kelvins": "k", "kelvin": "k", "degk": "k", "millibar": "mbar", "millibars": "mbar", "mb": "mbar", "pascal": "pa", "pascals": "pa",
        "hectopascal": "hpa", "hectopascals": "hpa", "knot": "kt", "knots": "kt", "kn": "kt", "kts": "kt",
        "percent": "%", "fraction": "1", "oktas": "okta", "octas": "okta", "tenths": "tenth", "kph": "km h-1", "mph": "mi h-1", "wh m-2": "w h m-2", "0-1": "1", "(0-1)": "1", "(0 - 1)": "1", "0 - 1": "1", "dimensionless": "1",
        "m of water equivalent": "m", "meter": "m", "meters": "m", "metre": "m", "metres": "m",
    }  # fmt: skip
    return aliases.get(text, text)
