"""The messages of a warning, from issue to lift, and the values that they are based on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

# A lift says that the danger is over, and is soon of no interest: this service's choice.
LIFT_VALID = timedelta(hours=2)
# A run that is stored later than this after its init time is one of the past: nothing of it is published as new.
LATEST_ISSUE = timedelta(hours=24)

Kind = Literal["issue", "continue", "upgrade", "downgrade", "lift"]
LevelId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,15}$")]
Basis = Literal["forecast", "observed"]
# Why a message was written: see the table in docs/warnings.md.
Reason = Literal[
    "",
    "criterion_forecast",
    "criterion_observed",
    "still_likely",
    "higher_level_forecast",
    "higher_level_observed",
    "level_no_longer_likely",
    "criterion_no_longer_likely",
    "improvement_observed",
]


def _to_utc(time: datetime) -> datetime:
    return time.astimezone(UTC)


UtcDatetime = Annotated[AwareDatetime, AfterValidator(_to_utc)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class Evidence(BaseModel):
    """One stamp that met a level.

    `time` is the end of the hour (UTC); `pm25` ug m-3, `relative_humidity` %, `visibility` m are those of
    this hour, None where unknown; `level` is the rank that was met, and `condition` the number of the
    condition. `values` are what the condition tests, by name and in its units (``aqi_24h``,
    ``pm25_05_07``); `quantile` is the quantile of the forecast that they belong to, None if observed.

    Where a rule set goes by episodes, it is a day of 24 h that may cross midnight: `time` is its end, `values` are its
    AQI and mean (``aqi_24h``, ``pm25_24h``, ug m-3), and `observed_hours` says how many of its hours were observed, the
    others are forecast. It is None for an hour. Beside the days that the condition counts there is the highest one to come.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: UtcDatetime
    pm25: Finite | None
    relative_humidity: Finite | None
    visibility: Finite | None
    level: int = Field(ge=1)
    basis: Basis
    condition: int = Field(ge=1)
    values: dict[str, Finite] = Field(default_factory=dict)
    quantile: Probability | None = None
    observed_hours: Annotated[int, Field(ge=0, le=25)] | None = None


class Approval(BaseModel):
    """Who approved a message, when, why, and whether it was changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str = Field(min_length=1)
    at: UtcDatetime
    reason: str = Field(min_length=1)
    amended: bool = False


class Wording(BaseModel):
    """What a person wrote in place of the engine's words, in one language; None where the engine's stand.

    `comment` stands for the sentence on the weather (empty: none), `instruction` for the advice. What states level, times
    and values is not among them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    comment: str | None = None
    instruction: Annotated[str, Field(min_length=1)] | None = None


class HazeWarning(BaseModel):
    """One message about one city under one rule set. Never edited: a later message refers to it.

    A "lift" carries the level that it ends and no evidence; every other kind has evidence.
    `references` are the ids of all earlier messages of the same event, oldest first. `probability` is that
    of the level in the run (of the lowest level, for a lift), `threshold` what it was compared with;
    both are None for a level that was declared on measurement, and in messages older than these fields. `level_since` is when the level came into force.
    `wording` is what a person edited of the text before it was issued, by language; empty for nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    rule_set: str
    level: LevelId
    kind: Kind
    city: str
    area_zh: str
    area_ja: str
    area_en: str
    issued: UtcDatetime
    onset: UtcDatetime
    expires: UtcDatetime
    evidence: tuple[Evidence, ...]
    run_init_time: UtcDatetime
    references: tuple[str, ...] = ()
    simulated: bool
    weather_source: str
    probability: Probability | None = None
    threshold: Probability | None = None
    reason: Reason = ""
    level_since: UtcDatetime | None = None
    rule_version: str = ""
    approval: Approval | None = None
    # Left out where it is empty: a message that nobody edited is stored, and compared, as it always was.
    wording: dict[Literal["zh", "ja", "en"], Wording] = Field(default_factory=dict, exclude_if=lambda found: not found)

    @model_validator(mode="after")
    def _sound(self) -> HazeWarning:
        if self.kind != "lift" and not self.evidence:
            raise ValueError(f"{self.id}: a warning of level {self.level} without evidence")
        if self.onset > self.expires:
            raise ValueError(f"{self.id}: onset after expires")
        if self.kind == "issue" and self.references:
            raise ValueError(f"{self.id}: a first message refers to no other")
        if self.kind != "issue" and not self.references:
            raise ValueError(f"{self.id}: kind {self.kind} must refer to the message before it")
        return self

    @property
    def is_likely(self) -> bool:
        """Whether the level is more probable than not; where no probability is given the median forecast meets it."""
        return self.probability is None or self.probability > 0.5

    @property
    def observed_now(self) -> bool:
        """Whether it rests on what is observed now; days that are over, of an episode, are not."""
        return any(e.basis == "observed" and e.observed_hours is None for e in self.evidence)


def warning_id(rule_set: str, city: str, init_time: datetime) -> str:
    """Return the id of the one message a run may give for a city; it follows from the arguments alone.

    Parameters
    ----------
    rule_set, city : str
        Ids.
    init_time : datetime
        Aware; of the run.

    Returns
    -------
    str
    """
    return f"{rule_set}.{city}.{init_time.astimezone(UTC):%Y%m%dT%H%MZ}"


def as_issued(message: HazeWarning, at: datetime, earlier: HazeWarning | None = None) -> HazeWarning:
    """Return a run's message as it is issued: at the time of its publication, which is later than the init time.

    Parameters
    ----------
    message : HazeWarning
        Of a run, issued at its init time.
    at : datetime
        Aware; when it is published. A message of a run of the past, or one that has expired by then, is returned as it
        is.
    earlier : HazeWarning, optional
        What was published under the same id: where the same is said again, the time of issue stays.

    Returns
    -------
    HazeWarning
    """
    if at - message.run_init_time > LATEST_ISSUE or (message.kind != "lift" and message.expires <= at):
        return message
    issued = max(at, message.run_init_time)
    if earlier is not None and _issued_at(message, earlier.issued) == earlier:
        return earlier
    return _issued_at(message, issued)


def _issued_at(message: HazeWarning, issued: datetime) -> HazeWarning:
    ends = {"expires": issued + LIFT_VALID} if message.kind == "lift" else {}
    return message.model_copy(update={"issued": issued} | ends)


def in_force_at(messages: Iterable[HazeWarning], time: datetime) -> list[HazeWarning]:
    """Return the messages in force at `time`.

    Left out: lifts, messages that a later one refers to, those expired (at `expires` itself too) and
    those not yet issued. `standing_at` is for a run, which knows messages that were issued since its init time.

    Parameters
    ----------
    messages : iterable of HazeWarning
    time : datetime
        Aware.

    Returns
    -------
    list of HazeWarning
        By rule set and city.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> issued = datetime(2013, 1, 12, 10, tzinfo=UTC)
    >>> hour = Evidence(
    ...     time=issued + timedelta(hours=3), pm25=200.0, relative_humidity=85.0, visibility=1500.0, level=2,
    ...     basis="forecast", condition=1,
    ... )
    >>> warning = HazeWarning(
    ...     id=warning_id("cma_haze", "beijing", issued), rule_set="cma_haze", level="orange", kind="issue",
    ...     city="beijing", area_zh="北京", area_ja="北京", area_en="Beijing", issued=issued,
    ...     onset=issued + timedelta(hours=2), expires=issued + timedelta(hours=26), evidence=(hour,),
    ...     run_init_time=issued, simulated=False, weather_source="none",
    ... )
    >>> [message.id for message in in_force_at([warning], issued)]
    ['cma_haze.beijing.20130112T1000Z']
    >>> in_force_at([warning], warning.expires)
    []
    """
    return standing_at((m for m in messages if m.issued <= time), time)


def standing_at(messages: Iterable[HazeWarning], time: datetime) -> list[HazeWarning]:
    """Return the messages that stand at `time`, also where they were issued after it, such as by a late approval.

    Parameters
    ----------
    messages : iterable of HazeWarning
        All that are known.
    time : datetime
        Aware; messages that have expired by then are left out.

    Returns
    -------
    list of HazeWarning
        By rule set and city.
    """
    known = list(messages)
    superseded = {reference for m in known for reference in m.references}
    kept = {m.id: m for m in known if m.kind != "lift" and m.expires > time and m.id not in superseded}
    return sorted(kept.values(), key=lambda m: (m.rule_set, m.city, m.id))
