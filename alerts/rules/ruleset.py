"""Rule sets: the thresholds of a warning as data, checked when loaded.

A rule set says where it applies (`country`, `regions`, dates), for which hours (`window`), what meets each
level (`levels`), with which probability a level is raised and kept, and the life cycle of a warning (`life`). The
schema is described in ``docs/warnings.md``. A bureau adds its own rule sets in a folder, without code
(`hazecast.alerts.rules.book.RuleBook.with_folder`).

Colours: the palette of the signal icons (GB/T 27962-2011, from memory, not verified).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import AwareDatetime, Field, model_validator

from hazecast.alerts.rules.calibration import Calibration, WeatherClass
from hazecast.alerts.rules.criteria import (
    HOURLY,
    Aggregator,
    Condition,
    EpisodeRule,
    FrozenModel,
    LifeRule,
    ObservedRule,
    Persistence,
    ReferenceState,
    Threshold,
    WindowRule,
)
from hazecast.forecast.haze_grades import HAZE_GRADES
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Country

Values = dict[str, npt.NDArray[np.float64]]


class Level(FrozenModel):
    """One level of a warning: its names, its colour and its conditions, any of which is enough.

    It is met where its conditions last as `persistence` asks; raised when the probability of meeting it reaches
    `raise_probability`, and kept while it is at least `lower_probability`. `cost_loss_ratio` is what acting costs over
    what not acting loses; the thresholds are chosen for it on a backtest. `haze_grade` is the grade of haze that it warns
    of: its words (`hazecast.forecast.haze_grades`) are those of the texts, unless a file gives its own.
    """

    rank: int = Field(ge=1, le=9)
    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,15}$")
    name_zh: str
    name_ja: str
    name_en: str
    colour_zh: str
    colour_ja: str
    colour_en: str
    colour: str = Field(pattern=r"^#[0-9A-F]{6}$")
    haze_grade: int | None = Field(default=None, ge=1, le=max(HAZE_GRADES))
    haze_zh: str = ""
    haze_ja: str = ""
    haze_en: str = ""
    cost_loss_ratio: float = Field(gt=0.0, lt=1.0)
    raise_probability: float = Field(gt=0.0, le=1.0)
    lower_probability: float = Field(gt=0.0, le=1.0)
    persistence: Persistence = Persistence()
    conditions: tuple[Condition, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _words_of_the_grade(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("haze_grade") not in HAZE_GRADES:
            return given
        words = {f"haze_{language}": name for language, name in HAZE_GRADES[given["haze_grade"]].items()}
        return words | {name: value for name, value in given.items() if value or name not in words}

    @property
    def measured(self) -> bool:
        """Whether only an hour that was measured may declare it."""
        return all(c.basis == "observed" and not c.decision_hours for c in self.conditions)

    @model_validator(mode="after")
    def _lower_is_lower(self) -> Level:
        if self.lower_probability > self.raise_probability:
            raise ValueError("lower_probability must not exceed raise_probability")
        return self


class RuleSet(FrozenModel):
    """A warning's rules. ``levels`` rise in rank from 1; ``levels[rank - 1]`` is the level of `rank`.

    Of the rule sets of one `family`, the one that names a city's region or the city itself applies to it, else
    the one that names none. Without a `country` it applies only where it is asked for. `zones` are cities whose stations
    are judged together; a city in none is a zone of its own.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    family: str = Field(default="", pattern=r"^[a-z0-9_]*$")
    version: str
    country: Country | None = None
    regions: tuple[str, ...] = ()
    cities: tuple[str, ...] = ()
    zones: tuple[tuple[str, ...], ...] = ()
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None
    name_zh: str
    name_ja: str
    name_en: str
    authority_zh: str
    authority_ja: str
    authority_en: str
    source: str
    notes: tuple[str, ...] = ()
    window: WindowRule
    observed: ObservedRule | None = None
    episodes: EpisodeRule | None = None
    aggregators: dict[str, Aggregator] = Field(default_factory=dict)
    reference_state: ReferenceState | None = None
    life: LifeRule = LifeRule()
    levels: tuple[Level, ...] = Field(min_length=1)
    calibration: Calibration | None = None

    @model_validator(mode="after")
    def _levels_sound(self) -> RuleSet:
        if [level.rank for level in self.levels] != list(range(1, len(self.levels) + 1)):
            raise ValueError("ranks of levels must be 1, 2, ... in order")
        for level in self.levels:
            numbers = [c.number for c in level.conditions]
            if numbers != sorted(set(numbers)):
                raise ValueError(f"conditions of {level.id} must be numbered once each, in order")
        if len({level.id for level in self.levels}) != len(self.levels):
            raise ValueError("level ids must differ")
        unknown = {t.aggregator for t in self.tests if t.aggregator} - set(self.aggregators)
        if unknown:
            raise ValueError(f"no such aggregator: {sorted(unknown)}")
        if self.reference_state is None and any(t.variable in ("ox", "us_aqi_day") for t in self.tests):
            raise ValueError("ox and us_aqi_day need a reference_state")
        if any(level.persistence.hours > self.window.hours for level in self.levels):
            raise ValueError("hours of a persistence exceed the window")
        if len({c for zone in self.zones for c in zone}) != sum(map(len, self.zones)):
            raise ValueError(f"a city belongs to one zone: {self.zones}")
        if self.observed is None and any(
            c.basis == "observed" and not c.decision_hours for x in self.levels for c in x.conditions
        ):
            raise ValueError("conditions of basis observed need an observed rule")
        if self.episodes is not None:
            self._check_episodes()
        return self

    def _check_episodes(self) -> None:
        conditions = [c for x in self.levels for c in x.conditions]
        clauses = [clause for c in conditions for clause in c.clauses]
        if any(t.variable != "aqi_24h" or t.comparator not in ("gt", "ge") for x in clauses for t in x.tests):
            raise ValueError("episodes are of aqi_24h above a value (gt, ge)")
        if any(c.consecutive > 1 and c.spacing_hours != 24 for c in clauses):
            raise ValueError("the days of an episode are 24 h apart: spacing_hours must be 24")
        if self.window.anchor != "now" or self.observed is not None:
            raise ValueError("episodes need the anchor now, and no observed rule")
        if self.life.lift == "observed" or any(c.basis != "any" for c in conditions):
            raise ValueError("episodes are observed and forecast: no basis and no lift by observation of their own")

    @property
    def tests(self) -> tuple[Threshold, ...]:
        """All tests of all levels, and of the lift."""
        conditions = [c for level in self.levels for c in level.conditions]
        own = [t for c in conditions for tests in (c.now, *(x.tests for x in c.clauses)) for t in tests]
        return (*own, *self.life.lift_tests)

    def probability(self, weather: WeatherClass, share: float) -> float:
        """Return the probability of a level from the share of the scenarios that meet it.

        Parameters
        ----------
        weather : {"none", "forecast", "observed"}
            With which coming weather the forecast was made.
        share : float
            0 to 1.

        Returns
        -------
        float
            Calibrated where there is a curve for it, else the share.
        """
        curve = self.calibration and self.calibration.curve(weather)
        return curve.probability(share) if curve else share

    def share(self, weather: WeatherClass, probability: float) -> float:
        """Return the share of the scenarios that stands for a probability: the inverse of `probability`.

        Parameters
        ----------
        weather : {"none", "forecast", "observed"}
        probability : float
            0 to 1.

        Returns
        -------
        float
        """
        curve = self.calibration and self.calibration.curve(weather)
        return curve.share(probability) if curve else probability

    @property
    def decision_hours(self) -> tuple[int, ...]:
        """The hours of the city's day, 1 to 24, at whose end a level is decided on means of stations."""
        return tuple(sorted({h for x in self.levels for c in x.conditions for h in c.decision_hours}))

    @property
    def evaluated_hours(self) -> tuple[int, ...]:
        """The local hours, 0 to 23, after which it must be evaluated: of its decisions, and where levels are measured."""
        measured = self.window.issue_times if any(level.measured for level in self.levels) else ()
        return tuple(sorted({h % 24 for h in (*self.decision_hours, *measured)}))

    def zone_of(self, city: str) -> tuple[str, ...]:
        """Return the cities that are one zone with a city: their stations are judged together."""
        return next((zone for zone in self.zones if city in zone), (city,))

    def in_force(self, when: datetime) -> bool:
        """Return whether the rules themselves are valid at `when`."""
        return (self.valid_from is None or when >= self.valid_from) and (
            self.valid_until is None or when < self.valid_until
        )

    def level(
        self, pm25: npt.ArrayLike, relative_humidity: npt.ArrayLike, visibility: npt.ArrayLike
    ) -> npt.NDArray[np.int8]:
        """Return the highest level met by single hours.

        Parameters
        ----------
        pm25, relative_humidity, visibility : array_like
            ug m-3, %, m; broadcast against each other.

        Returns
        -------
        numpy.ndarray of int8
            0 none, 1 and up the ranks; 0 where any input is NaN.

        Raises
        ------
        InputError
            If the rule set tests anything other than single hours of these.
        """
        return self._evaluate(pm25, relative_humidity, visibility)[0]

    def condition(
        self, pm25: npt.ArrayLike, relative_humidity: npt.ArrayLike, visibility: npt.ArrayLike
    ) -> npt.NDArray[np.int8]:
        """Return the number of the first condition met at the highest level met.

        Parameters
        ----------
        pm25, relative_humidity, visibility : array_like
            As for `level`.

        Returns
        -------
        numpy.ndarray of int8
            0 where none is met, or any input is NaN.
        """
        return self._evaluate(pm25, relative_humidity, visibility)[1]

    def level_of(self, level: int | str) -> Level:
        """Return a level by its rank or its id.

        Raises
        ------
        InputError
            If the rule set has no such level.
        """
        for candidate in self.levels:
            if level in (candidate.rank, candidate.id):
                return candidate
        raise InputError(f"{self.id}: level", level, f"one of {[x.id for x in self.levels]}")

    def _evaluate(
        self, pm25: npt.ArrayLike, relative_humidity: npt.ArrayLike, visibility: npt.ArrayLike
    ) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
        if any(t.variable not in HOURLY or t.decides for t in self.tests):
            raise InputError(f"{self.id}: variables", sorted({t.key for t in self.tests}), f"only {HOURLY}")
        arrays = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (pm25, relative_humidity, visibility)))
        values: Values = dict(zip(HOURLY, arrays, strict=True))
        known = ~(np.isnan(arrays[0]) | np.isnan(arrays[1]) | np.isnan(arrays[2]))
        ranks = np.zeros(arrays[0].shape, dtype=np.int8)
        numbers = np.zeros(arrays[0].shape, dtype=np.int8)
        for level in self.levels:
            # Backwards, so that the first condition met is the one that stays.
            for condition in reversed(level.conditions):
                met = known.copy()
                for test in condition.tests:
                    met &= test.met(values[test.variable])
                ranks[met] = level.rank
                numbers[met] = condition.number
        return ranks, numbers
