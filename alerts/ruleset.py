"""Rule sets: the thresholds of a warning as data, checked when loaded.

Colours: the palette of the signal icons (GB/T 27962-2011, from memory, not verified).
"""

from __future__ import annotations

import operator
import re
import tomllib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from grids.errors import InputError

_FOLDER = Path(__file__).resolve().parent / "rules"
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
_UNITS = {"visibility": "m", "relative_humidity": "%", "pm25": "ug m-3"}

Values = dict[str, npt.NDArray[np.float64]]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Threshold(_Model):
    """One comparison of a variable with a threshold."""

    variable: Literal["visibility", "relative_humidity", "pm25"]
    comparator: Literal["lt", "le", "gt", "ge"]
    value: float = Field(ge=0.0, allow_inf_nan=False)
    units: str

    @model_validator(mode="after")
    def _units_known(self) -> Threshold:
        if self.units != _UNITS[self.variable]:
            raise ValueError(f"{self.variable} is in {_UNITS[self.variable]}, not {self.units}")
        return self


class Condition(_Model):
    """Tests that must all be met, and the text they come from."""

    number: int = Field(ge=1, le=9)
    source: str = Field(min_length=1)
    tests: tuple[Threshold, ...] = Field(min_length=1)

    def met(self, values: Values) -> npt.NDArray[np.bool_]:
        """Return where all tests are met; `values` holds arrays of one shape by variable."""
        result = np.ones(next(iter(values.values())).shape, dtype=bool)
        for test in self.tests:
            result &= _COMPARE[test.comparator](values[test.variable], test.value)
        return result


class Level(_Model):
    """One level of a warning: its names, its colour and its conditions, any of which is enough."""

    rank: int = Field(ge=1, le=9)
    id: Literal["yellow", "orange", "red"]
    name_zh: str
    name_ja: str
    name_en: str
    colour_zh: str
    colour_ja: str
    colour_en: str
    colour: str = Field(pattern=r"^#[0-9A-F]{6}$")
    haze_zh: str
    haze_ja: str
    haze_en: str
    conditions: tuple[Condition, ...] = Field(min_length=1)


class WindowRule(_Model):
    """The hours a warning is for, and when it is issued (local hours of `time_zone`)."""

    hours: int = Field(ge=1, le=72)
    time_zone: str
    starts: tuple[int, ...] = Field(min_length=1)
    issue_times: tuple[int, ...] = Field(min_length=1)
    minimum_hours: int = Field(ge=1)

    @field_validator("time_zone")
    @classmethod
    def _zone_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"unknown time zone {name}") from error
        return name

    @model_validator(mode="after")
    def _hours_sound(self) -> WindowRule:
        for hours in (self.starts, self.issue_times):
            if list(hours) != sorted(set(hours)) or not all(0 <= h < 24 for h in hours):
                raise ValueError(f"hours of the day must rise from 0 to 23: {hours}")
        if self.minimum_hours > self.hours:
            raise ValueError("minimum_hours exceeds the window")
        return self


class ObservedRule(_Model):
    """When a level that is observed counts: how old it may be, and what "likely to persist" means."""

    maximum_age_hours: int = Field(ge=0, le=24)
    persist_hours: int = Field(ge=1, le=72)
    persist_share: float = Field(gt=0.0, le=1.0)


class RuleSet(_Model):
    """A warning's rules. ``levels`` rise in rank from 1; ``levels[rank - 1]`` is the level of `rank`."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: str
    country: Literal["CN", "JP"]
    name_zh: str
    name_ja: str
    name_en: str
    authority_zh: str
    authority_ja: str
    authority_en: str
    source: str
    notes: tuple[str, ...] = ()
    window: WindowRule
    observed: ObservedRule
    levels: tuple[Level, ...] = Field(min_length=1)

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
        return self

    def level(
        self, pm25: npt.ArrayLike, relative_humidity: npt.ArrayLike, visibility: npt.ArrayLike
    ) -> npt.NDArray[np.int8]:
        """Return the highest level met.

        Parameters
        ----------
        pm25, relative_humidity, visibility : array_like
            ug m-3, %, m; broadcast against each other.

        Returns
        -------
        numpy.ndarray of int8
            0 none, 1 yellow, 2 orange, 3 red; 0 where any input is NaN.
        """
        return self._evaluate(pm25, relative_humidity, visibility)[0]

    def condition(
        self, pm25: npt.ArrayLike, relative_humidity: npt.ArrayLike, visibility: npt.ArrayLike
    ) -> npt.NDArray[np.int8]:
        """Return the number of the first condition met at the highest level met; 0 where none is."""
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
        arrays = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (pm25, relative_humidity, visibility)))
        values: Values = dict(zip(("pm25", "relative_humidity", "visibility"), arrays, strict=True))
        known = ~(np.isnan(arrays[0]) | np.isnan(arrays[1]) | np.isnan(arrays[2]))
        ranks = np.zeros(arrays[0].shape, dtype=np.int8)
        numbers = np.zeros(arrays[0].shape, dtype=np.int8)
        for level in self.levels:
            # Backwards, so that the first condition met is the one that stays.
            for condition in reversed(level.conditions):
                met = condition.met(values) & known
                ranks[met] = level.rank
                numbers[met] = condition.number
        return ranks, numbers


def parse_ruleset(text: str, where: str) -> RuleSet:
    """Return the rule set written as TOML in `text`.

    Raises
    ------
    InputError
        If the text is not TOML or breaks the form of a rule set; `where` is named in it.
    """
    try:
        return RuleSet.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(where, str(error), "a TOML file") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "rule set"
        raise InputError(f"{where}: {place}", first.get("input"), str(first["msg"])) from error


def ruleset_names() -> list[str]:
    """Return the names of the rule sets that are shipped."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


@lru_cache
def load_ruleset(name: str = "cma_haze") -> RuleSet:
    """Return a shipped rule set.

    Raises
    ------
    InputError
        If there is none of that name, or its file breaks the form.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name not in ruleset_names():
        raise InputError("rule set", name, f"one of {ruleset_names()}")
    path = _FOLDER / f"{name}.toml"
    return parse_ruleset(path.read_text(encoding="utf-8"), path.name)
