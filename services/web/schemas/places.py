"""What the API answers about a point between the cities, and about stations."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from hazecast.services.web.schemas.forecasts import PartForecastOut, Units
from hazecast.services.web.schemas.items import ItemsOut


class PointOut(PartForecastOut):
    """The forecast at a point: of the city there, or of the field between cities."""

    latitude: float = Field(description="degrees north, as asked for")
    longitude: float = Field(description="degrees east, as asked for")
    method: Literal["city", "field"] = Field(description="Whether the values are the city's own, or of the field.")
    city: str = Field(description="The nearest city of the run.")
    distance: float = Field(description="km to the nearest city")
    uncertainty: float = Field(
        description="Standard deviation of what the field leaves unknown at the point, as a share of that 200 km from the only "
        "city: 0 at a city, at most 1. The quantiles don't hold it: they are those of the forecast at the cities."
    )
    time_zone: str = Field(description="IANA name, of the nearest city.")


class StationOut(BaseModel):
    """A station of a network."""

    id: str = Field(description="source:code")
    source: str
    name: str
    city: str
    latitude: float | None = Field(description="degrees north; null where the network publishes none")
    longitude: float | None = Field(description="degrees east")
    siting: str
    licence: str
    attribution: str


class StationsOut(ItemsOut[StationOut]):
    """A page of the stations."""


class StationHourOut(BaseModel):
    """A station's hour; null where there is no value that can be used."""

    time: datetime = Field(description="End of the hour, UTC.")
    pm25: float | None = None
    o3: float | None = None
    pm10: float | None = None
    no2: float | None = None
    so2: float | None = None
    co: float | None = None
    flags: dict[str, int] = Field(description="By pollutant reported; 0 where quality control lets the value be used.")


class StationHoursOut(ItemsOut[StationHourOut]):
    """A page of a station's hours."""

    station: StationOut
    units: Units = Field(description="By variable.")
