"""The parts of a rule set: tests of values, clauses, conditions, windows, stations, and the life cycle of a warning."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
Variable = Literal[
    "visibility", "relative_humidity", "pm25", "ox", "aqi_24h", "pm25_day", "o3_mda8_day", "us_aqi_day"
]  # fmt: skip
# Units of each variable, and how many hours it is computed from.
_UNITS = {
    "visibility": ("m", 1),
    "relative_humidity": ("%", 1),
    "pm25": ("ug m-3", 1),
    "ox": ("ppm", 1),
    "aqi_24h": ("1", 24),
    "pm25_day": ("ug m-3", 24),
    "o3_mda8_day": ("ug m-3", 24),
    "us_aqi_day": ("1", 24),
}
HOURLY = ("pm25", "relative_humidity", "visibility")


class FrozenModel(BaseModel):
    """A frozen part of a rule set; unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Threshold(FrozenModel):
    """One comparison of a variable with a threshold.

    Means of PM2.5 that a decision goes by, of the hours of the city's day, each named by its end:
    ``mean_hours = [5, 7]`` is that of the hours 05 to 07, ``mean_since = 5`` that of 05 to the decision's hour,
    ``last_hours = 3`` that of the three hours up to it. With `expected`, a mean since an hour counts too if it comes to
    the threshold later on the day. ``days_before = 1`` tests the daily mean of so many days before the decision's.
    `aggregator` names how the values of stations are combined into one.
    """

    variable: Variable
    comparator: Literal["lt", "le", "gt", "ge"]
    value: float = Field(ge=0.0, allow_inf_nan=False)
    units: str
    mean_hours: tuple[int, int] | None = None
    mean_since: int | None = Field(default=None, ge=1, le=23)
    last_hours: int | None = Field(default=None, ge=2, le=12)
    expected: bool = False
    days_before: int | None = Field(default=None, ge=1, le=4)
    aggregator: str | None = None

    @model_validator(mode="after")
    def _units_known(self) -> Threshold:
        if self.units != _UNITS[self.variable][0]:
            raise ValueError(f"{self.variable} is in {_UNITS[self.variable][0]}, not {self.units}")
        means = [m for m in (self.mean_hours, self.mean_since, self.last_hours) if m is not None]
        if len(means) > 1:
            raise ValueError("one of mean_hours, mean_since and last_hours")
        if means and self.variable != "pm25":
            raise ValueError("mean_hours, mean_since and last_hours are of pm25")
        if self.mean_hours is not None and not 1 <= self.mean_hours[0] < self.mean_hours[1] <= 24:
            raise ValueError("mean_hours must rise within 1 to 24")
        if self.expected and self.mean_since is None:
            raise ValueError("expected needs mean_since")
        if self.days_before is not None and self.variable != "pm25_day":
            raise ValueError("days_before is of pm25_day")
        if self.aggregator is not None and not self.decides:
            raise ValueError("an aggregator needs a mean that stations have: mean_hours, mean_since, ...")
        return self

    @property
    def decides(self) -> bool:
        """Whether it is tested at the hours of a decision, on the values of stations."""
        return any(x is not None for x in (self.mean_hours, self.mean_since, self.last_hours, self.days_before))

    @property
    def key(self) -> str:
        """Name of the tested value in evidence: ``pm25``, ``pm25_05_07``, ``pm25_since_05``, ``aqi_24h``."""
        if self.mean_hours is not None:
            return "{}_{:02d}_{:02d}".format(self.variable, *self.mean_hours)
        if self.mean_since is not None:
            return f"{self.variable}_since_{self.mean_since:02d}"
        if self.last_hours is not None:
            return f"{self.variable}_last_{self.last_hours}"
        return self.variable if self.days_before is None else f"{self.variable}_before"

    @property
    def hours(self) -> int:
        """How many hours the value is computed from."""
        return _UNITS[self.variable][1] if self.mean_hours is None else self.mean_hours[1] - self.mean_hours[0] + 1

    def met(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Return where the test is met; missing values never meet it, as no comparison with NaN holds."""
        return np.asarray(_COMPARE[self.comparator](values, self.value))


class Clause(FrozenModel):
    """Tests that must all be met at a stamp, and at the `consecutive` - 1 stamps before it, `spacing_hours` apart."""

    tests: tuple[Threshold, ...] = Field(min_length=1)
    consecutive: int = Field(default=1, ge=1, le=24)
    spacing_hours: int = Field(default=1, ge=1, le=24)

    @property
    def span_hours(self) -> int:
        """How many hours the clause reaches back from the end of its last stamp."""
        return max(t.hours for t in self.tests) + (self.consecutive - 1) * self.spacing_hours


class Condition(Clause):
    """One way to meet a level, with the text it comes from.

    ``also`` are further clauses that must be met somewhere in the window. ``basis`` limits the condition to
    forecast or to observed values ("observed": a level that is declared on measurement). ``now`` are tests that the last observed hour must meet besides. ``decided`` are the hours of
    the city's day at whose end a condition on means of stations is decided; by default the last of its ``mean_hours``.
    ``haze_zh`` and so on are what the texts say of it where the level's words would say more than it does.
    """

    number: int = Field(ge=1, le=9)
    source: str = Field(min_length=1)
    basis: Literal["any", "forecast", "observed"] = "any"
    also: tuple[Clause, ...] = ()
    now: tuple[Threshold, ...] = ()
    decided: tuple[int, ...] = ()
    haze_zh: str = ""
    haze_ja: str = ""
    haze_en: str = ""

    @model_validator(mode="after")
    def _decision_sound(self) -> Condition:
        tests = [t for clause in self.clauses for t in clause.tests]
        if not any(t.decides for t in tests):
            if self.decided:
                raise ValueError("decided needs a test of mean_hours, mean_since or last_hours")
            return self
        if not all(t.decides for t in tests) or self.now or any(c.consecutive > 1 for c in self.clauses):
            raise ValueError("what is decided at an hour has tests of that hour alone")
        for clause in self.clauses:
            if len({t.aggregator for t in clause.tests}) > 1:
                raise ValueError("the tests of a clause are of the same stations: one aggregator")
        hours = self.decision_hours
        last = max((t.mean_hours[1] for t in tests if t.mean_hours), default=1)
        if not hours or list(hours) != sorted(set(hours)) or not last <= hours[0] <= hours[-1] <= 24:
            raise ValueError(f"decided must rise from {last} to 24: {hours}")
        return self

    @property
    def decision_hours(self) -> tuple[int, ...]:
        """The hours of the city's day, 1 to 24, at whose end it is decided; empty where it may be met at any hour."""
        ends = [t.mean_hours[1] for clause in self.clauses for t in clause.tests if t.mean_hours]
        return self.decided or ((max(ends),) if ends else ())

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """The condition itself and the clauses that must be met besides."""
        return (self, *self.also)


class Persistence(FrozenModel):
    """How long a level must be met: for at least `hours` of some `of_hours` hours in a row. By default one hour is enough."""

    hours: int = Field(default=1, ge=1)
    of_hours: int = Field(default=1, ge=1, le=168)
    source: str = ""

    @model_validator(mode="after")
    def _can_be_met(self) -> Persistence:
        if self.hours > self.of_hours:
            raise ValueError("hours exceeds of_hours")
        return self

    def lasts(self, met: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return whether it lasts so long, of shape (...), by whether each hour is met, (..., time)."""
        span = min(self.of_hours, met.shape[-1])
        if span < self.hours:
            return np.zeros(met.shape[:-1], dtype=bool)
        running = np.lib.stride_tricks.sliding_window_view(met, span, axis=-1).sum(axis=-1)
        return np.asarray((running >= self.hours).any(axis=-1), dtype=bool)


class WindowRule(FrozenModel):
    """The hours a warning is for, and when it is issued (local hours of `time_zone`, or "city").

    `anchor`: "next" begins at the next of `starts`, "current" at the last of them (the day that is running),
    "now" at the run itself, as far as the forecast reaches.
    """

    hours: int = Field(ge=1, le=168)
    time_zone: str
    anchor: Literal["next", "current", "now"] = "next"
    starts: tuple[int, ...] = ()
    issue_times: tuple[int, ...] = ()

    @field_validator("time_zone")
    @classmethod
    def _zone_known(cls, name: str) -> str:
        try:
            if name != "city":
                ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"unknown time zone {name}") from error
        return name

    @model_validator(mode="after")
    def _hours_sound(self) -> WindowRule:
        for hours in (self.starts, self.issue_times):
            if list(hours) != sorted(set(hours)) or not all(0 <= h < 24 for h in hours):
                raise ValueError(f"hours of the day must rise from 0 to 23: {hours}")
        if (self.anchor == "now") == bool(self.starts):
            raise ValueError("starts are needed for the anchors next and current, and only there")
        return self


class ObservedRule(FrozenModel):
    """When a level that is observed counts: how old it may be, and what "likely to persist" means.

    It persists if, with at least `persist_probability`, `persist_share` of the next `persist_hours` hours reach it, and it
    lasts as the level's own `persistence` asks in a stretch of hours that holds the observed one. With
    `second_within_hours` it counts only if one of so many hours before it reaches the level too, or a second
    station of the city does: one value may be an error.
    """

    maximum_age_hours: int = Field(ge=0, le=24)
    persist_hours: int = Field(ge=1, le=72)
    persist_share: float = Field(gt=0.0, le=1.0)
    persist_probability: float = Field(default=0.5, gt=0.0, le=1.0)
    second_within_hours: int = Field(default=0, ge=0, le=24)


class Aggregator(FrozenModel):
    """How the values of stations are combined into one: mean, median, the highest, or the k-th highest (k of n stations).

    With fewer than `small_below` stations `small_k` is used in place of `k`. The mean is that of the stations'
    means.
    """

    kind: Literal["mean", "median", "max", "k_of_n"]
    k: int = Field(default=1, ge=1)
    small_below: int = Field(default=0, ge=0)
    small_k: int = Field(default=1, ge=1)
    source: str = ""

    def needed(self, stations: int) -> int:
        """Return how many of so many stations must exceed, for "max" and "k_of_n"."""
        return 1 if self.kind == "max" else self.small_k if stations < self.small_below else self.k


class ReferenceState(FrozenModel):
    """The state at which ug m-3 of ozone are turned into ppm: K, Pa."""

    temperature: float = Field(gt=200.0, lt=350.0)
    pressure: float = Field(gt=50_000.0, lt=120_000.0)
    source: str


class EpisodeRule(FrozenModel):
    """How daily values are gathered into episodes, for rule sets whose levels are of days in a row.

    Attributes
    ----------
    gap_hours : int
        Two episodes with less than this between them are one.
    notice_hours : int
        A level is raised by an episode that is running, or begins within this from the run.
    extension_hours : int
        An end that is later by less than this is told once no more than this is left: ends move from run to run.
    source : str
    """

    gap_hours: int = Field(ge=1, le=96)
    notice_hours: int = Field(ge=1, le=120)
    extension_hours: int = Field(default=0, ge=0, le=48)
    source: str = Field(min_length=1)


class LifeRule(FrozenModel):
    """The life cycle of a warning: how long levels are held, when they are renewed and lifted.

    Attributes
    ----------
    hold_hours : int
        A level is neither lowered nor lifted sooner than this after it was raised.
    unconfirmed_hours : int
        Nor sooner than this after the run of the message in force, the last that confirmed the level for its window.
    renew_hours : int or None
        A level that stays is continued for a later window only this long before it expires; None: always.
    keep_hours : int or None
        A level in force is judged on this many hours ahead, where the rule set goes by episodes on those that begin
        within them; None: on the complete window.
    lift : {"forecast", "observed", "never"}
        "observed" lifts only once `lift_tests` were met by the last `lift_hours` observed hours (of every
        station, where there are stations; of those that exceeded, where decisions go by stations); "never" leaves
        the warning to expire.
    lift_at : tuple of int
        The hours of the city's day at whose end it may be lifted, unless decided anew then; empty: any, and what is
        decided while the tests of a lift are met isn't raised.
    until_sunset : bool
        Levels that only measurement may declare end with the daylight at the latest.
    """

    hold_hours: int = Field(default=0, ge=0, le=72)
    unconfirmed_hours: int = Field(default=0, ge=0, le=72)
    renew_hours: int | None = Field(default=None, ge=0)
    keep_hours: int | None = Field(default=None, ge=1)
    lift: Literal["forecast", "observed", "never"] = "forecast"
    lift_tests: tuple[Threshold, ...] = ()
    lift_hours: int = Field(default=0, ge=0, le=24)
    lift_at: tuple[int, ...] = ()
    until_sunset: bool = False
    lift_source: str = ""

    @model_validator(mode="after")
    def _lift_sound(self) -> LifeRule:
        if (self.lift == "observed") != bool(self.lift_tests and self.lift_hours):
            raise ValueError("lift_tests and lift_hours belong to lift = observed, and are needed there")
        if self.lift_at and (self.lift != "observed" or not all(1 <= h <= 24 for h in self.lift_at)):
            raise ValueError("lift_at belongs to lift = observed, hours 1 to 24")
        if any(t.variable not in ("pm25", "ox") or t.decides for t in self.lift_tests):
            raise ValueError("lift_tests are of pm25 or ox by the hour")
        return self
