"""Into service through the gate: a model is compared with the one in service, and the verdict recorded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hazecast.grids.errors import InputError
from hazecast.grids.times import format_time, to_datetime
from hazecast.models.gate import GateRules, Verdict, decide
from hazecast.models.registry import Change, ModelRegistry
from hazecast.models.trained import TrainedModel
from hazecast.services.core.settings import Settings
from hazecast.services.research.model_scores import check_unseen, compare_models, compare_on
from hazecast.services.research.own_store import NAME, newest_measured, read_store
from hazecast.services.store.store import Store
from hazecast.services.work.inputs import NO_WEATHER

# A year has all seasons; more would only cost time.
_LONGEST = timedelta(days=365)
# What is usual at a place may be part of what a model knows: observed hours of years, weather of a month.
_WEATHER_BEFORE = timedelta(days=33)


@dataclass(frozen=True)
class Period:
    """A period of a collection of files to compare models on, in place of the store.

    Attributes
    ----------
    observations : Path
        Folder of a collection.
    start, end : datetime
        Aware.
    weather : str
        ``"none"`` or ``"observed"``.
    """

    observations: Path
    start: datetime
    end: datetime
    weather: str = NO_WEATHER


def gate_rules(settings: Settings) -> GateRules:
    """Return what the settings ask of a model."""
    asked = settings.learning
    return GateRules(asked.gate_margin, asked.gate_days, asked.gate_windows, asked.gate_drawn)


def examine(
    candidate: TrainedModel,
    serving: TrainedModel,
    settings: Settings,
    *,
    period: Period | None = None,
    progress: bool = False,
) -> tuple[Verdict, dict[str, Any] | None]:
    """Compare a model with the one in service on windows that neither has seen, and ask the gate.

    Parameters
    ----------
    candidate, serving : TrainedModel
    settings : Settings
    period : Period, optional
        By default the newest hours of the store, at most a year, with the weather as it was issued.
    progress : bool

    Returns
    -------
    verdict : Verdict
        Where the models can't be compared it is a refusal with the reason.
    comparison : dict or None
        As `hazecast.services.research.model_scores.compare_on` returns it.
    """
    try:
        if period is None:
            comparison = compare_on_store(candidate, serving, settings, progress=progress)
        else:
            comparison = compare_models(
                candidate, serving, period.observations, period.start, period.end,
                weather=period.weather, progress=progress,
            )  # fmt: skip
    except InputError as error:
        reason = f"It can't be compared with the model in service on windows that neither has seen: {error}."
        return Verdict(candidate.model_id, serving.model_id, (reason,)), None
    return decide(comparison, candidate.card, gate_rules(settings)), comparison


def compare_on_store(
    candidate: TrainedModel, other: TrainedModel, settings: Settings, *, progress: bool = False
) -> dict[str, Any]:
    """Score two models on the hours of the store after the training of both.

    Parameters
    ----------
    candidate, other : TrainedModel
    settings : Settings
    progress : bool

    Returns
    -------
    dict
        As `hazecast.services.research.model_scores.compare_on` returns it.

    Raises
    ------
    InputError
        If the store has no such hours, or the models are one and the same.
    """
    trained = max(to_datetime(model.trained_until) for model in (candidate, other))
    store = Store(settings.database_url, files=settings.data_dir)
    try:
        store.migrate()
        end = newest_measured(store)
        start = max(trained, end - _LONGEST).replace(minute=0, second=0) + timedelta(hours=1)
        check_unseen(candidate, other, start, NAME, ())
        if start >= end:
            raise InputError(
                NAME, f"observed hours up to {end:%Y-%m-%dT%H:%MZ}", f"hours after {trained:%Y-%m-%dT%H:%MZ}"
            )
        earlier = end - timedelta(days=settings.learning.retrain_reach_days)
        data = read_store(
            settings, store, min(start - _WEATHER_BEFORE, earlier), end, weather_from=start - _WEATHER_BEFORE
        )
    finally:
        store.close()
    windows, every = data.scoring(start, end)
    if not len(windows):
        raise InputError(NAME, f"no window from {start:%Y-%m-%d} to {end:%Y-%m-%d}", "hours with observed PM2.5 or O3")
    meta = {
        "observations": NAME,
        "from": format_time(start),
        "to": format_time(end),
        "weather": f"{data.cycles} cycles, as issued" if data.issued is not None else NO_WEATHER,
        "hours_between_init_times": every,
    }
    return compare_on(windows, candidate, other, meta, future_weather=True, progress=progress)


def promote(
    model_id: str,
    settings: Settings,
    *,
    by: str,
    at: datetime,
    why: str | None = None,
    force: bool = False,
    period: Period | None = None,
    progress: bool = False,
) -> tuple[Change, Verdict]:
    """Put a model into service if it passes the gate, or by force with a reason.

    Parameters
    ----------
    model_id : str
    settings : Settings
    by : str
        Who decides.
    at : datetime
        Aware.
    why : str, optional
        The reason; needed to force, else by default that the model passed the gate.
    force : bool
    period : Period, optional
        What to compare the models on; by default the store.
    progress : bool

    Returns
    -------
    change : Change
    verdict : Verdict

    Raises
    ------
    InputError
        If the model is unknown or in service already, did not pass and is not forced, or is forced without a reason.
    """
    registry = ModelRegistry(settings.models_dir)
    candidate, serving = registry.get(model_id), registry.in_service()
    if model_id == serving.model_id:
        raise InputError("model", model_id, "one that is not in service already")
    if force and not (why or "").strip():
        raise InputError("why", "no reason", "the reason why the gate is overruled, which the history keeps")
    verdict, _ = examine(candidate, serving, settings, period=period, progress=progress)
    reason = why if why is not None else "passed the gate"
    return registry.promote(model_id, by=by, why=reason, at=at, verdict=verdict, force=force), verdict
