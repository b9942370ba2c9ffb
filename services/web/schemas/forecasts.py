"""What the API answers, as typed models with units and examples."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from hazecast.services.web.schemas.items import ItemsOut

Units = dict[str, str]


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
    elevation: float | None = Field(description="m")
    time_zone: str = Field(description="IANA name")
    code: str | None = Field(description="GB/T 2260 (China) or JIS X 0402 (Japan) code of the area")
    partners: list[str] = Field(description="Regions that the city's region works with.")


class CitiesOut(ItemsOut[CityOut]):
    """The cities of an answer."""


class PollutantOut(BaseModel):
    """A forecast concentration, ug/m3."""

    q10: float | None
    q25: float | None
    q50: float | None = Field(description="median")
    q75: float | None
    q90: float | None
    mean: float | None


_POLLUTANT: JsonValue = {"q10": 180.1, "q25": 225.0, "q50": 281.7, "q75": 340.2, "q90": 402.8, "mean": 287.4}


class PartHourOut(BaseModel):
    """One hour of a forecast, with the variables that were asked for."""

    lead_time: int = Field(description="hours after the init time")
    time: datetime = Field(description="end of the hour, UTC")
    local_time: datetime = Field(description="the same in the city's time zone, or the one asked for")
    pm25: PollutantOut | None = None
    o3: PollutantOut | None = None
    relative_humidity: float | None = Field(default=None, description="%")


class HourOut(PartHourOut):
    """One hour of a forecast."""

    pm25: PollutantOut
    o3: PollutantOut


class RunHeadOut(BaseModel):
    """Which run it is, and its input."""

    init_time: datetime
    simulated: bool = Field(description="True if made from simulated input: not a real forecast.")
    degraded: bool = Field(description="True if input that the forecast needs was missing.")
    model_id: str
    weather_source: str
    humidity_source: str
    observations_until: datetime


class RunOut(RunHeadOut):
    """A stored run."""

    created_at: datetime


class RunsOut(ItemsOut[RunOut]):
    """A page of the stored runs."""


class PartForecastOut(RunHeadOut):
    """The forecast of a city."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "city": "beijing", "init_time": "2013-01-11T22:00:00Z", "simulated": False, "degraded": False,
                "model_id": "network-2020-12-31-20130112-4799ea53", "weather_source": "none: no weather forecast was given",
                "humidity_source": "diurnal persistence", "observations_until": "2013-01-11T22:00:00Z",
                "units": {"pm25": "ug m-3", "o3": "ug m-3", "relative_humidity": "%"},
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
    units: Units = Field(description="By variable, as in CF and UDUNITS.")
    hours: Sequence[PartHourOut]


class ForecastOut(PartForecastOut):
    """The forecast of a city, with all variables."""

    hours: list[HourOut]


class PartCityHoursOut(BaseModel):
    """A city's hours, with the variables that were asked for."""

    city: str
    hours: Sequence[PartHourOut]


class CityHoursOut(PartCityHoursOut):
    """A city's hours."""

    hours: list[HourOut]


class PartRunForecastOut(RunHeadOut, ItemsOut[PartCityHoursOut]):
    """A run, or some of its cities and hours."""

    units: Units = Field(description="By variable.")


class RunForecastOut(RunHeadOut, ItemsOut[CityHoursOut]):
    """A run, or some of its cities and hours, with all variables."""

    units: Units


class ObservedValuesOut(BaseModel):
    """What was observed in an hour, ug/m3; null where there is no value that can be used."""

    pm25: float | None
    o3: float | None
    pm10: float | None
    no2: float | None
    so2: float | None
    co: float | None
    pm25_flag: int | None = Field(description="0 where quality control lets the value be used.")
    o3_flag: int | None
    pm25_stations: int | None = Field(description="Stations behind the mean.")
    source: str


class ObservationOut(ObservedValuesOut):
    """An observed hour."""

    time: datetime = Field(description="End of the hour, UTC.")


class ObservationsOut(ItemsOut[ObservationOut]):
    """A page of a city's observed hours."""

    city: str
    simulated: bool
    units: Units = Field(description="By variable.")


class CityObservationOut(ObservedValuesOut):
    """A city's hour."""

    city: str


class ObservedHourOut(ItemsOut[CityObservationOut]):
    """One observed hour of the cities."""

    time: datetime = Field(description="End of the hour, UTC.")
    simulated: bool
    units: Units = Field(description="By variable.")


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

    name: str = Field(description="database, schema, scheduler, tables, forecast, files, writing or disk")
    status: str = Field(description="ok, degraded (needs attention) or failed (unready)")
    detail: str


_CHECKS: list[JsonValue] = [
    {"name": "database", "status": "ok", "detail": "answers"},
    {"name": "schema", "status": "ok", "detail": "0013"},
    {"name": "scheduler", "status": "ok", "detail": "last sign of life 1 s ago"},
    {"name": "tables", "status": "ok", "detail": "can be read"},
    {"name": "forecast", "status": "ok", "detail": "1.5 h old"},
    {"name": "files", "status": "ok", "detail": "those of the newest forecast are there"},
    {"name": "writing", "status": "ok", "detail": "the data folder and the database can be written"},
    {"name": "disk", "status": "ok", "detail": "41.3 GB free"},
]


class ReadyOut(BaseModel):
    """Whether the service is ready, with each check."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "status": "ready", "init_time": "2013-01-11T22:00:00Z", "age_hours": 1.5, "simulated": False,
                "checks": _CHECKS,
            }
        }
    )  # fmt: skip

    status: str = Field(description="ready, or degraded: it serves, but something needs attention")
    init_time: datetime
    age_hours: float
    simulated: bool
    checks: list[CheckOut]


class InvalidOut(BaseModel):
    """One argument that is wrong, and why."""

    model_config = ConfigDict(populate_by_name=True)

    field: str
    where: str = Field(alias="in", description="query, path, header or body")
    reason: str


class ProblemOut(BaseModel):
    """A problem, RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "/v1/problems/invalid-argument", "title": "Unprocessable Entity", "status": 422,
                "detail": "level: found blue; expected one of orange, red, yellow",
                "errors": [{"field": "level", "in": "query", "reason": "found blue; expected one of orange, red, yellow"}],
            }
        }
    )  # fmt: skip

    type: str = Field(description="Its kind: an address that explains it.")
    title: str
    status: int
    detail: str = Field(description="This occurrence, in words.")
    errors: list[InvalidOut] | None = Field(default=None, description="Every argument that is wrong.")


class ProblemTypeOut(BaseModel):
    """A type of problem."""

    name: str
    status: int
    title: str
    advice: str


class UnreadyOut(ProblemOut):
    """Why the service is not ready: a problem, with each check."""

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
    next: str | None = Field(default=None, description="The cursor of the next page of a long list.")


class LayerOut(BaseModel):
    """What a layer of the map is in, and the classes that the service's own maps draw."""

    units: str
    bounds: list[float] | None = Field(description="Lower bounds of the classes; the last is open.")
    colours: list[str] | None = Field(description="A colour for each class.")


class CityLayersOut(BaseModel):
    """A city on the map, and its values by layer in the order of the map's times."""

    id: str
    name_zh: str
    name_ja: str
    name_en: str
    country: str
    region: str
    latitude: float
    longitude: float
    time_zone: str
    values: dict[str, list[int | float | None]]


class MapOut(RunHeadOut, ItemsOut[CityLayersOut]):
    """All cities and hours of a forecast."""

    times: list[datetime] = Field(description="Ends of the hours, UTC.")
    local_times: list[datetime] | None = Field(default=None, description="The same in the zone that was asked for.")
    layers: dict[str, LayerOut]
