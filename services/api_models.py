"""What the API answers, as typed models with units and examples."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class CityOut(BaseModel):
    """A forecast city."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "beijing", "name_zh": "北京", "name_ja": "北京", "name_en": "Beijing", "country": "CN",
                "region": "beijing", "latitude": 39.904, "longitude": 116.407, "elevation": 44.0,
                "time_zone": "Asia/Shanghai", "code": "110000", "partners": [],
            }
        }
    )  # fmt: skip

    id: str
    name_zh: str
    name_ja: str
    name_en: str
    country: str
    region: str
    latitude: float = Field(description="degrees north, WGS 84")
    longitude: float = Field(description="degrees east, WGS 84")
    elevation: float = Field(description="m")
    time_zone: str = Field(description="IANA name")
    code: str | None = Field(description="GB/T 2260 (China) or JIS X 0402 (Japan) code of the area")
    partners: list[str] = Field(description="Regions that the city's region works with.")


class PollutantOut(BaseModel):
    """A forecast concentration, ug/m3."""

    q10: float | None
    q25: float | None
    q50: float | None = Field(description="median")
    q75: float | None
    q90: float | None
    mean: float | None


_POLLUTANT: JsonValue = {"q10": 180.1, "q25": 225.0, "q50": 281.7, "q75": 340.2, "q90": 402.8, "mean": 287.4}


class HourOut(BaseModel):
    """One hour of a forecast."""

    lead_time: int = Field(description="hours after the init time")
    time: datetime = Field(description="end of the hour, UTC")
    local_time: datetime = Field(description="the same in the city's time zone")
    pm25: PollutantOut
    o3: PollutantOut
    relative_humidity: float | None = Field(description="%")


class ForecastOut(BaseModel):
    """The latest forecast of a city."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "city": "beijing", "init_time": "2013-01-11T22:00:00Z", "simulated": False, "degraded": False,
                "model_id": "network-2015-02-28-20130112", "weather_source": "none: no weather forecast was given",
                "humidity_source": "diurnal persistence", "observations_until": "2013-01-11T22:00:00Z",
                "units": "ug m-3",
                "hours": [
                    {
                        "lead_time": 1, "time": "2013-01-11T23:00:00Z", "local_time": "2013-01-12T07:00:00+08:00",
                        "pm25": _POLLUTANT, "o3": _POLLUTANT, "relative_humidity": 81.0,
                    }
                ],
            }
        }
    )  # fmt: skip

    city: str
    init_time: datetime
    simulated: bool = Field(description="True if made from simulated input: not a real forecast.")
    degraded: bool = Field(description="True if input that the forecast needs was missing.")
    model_id: str
    weather_source: str
    humidity_source: str
    observations_until: datetime
    units: str = "ug m-3"
    hours: list[HourOut]


class CycleOut(BaseModel):
    """One forecast cycle and its outcome."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": 7, "init_time": "2013-01-11T22:00:00Z", "simulated": False, "status": "done",
                "started_at": "2013-01-11T22:05:00Z", "finished_at": "2013-01-11T22:05:04Z", "failed": False,
            }
        }
    )  # fmt: skip

    id: int
    init_time: datetime | None
    simulated: bool
    status: str = Field(description="running, done, degraded or failed")
    started_at: datetime
    finished_at: datetime | None
    failed: bool


class HealthOut(BaseModel):
    """Whether the process is alive."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "alive"}})

    status: str


class CheckOut(BaseModel):
    """One check of the service."""

    name: str = Field(description="database, schema, scheduler or forecast")
    status: str = Field(description="ok, degraded (calls for a look) or failed (unready)")
    detail: str


_CHECKS: list[JsonValue] = [
    {"name": "database", "status": "ok", "detail": "answers"},
    {"name": "schema", "status": "ok", "detail": "0008"},
    {"name": "scheduler", "status": "ok", "detail": "last sign of life 1 s ago"},
    {"name": "forecast", "status": "ok", "detail": "1.5 h old"},
]


class ReadyOut(BaseModel):
    """Whether the service can be relied on, with each check."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "status": "ready", "init_time": "2013-01-11T22:00:00Z", "age_hours": 1.5, "simulated": False,
                "checks": _CHECKS,
            }
        }
    )  # fmt: skip

    status: str = Field(description="ready, or degraded: it serves, but something calls for a look")
    init_time: datetime
    age_hours: float
    simulated: bool
    checks: list[CheckOut]


class ProblemOut(BaseModel):
    """A problem, RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank", "title": "Not Found", "status": 404,
                "detail": "city: found bejing; expected a known city id, such as beijing", "field": "city_id",
            }
        }
    )  # fmt: skip

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    field: str | None = None


class UnreadyOut(ProblemOut):
    """Why the service can't be relied on: a problem, with each check."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank", "title": "Service Unavailable", "status": 503,
                "detail": "forecast: the newest forecast is 20.1 h old, more than 18 h",
                "checks": [*_CHECKS[:3], {"name": "forecast", "status": "failed", "detail": "20.1 h old"}],
            }
        }
    )  # fmt: skip

    checks: list[CheckOut]


class FeatureCollectionOut(BaseModel):
    """Warnings as GeoJSON, RFC 7946."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "FeatureCollection", "simulated": False,
                "features": [
                    {
                        "type": "Feature", "geometry": {"type": "Point", "coordinates": [116.407, 39.904]},
                        "properties": {"id": "cma_haze.beijing.20130111T2200Z", "city": "beijing", "level": "orange"},
                    }
                ],
            }
        },
    )  # fmt: skip

    type: str
    simulated: bool
    features: list[dict[str, object]]
