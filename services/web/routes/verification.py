"""``GET /v1/verification``: the running scoreboard, and whether the model in service falls behind a baseline."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from fastapi import APIRouter, Query

from hazecast.forecast.evaluation.verification import Verdict, scoreboard
from hazecast.services.core.field_limits import at_most
from hazecast.services.store.scores import daily_sums, newest_scored
from hazecast.services.web.dependencies import Given, Service
from hazecast.services.web.places import named_city
from hazecast.services.web.routes.common import INVALID, UNCHANGED
from hazecast.services.web.schemas.scores import BandOut, BaselineScoreOut, ScoreOut, VerdictOut, VerificationOut
from hazecast.services.work.verification import banded_scores, serving_id, standing_of

router = APIRouter()
# Whole names that are ratios and shares; all other scores are concentrations.
_SHARES = ("coverage80", "rmse_ratio")
_UNITS = dict.fromkeys(("rmse", "mae", "bias", "difference"), "ug m-3") | dict.fromkeys(_SHARES, "1")


@router.get("/verification", tags=["forecasts"], responses=INVALID | UNCHANGED)
def verification(
    service: Given,
    city: Annotated[
        list[str] | None,
        Query(description="Only these cities, by id; may be repeated.", examples=[["beijing"]], max_length=500),
        at_most(500),
    ] = None,
    pollutant: Annotated[Literal["pm25", "o3"] | None, Query(description="Only this pollutant.")] = None,
    days: Annotated[int, Query(ge=1, le=366, description="Days of init times, up to the newest scored.")] = 30,
) -> VerificationOut:
    """How forecasts verified, by model and lead time, beside persistence, climatology and the chemistry model CAMS.

    Statements and verdicts are about the model in service over the last 30 days and all cities.
    """
    cities = tuple(dict.fromkeys(named_city(service.registry, name).id for name in city or ()))
    return _answer(service, newest_scored(service.store), serving_id(service.settings), cities, pollutant, days)


# A month of many cities takes seconds to add up: once for each new scoring or promotion is enough.
@lru_cache(maxsize=256)
def _answer(
    service: Service,
    newest: tuple[date, datetime] | None,
    serving: str,
    cities: tuple[str, ...],
    pollutant: str | None,
    days: int,
) -> VerificationOut:
    standing = standing_of(service.store, serving)
    first = None if newest is None else newest[0] - timedelta(days=days - 1)
    sums = None if first is None else daily_sums(service.store, first, cities=cities, pollutant=pollutant)
    return VerificationOut(
        model_id=standing.model_id,
        behind=standing.behind,
        statements=list(standing.sentences),
        verdicts=[_verdict(verdict) for verdict in standing.verdicts],
        cities=list(cities),
        units=_UNITS,
        first_day=first,
        last_day=newest[0] if newest else None,
        scored_until=newest[1] if newest else None,
        bands=_bands(banded_scores(service.store, days, cities), pollutant),
        scores=[] if sums is None or sums.empty else _scores(sums),
    )


def _scores(sums: pd.DataFrame) -> list[ScoreOut]:
    board = scoreboard(sums, ["model_id", "pollutant", "lead_time"])
    return [
        ScoreOut(
            model_id=row["model_id"],
            pollutant=row["pollutant"],
            lead_time=row["lead_time"],
            n=row["n"],
            rmse=_rounded(row["rmse"]),
            mae=_rounded(row["mae"]),
            bias=_rounded(row["bias"]),
            coverage80=_rounded(row["coverage80"], 3),
            persistence=_baseline(row, "persistence"),
            climatology=_baseline(row, "climatology"),
            cams=_baseline(row, "cams"),
        )
        for row in board.to_dict("records")
    ]


def _bands(board: pd.DataFrame, pollutant: str | None) -> list[BandOut]:
    decimals = {name: 3 if name.endswith(_SHARES) else 1 for name in map(str, board.select_dtypes("float"))}
    plain = board.round(decimals).astype(object).replace({np.nan: None})
    bands = [BandOut.model_validate(row) for row in plain.to_dict("records")]
    return [band for band in bands if pollutant in (None, band.pollutant)]


def _baseline(row: dict[Any, Any], name: str) -> BaselineScoreOut:
    parts = {
        part: _rounded(row[f"{name}_{part}"], 3 if part in _SHARES else 1)
        for part in ("rmse", "mae", "bias", "rmse_ratio")
    }
    return BaselineScoreOut(n=row[f"{name}_n"], **parts)


def _verdict(verdict: Verdict) -> VerdictOut:
    return VerdictOut(
        pollutant=verdict.pollutant,
        baseline=verdict.baseline,
        first_lead=verdict.first_lead,
        last_lead=verdict.last_lead,
        days=verdict.days,
        n=verdict.n,
        rmse=round(verdict.rmse, 1),
        baseline_rmse=round(verdict.baseline_rmse, 1),
        difference_low=_rounded(verdict.low),
        difference_high=_rounded(verdict.high),
        enough=verdict.enough,
        behind=verdict.behind,
    )


def _rounded(value: float, decimals: int = 1) -> float | None:
    return None if pd.isna(value) else round(float(value), decimals)
