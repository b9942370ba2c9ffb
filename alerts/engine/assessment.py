"""The result of one run for one city under one rule set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hazecast.alerts.engine.warning import Evidence
from hazecast.alerts.rules.ruleset import Level


@dataclass(frozen=True)
class Outlook:
    """The result of one run for one level.

    Attributes
    ----------
    rank : int
    level : str
    share : float
        Of the scenarios that meet the level, or a higher one, within the window.
    probability : float
        Of meeting it: the share, calibrated (`hazecast.alerts.rules.calibration`).
    keep_probability : float
        The same within the hours on which a level in force is judged.
    observed : bool
        Whether it is met by observation and likely to persist.
    raised : bool
        Whether it is met: by observation, or with the probability that its rule requires.
    onset : datetime
        When the level begins: the start of the first hour, mean or row of days that meets it.
    evidence : tuple of Evidence
        The stamps that meet it; empty where no scenario does.
    measured : bool
        Whether it was declared on measurement alone: its message has no probability.
    until : datetime or None
        When the level ends at the latest; None: with the window.
    """

    rank: int
    level: str
    share: float
    probability: float
    keep_probability: float
    observed: bool
    raised: bool
    onset: datetime
    evidence: tuple[Evidence, ...]
    measured: bool = False
    until: datetime | None = None

    @classmethod
    def none(cls, level: Level, onset: datetime, probability: float = 0.0) -> Outlook:
        """Return the result where no scenario meets a level.

        Parameters
        ----------
        level : Level
        onset : datetime
            As it would be.
        probability : float
            For no scenario: where it is calibrated, more than 0 perhaps.

        Returns
        -------
        Outlook
        """
        return cls(level.rank, level.id, 0.0, probability, probability, False, False, onset, ())


@dataclass(frozen=True)
class Excluded:
    """A day that is as bad as a level and yet counts for none.

    Attributes
    ----------
    day_end : datetime
        Aware, UTC.
    cause : {"ozone"}
        What makes it so bad: the rule set's text is of particles and leaves ozone to advice on health.
    probability : float
        Of such a day, 0 to 1.
    index : float
        The pollutant's index; the median of the scenarios in which it is such a day.
    """

    day_end: datetime
    cause: Literal["ozone"]
    probability: float
    index: float


@dataclass(frozen=True)
class Assessment:
    """The result of one run for one city: the window [start, end) and the outlook of each level, lowest first.

    `lift_ready` is whether observations allow a lift where the rule set requires them; `missing_hours` is how
    many forecast hours of the window have no value; they meet no level. `declared` is False where levels are declared
    on measurement and none was, so that what is lifted was only forecast. `excluded` are days that the rule set does not
    count although they are as bad as a level.
    """

    rule_set: str
    city: str
    area_zh: str
    area_ja: str
    area_en: str
    start: datetime
    end: datetime
    outlooks: tuple[Outlook, ...]
    lift_ready: bool
    init_time: datetime
    simulated: bool
    weather_source: str
    missing_hours: int = 0
    declared: bool = True
    excluded: tuple[Excluded, ...] = ()

    @property
    def rank(self) -> int:
        """The highest rank raised by this run alone; 0 none."""
        return max((o.rank for o in self.outlooks if o.raised), default=0)

    @property
    def level(self) -> str | None:
        """The id of that level."""
        return self.of(self.rank).level if self.rank else None

    def of(self, rank: int) -> Outlook:
        """Return the outlook of a rank."""
        return self.outlooks[rank - 1]
