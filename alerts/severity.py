"""How grave a level is, in the words of CAP 1.2: the same for every format that a warning leaves in."""

from __future__ import annotations

from typing import Literal

from alerts.ruleset import RuleSet

Severity = Literal["Extreme", "Severe", "Moderate", "Minor"]

# CAP 1.2, section 3.2.2: Extreme "extraordinary threat", Severe "significant", Moderate "possible", Minor
# "minimal to no known threat". How China's colours map to them is this service's choice, the usual one.
_BY_LEVEL: dict[str, Severity] = {"yellow": "Moderate", "orange": "Severe", "red": "Extreme"}


def severity(ruleset: RuleSet, level: str) -> Severity:
    """Return the CAP severity of a level.

    Raises
    ------
    InputError
        If the rule set has no such level.
    """
    return _BY_LEVEL[ruleset.level_of(level).id]
