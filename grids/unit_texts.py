"""Units as files and headers write them, in one form."""

from __future__ import annotations

import re
import unicodedata

_ALIASES = {
    "degrees_celsius": "degc", "degree_celsius": "degc", "deg_c": "degc", "c": "degc", "celsius": "degc",
    "deg c": "degc", "degree_c": "degc", "degrees_c": "degc", "degrees celsius": "degc", "degrees c": "degc",
    "degree_fahrenheit": "degf", "degrees_fahrenheit": "degf", "fahrenheit": "degf", "deg f": "degf", "f": "degf",
    "celcius": "degc", "degree c": "degc", "degree celsius": "degc",
    "degrees kelvin": "k", "degree_kelvin": "k", "degrees_kelvin": "k", "deg k": "k", "deg_k": "k", "kelvins": "k", "kelvin": "k", "degk": "k", "millibar": "mbar", "millibars": "mbar", "mb": "mbar", "pascal": "pa", "pascals": "pa",
    "hectopascal": "hpa", "hectopascals": "hpa", "knot": "kt", "knots": "kt", "kn": "kt", "kts": "kt",
    "percent": "%", "fraction": "1", "oktas": "okta", "octas": "okta", "tenths": "tenth", "kph": "km h-1", "mps": "m s-1", "ms-1": "m s-1", "mph": "mi h-1", "wh m-2": "w h m-2", "0-1": "1", "(0-1)": "1", "(0 - 1)": "1", "0 - 1": "1", "dimensionless": "1",
    "m of water equivalent": "m", "meter": "m", "meters": "m", "metre": "m", "metres": "m",
}  # fmt: skip


def plain_unit(unit: str) -> str:
    """Return a unit in one way of the many to write it.

    Examples
    --------
    >>> [plain_unit(text) for text in ("m.s-1", "kg/m^2/s", "\N{DEGREE CELSIUS}", "Degrees Kelvin", "meters per second")]
    ['m s-1', 'kg m-2 s-1', 'degc', 'k', 'm s-1']
    """
    # NFKC makes a Greek letter of the micro sign.
    text = (
        unicodedata.normalize("NFKC", unit)
        .replace("\N{GREEK SMALL LETTER MU}", "u")
        .replace("\N{MINUS SIGN}", "-")
        .strip()
        .lower()
        .replace("**", "")
        .replace("^", "")
        .replace("\N{DEGREE SIGN}", "deg")
    )
    # A dot or a middle dot is a product where a letter follows.
    text = re.sub(r"(?<=[a-z\d])\s*[.\u00b7*]\s*(?=[a-z])", " ", text)
    text = re.sub(r"\b(?:met(?:er|re)s?)(?: per |\s*/\s*)(?:second|sec|s)\b", "m s-1", text)
    text = re.sub(r"\bmet(?:er|re)s? second-1\b", "m s-1", text)
    text = re.sub(r"\s*/\s*\(?(\w+?)(\d?)\)?(?=$|[\s/])", lambda one: f" {one[1]}-{one[2] or 1}", text)
    text = re.sub(r"\b(?:hr|hour)-1", "h-1", text).replace("sec-1", "s-1")
    return _ALIASES.get(text, text)
