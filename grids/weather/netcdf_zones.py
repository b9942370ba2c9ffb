"""Clocks of NetCDF files that say in words that they are no UTC: CF's units tell an offset, and without one they are UTC."""

from __future__ import annotations

import re
from collections.abc import Mapping

import xarray as xr

from hazecast.grids.errors import InputError

# Attributes that name a zone, and texts that may.
_ZONES = ("time_zone", "timezone", "tz", "utc_offset")
_TEXTS = ("long_name", "description", "comment", "standard_name")
_UTC = re.compile(
    r"(?:etc/)?(?:utc|gmt|ut|z|zulu|universal|coordinated universal)?(?: time)?(?:[ +-]*0{0,2}(?::?00)?)?",
    re.IGNORECASE,
)
_LOCAL = re.compile(
    r"\b(?:local|lst|beijing|bjt|tokyo|seoul|jst|kst|cst|(?:utc|gmt)\s*[+-]\s*0*[1-9])\b|北京|地方时|当地时|日本時|日本标准|한국",
    re.IGNORECASE,
)
# An offset follows a time of day: the end of a date alone looks like one.
_OFFSET = re.compile(r"-\d{1,2}[T\s]\s*\d{1,2}(?::\d{1,2}){0,2}(?:\.\d*)?\s*[+-]\d{1,2}(?::?\d{2})?\s*$")


def check_zone(raw: xr.Dataset, where: str) -> None:
    """Refuse times whose attributes say that they are of a zone that their units don't tell.

    Parameters
    ----------
    raw : xarray.Dataset
        As opened.
    where : str
        The file, for errors.

    Raises
    ------
    InputError
        If they do.
    """
    clocks = {str(name): array for name, array in raw.variables.items() if array.dtype.kind == "M"}
    told = {name for name, array in clocks.items() if _OFFSET.search(str(array.encoding.get("units", "")))}
    for name, array in clocks.items():
        found = None if name in told else _zone(array.attrs, texts=name in raw.dims or array.ndim == 0)
        if found is not None:
            raise _refusal(f"{where}: {name} {found[0]}", found[1])
    found = None if told else _zone(raw.attrs, texts=False)
    if clocks and found is not None:
        raise _refusal(f"{where}: {found[0]}", found[1])


def _refusal(where: str, found: str) -> InputError:
    return InputError(
        where, found, "times in UTC, or units with the offset, such as hours since 2014-02-20 00:00 +08:00"
    )


def _zone(attrs: Mapping[object, object], *, texts: bool) -> tuple[str, str] | None:
    """Return the attribute that tells another zone than UTC, and what it says; None without one."""
    stated = {str(name).lower(): str(value).strip() for name, value in attrs.items()}
    for name in _ZONES:
        if name in stated and not _UTC.fullmatch(stated[name]):
            return name, stated[name]
    for name in _TEXTS if texts else ():
        if name in stated and _LOCAL.search(stated[name]):
            return name, stated[name]
    return None
