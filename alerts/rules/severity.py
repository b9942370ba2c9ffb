"""The severity of levels as CAP 1.2 names it, the same in every format of a warning."""

from __future__ import annotations

from typing import Literal, get_args

from hazecast.alerts.rules.ruleset import RuleSet

Severity = Literal["Extreme", "Severe", "Moderate", "Minor"]
# The gravest first.
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

# CAP 1.2, section 3.2.2: Extreme "extraordinary threat", Severe "significant", Moderate "possible", Minor
# "minimal to no known threat". How levels map to them is this service's choice: China's colours as is usual, the
# others by their authority's description.
_BY_LEVEL: dict[str, Severity] = {
    "yellow": "Moderate", "orange": "Severe", "red": "Extreme",
    "alert": "Moderate",
    "forecast": "Minor", "advisory": "Moderate", "warning": "Severe", "emergency": "Extreme",
    "usg": "Minor", "unhealthy": "Moderate", "very_unhealthy": "Severe", "hazardous": "Extreme",
    "guideline": "Minor", "it4": "Minor", "it3": "Minor", "it2": "Minor", "it1": "Moderate",
}  # fmt: skip


def severity(ruleset: RuleSet, level: str) -> Severity:
    """Return the CAP 1.2 severity of a level.

    Parameters
    ----------
    ruleset : RuleSet
    level : str
        Id.

    Returns
    -------
    {"Extreme", "Severe", "Moderate", "Minor"}
        Moderate for a level of a bureau's own that is not listed here.

    Raises
    ------
    InputError
        If the rule set has no such level.

    Examples
    --------
    >>> from hazecast.alerts.rules.book import RuleBook
    >>> severity(RuleBook.shipped().haze_signal, "red")
    'Extreme'
    """
    return _BY_LEVEL.get(ruleset.level_of(level).id, "Moderate")
