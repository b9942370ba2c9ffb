"""Verification: every forecast is scored once its hours were observed; a model that falls behind a baseline is reported."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

import pandas as pd

from hazecast.forecast.evaluation.verification import (
    BASELINE_SUMS,
    BASELINES,
    KEYS,
    MIN_DAYS,
    MIN_PAIRS,
    SUMS,
    Verdict,
    score_forecast,
    scoreboard,
    verdicts,
)
from hazecast.grids.contract import LEAD_HOURS
from hazecast.grids.errors import InputError
from hazecast.grids.times import to_datetime64
from hazecast.models.registry import NO_TRAINED_MODEL, ModelRegistry
from hazecast.models.trained import shipped_models
from hazecast.services.core.settings import Settings
from hazecast.services.store.scores import (
    StoredRun,
    daily_sums,
    forecast_places,
    newest_scored,
    runs_before,
    save_scores,
    scored_until,
    stored_forecast,
    stored_observations,
)
from hazecast.services.store.store import Store

log = logging.getLogger(__name__)

WINDOW_DAYS = 30
# Late and revised observations still count for this long after the last lead time.
GRACE = timedelta(days=2)
_DAYS_AT_ONCE = 10
# A month and more of hours of so many cities are rows in memory at once.
_CITIES_AT_ONCE = 200


@dataclass(frozen=True)
class Standing:
    """How the model in service compares with the baselines: verdicts over the newest days, and the same in words."""

    model_id: str
    first_day: date | None
    last_day: date | None
    verdicts: tuple[Verdict, ...] = ()
    sentences: tuple[str, ...] = ()

    @property
    def behind(self) -> bool:
        """Whether it falls behind a baseline."""
        return any(verdict.behind for verdict in self.verdicts)


@dataclass(frozen=True)
class VerificationReport:
    """What a verification did: days scored, pairs in them, rows changed; and how the model compares."""

    until: datetime
    days: int
    pairs: int
    changed: int
    standing: Standing


def verify(settings: Settings, store: Store, until: datetime, *, again: bool = False) -> VerificationReport:
    """Score the stored forecasts that can be verified by `until`; run again it changes nothing.

    A day of runs is scored again until two days after its last lead time, since observations come late and
    are revised. Simulated runs are never scored: each sample generates its observations again.

    Parameters
    ----------
    settings : Settings
    store : Store
    until : datetime
        Aware; no later observation is read.
    again : bool
        Score all stored runs, also those that are finished.

    Returns
    -------
    VerificationReport
    """
    done = {} if again else scored_until(store)
    open_runs = [run for run in runs_before(store, until) if not _closed(run.init_time.date(), done)]
    pairs = changed = 0
    days: set[date] = set()
    for _, some in groupby(open_runs, key=lambda run: run.init_time.date().toordinal() // _DAYS_AT_ONCE):
        runs = list(some)
        of_runs = sorted({run.init_time.date() for run in runs})
        cities = _cities_of(store, runs)
        for start in range(0, max(len(cities), 1), _CITIES_AT_ONCE):
            part = cities[start : start + _CITIES_AT_ONCE]
            scores = _score(store, runs, until, part)
            pairs += int(scores["n"].sum())
            # The days count as scored once all their cities are: a process that is killed between begins them again.
            last = start + _CITIES_AT_ONCE >= len(cities)
            changed += save_scores(store, scores, of_runs, until if last else None)
        days.update(of_runs)
    standing = standing_of(store, serving_id(settings))
    for verdict in standing.verdicts:
        if verdict.behind:
            log.warning("%s", verdict.sentence())
    return VerificationReport(until, len(days), pairs, changed, standing)


def serving_id(settings: Settings) -> str:
    """Return the id of the model that cycles run: the one in service or, where it is gone, what stands in for it."""
    try:
        return ModelRegistry(settings.models_dir).in_service().model_id
    except InputError as error:
        log.warning("the model in service is gone, another stands in: %s", error)
        shipped = shipped_models()
        return shipped[0].model_id if shipped else NO_TRAINED_MODEL


def standing_of(store: Store, model_id: str) -> Standing:
    """Judge a model by the newest scored `WINDOW_DAYS` days of init times.

    Parameters
    ----------
    store : Store
    model_id : str

    Returns
    -------
    Standing
    """
    newest = newest_scored(store)
    if newest is None:
        return Standing(model_id, None, None, (), ("No forecast has been scored yet.",))
    last = newest[0]
    first = last - timedelta(days=WINDOW_DAYS - 1)
    found = tuple(verdicts(daily_sums(store, first, model_id=model_id), model_id))
    return Standing(model_id, first, last, found, _sentences(model_id, found))


def banded_scores(store: Store, days: int = WINDOW_DAYS, cities: Collection[str] = ()) -> pd.DataFrame:
    """Return the scoreboard by model, pollutant and day of lead time.

    Parameters
    ----------
    store : Store
    days : int
        How many of the newest scored days.
    cities : collection of str
        Ids; all cities if empty.

    Returns
    -------
    pandas.DataFrame
        Empty if nothing has been scored.
    """
    newest = newest_scored(store)
    if newest is None:
        return pd.DataFrame()
    sums = daily_sums(store, newest[0] - timedelta(days=days - 1), cities=cities)
    if sums.empty:
        return pd.DataFrame()
    first = (sums["lead_time"].astype(int) - 1) // 24 * 24
    sums = sums.assign(lead=(first + 1).map("{:d}".format) + "-" + (first + 24).map("{:d}".format), first=first)
    board = scoreboard(sums, ["model_id", "pollutant", "first", "lead"])
    columns = ["model_id", "pollutant", "lead", "n", "rmse", "mae", "bias", "coverage80"]
    return board[[*columns, *(f"{name}_{part}" for name in BASELINES for part in ("rmse", "rmse_ratio"))]]


def _sentences(model_id: str, found: tuple[Verdict, ...]) -> tuple[str, ...]:
    behind = tuple(verdict.sentence() + "." for verdict in found if verdict.behind)
    if behind:
        return behind
    judged = [verdict for verdict in found if verdict.enough]
    if not judged:
        return (
            f"Too little to judge {model_id} by: a verdict needs {MIN_PAIRS} pairs from {MIN_DAYS} days of the last "
            f"{WINDOW_DAYS}.",
        )
    return (f"{model_id} falls behind no baseline ({len(judged)} comparisons over the last {WINDOW_DAYS} days).",)


def _closed(day: date, done: dict[date, datetime]) -> bool:
    if day not in done:
        return False
    end_of_day = datetime.combine(day + timedelta(days=1), datetime.min.time(), done[day].tzinfo)
    return done[day] >= end_of_day + timedelta(hours=LEAD_HOURS) + GRACE


def _cities_of(store: Store, runs: list[StoredRun]) -> list[str]:
    """Return the cities that any of some runs has values of."""
    found: set[str] = set()
    for run in runs:
        held = forecast_places(store, run)
        if not held:
            log.warning("%s: the values of the forecast are gone, it is not scored", run.init_time.isoformat())
        found.update(held)
    return sorted(found)


def _score(store: Store, runs: list[StoredRun], until: datetime, cities: list[str]) -> pd.DataFrame:
    observations = stored_observations(store, runs[0].init_time, runs[-1].init_time, cities)
    tables = [pd.DataFrame(columns=["day", "model_id", *KEYS, *SUMS, *BASELINE_SUMS])]
    if observations is not None:
        observations = observations.sel(time=slice(None, to_datetime64(until)))
        for run in runs:
            forecast = stored_forecast(store, run, cities)
            if forecast is not None:
                table = score_forecast(forecast, observations)
                tables.append(table.assign(day=run.init_time.date(), model_id=run.model_id))
    found = [table for table in tables if len(table)] or tables[:1]
    return pd.concat(found, ignore_index=True).groupby(["day", "model_id", *KEYS], as_index=False).sum()
