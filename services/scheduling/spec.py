"""The definition of a job: when it is due, how long it may take, and what happens to a run that was missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

BEIJING = "Asia/Shanghai"
# All processes count intervals from here, so that they agree on when a job is due.
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Cron:
    """Due at these hours and minutes (cron expressions) of a time zone."""

    minute: str
    hour: str = "*"
    time_zone: str = "UTC"

    def trigger(self) -> BaseTrigger:
        """Return the trigger of APScheduler that computes the due times."""
        return CronTrigger(hour=self.hour, minute=self.minute, timezone=ZoneInfo(self.time_zone))

    def as_dict(self) -> dict[str, Any]:
        """Return the schedule as JSON values."""
        return {"minute": self.minute, "hour": self.hour, "time_zone": self.time_zone}

    def __str__(self) -> str:
        return f"hour {self.hour}, minute {self.minute} ({self.time_zone})"


@dataclass(frozen=True)
class Every:
    """Due every so many seconds."""

    seconds: float

    def trigger(self) -> BaseTrigger:
        """Return the trigger of APScheduler that computes the due times."""
        return IntervalTrigger(seconds=self.seconds, start_date=_EPOCH, timezone=UTC)

    def as_dict(self) -> dict[str, Any]:
        """Return the schedule as JSON values."""
        return {"seconds": self.seconds}

    def __str__(self) -> str:
        return f"every {self.seconds:g} s"


Schedule = Cron | Every


def schedule_from(values: dict[str, Any]) -> Schedule:
    """Return the schedule that `as_dict` wrote."""
    return Every(**values) if "seconds" in values else Cron(**values)


@dataclass(frozen=True)
class Job:
    """One job of the service.

    Attributes
    ----------
    name : str
    function : str
        ``module:function``, called with the settings and the time it was due, in a process of its own;
        it returns a `JobResult`, or None for done.
    schedule : Schedule
    description : str
    limit_seconds : float
        After this time it is stopped, and recorded as ``timeout``.
    grace_seconds : float
        How late a run may still start; a later one is recorded as ``missed``.
    catch_up : {"latest", "each"}
        Of several runs due at once, for instance after a stop: only the latest is made, in place of all, or each.
    rerun : bool
        Whether a run whose process died, or which could not use the store, is started again, within the grace,
        `ATTEMPTS` times in all.
    keep_process : bool
        Whether its process stays for the next run: for short jobs that are due often.
    """

    name: str
    function: str
    schedule: Schedule
    description: str
    limit_seconds: float
    grace_seconds: float
    catch_up: Literal["latest", "each"] = "latest"
    rerun: bool = False
    keep_process: bool = False

    @property
    def max_instances(self) -> int:
        """How many batches of due runs may wait or go on at once; runs of a job follow one another all the same."""
        return 1 if self.catch_up == "latest" else 1_000

    @property
    def missed_rule(self) -> str:
        """What happens to missed runs, in words."""
        several = "the latest of several stands for all" if self.catch_up == "latest" else "each of several is made"
        again = "; started again if its process dies or the store fails" if self.rerun else ""
        return f"caught up within {self.grace_seconds:g} s, {several}; later ones are missed{again}"

    def plan(self, due: Sequence[datetime], now: datetime) -> tuple[list[datetime], list[datetime]]:
        """Split due times into those to run and those missed.

        Parameters
        ----------
        due : sequence of datetime
            In order.
        now : datetime

        Returns
        -------
        to_run : list of datetime
            At most `grace_seconds` late. By ``latest`` only the last of them is run, in place of all.
        missed : list of datetime
            Those that are later.
        """
        late = now - timedelta(seconds=self.grace_seconds)
        return [time for time in due if time >= late], [time for time in due if time < late]


ATTEMPTS = 3


@dataclass(frozen=True)
class JobResult:
    """How a job ended that did not fail: ``done`` or ``degraded``, and what it did, in a sentence."""

    status: Literal["done", "degraded"] = "done"
    detail: str | None = None
