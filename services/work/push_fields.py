"""What an account's own system sends, and what it is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from hazecast.grids.observations.tables.units import MEANINGS
from hazecast.services.core.field_limits import at_most

MOST_ROWS, MOST_STATIONS = 10_000, 1_000
_Text = Annotated[str, Field(max_length=200)]
_EXAMPLE: dict[str, JsonValue] = {
    "stations": [{"code": "1011A", "name": "奥体中心", "city": "beijing", "latitude": 39.982, "longitude": 116.397}],
    "observations": [
        {"station": "1011A", "time": "2026-01-15T09:00+08:00", "variable": "pm25", "value": 35.0, "unit": "ug/m3"},
        {"station": "1011A", "time": "2026-01-15T09:00+08:00", "variable": "relative_humidity", "value": 62, "unit": "%"},
    ],
}  # fmt: skip


def _number(value: object) -> object:
    """Refuse what Python takes for a number, and no instrument writes: true, and 1_0."""
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        raise ValueError("expected a number or null")
    return value


class PushedStation(BaseModel):
    """A station of the account; described once, and again where something of it changes."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, Field(min_length=1, max_length=60)]
    name: _Text = ""
    city: _Text = Field(default="", description="Id or name; without it the nearest one's by the position.")
    latitude: Annotated[float | None, Field(ge=-90.0, le=90.0)] = None
    longitude: Annotated[float | None, Field(ge=-180.0, le=180.0)] = None
    siting: Literal["", "background", "roadside"] = ""
    licence: _Text = ""
    attribution: _Text = ""


class PushedValue(BaseModel):
    """One value of one station and hour."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    station: Annotated[str, Field(min_length=1, max_length=60)]
    time: datetime = Field(description="The end of the hour, with its offset; whole hours, at most 31 days ago.")
    variable: str = Field(max_length=40, description=f"One of {', '.join(MEANINGS)}.")
    value: Annotated[float | None, BeforeValidator(_number)] = Field(description="Null withdraws a pollutant's value.")
    unit: str = Field(max_length=40, description="Such as ug/m3, mg/m3, ppb, ppm, degC, %, m/s, hPa, km.")


class Push(BaseModel):
    """Stations and values."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE})

    stations: Annotated[list[PushedStation], at_most(MOST_STATIONS), Field(max_length=MOST_STATIONS)] = []
    observations: Annotated[list[PushedValue], at_most(MOST_ROWS), Field(min_length=1, max_length=MOST_ROWS)]


class RowError(BaseModel):
    """A row that was refused, and why."""

    field: str
    reason: str


class Pushed(BaseModel):
    """What became of the rows."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "received": 2, "new": 1, "revised": 0, "unchanged": 0, "refused": 1, "repeated": False,
                "errors": [{"field": "observations[1].unit", "reason": "found %%; expected one of %, 1"}],
            }
        }
    )  # fmt: skip

    received: int = Field(description="Rows in the request.")
    new: int = Field(description="Values stored, of pollutants and of what is derived from the others.")
    revised: int = Field(description="Values that replace an earlier one, which is kept.")
    unchanged: int
    refused: int = Field(description="Rows and stations that were not taken.")
    errors: list[RowError] = Field(description="The first 20 of them.")
    repeated: bool = Field(description="Whether this repeats the answer to an earlier request of the same key.")


class Answer(BaseModel):
    """The answer to a request: its status, and the outcome or, with 422, a detail and errors."""

    status: int
    outcome: Pushed | None = None
    detail: str = ""
    errors: list[RowError] = []
