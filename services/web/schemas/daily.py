"""A city's days as the API answers them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from pydantic import BaseModel, Field


class DayRangeOut(BaseModel):
    """A day's value, ug/m3: its median and the range of 80 %."""

    q10: float | None
    q50: float | None
    q90: float | None


class IndexOut(BaseModel):
    """How a standard rates a day or an hour."""

    standard: str
    value: int | None = Field(description="The AQI; null where there are levels and no number, as in Japan and Europe.")
    id: str
    name_zh: str
    name_ja: str
    name_en: str
    colour: str
    primary: list[str] = Field(description="The pollutants that decide it.")


class ExceedanceOut(BaseModel):
    """The probability that a day exceeds a standard of the city's own country, 0 to 1."""

    pm25: float | None
    pm25_limit: float = Field(description="ug/m3, for the mean of the day")
    o3: float | None
    o3_limit: float = Field(description="ug/m3; China: for the highest mean of 8 hours, Japan: for the highest hour")


class CurrentIndexOut(BaseModel):
    """The US AQI of the hour of the init time, by the NowCast of observed PM2.5 and PM10."""

    time: datetime = Field(description="End of the hour, UTC.")
    pm25: float | None = Field(description="ug/m3, NowCast of the last 12 hours")
    pm10: float | None = Field(description="ug/m3, NowCast of the last 12 hours")
    us_aqi: IndexOut


class DailyReportOut(BaseModel):
    """China's report (HJ 633) of the last day that ended before the init time, from all pollutants observed."""

    date: date
    aqi: IndexOut
    parts: dict[str, int] = Field(description="The index of each item: pm25, pm10, o3_8h, so2, no2, co.")


class PartDayOut(BaseModel):
    """A day of a city, by its own clock or the zone asked for, with the variables that were asked for."""

    date: date
    observed_hours: int = Field(description="Hours of the day that were observed before the init time.")
    pm25_mean: DayRangeOut | None = None
    pm25_max: float | None = Field(default=None, description="ug/m3, highest hour of the median")
    o3_max: float | None = Field(default=None, description="ug/m3, highest hour of the median")
    o3_mda8: DayRangeOut | None = Field(default=None, description="The highest mean of 8 hours.")
    index: IndexOut | None = Field(default=None, description="How the city's own country rates the day.")
    us_aqi: IndexOut | None = Field(default=None, description="The United States' AQI, from PM2.5 and ozone.")
    exceedance: ExceedanceOut | None = Field(
        default=None, description="How likely its country's standards are exceeded."
    )
    visibility_min: int | None = Field(default=None, description="m")
    haze_grade: int | None = Field(
        default=None, description="The highest that lasts: 0 none to 4 severe of QX/T 113-2010, 5 below 1 km."
    )


class DayOut(PartDayOut):
    """A day of a city."""

    pm25_mean: DayRangeOut
    o3_mda8: DayRangeOut


class PartDailyOut(BaseModel):
    """A city's days in a forecast."""

    city: str
    init_time: datetime
    simulated: bool
    degraded: bool
    time_zone: str = Field(description="IANA name of the clock that the days are by.")
    units: dict[str, str] = Field(description="By variable of a day, and of `current`.")
    days: Sequence[PartDayOut]
    current: CurrentIndexOut | None = Field(
        default=None, description="The observed hour of the init time; null where too few hours were observed."
    )
    report: DailyReportOut | None = Field(
        default=None, description="Of a Chinese city: the last whole day observed; null where too little was observed."
    )


class DailyOut(PartDailyOut):
    """A city's days in a forecast, with all variables."""

    days: list[DayOut]
