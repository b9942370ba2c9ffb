"""Several replays together, read from the files that ``hazecast replay --out`` wrote: judged, and a curve fitted to them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.calibration import Curve
from hazecast.grids.errors import InputError
from hazecast.services.research.replay.calibrate import CLASSES, fit_curve, save_curve
from hazecast.services.research.replay.forecasts import WEATHER_LABELS
from hazecast.services.research.replay.report import csi_lines, reliability_lines
from hazecast.services.research.replay.result import WindowScore


class _Window(BaseModel):
    city: str
    init_time: AwareDatetime
    shares: tuple[float, ...]
    probabilities: tuple[float, ...]
    in_force: dict[str, int]
    events: tuple[bool, ...] | None

    def score(self) -> WindowScore:
        return WindowScore(**dict(self))


class _Meta(BaseModel):
    observations: str
    model_id: str
    weather: str
    visibility: str = "derived"
    rule_set: str
    rule_version: str
    cities: list[str]
    start: AwareDatetime = Field(alias="from")
    end: AwareDatetime = Field(alias="to")
    every_hours: int = Field(ge=1)


class _Replay(BaseModel):
    meta: _Meta
    windows: list[_Window]


@dataclass(frozen=True)
class PastReplay:
    """A replay read from its file.

    Attributes
    ----------
    path : Path
    about : str
        Model, collection, cities, period and rule set in a line.
    rule_set, rule_version, weather : str
        `weather` as a plan names it.
    windows : list of WindowScore
    """

    path: Path
    about: str
    rule_set: str
    rule_version: str
    weather: str
    windows: list[WindowScore]


def read_replays(paths: Sequence[Path]) -> list[PastReplay]:
    """Read replays of one rule set and one kind of weather.

    Parameters
    ----------
    paths : sequence of Path
        Files of ``hazecast replay --out``.

    Returns
    -------
    list of PastReplay
        In the order of the paths.

    Raises
    ------
    InputError
        If a file is none of a replay, or they differ in rule set or weather.
    """
    replays = [_read(path) for path in paths]
    for one in replays[1:]:
        for name in ("rule_set", "rule_version", "weather"):
            found, expected = getattr(one, name), getattr(replays[0], name)
            if found != expected:
                raise InputError(f"{one.path}: {name}", found, f"{expected}, as {replays[0].path} has")
    return replays


def _read(path: Path) -> PastReplay:
    wanted = "a file that hazecast replay --out wrote"
    try:
        found = _Replay.model_validate(json.loads(path.read_text("utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{path}: {where}", first.get("input"), f"{first['msg']}; {wanted}") from error
    except (OSError, ValueError) as error:
        raise InputError(str(path), error, wanted) from error
    meta, names = found.meta, {label: name for name, label in WEATHER_LABELS.items()}
    if meta.weather not in names:
        raise InputError(f"{path}: weather", meta.weather, f"one of {sorted(names)}")
    return PastReplay(
        path, _about(meta), meta.rule_set, meta.rule_version, names[meta.weather],
        [w.score() for w in found.windows],
    )  # fmt: skip


def _about(meta: _Meta) -> str:
    measured = "" if meta.visibility == "derived" else f", visibility {meta.visibility}"
    return (
        f"{meta.model_id}, {meta.observations}, {', '.join(meta.cities)}, {meta.start:%Y-%m-%d} to {meta.end:%Y-%m-%d} "
        f"every {meta.every_hours} h{measured}, {meta.rule_set} {meta.rule_version}"
    )


def judge(replays: Sequence[PastReplay], book: RuleBook) -> str:
    """Write what replays say together of probabilities and warnings, and each of them by itself.

    Parameters
    ----------
    replays : sequence of PastReplay
        As from `read_replays`.
    book : RuleBook
        Holds their rule set, in the version of the replays.

    Returns
    -------
    str
        Critical success indices and reliability with sampling errors.

    Raises
    ------
    InputError
        If the rule set is unknown, or of another version than the replays.
    """
    first = replays[0]
    rules = book.rule_set(first.rule_set)
    if rules.version != first.rule_version:
        raise InputError(f"{first.path}: rule_version", first.rule_version, f"{rules.version}, the version in use")
    together = [w for one in replays for w in one.windows]
    lines = [f"{len(replays)} replays, {len(together)} windows, weather: {first.weather}", *(r.about for r in replays)]
    lines += [*csi_lines(rules, together), *reliability_lines(rules, together)]
    for one in replays if len(replays) > 1 else ():
        lines += ["", one.about, *csi_lines(rules, one.windows), *reliability_lines(rules, one.windows)]
    return "\n".join(lines)


def fit_together(replays: Sequence[PastReplay], save: Path | None = None) -> Curve:
    """Fit one curve to replays together; see `fit_curve`.

    Parameters
    ----------
    replays : sequence of PastReplay
        As from `read_replays`; of forecasts that no model was trained on.
    save : Path, optional
        A file of curves that the one found is put into.

    Returns
    -------
    Curve

    Raises
    ------
    InputError
        If fewer than 10 windows of a replay met a level, or `save` isn't a file of curves.
    """
    curve = fit_curve([one.windows for one in replays], CLASSES[replays[0].weather])
    if save is not None:
        save_curve(curve, " and ".join(one.about for one in replays), save)
    return curve
