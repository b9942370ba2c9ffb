"""The days of an episode in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from hazecast.alerts.engine.warning import Evidence, HazeWarning
from hazecast.alerts.messages.rounding import Bound
from hazecast.alerts.messages.texts import Catalog
from hazecast.grids.places.cities import City


def of_days(warning: HazeWarning) -> bool:
    """Return whether a warning rests on days of the city, not on hours."""
    return any(e.observed_hours is not None for e in warning.evidence)


def days_sentences(warning: HazeWarning, city: City, words: Catalog, bounds: Sequence[Bound] = ()) -> list[str]:
    """Return the AQI of each whole day of an episode and what of it was observed, and the highest of 24 h that count.

    Parameters
    ----------
    warning : HazeWarning
        Resting on days, see `of_days`.
    city : City
        Gives the time zone.
    words : Catalog
    bounds : sequence of (float, str)
        Thresholds of the AQI that no value is rounded across.

    Returns
    -------
    list of str
    """
    whole = [e for e in warning.evidence if "aqi_day" in e.values]
    days = words.say("expect.days.separator").join(_day(e, city, words, bounds) for e in whole)
    found = [words.say("expect.days.lead", days=days)] if days else []
    for form, observed in (("seen", True), ("expect", False)):
        counted = [
            e.values["aqi_24h"]
            for e in warning.evidence
            if "aqi_24h" in e.values and (e.basis == "observed") == observed
        ]
        if counted:
            found.append(words.say(f"{form}.value.aqi_24h", value=words.rounded(max(counted), 1.0, bounds)))
    return found


def _day(day: Evidence, city: City, words: Catalog, bounds: Sequence[Bound]) -> str:
    # The stamp is the midnight that ends the day.
    date = words.calendar_day(day.time - timedelta(hours=1), city.time_zone)
    value = words.rounded(day.values["aqi_day"], 1.0, bounds)
    if day.basis == "observed":
        return words.say("expect.days.observed", day=date, value=value)
    if day.observed_hours:
        return words.say("expect.days.running", day=date, value=value, n=words.number(day.observed_hours))
    return words.say("expect.days.forecast", day=date, value=value)
