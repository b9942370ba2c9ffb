"""Official counts of haze days, beside which a computed count is shown."""

from __future__ import annotations

from typing import NamedTuple


class OfficialHazeDays(NamedTuple):
    """An official count, what it counts and where it was read."""

    days: int
    definition: str
    source: str


# China News Service, 13 January 2017, on the bulletin: "the mean number of days of slight haze or more was 55, 8 fewer than
# in 2015 (63)".
_BEIJING = (
    "days of slight haze or more (轻度霾及以上), a mean over the city (of which stations is not said)",
    "Beijing Meteorological Service, climate bulletin of 2016 (as reported by China News Service, 2017-01-13)",
)
_KNOWN = {("beijing", 2015): OfficialHazeDays(63, *_BEIJING), ("beijing", 2016): OfficialHazeDays(55, *_BEIJING)}


def official_haze_days(city: str, year: int) -> OfficialHazeDays | None:
    """Return the official count of a city's year, None where none is known here.

    Parameters
    ----------
    city : str
        City id.
    year : int
        Calendar year.

    Returns
    -------
    OfficialHazeDays or None
    """
    return _KNOWN.get((city, year))
