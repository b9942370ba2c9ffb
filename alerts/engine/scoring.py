"""How good warnings were: contingency scores, lead times, and the probability threshold of least expense.

POD, FAR (false alarm ratio) and CSI as in Wilks, Statistical Methods in the Atmospheric Sciences, chapter 8;
the expense of a threshold by the cost-loss model (Richardson 2000, Q. J. R. Meteorol. Soc. 126:649).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.rules.ruleset import RuleSet

# An episode begins when a level is observed after this long without it.
_APART = timedelta(hours=24)


@dataclass(frozen=True)
class Contingency:
    """A two-by-two table: hits, false alarms, misses, correct negatives."""

    hits: int
    false_alarms: int
    misses: int
    correct_negatives: int

    @property
    def pod(self) -> float:
        """Probability of detection, hits / (hits + misses); NaN without events."""
        return _ratio(self.hits, self.hits + self.misses)

    @property
    def far(self) -> float:
        """False alarm ratio, false alarms / (hits + false alarms); NaN without warnings."""
        return _ratio(self.false_alarms, self.hits + self.false_alarms)

    @property
    def csi(self) -> float:
        """Critical success index, hits / (hits + false alarms + misses)."""
        return _ratio(self.hits, self.hits + self.false_alarms + self.misses)

    @property
    def bias(self) -> float:
        """Frequency bias, warnings over events; NaN without events."""
        return _ratio(self.hits + self.false_alarms, self.hits + self.misses)

    def expense(self, cost_loss_ratio: float) -> float:
        """Return what it costs, in units of the loss: acting costs the ratio, a miss costs 1."""
        return cost_loss_ratio * (self.hits + self.false_alarms) + self.misses

    def value(self, cost_loss_ratio: float) -> float:
        """Return the relative economic value: 1 for perfect warnings, 0 for always or never acting."""
        events, total = self.hits + self.misses, self.hits + self.misses + self.false_alarms + self.correct_negatives
        base, best = min(cost_loss_ratio * total, events), cost_loss_ratio * events
        return (base - self.expense(cost_loss_ratio)) / (base - best) if base > best else float("nan")


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def contingency(warned: Sequence[bool], events: Sequence[bool]) -> Contingency:
    """Count warnings against events, pair by pair.

    Parameters
    ----------
    warned, events : sequence of bool
        Of one length: whether each case was warned of, and whether its event was observed.

    Returns
    -------
    Contingency
    """
    given, occurred = np.asarray(warned, dtype=bool), np.asarray(events, dtype=bool)
    return Contingency(
        hits=int((given & occurred).sum()),
        false_alarms=int((given & ~occurred).sum()),
        misses=int((~given & occurred).sum()),
        correct_negatives=int((~given & ~occurred).sum()),
    )


def threshold_table(
    probabilities: Sequence[float], events: Sequence[bool], thresholds: Iterable[float]
) -> list[tuple[float, Contingency]]:
    """Return the contingency of warning at each probability threshold.

    Parameters
    ----------
    probabilities : sequence of float
    events : sequence of bool
        Whether the event of each probability was observed.
    thresholds : iterable of float

    Returns
    -------
    list of (float, Contingency)
        In the order of the thresholds.
    """
    given = np.asarray(probabilities, dtype=np.float64)
    return [(t, contingency([*(given >= t)], events)) for t in thresholds]


def best_threshold(table: Sequence[tuple[float, Contingency]], cost_loss_ratio: float) -> float:
    """Return the threshold of least expense; of several, the one nearest to the cost-loss ratio.

    For calibrated probabilities this is the cost-loss ratio itself.

    Parameters
    ----------
    table : sequence of (float, Contingency)
        As from `threshold_table`.
    cost_loss_ratio : float
        What acting costs over what not acting loses.

    Returns
    -------
    float
    """
    least = min(counts.expense(cost_loss_ratio) for _, counts in table)
    cheapest = [t for t, counts in table if counts.expense(cost_loss_ratio) <= least + 1e-9]
    return min(cheapest, key=lambda t: abs(t - cost_loss_ratio))


@dataclass(frozen=True)
class Tenth:
    """The cases whose probability lies in one tenth: how many, their mean probability, and how often the event came."""

    lowest: float
    cases: int
    probability: float
    frequency: float

    @property
    def off(self) -> float:
        """How far the frequency lies above the probability."""
        return self.frequency - self.probability


def reliability(probabilities: Sequence[float], events: Sequence[bool]) -> list[Tenth]:
    """Compare probabilities with how often what they were given for came, by tenths of the probability.

    Parameters
    ----------
    probabilities : sequence of float
        0 to 1.
    events : sequence of bool

    Returns
    -------
    list of Tenth
        Those with a case, rising; the last one holds 1 too.
    """
    given, came = np.asarray(probabilities, dtype=np.float64), np.asarray(events, dtype=bool)
    tenth = np.minimum((given * 10.0 + 1e-9).astype(np.int64), 9)
    return [
        Tenth(k / 10.0, int((tenth == k).sum()), float(given[tenth == k].mean()), float(came[tenth == k].mean()))
        for k in np.unique(tenth)
    ]


def ranks_in_force(messages: Iterable[HazeWarning], rules: RuleSet) -> list[tuple[datetime, datetime, int]]:
    """Return when which rank was in force in one city.

    Parameters
    ----------
    messages : iterable of HazeWarning
        Of one city and one rule set.
    rules : RuleSet

    Returns
    -------
    list of (datetime, datetime, int)
        From, until and rank, in order and without overlap.
    """
    ordered = sorted(messages, key=lambda m: (m.issued, m.id))
    followed = {m.references[-1]: m.issued for m in ordered if m.references}
    return [
        (m.issued, min(m.expires, followed.get(m.id, m.expires)), rules.level_of(m.level).rank)
        for m in ordered
        if m.kind != "lift"
    ]


def onsets(hours: Iterable[datetime]) -> list[datetime]:
    """Return the first hours of episodes: those with no such hour in the day before."""
    ordered = sorted(set(hours))
    return [h for i, h in enumerate(ordered) if i == 0 or h - ordered[i - 1] > _APART]


@dataclass(frozen=True)
class LeadTime:
    """An episode's first hour, and how long before it the warning was issued; negative if after, None if never."""

    onset: datetime
    hours: float | None


def lead_times(
    episode_onsets: Sequence[datetime], messages: Iterable[HazeWarning], rules: RuleSet, rank: int
) -> list[LeadTime]:
    """Return for each episode how long before its first hour it was warned of.

    The warning is the earliest message of the level, or a higher one, that was valid for that hour and from
    which on the level was in force until the hour began. One that was first issued within a day after the onset
    counts with a negative lead time.

    Parameters
    ----------
    episode_onsets : sequence of datetime
        As from `onsets`.
    messages : iterable of HazeWarning
        Of one city and one rule set.
    rules : RuleSet
    rank : int
        Of the level, or a higher one.

    Returns
    -------
    list of LeadTime
        In the order of the onsets.
    """
    own = sorted(messages, key=lambda m: m.issued)
    periods: list[tuple[datetime, datetime]] = []
    for start, end, reached in ranks_in_force(own, rules):
        if reached >= rank and end > start:
            if periods and start <= periods[-1][1]:
                periods[-1] = (periods[-1][0], max(end, periods[-1][1]))
            else:
                periods.append((start, end))
    given = [m for m in own if m.kind != "lift" and rules.level_of(m.level).rank >= rank]
    result = []
    for onset in episode_onsets:
        begins = onset - timedelta(hours=1)
        block = next(((a, b) for a, b in periods if b > begins and a < onset + _APART), None)
        hours = None
        if block is not None:
            # Later than the onset, the block's own beginning; else its first message that reached to this hour.
            valid = [m.issued for m in given if block[0] <= m.issued <= begins and m.expires >= onset]
            hours = (begins - min(valid, default=block[0])) / timedelta(hours=1)
        result.append(LeadTime(onset, hours))
    return result


def median_lead(leads: Sequence[LeadTime]) -> float:
    """Return the median over the episodes that were warned of, h; NaN without any."""
    hours = [x.hours for x in leads if x.hours is not None]
    return float(np.median(hours)) if hours else float("nan")
