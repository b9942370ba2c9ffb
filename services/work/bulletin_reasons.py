"""Why a run is degraded, in the words of a bulletin: a reason that the cycle wrote, by the key of its message."""

from __future__ import annotations

import re

from hazecast.alerts.bulletin.content import Reason

# How the reasons of a degraded run begin, as `hazecast.services.work.shortcomings.shortcomings` and the cycle write them.
_REASONS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?P<city>\w+): newest PM2\.5 is (?P<hours>\d+) h old$"), "late"),
    (re.compile(r"PM2\.5 is a model's analysis, not measured, in (?P<n>\d+) cities"), "modelled"),
    (re.compile(r"weather ends at \S+, before the last lead time$"), "weather_short"),
    (re.compile(r"weather: no cycle issued by|weather: no value in any"), "weather_missing"),
    (re.compile(r"weather lacks|weather: left out|weather: .+ (without a value in|lie outside) "), "weather_gaps"),
    (re.compile(r"observations: (?P<n>\d+) hours are stamped in the future"), "future"),
    (re.compile(r"the model in service can't be loaded"), "model"),
    (re.compile(r"observations end (?P<hours>\d+) h before now"), "old"),
    (re.compile(r"no PM2\.5 in the last 72 h in (?P<n>\d+) of (?P<all>\d+) cities"), "silent"),
    (re.compile(r"observations: (?P<n>\d+) hours in which a network fails"), "distrusted"),
    (re.compile(r"observations: (?P<n>\d+) hours repeat the day before"), "repeating"),
    (re.compile(r"observations: (left out, |at least \d+ more cells or rows are left out)"), "left_out"),
    (re.compile(r"observations: "), "assumed"),
    (re.compile(r"weather: none is known, before or after"), "no_air"),
    (re.compile(r"no trained model can be loaded"), "no_model"),
)


def as_reason(text: str) -> Reason:
    """Return a reason of a degraded run by its key; one that is not known carries its English words."""
    for pattern, key in _REASONS:
        found = pattern.match(text)
        if found is not None:
            return Reason(key, tuple(found.groupdict().items()))
    return Reason("other", (("text", text),))
