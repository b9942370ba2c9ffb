"""What part of a forecast an answer shows: the query parameters ``init_time``, ``variables`` and ``timezone``.

A route that declares `Shows` receives the last two as a `Selection`; `OfRun` is the first.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from fastapi import Depends, Query

from hazecast.services.core.field_limits import at_most
from hazecast.services.web.problems import InvalidArgument
from hazecast.services.web.times import Time

Variable = Literal["pm25", "o3", "relative_humidity"]
VARIABLES: tuple[Variable, ...] = ("pm25", "o3", "relative_humidity")
UNITS: dict[str, str] = {"pm25": "ug m-3", "o3": "ug m-3", "relative_humidity": "%"}
OfRun = Annotated[
    Time | None,
    Query(description="Of the run of this init time; by default of the newest.", examples=["2013-01-11T22:00:00Z"]),
]
InZone = Annotated[
    str | None,
    Query(
        alias="timezone", max_length=64, examples=["Asia/Tokyo"],
        description="IANA name of the zone of `local_time` and of days; by default the city's own.",
    ),
]  # fmt: skip


def zone_of(name: str | None, own: str) -> ZoneInfo:
    """Return the zone that a request names.

    Parameters
    ----------
    name : str or None
        IANA name, as requested.
    own : str
        IANA name that counts where none is requested.

    Returns
    -------
    zoneinfo.ZoneInfo

    Raises
    ------
    InvalidArgument
        If there is no such zone.
    """
    if name is not None and name not in available_zones():
        raise InvalidArgument("timezone", name, "the IANA name of a zone, such as Asia/Shanghai")
    return ZoneInfo(name or own)


@lru_cache
def available_zones() -> frozenset[str]:
    """Return the names of all zones; the files are looked through once."""
    return frozenset(available_timezones())


class Selection:
    """Which variables are shown, and in which zone local times are."""

    def __init__(
        self,
        variables: Annotated[
            list[Variable] | None,
            Query(description="Only these; may be repeated.", examples=[["pm25"]], max_length=20),
            at_most(20),
        ] = None,
        timezone: InZone = None,
    ) -> None:
        self.variables: tuple[Variable, ...] = tuple(name for name in VARIABLES if not variables or name in variables)
        self.timezone = timezone
        zone_of(timezone, "UTC")

    @property
    def units(self) -> dict[str, str]:
        """The units of the variables shown."""
        return {name: UNITS[name] for name in self.variables}

    def zone(self, own: str) -> ZoneInfo:
        """Return the zone of local times, where a city's own is `own`."""
        return zone_of(self.timezone, own)


Shows = Annotated[Selection, Depends()]
