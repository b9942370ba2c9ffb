"""``GET /v1/verification``: the running scoreboard, and whether the model in service falls behind."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal

import pandas as pd
from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from forecast.verification import Verdict, scoreboard
from grids.cities import Registry
from grids.errors import InputError
from services.api_models import ProblemOut
from services.scores import daily_sums, newest_scored
from services.settings import Settings
from services.store import Store
from services.verification import serving_id, standing_of


class BaselineScoreOut(BaseModel):
    """A baseline over the pairs that it has."""

    n: int
    rmse: float | None = Field(description="ug/m3")
    mae: float | None = Field(description="ug/m3")
    bias: float | None = Field(description="ug/m3, forecast minus observed")
    rmse_ratio: float | None = Field(description="the model's RMSE over the baseline's, same pairs; below 1 is better")


class ScoreOut(BaseModel):
    """Scores of one model, pollutant and lead time."""

    model_id: str
    pollutant: str
    lead_time: int = Field(description="hours after the init time")
    n: int = Field(description="pairs of forecast and observation")
    rmse: float | None = Field(description="ug/m3, of the mean")
    mae: float | None = Field(description="ug/m3, of the median")
    bias: float | None = Field(description="ug/m3, mean forecast minus observed")
    coverage80: float | None = Field(description="share of observations within the 80 % interval")
    persistence: BaselineScoreOut
    climatology: BaselineScoreOut


class VerdictOut(BaseModel):
    """The model in service against a baseline, over all cities."""

    pollutant: str
    baseline: str
    first_lead: int
    last_lead: int
    days: int = Field(description="days of init times")
    n: int
    rmse: float
    baseline_rmse: float
    difference_low: float | None = Field(description="95 % interval of the RMSE difference, ug/m3")
    difference_high: float | None
    enough: bool = Field(description="Whether there are enough pairs to judge.")
    behind: bool = Field(description="True if the model is worse by more than chance explains.")


_BASELINE: JsonValue = {"n": 1180, "rmse": 41.3, "mae": 24.9, "bias": -0.8, "rmse_ratio": 0.82}


class VerificationOut(BaseModel):
    """The scoreboard of the newest days whose forecasts have come due."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model_id": "network-2015-02-28-20130112", "behind": False, "city": "beijing",
                "first_day": "2013-01-02", "last_day": "2013-01-31", "scored_until": "2013-01-31T22:00:00Z",
                "statements": ["network-2015-02-28-20130112 falls behind no baseline (20 comparisons over the last 30 days)."],
                "verdicts": [
                    {
                        "pollutant": "pm25", "baseline": "persistence", "first_lead": 1, "last_lead": 24, "days": 30,
                        "n": 35400, "rmse": 31.0, "baseline_rmse": 38.2, "difference_low": -9.1,
                        "difference_high": -5.4, "enough": True, "behind": False,
                    }
                ],
                "scores": [
                    {
                        "model_id": "network-2015-02-28-20130112", "pollutant": "pm25", "lead_time": 24, "n": 1180,
                        "rmse": 33.9, "mae": 20.7, "bias": 1.1, "coverage80": 0.81,
                        "persistence": _BASELINE, "climatology": _BASELINE,
                    }
                ],
            }
        }
    )  # fmt: skip

    model_id: str = Field(description="the model in service, which statements and verdicts are about")
    behind: bool = Field(description="Whether it falls behind a baseline.")
    statements: list[str]
    verdicts: list[VerdictOut]
    city: str | None = Field(description="the city of `scores`; null for all together")
    first_day: date | None = Field(description="first day of the init times in `scores`, UTC")
    last_day: date | None
    scored_until: datetime | None
    scores: list[ScoreOut]


def verification_routes(store: Store, settings: Settings, registry: Registry) -> APIRouter:
    """Return the route of the scoreboard."""
    router = APIRouter()
    responses: dict[int | str, dict[str, Any]] = {
        304: {"description": "Unchanged since If-None-Match"},
        404: {"model": ProblemOut, "description": "Not found"},
        422: {"model": ProblemOut, "description": "Invalid argument"},
    }

    @router.get("/verification", tags=["forecasts"], responses=responses)
    def verification(
        city: Annotated[str | None, Query(description="Only this city.", examples=["beijing"])] = None,
        pollutant: Annotated[Literal["pm25", "o3"] | None, Query(description="Only this pollutant.")] = None,
        days: Annotated[int, Query(ge=1, le=366, description="Days of init times, up to the newest scored.")] = 30,
    ) -> VerificationOut:
        """How well the forecasts came true, by model and lead time, beside persistence and climatology.

        Statements and verdicts are about the model in service over the last 30 days and all cities.
        """
        if city is not None:
            try:
                registry.city(city)
            except InputError as error:
                raise HTTPException(404, str(error)) from error
        return answer(newest_scored(store), serving_id(settings), city, pollutant, days)

    # The sums of a month and many cities take seconds to add: once for each new scoring or promotion is enough.
    @lru_cache(maxsize=256)
    def answer(
        newest: tuple[date, datetime] | None, serving: str, city: str | None, pollutant: str | None, days: int
    ) -> VerificationOut:
        standing = standing_of(store, serving)
        first = None if newest is None else newest[0] - timedelta(days=days - 1)
        sums = None if first is None else daily_sums(store, first, city=city, pollutant=pollutant)
        return VerificationOut(
            model_id=standing.model_id,
            behind=standing.behind,
            statements=list(standing.sentences),
            verdicts=[_verdict(verdict) for verdict in standing.verdicts],
            city=city,
            first_day=first,
            last_day=newest[0] if newest else None,
            scored_until=newest[1] if newest else None,
            scores=[] if sums is None or sums.empty else _scores(sums),
        )

    return router


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
            coverage80=_rounded(row["coverage80"]),
            persistence=_baseline(row, "persistence"),
            climatology=_baseline(row, "climatology"),
        )
        for row in board.to_dict("records")
    ]


def _baseline(row: dict[Any, Any], name: str) -> BaselineScoreOut:
    parts = {part: _rounded(row[f"{name}_{part}"]) for part in ("rmse", "mae", "bias", "rmse_ratio")}
    return BaselineScoreOut(n=row[f"{name}_n"], **parts)


def _verdict(verdict: Verdict) -> VerdictOut:
    return VerdictOut(
        pollutant=verdict.pollutant,
        baseline=verdict.baseline,
        first_lead=verdict.first_lead,
        last_lead=verdict.last_lead,
        days=verdict.days,
        n=verdict.n,
        rmse=round(verdict.rmse, 3),
        baseline_rmse=round(verdict.baseline_rmse, 3),
        difference_low=_rounded(verdict.low),
        difference_high=_rounded(verdict.high),
        enough=verdict.enough,
        behind=verdict.behind,
    )


def _rounded(value: float) -> float | None:
    return None if pd.isna(value) else round(float(value), 3)
