"""What the API answers about the verification of forecasts, as typed models."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field, JsonValue


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
    cams: BaselineScoreOut = Field(description="the chemistry model's newest run; no pairs where none was known")


class BandOut(BaseModel):
    """Scores of one model and pollutant over a day of lead times, beside the baselines' over their own pairs."""

    model_id: str
    pollutant: str
    lead: str = Field(description="first and last hour after the init time, such as 1-24")
    n: int
    rmse: float | None = Field(description="ug/m3")
    mae: float | None = Field(description="ug/m3")
    bias: float | None = Field(description="ug/m3")
    coverage80: float | None
    persistence_rmse: float | None
    persistence_rmse_ratio: float | None
    climatology_rmse: float | None
    climatology_rmse_ratio: float | None
    cams_rmse: float | None
    cams_rmse_ratio: float | None


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
    """The scoreboard of the newest days whose forecasts can be verified."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model_id": "network-2020-12-31-20130112-4799ea53", "behind": False, "cities": ["beijing"],
                "units": {"rmse": "ug m-3", "mae": "ug m-3", "bias": "ug m-3", "difference": "ug m-3", "coverage80": "1", "rmse_ratio": "1"},
                "first_day": "2013-01-02", "last_day": "2013-01-31", "scored_until": "2013-01-31T22:00:00Z",
                "statements": ["network-2020-12-31-20130112-4799ea53 falls behind no baseline (20 comparisons over the last 30 days)."],
                "verdicts": [
                    {
                        "pollutant": "pm25", "baseline": "persistence", "first_lead": 1, "last_lead": 24, "days": 30,
                        "n": 35400, "rmse": 31.0, "baseline_rmse": 38.2, "difference_low": -9.1,
                        "difference_high": -5.4, "enough": True, "behind": False,
                    }
                ],
                "bands": [
                    {
                        "model_id": "network-2020-12-31-20130112-4799ea53", "pollutant": "pm25", "lead": "1-24", "n": 35400,
                        "rmse": 31.0, "mae": 19.2, "bias": 0.4, "coverage80": 0.8, "persistence_rmse": 38.2,
                        "persistence_rmse_ratio": 0.81, "climatology_rmse": 70.1, "climatology_rmse_ratio": 0.44,
                        "cams_rmse": 39.5, "cams_rmse_ratio": 0.78,
                    }
                ],
                "scores": [
                    {
                        "model_id": "network-2020-12-31-20130112-4799ea53", "pollutant": "pm25", "lead_time": 24, "n": 1180,
                        "rmse": 33.9, "mae": 20.7, "bias": 1.1, "coverage80": 0.81,
                        "persistence": _BASELINE, "climatology": _BASELINE, "cams": _BASELINE,
                    }
                ],
            }
        }
    )  # fmt: skip

    model_id: str = Field(description="the model in service, which statements and verdicts are about")
    behind: bool = Field(description="Whether it falls behind a baseline.")
    statements: list[str]
    verdicts: list[VerdictOut]
    cities: list[str] = Field(description="the cities of `bands` and `scores`; empty for all together")
    units: dict[str, str] = Field(description="By score.")
    first_day: date | None = Field(description="first day of the init times in `scores`, UTC")
    last_day: date | None
    scored_until: datetime | None
    bands: list[BandOut] = Field(description="By day of lead time: one row for the first 24 hours, and so on.")
    scores: list[ScoreOut]
