"""What the messages of a warning cover: the hours of a level that lay within one, and how often the level changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.rules.ruleset import RuleSet


def hours_covered(hours: Iterable[datetime], messages: Iterable[HazeWarning], rules: RuleSet, rank: int) -> int:
    """Count the hours that lay within a message of a level, or a higher one.

    An hour is covered by the message in force when it began, if its onset was not later. One that a later message
    replaced, lift included, covers no hour that begins after that.

    Parameters
    ----------
    hours : iterable of datetime
        Ends of hours, aware.
    messages : iterable of HazeWarning
        Of one city and one rule set.
    rules : RuleSet
    rank : int
        Of the level, from 1.

    Returns
    -------
    int
    """
    own = list(messages)
    replaced = {m.references[-1]: m.issued for m in own if m.references}
    spans = [
        (max(m.issued, m.onset), min(m.expires, replaced.get(m.id, m.expires)))
        for m in own
        if m.kind != "lift" and rules.level_of(m.level).rank >= rank
    ]
    begins = [end - timedelta(hours=1) for end in hours]
    return sum(any(start <= hour < until for start, until in spans) for hour in begins)


def kinds(messages: Iterable[HazeWarning]) -> dict[str, int]:
    """Count messages by kind. All but "continue" change the level in force."""
    return dict(sorted(Counter(m.kind for m in messages).items()))
